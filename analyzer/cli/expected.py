"""``expected``: what kube-proxy should have programmed on a node, and what the capture says instead."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from analyzer.cli import out
from analyzer.cli.tables import harmless
from analyzer.errors import UsageError

if TYPE_CHECKING:
    from analyzer.findings.drift_model import Drift
    from analyzer.kubeproxy import Expected
    from analyzer.snapshot import Snapshot

Row = dict[str, Any]
SERVER_COLUMNS = (
    "node", "protocol", "address", "port", "kind", "service", "scheduler", "flags", "persistence_s", "real_address", "real_port",
    "weight",
)  # fmt: skip
ADDRESS_COLUMNS = ("node", "interface", "address", "services")
SET_COLUMNS = ("node", "family", "set", "type", "member", "service")
RULE_COLUMNS = ("node", "family", "table", "chain", "position", "rule")
DIFF_COLUMNS = (
    "kind", "node", "service", "server", "detail", "expected", "captured", "benign", "skew", "evidence",
)  # fmt: skip
_PART_OF_KIND = {"vip": "addresses", "set": "sets"}


def run(bundle: Sequence[Path], node: str, form: str, what: str, *, diff: bool, lang: str = "") -> int:
    """Print the expected state, or how the capture differs from it; give the exit code.

    0: printed, or nothing differs; 1: something differs that is not benign; 4: the objects or captures for it are missing.
    """
    from analyzer import api
    from analyzer.kubeproxy import expected_on, families

    with api.opened(bundle, node=node) as snapshot:
        name = _node(snapshot, node)
        if "services" not in snapshot.captured.get("", {}):
            out.warn("no Services in the bundle, so nothing is expected")
            return 4
        mode = snapshot.regime(name).value("proxy_mode")
        if mode not in ("ipvs", "unknown"):
            out.warn(f"kube-proxy of {name} runs in {mode} mode; this is what IPVS mode would hold")
        states = {family: expected_on(snapshot, name, family=family) for family in families(snapshot, name)}
        for row in dict.fromkeys(row for state in states.values() for row in state.undecided):
            out.warn(f"undecided: {row}", prefix="")
        if diff:
            return _print_diff(snapshot, name, form, what)
        if form == "json":
            out.document({"schema": "ipvscope-expected/1", **_document(name, states, what)})
        elif form == "csv":
            out.say(_csv(*_table(name, states, what)), end="")
        else:
            out.say(_text(states, what), end="")
    return 0


def _node(snapshot: Snapshot, node: str) -> str:
    """The node that was asked for, or the only one.

    Raises:
        UsageError: there is no such node, or several and none was named.
    """
    known = snapshot.node_names
    if node in known:
        return node
    if not node and len(known) == 1:
        return known[0]
    raise UsageError(f"no node {node!r}" if node else "which node?", hint="nodes: " + (", ".join(known) or "none"))


def _text(states: Mapping[int, Expected], what: str) -> str:
    """As the tools print it; a comment names the tool where several follow each other."""
    from analyzer.kubeproxy import printed

    first = next(iter(states.values()))
    parts: dict[str, list[tuple[str, str]]] = {
        "servers": [("ipvsadm -Ln", printed.servers(first))],
        "addresses": [("ip -o addr show kube-ipvs0", printed.addresses(first))],
        "sets": [("ipset save", printed.sets(states))],
        "rules": [
            ("iptables-save" if family == 4 else "ip6tables-save", printed.rules(one)) for family, one in states.items()
        ],
    }
    if what == "all":
        parts["host"] = [("sysctl", "".join(f"{key} = {value}\n" for key, value in first.sysctls.items()))]
    shown = [piece for name, pieces in parts.items() if what in (name, "all") for piece in pieces]
    if len(shown) == 1:
        return shown[0][1]
    return "".join(f"# {title}\n{body}" for title, body in shown)


def _table(node: str, states: Mapping[int, Expected], what: str) -> tuple[Sequence[str], list[Row]]:
    match what:
        case "servers":
            return SERVER_COLUMNS, _server_rows(node, states)
        case "addresses":
            return ADDRESS_COLUMNS, _address_rows(node, states)
        case "sets":
            return SET_COLUMNS, _set_rows(node, states)
        case "rules":
            return RULE_COLUMNS, _rule_rows(node, states)
    raise UsageError("CSV holds one table", hint="give --what servers, addresses, sets or rules; or --format json")


def _server_rows(node: str, states: Mapping[int, Expected]) -> list[Row]:
    """A row per real server; a virtual server without one has a row with empty real_address."""
    from analyzer.kubeproxy import printed

    rows: list[Row] = []
    for one in printed.in_order(next(iter(states.values())).servers.values()):
        own = {
            "node": node, "protocol": one.protocol, "address": one.address, "port": one.port, "kind": one.kind,
            "service": one.service, "scheduler": one.scheduler, "flags": ",".join(one.flags), "persistence_s": one.persistence_s,
        }  # fmt: skip
        reals = printed.real_in_order(one)
        rows.extend({**own, "real_address": address, "real_port": port, "weight": 1} for address, port in reals)
        if not reals:
            rows.append({**own, "real_address": None, "real_port": None, "weight": None})
    return rows


def _address_rows(node: str, states: Mapping[int, Expected]) -> list[Row]:
    state = next(iter(states.values()))
    owners: dict[str, list[str]] = {}
    for one in state.servers.values():
        owners.setdefault(one.address, []).append(one.service)
    return [
        {
            "node": node,
            "interface": "kube-ipvs0",
            "address": vip,
            "services": ",".join(dict.fromkeys(owners.get(vip, ()))),
        }
        for vip in state.vips
    ]


def _set_rows(node: str, states: Mapping[int, Expected]) -> list[Row]:
    """A row per member; an empty set has one row without member."""
    rows: list[Row] = []
    for family, state in states.items():
        for name, (kind, members) in sorted(state.sets.items()):
            for member in sorted(members) or [""]:
                service = state.asked.get(name, {}).get(member, ("", ()))[0]
                rows.append(
                    {
                        "node": node,
                        "family": family,
                        "set": name,
                        "type": kind,
                        "member": member or None,
                        "service": service,
                    }
                )
    return rows


def _rule_rows(node: str, states: Mapping[int, Expected]) -> list[Row]:
    rows = []
    for family, state in states.items():
        positions: dict[tuple[str, str], int] = {}
        for table, chain, rule in state.rules:
            positions[table, chain] = position = positions.get((table, chain), 0) + 1
            rows.append(
                {"node": node, "family": family, "table": table, "chain": chain, "position": position, "rule": rule}
            )
    return rows


def _document(node: str, states: Mapping[int, Expected], what: str) -> dict[str, Any]:
    builders = {"servers": _server_rows, "addresses": _address_rows, "sets": _set_rows, "rules": _rule_rows}
    document: dict[str, Any] = {
        name: [{key: value for key, value in row.items() if key != "node"} for row in build(node, states)]
        for name, build in builders.items()
        if what in (name, "all")
    }
    if what == "all":
        first = next(iter(states.values()))
        document["chains"] = [[family, *chain] for family, state in states.items() for chain in state.chains]
        document["sysctls"] = first.sysctls
        document["sockets"] = [
            {"protocol": one.protocol, "address": one.address, "port": one.port, "purpose": one.purpose}
            for one in dict.fromkeys(one for state in states.values() for one in state.sockets)
        ]
    undecided = list(dict.fromkeys(row for state in states.values() for row in state.undecided))
    return {"node": node, "undecided": undecided, **document}


def _cell(value: object) -> object:
    return "" if value is None else harmless(value) if isinstance(value, str) else value


def _csv(columns: Sequence[str], rows: Iterable[Row]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows({key: _cell(value) for key, value in row.items()} for row in rows)
    return text.getvalue()


def _print_diff(snapshot: Snapshot, node: str, form: str, what: str) -> int:
    from analyzer.findings.drift import comparable, drift_on

    compared = comparable(snapshot, node)
    wanted = {"servers": "ipvsadm", "addresses": "ip-addr", "sets": "ipset"}
    if what == "rules":
        raise UsageError("rules are not compared", hint="give --what servers, addresses, sets or all")
    missing = [capture for part, capture in wanted.items() if what in (part, "all") and capture not in compared]
    for capture in missing:
        out.warn(f"not compared: {capture}", prefix="")
    if not set(wanted.values()) & set(compared) or (what != "all" and missing):
        return 4
    found = [one for one in drift_on(snapshot, node) if what in (_part(one), "all")]
    rows = [_diff_row(snapshot, one) for one in found]
    if form == "json":
        out.document({"schema": "ipvscope-expected-diff/1", "node": node, "differences": rows})
    elif form == "csv":
        flat = ({**row, "evidence": " | ".join(f"{e['place']}: {e['text']}" for e in row["evidence"])} for row in rows)
        out.say(_csv(DIFF_COLUMNS, flat), end="")
    else:
        out.say("".join(_diff_text(row) for row in rows), end="")
    return 1 if any(not one.benign for one in found) else 0


def _part(one: Drift) -> str:
    return _PART_OF_KIND.get(one.kind.partition("-")[0], "servers")


def _diff_row(snapshot: Snapshot, one: Drift) -> Row:
    quoted = [snapshot.quote(place) for place in one.evidence if place.file]
    return {
        "kind": one.kind, "node": one.node, "service": one.service, "server": one.server, "detail": one.detail,
        "expected": one.expected, "captured": one.captured, "benign": one.benign, "skew": one.skew,
        "evidence": [{"place": place.place, "text": place.text} for place in quoted],
    }  # fmt: skip


def _diff_text(row: Row) -> str:
    """One line per difference, the lines that prove it below; control characters of the bundle do not reach the terminal."""
    marks = "".join(f" ({mark})" for mark, shown in (("benign", row["benign"]), ("maybe skew", row["skew"])) if shown)
    server = "" if row["detail"].startswith(f"{row['server']} ") else row["server"]
    subject = " ".join(part for part in (server, row["detail"], row["service"]) if part)
    lines = [f"{row['kind']}{marks}: {subject}"]
    lines += [f"    {place['place']}  {place['text']}" for place in row["evidence"]]
    return "".join(f"{''.join(c if c.isprintable() else '?' for c in line)}\n" for line in lines)
