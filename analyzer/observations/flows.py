"""conntrack's entries towards the addresses of the matrix, grouped once, so that a million rows cost seconds.

A flow is a group of entries with equal (node, protocol, original destination and port, original source) that were translated
and answered alike. Clients outside the cluster are one source, because the matrix has one column for them.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from analyzer.evidence import Evidence
from analyzer.forwarding import World
from analyzer.observations.expect import Key, Server
from analyzer.observations.inside import Inside
from analyzer.snapshot import Snapshot
from analyzer.snapshot.objects import columns

if TYPE_CHECKING:
    import pandas as pd

Answer = Literal["answered", "silent", "quiet", "open"]
"""answered: a connection was made (UDP: anything came back); silent: SYN without an answer; quiet: UDP without an answer,
which many protocols never give; open: says neither."""

OUTSIDE = "outside"
"""Stands for every client outside the cluster."""

EVIDENCE = 3
"""Entries quoted for one flow."""

CLIENTS = 8
"""Addresses of outside clients kept of one flow, in the order of the capture."""

_HOST_PART = r"\.[0-9]{1,3}$"
_SECONDS = re.compile(r"[0-9]{1,6}")
SYN_SENT_S = 120
"""What a SYN_SENT entry starts with, unless the node's sysctl says otherwise; with one second less it is still in flight."""
SYN_SENT_KEY = "net.netfilter.nf_conntrack_tcp_timeout_syn_sent"

MADE = (
    "ESTABLISHED",
    "FIN_WAIT",
    "CLOSE_WAIT",
    "LAST_ACK",
    "TIME_WAIT",
    "SHUTDOWN_SENT",
    "SHUTDOWN_RECD",
    "SHUTDOWN_ACK_SENT",
)
UNMADE = ("SYN_SENT", "COOKIE_WAIT")
FLAGS = ("unreplied", "assured", "offload")
TEXT = ("node", "protocol", "state", "orig_src", "orig_dst", "reply_src", "reply_dst", "origin", "file")
NUMBERS = ("orig_sport", "orig_dport", "reply_sport", "reply_dport", "timeout_s", "line")


@dataclass(frozen=True, slots=True)
class Flow:
    """Entries alike. `to` is the source the server sees (OUTSIDE: the client's own address was kept).

    `lasting` entries may have been made before the captured state came about. `next_server` and `next_to` are what the node
    that owns the dialled address did with the very same connection (same ports), where its capture shows it.
    """

    server: Server
    to: str
    answer: Answer
    lasting: bool
    entries: int
    next_server: Server | None
    next_to: str
    clients: tuple[str, ...]
    evidence: tuple[Evidence, ...]


Flows = Mapping[Key, Mapping[str, tuple[Flow, ...]]]
"""Key -> original source (or OUTSIDE) -> its flows"""


def flows(snapshot: Snapshot, world: World, wanted: Iterable[tuple[str, str, int]]) -> Flows:
    """The flows towards the (protocol, address, port) in `wanted`."""
    import pandas as pd

    asked = frozenset(wanted)
    pieces = [_relevant(chunk, asked) for chunk in snapshot.chunks("connections", *TEXT, *NUMBERS, *FLAGS)]
    frame = pieces[0] if len(pieces) == 1 else pd.concat(pieces, ignore_index=True) if pieces else pd.DataFrame()
    if not len(frame):
        return {}
    frame = _without_second_crossings(frame, frozenset(world.load_balancers))
    frame = _followed(frame, world)
    frame["answer"] = _answer(frame, _syn_sent(snapshot))
    frame["lasting"] = (frame["state"] == "ESTABLISHED") | frame["offload"] | (frame["protocol"] == "udp")
    foreign = _outside(frame["orig_src"], snapshot, world)
    kept = foreign & (frame["reply_dst"] == frame["orig_src"])
    frame["client"] = frame["orig_src"]
    frame["source"] = frame["orig_src"].mask(foreign, OUTSIDE)
    frame["to"] = frame["reply_dst"].mask(kept, OUTSIDE)
    kept_on = foreign & (frame["next_to"] == frame["orig_src"])
    frame["next_to"] = frame["next_to"].mask(kept_on, OUTSIDE)
    return _grouped(frame)


