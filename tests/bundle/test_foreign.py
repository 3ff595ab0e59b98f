"""Each layout gives the tables of the native form of the same capture, except for what it does not hold."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from analyzer import opened
from analyzer.snapshot import Snapshot
from analyzer.tables import TABLES

from .foreign.capture import CASES
from .foreign.harness import capture, native, rows, write
from .foreign.lacks import LACKS, OBJECTS
from .foreign.score import NAMES, score, uploads

# The cloud's documents are in no collector's bundle; captures and notes are about files; the builders write no neighbours.
NOT_COMPARED = {"captures", "parse_notes", "load_balancers", "lb_listeners", "lb_backends", "lb_health", "neighbours"}
FROM_LINKS = ("kind", "master")
CHOSEN = [(name, CASES[0]) for name in LACKS] + [("ack", CASES[1]), ("sos", CASES[2]), ("kubeskoop", CASES[1])]
SAID = dict.fromkeys(NAMES, 0.9) | {"ack": 0.8, "eks": 0.02, "kubeskoop": 0.14, "ack + objects + cloud": 0.999}
"""The least part of the measured connections that is told from a layout; two of them hold no objects."""


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


@pytest.mark.parametrize("name", NAMES)
def test_nothing_is_said_that_was_measured_otherwise(name: str, tmp_path: Path) -> None:
    """`python -m tests.bundle.foreign` prints the whole table."""
    found = score(name, capture(CASES[0]), tmp_path)
    assert not found.wrong
    assert found.right / found.cells > SAID[name]


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
