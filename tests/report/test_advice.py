"""The headline of the short forms never says more than is known."""

from __future__ import annotations

import dataclasses

import pytest

from analyzer.findings.model import Findings
from analyzer.report.advice import first_fixes, headline
from analyzer.report.analysis import Analysis
from analyzer.report.messages import Messages

from . import make


def with_outcomes(analysis: Analysis, *outcomes: str, severity: str = "", skipped: bool = False) -> Analysis:
    keys = list(analysis.matrix.cells)[: len(outcomes)]
    cells = {key: make.verdict(outcome) for key, outcome in zip(keys, outcomes, strict=True)}
    one = dataclasses.replace(analysis.findings.findings[0], severity=severity or "info")  # type: ignore[arg-type]
    found = Findings((one,) if severity else (), analysis.findings.skipped if skipped else ())
    return dataclasses.replace(analysis, matrix=dataclasses.replace(analysis.matrix, cells=cells), findings=found)


@pytest.mark.parametrize(
    ("outcomes", "severity", "skipped", "words"),
    [
        (("ok", "refused"), "warning", False, "1 problem that breaks"),
        (("ok", "ok"), "notice", True, "No access is broken; 1 remark."),
        (("ok", "refused"), "notice", False, "yet 1 of 2 connections fail or do not"),
        (("ok", "mixed"), "", False, "yet 1 of 2 connections fail or do not"),
        (("ok", "unknown"), "notice", True, "1 of 2 connections and 2 rules could not be decided"),
        ((), "notice", True, "0 of 0 connections and 2 rules could not be decided"),
        (("ok",), "", True, "not everything could be checked"),
        (("ok",), "", False, "every rule was decided"),
    ],
)
def test_headline(analysis: Analysis, outcomes: tuple[str, ...], severity: str, skipped: bool, words: str) -> None:
    told = headline(with_outcomes(analysis, *outcomes, severity=severity, skipped=skipped), Messages("en"))
    assert words in told


def test_an_accepted_finding_is_no_problem(analysis: Analysis) -> None:
    quiet = with_outcomes(analysis, "ok", severity="critical")
    known = dataclasses.replace(quiet.findings.findings[0], suppressed="known")
    quiet = dataclasses.replace(quiet, findings=Findings((known,)))
    assert "none found a problem" in headline(quiet, Messages("en"))


def test_first_fixes_are_usable_and_told_once(analysis: Analysis) -> None:
    found = list(first_fixes(analysis, causes=5, limit=5))
    assert [(finding.rule, fix.card) for finding, fix in found] == [("REACH-001", "F1")]
    everywhere = {(one.rule, one.about): make.remedies() for one in analysis.findings.findings}
    repeated = dataclasses.replace(analysis, remedies=everywhere)
    assert len(list(first_fixes(repeated, causes=5, limit=5))) == 1
    assert list(first_fixes(repeated, causes=5, limit=0)) == []
