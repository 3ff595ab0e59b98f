"""The findings as JUnit XML: ``report.junit.xml``, for CI servers that show tests.

Suite ``rules``: a rule that was decided and found nothing passes; each finding is a test case of its own (class: the rule, name:
what it is about), failed when it is critical or a warning, passed with its text when it is less; a rule that could not be
decided, and an accepted finding, are skipped, with the reason. Suite ``intent``: each statement of an intent file; one that
cannot be told is skipped. There is no time in it, so equal input gives equal bytes.
"""

from __future__ import annotations

from collections.abc import Iterator
from xml.etree import ElementTree as ET

from analyzer.findings.model import Finding
from analyzer.findings.registry import rules
from analyzer.report.analysis import Analysis
from analyzer.report.messages import Messages
from analyzer.report.plain import clean, clean_block, cut

FAILS = ("critical", "warning")
EVIDENCE = 12
NAMED = 8


def files(analysis: Analysis, messages: Messages) -> Iterator[tuple[str, bytes]]:
    """``report.junit.xml``."""
    suites = [_rules(analysis, messages)]
    if analysis.intent:
        suites.append(_intent(analysis, messages))
    root = ET.Element("testsuites", {"name": "ipvscope"})
    for key in ("tests", "failures", "errors", "skipped"):
        root.set(key, str(sum(int(suite.get(key, "0")) for suite in suites)))
    root.extend(suites)
    ET.indent(root, " ")
    yield "report.junit.xml", ET.tostring(root, encoding="utf-8", xml_declaration=True) + b"\n"


def _suite(name: str, cases: list[ET.Element], analysis: Analysis) -> ET.Element:
    counts = {kind: sum(case.find(kind) is not None for case in cases) for kind in ("failure", "skipped")}
    suite = ET.Element(
        "testsuite",
        {"name": f"ipvscope.{name}", "tests": str(len(cases)), "failures": str(counts["failure"]), "errors": "0",
         "skipped": str(counts["skipped"])},
    )  # fmt: skip
    properties = ET.SubElement(suite, "properties")
    known = {"source": analysis.snapshot.source, "digest": analysis.snapshot.digest, "version": analysis.tool_version}
    for key, told in known.items():
        ET.SubElement(properties, "property", {"name": key, "value": clean(told)})
    suite.extend(cases)
    return suite


def _case(suite: str, group: str, name: str) -> ET.Element:
    return ET.Element("testcase", {"classname": clean(f"ipvscope.{suite}.{group}"), "name": cut(clean(name), 400)})


def _rules(analysis: Analysis, messages: Messages) -> ET.Element:
    found = analysis.findings
    open_rules = {one.rule: one.missing for one in found.skipped}
    reported = {one.rule for one in found.findings}
    cases = [_finding(one, analysis, messages) for one in found.findings]
    for rule, missing in sorted(open_rules.items()):
        case = _case("rules", rule, rule)
        told = messages.text("output.open", missing=", ".join(map(clean, missing)))
        ET.SubElement(case, "skipped", {"message": told})
        cases.append(case)
    passed = sorted({one.id for one in rules()} - reported - set(open_rules))
    cases += [_case("rules", rule, rule) for rule in passed]
    return _suite("rules", cases, analysis)


def _finding(one: Finding, analysis: Analysis, messages: Messages) -> ET.Element:
    case = _case("rules", one.rule, one.about or one.rule)
    title = messages.text(f"finding.{one.rule}.title", **one.values).replace("`", "")
    if one.suppressed:
        ET.SubElement(case, "skipped", {"message": messages.text("policy.tag", reason=one.suppressed)})
    elif one.severity in FAILS:
        failure = ET.SubElement(case, "failure", {"type": one.severity, "message": title})
        failure.text = _told(one, analysis, messages)
    else:
        ET.SubElement(case, "system-out").text = f"{title}\n{_told(one, analysis, messages)}"
    return case


def _told(one: Finding, analysis: Analysis, messages: Messages) -> str:
    """The text, the lines that prove it, and the fixes that can be used."""
    lines = [messages.text(f"finding.{one.rule}.text", **one.values).replace("`", ""), ""]
    for place in map(analysis.snapshot.quote, one.evidence[:EVIDENCE]):
        lines.append(f"{clean(place.place)}  {clean(place.text)}".rstrip())
    for fix in analysis.remedies_of(one):
        if fix.usable:
            lines.append(f"{fix.card}: " + messages.text(f"fix.{fix.card}.title", **fix.values).replace("`", ""))
    return clean_block("\n".join(lines))


def _intent(analysis: Analysis, messages: Messages) -> ET.Element:
    cases = []
    for one in analysis.intent:
        case = _case("intent", one.statement.must, one.statement.name)
        cells = [cell for cell in one.cells if cell.standing != "holds"]
        told = [f"{cell.source} -> {cell.target}: {messages.text(f'outcome.{cell.verdict.outcome}')}" for cell in cells]
        label = messages.text(f"intent.{one.standing}")
        if one.standing == "violated":
            failure = ET.SubElement(case, "failure", {"type": "violated", "message": label})
            failure.text = clean_block(
                "\n".join(told[:NAMED] + ([f"(+{len(told) - NAMED})"] if len(told) > NAMED else []))
            )
        elif one.standing == "open":
            ET.SubElement(case, "skipped", {"message": clean(f"{label}: {'; '.join(told[:NAMED])}")})
        cases.append(case)
    return _suite("intent", cases, analysis)
