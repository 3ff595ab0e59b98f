"""The JSON report agrees with its published schema."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import msgspec

from analyzer.report import json_report
from analyzer.report.analysis import Analysis
from analyzer.report.json_model import Report
from analyzer.report.messages import Messages

from . import make

DOCS = Path(__file__).resolve().parents[2] / "docs"


def test_schema_file_is_current() -> None:
    assert json.loads((DOCS / "report.schema.json").read_text("utf-8")) == json.loads(json_report.schema())


def test_document_fits_the_schema(analysis: Analysis) -> None:
    text = json_report.render(analysis)
    schema = json.loads((DOCS / "report.schema.json").read_text("utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.Draft202012Validator(schema).validate(json.loads(text))
    report = msgspec.json.decode(text, type=Report, strict=True)
    assert report.schema_ == "ipvscope-report/1"
    assert [finding.rule for finding in report.findings][:2] == ["REACH-001", "REACH-002"]
    assert set(json.loads(text)) == {field.encode_name for field in msgspec.structs.fields(Report)}


def test_matrix_indexes_lead_to_the_verdicts(analysis: Analysis) -> None:
    report = msgspec.json.decode(json_report.render(analysis), type=Report)
    for row, target in zip(report.matrix.cells, analysis.matrix.targets, strict=True):
        for index, vantage in zip(row, analysis.matrix.vantages, strict=True):
            assert report.matrix.verdicts[index].outcome == analysis.matrix.verdict(vantage, target).outcome
    cells = report.summary.cells
    assert cells.ok + cells.bad + cells.unknown == cells.total == cells.captured + cells.inferred == 24 * 9


def test_text_is_kept_but_made_printable(analysis: Analysis) -> None:
    text = json_report.render(analysis)
    assert make.SCRIPT in json.loads(text)["input"]["nodes"]
    assert not any(ord(char) < 32 and char != "\n" for char in text)
    assert "\\u202e" not in text


def test_stable(messages: Messages) -> None:
    assert json_report.render(make.analysis(), messages) == json_report.render(make.analysis())


def test_single_trace(analysis: Analysis, messages: Messages) -> None:
    document = json.loads(json_report.render_trace(make.trace(), messages, analysis.snapshot))
    assert document["source"] == "node:node-a"
    assert [path["outcome"] for path in document["paths"]] == ["ok", "timeout", "wrong-server"]
