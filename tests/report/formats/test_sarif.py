"""SARIF: the official schema, the lines of the bundle, nothing passed that was not decided."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import jsonschema
import pytest

from analyzer.report import formats
from analyzer.report.analysis import Analysis
from analyzer.report.messages import Messages

SCHEMA = json.loads((Path(__file__).parents[2] / "data" / "schemas" / "sarif-2.1.0.json").read_text("utf-8"))


def run_of(analysis: Analysis, language: str = "en") -> dict[str, Any]:
    ((path, content),) = formats.files("sarif", analysis, Messages(language))
    assert path == "report.sarif"
    log = json.loads(content)
    jsonschema.Draft4Validator(SCHEMA).validate(log)
    run: dict[str, Any] = log["runs"][0]
    return run


@pytest.mark.parametrize("language", ["en", "zh_CN"])
def test_fits_the_official_schema(analysis: Analysis, language: str) -> None:
    run = run_of(analysis, language)
    assert run["language"] == {"en": "en", "zh_CN": "zh-CN"}[language]


def test_results_point_to_the_lines_of_the_bundle(analysis: Analysis) -> None:
    run = run_of(analysis)
    result, finding = run["results"][0], analysis.findings.findings[0]
    place = result["locations"][0]["physicalLocation"]
    assert unquote(place["artifactLocation"]["uri"]) == finding.evidence[0].file
    assert place["artifactLocation"]["uriBaseId"] in run["originalUriBaseIds"]
    assert place["region"]["startLine"] == finding.evidence[0].line
    assert result["level"] == "error"
    assert run["tool"]["driver"]["rules"][result["ruleIndex"]]["id"] == result["ruleId"] == "REACH-001"


def test_undecided_rules_are_open_and_unread_inputs_are_told(analysis: Analysis) -> None:
    run = run_of(analysis)
    undecided = [one for one in run["results"] if one["kind"] == "open"]
    assert [one["ruleId"] for one in undecided] == ["DRIFT-004", "REACH-011"]
    assert "node-b ipset" in undecided[0]["message"]["text"]
    assert not [one for one in run["results"] if one["kind"] == "pass"]
    told = run["invocations"][0]["toolExecutionNotifications"]
    assert any("permission denied" in one["message"]["text"] for one in told)


def test_fingerprints_tell_findings_apart(analysis: Analysis) -> None:
    prints = [
        one["partialFingerprints"]["ruleAndSubject/v1"] for one in run_of(analysis)["results"] if one["kind"] != "open"
    ]
    assert len(prints) == len(set(prints)) == len(analysis.findings.findings)


def test_an_accepted_finding_is_suppressed(accepted: Analysis) -> None:
    suppressed = [one for one in run_of(accepted)["results"] if "suppressions" in one]
    assert [one["ruleId"] for one in suppressed] == ["REACH-001"]
    assert suppressed[0]["suppressions"][0]["justification"].startswith("until March")
