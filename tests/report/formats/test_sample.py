"""A recorded bundle in the formats for machines: valid, and every place is one of the bundle."""

from __future__ import annotations

import json
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote
from xml.etree import ElementTree as ET

import jsonschema
import pytest

from analyzer import api
from analyzer.report import formats
from analyzer.report.messages import Messages

ROOT = Path(__file__).parents[3]
SAMPLE = ROOT / "samples" / "drift.tar.gz"


@pytest.fixture(scope="module")
def written() -> dict[str, bytes]:
    with api.opened(SAMPLE) as snapshot:
        analysis = api.analyze(snapshot, simulate=False)
        return {
            path: content
            for name in ("json", "md", "sarif", "junit", "csv")
            for path, content in formats.files(name, analysis, Messages("en"))
        }


@pytest.fixture(scope="module")
def lengths() -> dict[str, int]:
    """member -> its number of lines"""
    with tarfile.open(SAMPLE) as archive:
        members = {one.name: archive.extractfile(one) for one in archive.getmembers() if one.isfile()}
        found = {name: len(stream.read().splitlines()) for name, stream in members.items() if stream is not None}
    root = next(iter(found)).partition("/")[0]
    prefix = f"{root}/" if all(name.startswith(f"{root}/") for name in found) else ""
    return {name.removeprefix(prefix).removeprefix("./"): count for name, count in found.items()}


def places(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        if "artifactLocation" in value:
            yield value
        for child in value.values():
            yield from places(child)
    elif isinstance(value, list):
        for child in value:
            yield from places(child)


def test_json_fits_the_published_schema(written: dict[str, bytes]) -> None:
    schema = json.loads((ROOT / "docs" / "report.schema.json").read_text("utf-8"))
    jsonschema.Draft202012Validator(schema).validate(json.loads(written["report.json"]))


def test_sarif_names_lines_that_exist(written: dict[str, bytes], lengths: dict[str, int]) -> None:
    log = json.loads(written["report.sarif"])
    schema = json.loads((ROOT / "tests" / "data" / "schemas" / "sarif-2.1.0.json").read_text("utf-8"))
    jsonschema.Draft4Validator(schema).validate(log)
    found = [
        (unquote(one["artifactLocation"]["uri"]), one.get("region", {}).get("startLine", 1)) for one in places(log)
    ]
    assert len(found) > 5
    assert [place for place in found if place[1] > lengths.get(place[0], 0)] == []


def test_formats_agree_on_the_findings(written: dict[str, bytes]) -> None:
    whole = json.loads(written["report.json"])
    rules = [one["rule"] for one in whole["findings"]]
    assert "DRIFT-005" in rules
    sarif = json.loads(written["report.sarif"])["runs"][0]["results"]
    assert [one["ruleId"] for one in sarif if one["kind"] != "open"] == rules
    serious = [one for one in whole["findings"] if one["severity"] in ("critical", "warning")]
    assert len(list(ET.fromstring(written["report.junit.xml"]).iter("failure"))) == len(serious)
    markdown = written["report.md"].decode("utf-8")
    assert all(f"`{rule}`" in markdown for rule in rules)
    drift = written["tables/drift.csv"].decode("utf-8-sig").splitlines()
    assert any("virtual-server-missing" in line for line in drift)
