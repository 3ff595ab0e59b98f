"""JUnit: counts that add up; fails, passes and skips where they belong."""

from __future__ import annotations

import dataclasses
from xml.etree import ElementTree as ET

from analyzer.findings.registry import rules
from analyzer.forwarding.model import Source, Target
from analyzer.intent import Result
from analyzer.intent.model import Cell, Statement
from analyzer.report import formats
from analyzer.report.analysis import Analysis
from analyzer.report.messages import Messages

from .. import make


def root_of(analysis: Analysis) -> ET.Element:
    ((path, content),) = formats.files("junit", analysis, Messages("en"))
    assert path == "report.junit.xml"
    root = ET.fromstring(content)
    for element in (root, *root.iter("testsuite")):
        assert int(element.get("tests", "")) == len(list(element.iter("testcase")))
        assert int(element.get("failures", "")) == len(list(element.iter("failure")))
        assert int(element.get("skipped", "")) == len(list(element.iter("skipped")))
    return root


def cases(root: ET.Element, rule: str) -> list[ET.Element]:
    return [one for one in root.iter("testcase") if one.get("classname") == f"ipvscope.rules.{rule}"]


def test_findings_fail_lesser_ones_pass_undecided_rules_are_skipped(analysis: Analysis) -> None:
    root = root_of(analysis)
    serious = [one for one in analysis.findings.findings if one.severity in ("critical", "warning")]
    assert [one.get("type") for one in root.iter("failure")] == [one.severity for one in serious]
    notice = next(one for one in analysis.findings.findings if one.severity == "notice")
    (passed,) = cases(root, notice.rule)
    assert passed.find("failure") is None
    assert passed.find("system-out") is not None
    (skipped,) = cases(root, "DRIFT-004")
    told = skipped.find("skipped")
    assert told is not None
    assert "node-b ipset" in str(told.get("message"))


def test_a_rule_without_finding_passes_once(analysis: Analysis) -> None:
    root = root_of(analysis)
    reported = {one.rule for one in analysis.findings.findings} | {one.rule for one in analysis.findings.skipped}
    for rule in rules():
        if rule.id not in reported:
            (case,) = cases(root, rule.id)
            assert list(case) == []


def test_failures_quote_lines_and_name_fixes(analysis: Analysis) -> None:
    (failure, *_) = root_of(analysis).iter("failure")
    place = analysis.findings.findings[0].evidence[0]
    assert place.place in str(failure.text)
    assert "F1: " in str(failure.text)
    assert "F2: " not in str(failure.text)


def test_an_accepted_finding_is_skipped_with_its_reason(accepted: Analysis) -> None:
    case = next(one for one in cases(root_of(accepted), "REACH-001"))
    assert case.find("failure") is None
    told = case.find("skipped")
    assert told is not None
    assert "until March" in str(told.get("message"))


def test_statements_of_an_intent_file(analysis: Analysis) -> None:
    statement = Statement(name=f"shop {make.SCRIPT}", clients=("nodes",), targets=("shop/web",))
    source, target = Source("node", "node-a"), Target(make.VIP, 443)
    results = tuple(
        Result(statement, (Cell(source, target, make.verdict(outcome), standing),))  # type: ignore[arg-type]
        for outcome, standing in (("ok", "holds"), ("refused", "violated"), ("unknown", "open"))
    )
    root = root_of(dataclasses.replace(analysis, intent=results))
    found = [[child.tag for child in one] for one in root.iter("testcase") if "intent" in str(one.get("classname"))]
    assert found == [[], ["failure"], ["skipped"]]
