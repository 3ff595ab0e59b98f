"""One cause for many findings, whose it is, and reported symptoms against the walk."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from analyzer import api
from analyzer.errors import UsageError
from analyzer.findings.incidents import CAUSES, incidents
from analyzer.findings.model import Finding, Severity
from analyzer.findings.registry import rules
from analyzer.findings.symptom import read_symptom
from analyzer.forwarding import build_world
from analyzer.report.messages import Messages
from tests import lab
from tests.cli.test_commands import run

N3 = "node:cn-hongkong.10.0.4.141"
CLIENT = "pod:default/centos-5d8f9c7b44-ccccc"


@pytest.mark.parametrize(
    ("case", "causes"),
    [
        ("1.28.3-terway-cluster", [("bound-address", "192.168.1.200", "cluster", 1)]),
        ("1.28.3-terway-local", [("bound-address", "192.168.1.200", "cluster", 1), ("local-policy", "default/nginx", "cluster", 2)]),
        ("1.22.0-flannel-local", [("local-policy", "default/nginx", "cluster", 3), ("bound-address", "192.168.1.200", "cluster", 1)]),
        ("1.28.3-terway-two-clbs", [("loop-back", "192.168.1.201", "nobody", 1)]),
    ],
)  # fmt: skip
def test_findings_of_one_cause_are_one_incident(case: str, causes: list[tuple[str, str, str, int]]) -> None:
    with api.opened(lab.bundle(case)) as snapshot:
        analysis = api.analyze(snapshot, simulate=False)
    got = sorted((one.kind, one.about, one.owner, len(one.findings)) for one in analysis.incidents)
    assert got == sorted(causes)
    for one in analysis.incidents:
        assert one.cells
        assert len(one.decisive) == 2
        assert one.decisive[0].file.startswith("nodes/")
        assert all(place.text for place in one.decisive)


def test_faults_of_kube_proxy_are_one_incident_over_nodes() -> None:
    with api.opened(lab.bundle("1.28.3-terway-fault")) as snapshot:
        first = api.analyze(snapshot, simulate=False).incidents[0]
    assert (first.kind, first.owner, len(first.nodes)) == ("node-state", "kube-proxy", 3)
    assert {rule for rule, _ in first.findings} == {"DRIFT-001", "DRIFT-003", "DRIFT-005"}


def test_a_cell_that_several_findings_explain_counts_once() -> None:
    with api.opened(lab.bundle("1.28.3-terway-fault")) as snapshot:
        analysis = api.analyze(snapshot, simulate=False)
    found = [one for one in analysis.findings.findings if one.rule.startswith("DRIFT")]
    (incident,) = incidents(found)
    assert incident.cells < sum(len(one.cells) for one in found)


def test_every_known_cause_is_a_rule_and_has_its_words() -> None:
    assert set(CAUSES) <= {one.id for one in rules()}
    for lang in ("en", "zh_CN"):
        messages = Messages(lang)
        for kind, owner in CAUSES.values():
            assert messages.has(f"incident.{kind}")
            assert messages.has(f"incident.owner.{owner}")


@pytest.mark.parametrize(
    ("text", "reported", "agreement"),
    [
        (f"from {N3} to 192.168.1.200:443 refused", "refused", "agrees"),
        (f"{N3} -> 192.168.1.200:443/tcp timeout", "timeout", "disagrees"),
        (f"从 {N3} 访问 192.168.1.200:443 被拒绝", "refused", "agrees"),
        (f"{CLIENT} 172.21.3.10:80 works", "ok", "agrees"),
        (f"{CLIENT} to 172.21.3.10:80 works sometimes", "mixed", "disagrees"),
        (f"{CLIENT} to 8.8.8.8:53/udp timed out", "timeout", "open"),
        (f"{N3} 192.168.1.200:443", "", "not-said"),
        ("external:203.0.113.7 to 192.168.1.200:443 Connection refused", "refused", "disagrees"),
    ],
)
def test_a_symptom_is_compared_with_the_walk(text: str, reported: str, agreement: str) -> None:
    with api.opened(lab.bundle("1.28.3-terway-cluster")) as snapshot:
        got = read_symptom(text, build_world(snapshot))
    assert (got.reported, got.agreement) == (reported, agreement)


@pytest.mark.parametrize(
    "text", ["", "it does not work", f"{N3} refused", "192.168.1.200:443 refused", "node:none to 10.0.0.1:80"]
)
def test_a_symptom_without_client_or_address_is_refused(text: str) -> None:
    with api.opened(lab.bundle("1.28.3-terway-cluster")) as snapshot, pytest.raises(UsageError):
        read_symptom(text, build_world(snapshot))


def test_the_finding_that_explains_a_symptom_comes_first(tmp_path: Path) -> None:
    case = str(lab.bundle("1.28.3-terway-local"))
    said = "from node:cn-hongkong.10.0.0.171 to 10.0.4.141:30745 timeout <script>"
    got = run("analyze", case, "-f", "json", "-f", "html", "-o", str(tmp_path), "--symptom", said, "--no-simulate")
    assert got.stdout.startswith(
        "Reported: node:cn-hongkong.10.0.0.171 to 10.0.4.141:30745/tcp timeout. The captured state says the same"
    )
    report = json.loads((tmp_path / "report.json").read_text("utf-8"))
    assert report["findings"][0]["rule"] == "REACH-008"
    example = report["findings"][0]["example"]
    assert (example["source"], example["target"]) == ("node:cn-hongkong.10.0.0.171", "10.0.4.141:30745/tcp")
    assert [(one["agreement"], one["finding"][0]) for one in report["symptoms"]] == [("agrees", "REACH-008")]
    assert "<script>alert" not in (tmp_path / "report.html").read_text("utf-8")
    assert {one["owner"] for one in report["incidents"]} == {"cluster"}


def test_the_widest_of_each_sort_comes_first_and_severity_before_all() -> None:
    def finding(rule: str, service: str, cells: int, severity: Severity = "warning") -> Finding:
        failing = tuple((f"node:n{number}", service) for number in range(cells))
        return Finding(rule, service, severity, {"service": service}, services=(service,), cells=failing)

    found = incidents([
        *(finding("SVC-001", f"a/s{number}", 20 - number) for number in range(3)),
        *(finding("REACH-007", f"b/s{number}", 9 - number) for number in range(2)),
        finding("SVC-001", "c/s", 1, "critical"),
    ])  # fmt: skip
    assert [one.about for one in found] == ["c/s", "a/s0", "b/s0", "a/s1", "a/s2", "b/s1"]
