"""On real captures conntrack agrees with the walk; every capture has enough entries to say so."""

from __future__ import annotations

import pytest

from tests import lab

from .edit import N1, compared

LEAST = {"local-one": 29, "fault": 39, "noep": 42, "two-clbs": 61, "hostnet": 63, "udp": 76, "hostname": 89}
"""Cells that conntrack decided when this was written, by scenario."""
CASES = [case for case in lab.CASES if case.endswith(tuple(f"-{name}" for name in LEAST))][::4]
"""Every fourth one keeps the suite fast; findings walk all of them (tests/findings)."""


@pytest.mark.parametrize("case", CASES)
def test_conntrack_agrees(case: str) -> None:
    with compared(lab.bundle(case)) as (snapshot, _, cells, seen):
        assert [(str(one.source), str(one.target), one.predicted, one.observed) for one in seen.contradictions] == []
        assert seen.agreement == 1.0
        assert seen.confirmed >= LEAST[case.split("-", 2)[2]]
        assert len(seen.cells) == len(cells.cells)
        assert seen.nodes == snapshot.node_names
        for one in seen.cells:
            assert (one.status == "not-seen") == (one.entries == 0) == (not one.evidence)
            for place in one.evidence:
                line = snapshot.quote(place).text
                assert one.target.protocol in line or "flow entries" in line  # the trailer fell into some rows
        piled = [(one.kind, one.node, one.server.partition(":")[0]) for one in seen.signs]
        stale = {("tcp/10.0.2.77", 68), ("tcp/172.21.3.10", 19), ("tcp/192.168.1.200", 19)}
        if case.endswith("-fault"):
            assert piled == [(kind, N1, server) for kind in ("half-open", "syn-recv") for server, _ in sorted(stale)]
            assert {(one.server.partition(":")[0], one.count) for one in seen.signs} == stale
        else:
            assert piled == []
