"""Findings on each lab capture are what its scenario set up, and nothing else."""

from __future__ import annotations

import pytest

from analyzer import api
from analyzer.findings import find
from analyzer.forwarding import build_world, matrix
from tests import lab

# (rule, about, severity); info is listed too, so that a new remark on a known capture is noticed.
FOREIGN = ("REACH-001", "192.168.1.200:443/tcp", "warning")
SOCKETS = ("REACH-012", "cluster", "info")
HOSTNAME = {
    ("REACH-011", "192.168.1.200:80/tcp", "warning"),
    ("REACH-011", "192.168.1.201:80/tcp", "warning"),
}
FAULT = {
    ("DRIFT-001", "default/nginx", "warning"),
    ("DRIFT-003", "default/nginx", "warning"),
    ("DRIFT-005", "default/nginx", "critical"),
    FOREIGN,
}
NOEP = {
    ("SVC-001", "default/nginx-empty", "warning"),
    ("SVC-001", "default/nginx-empty-local", "warning"),
    ("SVC-001", "default/nginx-notready", "warning"),
    FOREIGN,
}


def _old(service: str) -> set[tuple[str, str, str]]:
    """Local on a node without endpoint up to 1.23: refused everywhere."""
    return {(rule, service, "warning") for rule in ("REACH-003", "REACH-007", "REACH-010")}


def _new(service: str) -> set[tuple[str, str, str]]:
    """From 1.24 without masquerade: the node's own connections and NodePort time out, pods get through."""
    return {
        ("REACH-004", service, "warning"),
        ("REACH-008", service, "warning"),
        ("REACH-006", service, "info"),
    }


def _masqueraded(service: str) -> set[tuple[str, str, str]]:
    """From 1.24 with flannel: works, the client address is lost."""
    return {(rule, service, "info") for rule in ("REACH-005", "REACH-006", "REACH-009")}


EXPECTED: dict[str, set[tuple[str, str, str]]] = {}
for cni in ("flannel", "terway"):
    EXPECTED |= {
        f"1.22.0-{cni}-cluster": {FOREIGN, SOCKETS},
        f"1.22.0-{cni}-fault": FAULT | {SOCKETS},
        f"1.22.0-{cni}-hostname": HOSTNAME
        | {
            ("REACH-007", "default/nginx-hn-local", "warning"),
            ("REACH-010", "default/nginx-hn-local", "warning"),
            SOCKETS,
        },
        f"1.22.0-{cni}-hostnet": _old("default/nginx-host-local") | {SOCKETS},
        f"1.22.0-{cni}-listener": {("REACH-002", "192.168.1.200:443/tcp", "critical"), FOREIGN, SOCKETS},
        f"1.22.0-{cni}-local": _old("default/nginx") | {FOREIGN, SOCKETS},
        f"1.22.0-{cni}-local-one": _old("default/nginx") | {FOREIGN, SOCKETS},
        f"1.22.0-{cni}-noep": NOEP | {SOCKETS},
        f"1.22.0-{cni}-two-clbs": {("REACH-011", "192.168.1.201:80/tcp", "notice"), SOCKETS},
        f"1.22.0-{cni}-udp": _old("default/dns-local") | {SOCKETS},
        f"1.28.3-{cni}-cluster": {FOREIGN},
        f"1.28.3-{cni}-fault": FAULT,
        f"1.28.3-{cni}-hostnet": _new("default/nginx-host-local"),
        f"1.28.3-{cni}-listener": {FOREIGN},
        f"1.28.3-{cni}-noep": NOEP,
        f"1.28.3-{cni}-two-clbs": {("REACH-011", "192.168.1.201:80/tcp", "notice")},
    }
EXPECTED |= {
    "1.28.3-terway-hostname": HOSTNAME | {("REACH-008", "default/nginx-hn-local", "warning")},
    "1.28.3-flannel-hostname": HOSTNAME | {("REACH-009", "default/nginx-hn-local", "info")},
    "1.28.3-terway-local": _new("default/nginx") | {FOREIGN},
    "1.28.3-flannel-local": _masqueraded("default/nginx") | {FOREIGN},
    "1.28.3-terway-local-one": _new("default/nginx") | {FOREIGN},
    "1.28.3-flannel-local-one": _masqueraded("default/nginx") | {FOREIGN},
    "1.28.3-terway-udp": _new("default/dns-local"),
    "1.28.3-flannel-udp": _masqueraded("default/dns-local"),
}


@pytest.mark.parametrize("case", lab.CASES)
def test_findings_are_what_was_set_up(case: str) -> None:
    with api.opened(lab.bundle(case)) as snapshot:
        world = build_world(snapshot)
        cells = matrix(world)
        found = find(snapshot, world, cells)
        got = {(one.rule, one.about, one.severity) for one in found.findings}
        assert got == EXPECTED[case]
        lacking = {"LB-009": ("events",), "MODE-005": ("lsmod",)}
        if all(snapshot.has(node, "lsmod") for node in snapshot.node_names):
            del lacking["MODE-005"]
        assert {one.rule: one.missing for one in found.skipped} == lacking  # what the lab did not collect
        for one in found.findings:
            assert one.evidence, f"{one.rule} proves nothing"
            for place in one.evidence:
                assert place.file
                assert place.text, f"{place.place} quotes nothing"


def test_every_case_has_an_expectation() -> None:
    assert set(EXPECTED) == set(lab.CASES)
