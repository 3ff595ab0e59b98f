"""Statements a person can act on, each with an id, a severity, evidence and fixes."""

from __future__ import annotations

from analyzer.findings.context import Context
from analyzer.findings.model import SEVERITIES, Finding, Findings, Severity, Skipped
from analyzer.findings.registry import rules
from analyzer.forwarding import Matrix, World
from analyzer.observations import Observations, observe
from analyzer.snapshot import Snapshot

__all__ = ["Context", "Finding", "Findings", "Severity", "Skipped", "find"]


def find(snapshot: Snapshot, world: World, matrix: Matrix, observations: Observations | None = None) -> Findings:
    """Run every rule. A rule whose inputs are missing everywhere is skipped and listed with what it lacks.

    `observations` are made here when the caller has none.
    """
    context = Context(snapshot, world, matrix, observations=observations or observe(snapshot, world, matrix))
    found: list[Finding] = []
    skipped: list[Skipped] = []
    for one in rules():
        missing = tuple(need for need in one.needs if not _there(snapshot, need))
        if missing:
            skipped.append(Skipped(one.id, missing))
            continue
        for finding in one.check(context):
            found.append(finding)
            context.explained.update(finding.cells)
    found.sort(
        key=lambda finding: (SEVERITIES.index(finding.severity), -len(finding.cells), finding.rule, finding.about)
    )
    return Findings(tuple(found), tuple(skipped))


def _there(snapshot: Snapshot, need: str) -> bool:
    if need in snapshot.captured.get("", {}):
        return True
    return any(need in captures for node, captures in snapshot.captured.items() if node)
