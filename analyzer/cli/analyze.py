"""``analyze``: the whole way from a bundle to its reports."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from analyzer.cli.files import write_files
from analyzer.findings.model import SEVERITIES

ESSENTIAL = ("ipvsadm", "ip-addr")


def run(
    bundle: Path,
    output: Path,
    formats: list[str],
    fail_on: str,
    node: str,
    lang: str,
    apply: Sequence[str] = (),
    intent: Path | None = None,
    policy: Path | None = None,
    symptoms: Sequence[str] = (),
    *,
    simulate: bool = True,
) -> int:
    """Write the reports, print the summary and where they are; give the exit code."""
    from analyzer import api
    from analyzer.cli.words import words
    from analyzer.findings.policy import read_policy
    from analyzer.intent import assumed_cluster, read_intent
    from analyzer.report import html, json_report, pdf, text

    messages = words(lang)
    rules = read_policy(policy) if policy is not None else None
    statements = read_intent(intent) if intent is not None else None
    with api.opened(bundle, node=node, apply=apply) as captured:
        snapshot = captured
        if statements is not None and statements.assume.nodes:
            snapshot = assumed_cluster(captured, statements.assume)
        analysis = api.analyze(snapshot, intent=statements, policy=rules, symptoms=symptoms, simulate=simulate)
        contents: dict[str, bytes] = {}
        for name in formats:
            if name == "html":
                content = html.render(analysis, messages).encode("utf-8")
            elif name == "pdf":
                content = pdf.render(analysis, messages)
            else:
                content = json_report.render(analysis, messages).encode("utf-8")
            contents[f"report.{name}"] = content
        written = write_files(output, contents)
        print(text.summary(analysis, messages), end="")
        for path in written:
            print(path)
    counted = [one for one in analysis.findings.findings if not one.suppressed]
    severities = [SEVERITIES.index(one.severity) for one in counted]
    limit = next((position for position, name in enumerate(SEVERITIES) if name == fail_on), -1)
    if any(one <= limit for one in severities) or any(one.rule.startswith("INTENT-") for one in counted):
        return 1
    return 4 if _undecided(analysis.snapshot.captured) else 0


def _undecided(captured: Mapping[str, Mapping[str, bool]]) -> bool:
    """Neither node state nor Services: nothing could be decided."""
    nodes = [captures for node, captures in captured.items() if node]
    has_state = any(capture in captures for captures in nodes for capture in ESSENTIAL)
    return not has_state and "services" not in captured.get("", {})
