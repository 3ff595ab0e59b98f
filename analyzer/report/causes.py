"""Causes and reported symptoms in sentences."""

from __future__ import annotations

from analyzer.findings.incidents import Incident
from analyzer.forwarding.model import Verdict
from analyzer.report.analysis import Analysis
from analyzer.report.messages import Messages
from analyzer.report.view_findings import one_liner


def symptom_lines(analysis: Analysis, messages: Messages) -> list[str]:
    """Each reported connection, what the walk says of it, and whether that is the same."""
    lines = []
    for one in analysis.symptoms:
        verdict = verdict_line_of(one.verdict, messages)
        told = messages.text(f"symptom.{one.agreement}", source=one.source, target=one.target, verdict=verdict,
                             reported=messages.text(f"outcome.{one.reported}") if one.reported else "")  # fmt: skip
        lines.append(told + (f" [{one.finding[0]}]" if one.finding else ""))
    return lines


def verdict_line_of(verdict: Verdict, messages: Messages) -> str:
    """Outcome and, unless it is fine, why."""
    label = messages.text(f"outcome.{verdict.outcome}")
    return label if verdict.outcome == "ok" else f"{label} ({messages.text(f'mechanism.{verdict.mechanism}.short')})"


def statement_of(incident: Incident, messages: Messages) -> str:
    """What the cause is, in one or two sentences."""
    if incident.kind == "other":
        return one_liner(incident.lead, messages)
    rules = ", ".join(dict.fromkeys(rule for rule, _ in incident.findings))
    nodes = ", ".join(incident.nodes[:4]) + (f" (+{len(incident.nodes) - 4})" if len(incident.nodes) > 4 else "")
    return messages.text(
        f"incident.{incident.kind}", about=incident.about, cells=incident.cells, count=len(incident.findings), rules=rules,
        nodes=nodes or "–", services=", ".join(incident.services[:4]) or "–",
    )  # fmt: skip