def _relevant(connections: pd.DataFrame, wanted: frozenset[tuple[str, str, int]]) -> pd.DataFrame:
    """Live entries with a whole pair of tuples towards one of `wanted`, as plain columns."""
    import pandas as pd

    frame = connections[
        connections["orig_dst"].isin({address for _, address, _ in wanted})
        & connections["orig_dport"].isin({port for _, _, port in wanted})
    ]
    values: dict[str, pd.Series] = {}
    for name in TEXT:
        values[name] = frame[name].astype("str").fillna("")
    for name in NUMBERS:
        values[name] = frame[name].astype("Int64").fillna(-1).astype("int64")
    for name in FLAGS:
        values[name] = frame[name].astype("boolean").fillna(False).astype(bool)
    values["answer_known"] = frame["unreplied"].notna()
    plain = pd.DataFrame(values).reset_index(drop=True)
    asked = pd.MultiIndex.from_frame(plain[["protocol", "orig_dst", "orig_dport"]])
    whole = (plain[["node", "orig_src", "reply_src", "reply_dst"]] != "").all(axis=1)
    live = plain["origin"].isin(["live", ""])
    return plain[asked.isin(list(wanted)) & whole & live].reset_index(drop=True)


def _syn_sent(snapshot: Snapshot) -> dict[str, int]:
    """Node -> the timeout a SYN_SENT entry starts with, where it was captured."""
    sysctls = snapshot["sysctls"]
    found = sysctls[sysctls["key"] == SYN_SENT_KEY]
    return {
        str(node): int(value)
        for node, value in zip(found["node"], found["value"], strict=True)
        if isinstance(value, str) and _SECONDS.fullmatch(value)
    }


def _answer(frame: pd.DataFrame, syn_sent: Mapping[str, int]) -> pd.Series:
    """What an entry says of the connection; see `Answer`."""
    import pandas as pd

    udp = frame["protocol"] == "udp"
    known = frame["answer_known"]
    replied = known & ~frame["unreplied"]
    answered = frame["assured"] | frame["offload"] | (replied & (udp | frame["state"].isin(MADE)))
    in_flight = frame["timeout_s"] >= frame["node"].map(lambda node: syn_sent.get(node, SYN_SENT_S)) - 1
    silent = frame["unreplied"] & frame["state"].isin(UNMADE) & ~udp & ~in_flight
    found = pd.Series("open", index=frame.index, dtype="str")
    return found.mask(udp & frame["unreplied"], "quiet").mask(silent, "silent").mask(answered, "answered")


def _without_second_crossings(frame: pd.DataFrame, balancers: frozenset[str]) -> pd.DataFrame:
    """Without the entries a connection left when the load balancer sent it back to the client's own node.

    They look like a client that dialled the NodePort. The first entry (untranslated, to the load balancer) has the same
    source port; a source port used again for another address is taken for the same, which only leaves something out.
    """
    import pandas as pd

    to_balancer = frame["orig_dst"].isin(list(balancers)) & (frame["reply_src"] == frame["orig_dst"])
    if not to_balancer.any():
        return frame
    left = pd.MultiIndex.from_frame(frame.loc[to_balancer, ["node", "protocol", "reply_dst", "reply_dport"]])
    came = pd.MultiIndex.from_frame(frame[["node", "protocol", "orig_src", "orig_sport"]])
    again = came.isin(left) & ~frame["orig_dst"].isin(list(balancers))
    return frame[~again].reset_index(drop=True)


def _followed(frame: pd.DataFrame, world: World) -> pd.DataFrame:
    """With `next_src`, `next_sport`, `next_to`: what the node that was dialled did, for entries of the node before it."""
    owners = frame["orig_dst"].map(lambda address: world.node_by_address.get(address, "")).astype("str")
    direct = (owners != "") & (frame["reply_src"] == frame["orig_dst"]) & (frame["reply_sport"] == frame["orig_dport"])
    here = frame["node"] == owners
    tuple_ = ["protocol", "orig_dst", "orig_dport"]
    names = {"orig_src": "by", "orig_sport": "by_port"}
    names |= {"reply_src": "next_src", "reply_sport": "next_sport", "reply_dst": "next_to"}
    there = frame.loc[here, [*tuple_, *names]].rename(columns=names).drop_duplicates([*tuple_, "by", "by_port"])
    frame["by"] = frame["reply_dst"].where(direct & ~here, "")
    frame["by_port"] = frame["reply_dport"].where(direct & ~here, -1)
    joined = frame.merge(there, on=[*tuple_, "by", "by_port"], how="left")
    joined[["next_src", "next_to"]] = joined[["next_src", "next_to"]].fillna("")
    joined["next_sport"] = joined["next_sport"].fillna(-1).astype("int64")
    return joined


