"""Other severities and accepted findings: shown, never hidden, and over when they are over."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path

import pytest

from analyzer import api
from analyzer.errors import UsageError
from analyzer.findings.policy import Policy, read_policy
from analyzer.report.messages import Messages
from analyzer.report.rule_page import rule_ids, rule_page
from tests import lab
from tests.cli.test_commands import run

CASE = lab.bundle("1.28.3-terway-local")
TODAY = dt.date(2026, 6, 1)


def policy(folder: Path, text: str) -> Policy:
    path = folder / "policy.yaml"
    path.write_text(text, encoding="utf-8")
    return read_policy(path)


def found(chosen: Policy, today: dt.date = TODAY) -> dict[str, tuple[str, str]]:
    with api.opened(CASE) as snapshot:
        analysis = api.analyze(snapshot, policy=chosen, today=today, simulate=False)
    return {one.rule: (one.severity, one.suppressed) for one in analysis.findings.findings}


def test_a_severity_is_overridden(tmp_path: Path) -> None:
    assert found(policy(tmp_path, "rules: {REACH-006: {severity: critical}}"))["REACH-006"] == ("critical", "")


def test_a_suppressed_finding_stays_last_with_its_reason(tmp_path: Path) -> None:
    text = "suppress: [{rule: REACH-001, about: '192.168.1.200:443/tcp', reason: ticket 4711, until: 2026-06-01}]"
    got = found(policy(tmp_path, text))
    assert list(got)[-1] == "REACH-001"
    assert got["REACH-001"][1] == "ticket 4711 (until 2026-06-01)"
    over = found(policy(tmp_path, text), TODAY + dt.timedelta(days=1))
    assert over["REACH-001"][1] == ""


def test_a_suppression_for_another_subject_does_not_match(tmp_path: Path) -> None:
    chosen = policy(tmp_path, "suppress: [{rule: REACH-001, about: '10.0.0.1:1/tcp', reason: x}]")
    with api.opened(CASE) as snapshot:
        analysis = api.analyze(snapshot, policy=chosen, today=TODAY, simulate=False)
    assert not any(one.suppressed for one in analysis.findings.findings)
    assert [one.rule for one in analysis.unused] == ["REACH-001"]


def test_accepted_findings_do_not_fail_a_run_but_are_in_every_report(tmp_path: Path) -> None:
    rules = ("REACH-001", "REACH-004", "REACH-008")
    path = tmp_path / "policy.yaml"
    path.write_text(
        "suppress:\n" + "".join(f"- {{rule: {one}, reason: known <b>}}\n" for one in rules), encoding="utf-8"
    )
    out = tmp_path / "out"
    got = run("analyze", str(CASE), "-f", "json", "-f", "html", "-o", str(out), "--policy", str(path), "--no-simulate")
    assert got.returncode == 0, got.stdout
    report = json.loads((out / "report.json").read_text("utf-8"))
    assert {one["rule"] for one in report["findings"] if one["suppressed"]} == set(rules)
    assert report["summary"]["severities"]["warning"] == 0
    page = (out / "report.html").read_text("utf-8")
    assert "suppressed: known &lt;b&gt;" in page
    assert "3 findings are suppressed" in page


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[]", "mappings"), ("rule: {}", "no such key"), ("rules: {REACH-999: {severity: info}}", "no rule"),
        ("rules: {REACH-001: {severity: loud}}", "no severity"), ("rules: {REACH-001: {colour: red}}", "no such key"),
        ("suppress: {}", "list"), ("suppress: [{rule: REACH-001}]", "reason"), ("suppress: [x]", "mappings"),
        ("suppress: [{rule: REACH-001, reason: x, until: soon}]", "date"), ("a: [", "no YAML"),
    ],
)  # fmt: skip
def test_a_policy_with_an_error_is_refused(tmp_path: Path, text: str, message: str) -> None:
    if text == "suppress: {}":
        text = "suppress: {a: 1}"
    with pytest.raises(UsageError, match=message):
        policy(tmp_path, text)


@pytest.mark.parametrize("lang", ["en", "zh_CN"])
def test_every_rule_has_a_page(lang: str) -> None:
    messages = Messages(lang)
    for rule in rule_ids():
        page = rule_page(rule, messages)
        assert page.startswith(f"# {rule}\n")
        assert len(page) > 100


def test_the_command_lists_and_explains() -> None:
    listed = run("rules").stdout.splitlines()
    assert [line.split()[0] for line in listed] == list(rule_ids())
    assert run("rules", "reach-001").stdout.startswith("# REACH-001")
    unknown = run("rules", "REACH-999")
    assert unknown.returncode == 2
    assert "no rule" in unknown.stderr
