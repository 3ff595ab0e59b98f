"""The walk against a real kernel: every connection that was dialled in the lab, outcome, server and seen source."""

from __future__ import annotations

import pytest

from analyzer import api
from analyzer.forwarding import build_world
from tests import lab

# In these two cells the measurement contradicts the conntrack table of the same capture: the server reported the pod's
# own address, while n3's entry shows the masquerade (`src=172.16.1.20 dst=10.0.4.141 ... src=172.16.0.10 dst=10.0.4.141`).
CONTRADICTED_BY_CONNTRACK = {
    ("1.22.0-flannel-udp", "pod:default/centos-5d8f9c7b44-ccccc", "10.0.4.141:30755/udp"),
    ("1.22.0-flannel-udp", "pod:default/centos-5d8f9c7b44-ccccc", "192.168.1.200:53/udp"),
}


@pytest.mark.parametrize("case", lab.CASES)
def test_every_cell_is_as_measured(case: str) -> None:
    wrong = []
    rows = list(lab.measured(case))
    assert len(rows) > 50
    with api.opened(lab.bundle(case)) as snapshot:
        world = build_world(snapshot)
        for row in rows:
            verdict = api.probe(world, row.source, row.target)
            got = lab.fold(frozenset(verdict.outcomes))
            servers, seen = lab.bare(verdict.servers), frozenset(verdict.seen_source_ips)
            outcome = got == row.outcomes
            server = row.servers <= servers if row.sticky else row.servers == servers
            source_ = row.seen <= seen if row.sticky else row.seen == seen
            answered = outcome and "ok" in got
            lab.SCORES.add(
                row.kind, verdict.mechanism, outcome=outcome, server=server, source=source_, answered=answered
            )
            excused = (case, row.source, row.target) in CONTRADICTED_BY_CONNTRACK
            if not outcome or (answered and not excused and not (server and source_)):
                wrong.append(
                    f"{row.source} -> {row.target} [{row.kind}]: {verdict.outcomes} {sorted(servers)} {sorted(seen)} instead of "
                    f"{sorted(row.outcomes)} {sorted(row.servers)} {sorted(row.seen)} ({verdict.mechanism})"
                )
    assert not wrong, "\n".join(wrong)
