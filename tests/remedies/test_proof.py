"""Fixes tried out on recorded clusters: what is advised first solves its finding, and what it costs is said."""

from __future__ import annotations

import pytest

from analyzer import api
from analyzer.remedies import Proof
from analyzer.report.analysis import Analysis
from tests import lab

EXPLAINS = ("F12", "F18")
"""Cards whose change lies outside what a bundle holds."""


def analysed(case: str) -> Analysis:
    with api.opened(lab.bundle(case)) as snapshot:
        return api.analyze(snapshot)


def proofs(analysis: Analysis, rule: str, about: str = "") -> dict[str, Proof]:
    finding = next(one for one in analysis.findings.findings if one.rule == rule and about in ("", one.about))
    found = {remedy.card: analysis.proof_of(finding, remedy) for remedy in analysis.remedies_of(finding)}
    return {card: proof for card, proof in found.items() if proof is not None}


@pytest.mark.parametrize("case", [case for case in lab.CASES if case.startswith(("1.22.0-flannel", "1.28.3-terway"))])
def test_the_first_fix_of_every_finding_solves_it(case: str) -> None:
    analysis = analysed(case)
    for finding in analysis.findings.findings:
        remedies = analysis.remedies_of(finding)
        if not remedies or finding.severity == "info":
            continue
        first = analysis.proof_of(finding, remedies[0])
        assert first is not None
        if remedies[0].card in EXPLAINS:
            assert first.state == "not-simulated"
            continue
        states = {first.state, first.helped.state if first.helped is not None else ""}
        assert "solves" in states, (finding.rule, finding.about, remedies[0].card, states)


def test_an_unbound_address_meets_the_loop_back_limit_and_a_layer_7_listener_mends_it() -> None:
    found = proofs(analysed("1.28.3-terway-cluster"), "REACH-001")
    hostname = found["F3"]
    assert (hostname.state, hostname.solved, len(hostname.cells)) == ("solves", 8, 8)
    assert hostname.broken == 8
    assert {mechanism for _, _, _, mechanism in hostname.examples} <= {"martian-source", "reply-mismatch"}
    assert hostname.with_card == "F3c"
    assert hostname.helped is not None
    assert (hostname.helped.state, hostname.helped.broken) == ("solves", 0)


def test_a_fix_that_does_not_work_here_is_said_to_fail() -> None:
    found = proofs(analysed("1.28.3-terway-cluster"), "REACH-001")
    assert found["F4"].state == "no", "kube-proxy before 1.30 binds an address with ipMode Proxy all the same"
    assert found["F2"].broken > 20, "deleting the old Service takes its nodePorts away"
    assert found["F1"].state == "open", "the foreign server is outside of the bundle"
    assert found["F9"].state == "not-simulated"


def test_a_policy_cluster_costs_the_clients_address() -> None:
    found = proofs(analysed("1.28.3-terway-local"), "REACH-004")
    assert (found["F5"].state, found["F5"].broken) == ("solves", 0)
    assert found["F5"].sources > 10
    assert (found["F7"].state, found["F7"].sources) == ("solves", 0)


def test_faults_on_several_nodes_are_solved_together() -> None:
    analysis = analysed("1.28.3-terway-fault")
    for rule in ("DRIFT-001", "DRIFT-003", "DRIFT-005"):
        proof = proofs(analysis, rule)["F16"]
        assert proof.state == "partly"
        assert proof.helped is not None
        assert proof.helped.state == "solves"


def test_a_report_of_a_simulation_does_not_simulate_again() -> None:
    with api.opened(lab.bundle("1.28.3-terway-local"), apply=["k8s=1.30"]) as snapshot:
        analysis = api.analyze(snapshot)
    assert analysis.proofs
    assert {proof.why for proof in analysis.proofs.values()} == {"simulated-already"}


def test_ready_pods_cure_a_service_without_endpoints_and_a_local_policy_needs_more() -> None:
    analysis = analysed("1.28.3-terway-noep")
    plain = proofs(analysis, "SVC-001", "default/nginx-notready")["F15"]
    assert (plain.state, plain.broken) == ("solves", 0)
    local = proofs(analysis, "SVC-001", "default/nginx-empty-local")["F15"]
    assert (local.state, local.with_card) == ("partly", "F5")
    assert local.helped is not None
    assert local.helped.state == "solves"