def _outside(addresses: pd.Series, snapshot: Snapshot, world: World) -> pd.Series:
    """Which rows come from an address that nothing inside has: no node, pod, Service or load balancer, nor a neighbour.

    An address in a node's own subnet or beside a known pod may be a pod that is gone; it counts neither as outside nor as
    anything else. Networks are asked once per /24 (IPv4): a busy edge has a million clients in far fewer networks.
    """
    import pandas as pd

    held: dict[tuple[str, int | None], None] = {}
    for own in snapshot.chunks("addresses", "address", "prefix_len"):
        held.update(dict.fromkeys(columns(own, "address", "prefix_len")))
    known = {
        *(address for address, _ in held if address), *world.node_by_address, *world.pod_by_ip, *world.host_pods,
        *world.service_addresses, *world.load_balancers,
    }  # fmt: skip
    networks = {prefix for prefixes in world.pod_networks.values() for prefix in prefixes} | {"127.0.0.0/8", "::1/128"}
    networks |= {
        f"{address}/{length}"
        for address, length in held
        if address and 8 <= (length or 0) < (128 if ":" in address else 32)
    }
    networks |= {f"{address}/{64 if ':' in address else 24}" for address in world.pod_by_ip}
    inside = Inside(networks)
    codes, unique = pd.factorize(addresses)
    strangers = pd.Series(unique, dtype="str")
    parts, areas = pd.factorize(strangers.str.replace(_HOST_PART, "", regex=True))
    near = pd.Series([inside.near(str(area)) for area in areas], dtype=bool).to_numpy()
    outside = ~strangers.isin(known).to_numpy() & ~near[parts]
    return pd.Series(outside[codes], index=addresses.index, dtype=bool)


GROUP = [
    "node", "protocol", "orig_dst", "orig_dport", "source", "reply_src", "reply_sport", "to", "answer", "lasting",
    "next_src", "next_sport", "next_to",
]  # fmt: skip


def _grouped(frame: pd.DataFrame) -> Flows:
    groups = frame.groupby(GROUP, sort=True, dropna=False)
    sizes = groups.size()
    number = groups.ngroup()
    frame = frame.assign(number=number, rank=groups.cumcount()).sort_values(["number", "rank"], kind="stable")
    quoted: dict[int, list[Evidence]] = defaultdict(list)
    few = frame[frame["rank"] < EVIDENCE]
    for group, node, file, line in zip(few["number"], few["node"], few["file"], few["line"], strict=True):
        quoted[int(group)].append(Evidence(file, max(int(line), 0), "", node))
    clients: dict[int, list[str]] = defaultdict(list)
    foreign = frame[(frame["source"] == OUTSIDE) & (frame["rank"] < 64)].drop_duplicates(["number", "client"])
    for group, client in zip(foreign["number"], foreign["client"], strict=True):
        if len(clients[int(group)]) < CLIENTS:
            clients[int(group)].append(client)
    found: dict[Key, dict[str, list[Flow]]] = defaultdict(lambda: defaultdict(list))
    for group, (key, size) in enumerate(zip(sizes.index.tolist(), sizes.tolist(), strict=True)):
        node, protocol, dst, dport, source, server, port, to, answer, lasting, next_src, next_port, next_to = key
        found[(node, protocol, dst, int(dport))][source].append(
            Flow(
                server=(server, int(port)),
                to=to,
                answer=answer,
                lasting=bool(lasting),
                entries=int(size),
                next_server=(next_src, int(next_port)) if next_src else None,
                next_to=next_to,
                clients=tuple(clients[group]),
                evidence=tuple(quoted[group]),
            )
        )
    return {key: {source: tuple(flows) for source, flows in parts.items()} for key, parts in found.items()}
