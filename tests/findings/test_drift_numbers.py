"""Virtual servers compared as numbers differ in what they differ in when they are compared one by one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from unittest.mock import patch

from hypothesis import given, settings
from hypothesis import strategies as st

from analyzer.findings import drift_servers
from analyzer.findings.drift_doubts import doubts
from analyzer.findings.drift_servers import server_drift
from analyzer.kubeproxy import Expected, ProxyNode, expected
from analyzer.kubeproxy.expected import Shared
from analyzer.parsers.frames import from_rows
from analyzer.snapshot import Snapshot
from analyzer.snapshot.objects import Objects, Service
from analyzer.tables import TABLES
from tests.kubeproxy.clusters import clusters

Row = dict[str, Any]
ADDRESSES = ("198.51.100.130", "198.51.100.10", "192.0.2.11", "192.0.2.77", "2001:db8:c::10", "", None)
EDITS: dict[str, tuple[Any, ...]] = {
    "protocol": ("tcp", "udp", "other", "", None),
    "address": ADDRESSES,
    "port": (0, 80, 30080, 8080, 1 << 16, 80 + (1 << 16), -1, None),
    "scheduler": ("rr", "wrr", "mh", "", None),
    "scheduler_flags": ("mh-port", "flag-2", "flag-1, flag-2", "", None),
    "persistence_s": (300, 10800, 0, None),
    "weight": (0, 1, 5, None),
}
FILES = ("a.txt", "proc.txt")


def captured(state: Expected) -> tuple[list[Row], list[Row]]:
    """Rows of a node that holds all that is expected."""
    virtual: list[Row] = []
    real: list[Row] = []
    for server in state.servers.values():
        key = {"protocol": server.protocol, "address": server.address, "port": server.port}
        settings_ = {"scheduler": server.scheduler, "scheduler_flags": ",".join(server.flags) or None}
        virtual.append({**key, **settings_, "persistence_s": server.persistence_s})
        for address, port in server.real_servers:
            real.append(
                {**{f"vs_{name}": value for name, value in key.items()}, "address": address, "port": port, "weight": 1}
            )
    return virtual, real


def edited(draw: Callable[[st.SearchStrategy[Any]], Any], rows: list[Row], prefix: str) -> list[Row]:
    """The rows of the node, a few of them dropped, doubled, moved or changed."""
    rows = [dict(row) for row in rows]
    for _ in range(draw(st.integers(0, 3)) if rows else 0):
        place = draw(st.integers(0, len(rows) - 1))
        match draw(st.sampled_from(("drop", "double", "move", "change", "change", "change"))):
            case "drop" if len(rows) > 1:
                rows.pop(place)
            case "double":
                rows.insert(draw(st.integers(0, len(rows))), dict(rows[place]))
            case "move":
                rows.insert(draw(st.integers(0, len(rows) - 1)), rows.pop(place))
            case _:
                name = draw(st.sampled_from(sorted(rows[place])))
                rows[place][name] = draw(st.sampled_from(EDITS[name.removeprefix(prefix)]))
    return numbered(rows)


def numbered(rows: list[Row]) -> list[Row]:
    return [{**row, "line": number, "node": "node-a"} for number, row in enumerate(rows, 2)]


def snapshot_of(services: list[Service], virtual: list[Row], real: list[Row], file: str) -> Snapshot:
    rows = {
        "virtual_servers": virtual,
        "real_servers": real,
        "captures": [{"node": "node-a", "capture": "ipvsadm", "form": "ipvs-proc", "file": "proc.txt"}],
    }
    tables = {name: schema.empty() for name, schema in TABLES.items()}
    tables |= {name: from_rows(TABLES[name], [{"file": file, **row} for row in own]) for name, own in rows.items()}
    snapshot = Snapshot("", "", "", tables, ("node-a",), {})
    snapshot.__dict__["objects"] = Objects(tuple(services))
    return snapshot


@settings(max_examples=40, deadline=None)
@given(clusters(), st.booleans(), st.data())
def test_drift_by_numbers_is_that_of_rows(
    cluster: tuple[list[Service], list[ProxyNode], int], alone: bool, data: st.DataObject
) -> None:
    services, (node, *_), family = cluster
    state = expected(services, node, family=family, shared=None if alone else Shared(services))
    virtual, real = captured(state)
    snapshot = snapshot_of(
        services, edited(data.draw, virtual, ""), edited(data.draw, real, "vs_"), data.draw(st.sampled_from(FILES))
    )
    by_numbers = list(server_drift(snapshot, "node-a", state))
    with patch.object(drift_servers, "doubts", lambda *_: None):
        assert by_numbers == list(server_drift(snapshot, "node-a", state))


@settings(max_examples=20, deadline=None)
@given(clusters())
def test_nothing_is_looked_at_where_all_is_as_expected(cluster: tuple[list[Service], list[ProxyNode], int]) -> None:
    services, (node, *_), family = cluster
    state = expected(services, node, family=family, shared=Shared(services))
    virtual, real = captured(state)
    if virtual:
        snapshot = snapshot_of(services, numbered(virtual), numbered(real), "a.txt")
        own = snapshot.by_node["node-a"]
        found = doubts(snapshot, state, own["virtual_servers"], own.get("real_servers"), set(), lambda *_: False)
        assert found is not None
        assert (found.servers, len(found.virtual), len(found.real)) == ({}, 0, 0)
