"""Each layout gives the tables of the native form of the same capture, except for what it does not hold."""

from __future__ import annotations

import importlib
from collections import Counter
from pathlib import Path

import pytest

from analyzer import opened
from analyzer.snapshot import Snapshot
from analyzer.tables import TABLES

from .foreign.capture import CASES, Capture, Files
from .foreign.harness import capture, native, rows, write
from .foreign.lacks import LACKS, OBJECTS

# The cloud's documents are in no collector's bundle; captures and notes are about files; the builders write no neighbours.
NOT_COMPARED = {"captures", "parse_notes", "load_balancers", "lb_listeners", "lb_backends", "lb_health", "neighbours"}
FROM_LINKS = ("kind", "master")
CHOSEN = [(name, CASES[0]) for name in LACKS] + [("ack", CASES[1]), ("sos", CASES[2]), ("kubeskoop", CASES[1])]


def uploads(name: str, of: Capture) -> dict[str, Files]:
    made: dict[str, Files] = importlib.import_module(f"tests.bundle.foreign.{name}").uploads(of)
    return made


@pytest.mark.parametrize(("name", "case"), CHOSEN, ids=str)
def test_a_layout_yields_the_tables_of_the_native_form(name: str, case: str, tmp_path: Path) -> None:
    lacks, own = LACKS[name], native(case)
    with opened(write(tmp_path, uploads(name, capture(case)))) as snapshot:
        assert snapshot.layout == lacks.layout
        if name != "eks":  # which has no Node objects, and knows nodes by their instances
            assert snapshot.node_names == own.node_names
        for table in TABLES:
            if table not in NOT_COMPARED and table not in lacks.other:
                _compare(table, own, snapshot, name)


def _compare(table: str, own: Snapshot, foreign: Snapshot, name: str) -> None:
    lacks = LACKS[name]
    dropped = (*lacks.columns.get(table, ()), *(FROM_LINKS if table == "interfaces" and name != "loose" else ()))
    expected, found = rows(own[table], dropped), rows(foreign[table], dropped)
    if table in lacks.empty:
        assert found == []
    elif table in lacks.fewer:
        assert 0 < len(found) < len(expected)
        assert not Counter(found) - Counter(expected), table
    else:
        assert found == expected, table


def test_two_tools_make_one_cluster(tmp_path: Path) -> None:
    """Node archives of one collector and objects of another: the nodes are recognised by their addresses."""
    from .foreign import eks
    from .foreign.loose import cluster_only

    made = capture(CASES[0])
    with opened(write(tmp_path, {**eks.uploads(made), **cluster_only(made)})) as snapshot:
        own = native(CASES[0])
        assert snapshot.layout == "eks+loose"
        assert snapshot.node_names == own.node_names
        for table in ("virtual_servers", "ipset_members", "routes"):
            dropped = [name for name in LACKS["eks"].columns.get(table, ()) if name != "node"]
            assert rows(snapshot[table], dropped) == rows(own[table], dropped), table
        for table in OBJECTS:
            assert rows(snapshot[table]) == rows(own[table]), table
