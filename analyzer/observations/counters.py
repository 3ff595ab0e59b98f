"""IPVS' own tables: half-open connections piling up on a real server, templates that lead nowhere.

A real server that does not answer shows ``ActiveConn`` growing (SYN_RECV counts as active) while ``InActConn`` stays 0; the
live ones beside it have finished connections. ``ipvsadm -Lnc`` lists the same connections one by one.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from analyzer.evidence import Evidence
from analyzer.forwarding import World
from analyzer.forwarding.model import end_point
from analyzer.observations.model import Sign
from analyzer.snapshot import Snapshot
from analyzer.snapshot.objects import evidence_of, number, records, text

if TYPE_CHECKING:
    import pandas as pd

Virtual = tuple[str, str, str, int]
"""(node, protocol, address, port)"""
Real = tuple[str, int]

EVIDENCE = 3
HALF_OPEN = ("SYN_RECV", "SYN_SENT")


@dataclass(frozen=True, slots=True)
class _Load:
    active: int
    inactive: int
    evidence: Evidence


def signs(snapshot: Snapshot, world: World) -> Iterator[Sign]:
    """All signs, in the order of nodes and servers. Without endpoints nothing tells which real server is stale."""
    servers = _servers(snapshot)
    endpoints_known = "endpoints" in snapshot.captured.get("", {})

    def stale(virtual: Virtual, real: Real) -> bool:
        return endpoints_known and not world.endpoint(*real, virtual[1])

    for virtual, loads in sorted(servers.items()):
        busy = any(load.inactive > 0 for load in loads.values())
        for real, load in sorted(loads.items()):
            if busy and load.active > 0 and load.inactive == 0 and stale(virtual, real):
                yield _sign("half-open", virtual, real, load.active, (load.evidence,))
    connections = snapshot["ipvs_connections"]
    if not len(connections):
        return
    template = connections["template"].astype("boolean").fillna(False).astype(bool)
    for (virtual, real), group in _by_server(connections[~template]):
        if set(group["state"].astype("str")) <= set(HALF_OPEN) and stale(virtual, real):
            yield _sign("syn-recv", virtual, real, len(group), _lines(group))
    for (virtual, real), group in _by_server(connections[template]):
        if virtual in servers and snapshot.complete(virtual[0], "ipvsadm") and real not in servers[virtual]:
            yield _sign("stale-template", virtual, real, len(group), _lines(group))


def _servers(snapshot: Snapshot) -> dict[Virtual, dict[Real, _Load]]:
    found: dict[Virtual, dict[Real, _Load]] = defaultdict(dict)
    for row in records(snapshot["virtual_servers"]):
        port = number(row["port"])
        if text(row["address"]) and port:
            found[str(row["node"]), text(row["protocol"]), row["address"], port] = {}
    for row in records(snapshot["real_servers"]):
        port, real_port = number(row["vs_port"]), number(row["port"])
        if not text(row["vs_address"]) or not port or not text(row["address"]) or real_port is None:
            continue
        virtual = (str(row["node"]), text(row["vs_protocol"]), row["vs_address"], port)
        load = _Load(number(row["active"]) or 0, number(row["inactive"]) or 0, evidence_of(row, virtual[0]))
        found[virtual][row["address"], real_port] = load
    return found


def _by_server(frame: pd.DataFrame) -> Iterator[tuple[tuple[Virtual, Real], pd.DataFrame]]:
    columns = ["node", "protocol", "virtual_address", "virtual_port", "real_address", "real_port"]
    whole = frame.dropna(subset=columns)
    if not len(whole):
        return
    for _, group in whole.groupby(columns, observed=True, sort=True):
        first = group.iloc[0]
        virtual = (
            str(first["node"]),
            str(first["protocol"]),
            str(first["virtual_address"]),
            int(first["virtual_port"]),
        )
        if virtual[3]:
            yield (virtual, (str(first["real_address"]), int(first["real_port"]))), group


def _lines(group: pd.DataFrame) -> tuple[Evidence, ...]:
    first = group.head(EVIDENCE)
    return tuple(
        Evidence(str(file), int(line), "", str(node))
        for file, line, node in zip(first["file"], first["line"].fillna(0), first["node"], strict=True)
    )


def _sign(kind: str, virtual: Virtual, real: Real, count: int, evidence: tuple[Evidence, ...]) -> Sign:
    node, protocol, address, port = virtual
    return Sign(kind, node, f"{protocol}/{end_point(address, port)}", end_point(*real), count, evidence)  # type: ignore[arg-type]
