"""The findings as SARIF 2.1.0: ``report.sarif``, for code-scanning views and editors.

A finding is a result whose locations are lines of the bundle (`uriBaseId` BUNDLE: the bundle's folder, unpacked). A finding of
severity info is informational, an accepted one carries its suppression, a rule that could not be decided is a result of kind
``open``: neither a pass nor a problem. Captures and lines that could not be read are notifications of the run.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import quote

from analyzer.evidence import Evidence
from analyzer.findings.model import Finding
from analyzer.findings.registry import rules
from analyzer.report.analysis import Analysis
from analyzer.report.messages import Messages
from analyzer.report.plain import clean
from analyzer.report.view_inputs import HARMLESS
from analyzer.report.view_tables import texts
from analyzer.snapshot.model import Snapshot

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
LEVELS = {"critical": "error", "warning": "warning", "notice": "note", "info": "none"}
LOCATIONS = 20
"""Lines of one result."""
NOTIFICATIONS = 200
CELL = 400
BASE = "BUNDLE"

Json = dict[str, Any]


def files(analysis: Analysis, messages: Messages) -> Iterator[tuple[str, bytes]]:
    """``report.sarif``."""
    log = {"$schema": SCHEMA, "version": "2.1.0", "runs": [_run(analysis, messages)]}
    yield "report.sarif", (json.dumps(log, ensure_ascii=False, indent=1) + "\n").encode("utf-8")


def _run(analysis: Analysis, messages: Messages) -> Json:
    found = analysis.findings
    ids = sorted({one.rule for one in found.findings} | {one.rule for one in found.skipped})
    index = {rule: number for number, rule in enumerate(ids)}
    results = [_result(one, index, analysis, messages) for one in found.findings]
    for skipped in found.skipped:
        missing = ", ".join(map(clean, skipped.missing))
        results.append(
            {
                "ruleId": clean(skipped.rule), "ruleIndex": index[skipped.rule], "kind": "open", "level": "none",
                "message": {"text": _message(messages.text("output.open", missing=missing))},
            }
        )  # fmt: skip
    return {
        "tool": {
            "driver": {
                "name": "ipvscope", "version": clean(analysis.tool_version), "language": _language(messages),
                "rules": [_rule(rule, messages) for rule in ids],
            }
        },
        "language": _language(messages),
        "columnKind": "unicodeCodePoints",
        "originalUriBaseIds": {BASE: {"description": {"text": _message(messages.text("output.bundle-root"))}}},
        "invocations": [{"executionSuccessful": True, "toolExecutionNotifications": _notifications(analysis.snapshot)}],
        "results": results,
        "properties": {
            "source": clean(analysis.snapshot.source), "digest": clean(analysis.snapshot.digest),
            "simulated": [clean(one) for one in analysis.snapshot.simulated],
        },
    }  # fmt: skip


def _language(messages: Messages) -> str:
    """SARIF's pattern takes two letters and a region."""
    return "zh-CN" if messages.language.startswith("zh") else messages.tag if len(messages.tag) in (2, 5) else "en"


def _message(text: str) -> str:
    """Braces are placeholders in a message of SARIF; they are written twice."""
    return text.replace("{", "{{").replace("}", "}}")


def _rule(rule: str, messages: Messages) -> Json:
    title, text = (
        clean(messages.template(f"finding.{rule}.{part}").replace("{", "<").replace("}", ">").replace("`", ""))
        for part in ("title", "text")
    )
    described: Json = {"id": clean(rule), "shortDescription": {"text": title}, "fullDescription": {"text": text}}
    name = next((one.check.__name__ for one in rules() if one.id == rule), "")
    if name:
        described["name"] = "".join(word.capitalize() for word in name.split("_"))
    return described


def _result(one: Finding, index: dict[str, int], analysis: Analysis, messages: Messages) -> Json:
    informational = one.severity == "info"
    title = messages.text(f"finding.{one.rule}.title", **one.values).replace("`", "")
    result: Json = {
        "ruleId": clean(one.rule), "ruleIndex": index[one.rule],
        "kind": "informational" if informational else "fail", "level": LEVELS[one.severity],
        "message": {"text": _message(title)},
        "locations": [_location(place, analysis.snapshot) for place in one.evidence[:1]],
        "relatedLocations": [
            {"id": number, **_location(place, analysis.snapshot)}
            for number, place in enumerate(one.evidence[1:LOCATIONS], 1)
        ],
        "partialFingerprints": {"ruleAndSubject/v1": hashlib.sha256(f"{one.rule}\0{one.about}".encode("utf-8", "replace")).hexdigest()},
        "properties": {
            "about": clean(one.about), "severity": one.severity, "confidence": one.confidence,
            "nodes": [clean(name) for name in one.nodes], "services": [clean(name) for name in one.services],
            "fixes": [clean(fix.card) for fix in analysis.remedies_of(one) if fix.usable],
        },
    }  # fmt: skip
    if one.suppressed:
        result["suppressions"] = [{"kind": "external", "justification": clean(one.suppressed)}]
    return result


def _location(evidence: Evidence, snapshot: Snapshot) -> Json:
    quoted = snapshot.quote(evidence)
    return _physical(quoted.file, quoted.line, quoted.text)


def _physical(file: str, line: int, text: str = "") -> Json:
    # Lone surrogates (names that are not UTF-8) have no place in a URI.
    uri = quote(file.encode("utf-8", "replace"), safe="/-._~")
    physical: Json = {"artifactLocation": {"uri": uri, "uriBaseId": BASE}}
    if line:
        physical["region"] = {"startLine": line, **({"snippet": {"text": clean(text)}} if text else {})}
    return {"physicalLocation": physical}


def _notifications(snapshot: Snapshot) -> list[Json]:
    """Captures that could not be used, then lines that could not be taken, as many as fit."""
    captures = texts(snapshot["captures"], ("file", "state", "detail"), CELL)
    notes = texts(snapshot["parse_notes"], ("file", "line", "reason", "text"), CELL)
    found: list[tuple[str, int, str, Iterable[str]]] = [
        (file, 0, "warning", (state, detail)) for file, state, detail in captures if state in ("failed", "refused")
    ]
    found += [
        (file, int(line or 0), "note", (reason, text)) for file, line, reason, text in notes if reason not in HARMLESS
    ]
    return [
        {
            "level": level, "message": {"text": _message(": ".join(part for part in words if part))},
            "locations": [_physical(file, line)],
        }
        for file, line, level, words in found[:NOTIFICATIONS]
    ]  # fmt: skip
