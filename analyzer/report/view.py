"""What a report shows, as text: an `Analysis` turned into small frozen objects without frames.

A renderer only arranges. Plain `str` still has to be escaped by it; `Markup` was made by `Messages.html` or by the
pictures and is safe. The order is that of the analysis or sorted; no clock is read.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from analyzer.findings.model import SEVERITIES
from analyzer.report import svg_matrix
from analyzer.report.analysis import Analysis
from analyzer.report.causes import statement_of, symptom_lines
from analyzer.report.limits import SCREEN, Limits
from analyzer.report.messages import Messages
from analyzer.report.plain import clean, cut
from analyzer.report.view_findings import FindingView, finding_views, one_liner
from analyzer.report.view_inputs import (
    Coverage,
    Environment,
    Notes,
    SkippedView,
    coverage,
    environment,
    notes,
    skipped,
    unread_lines,
)
from analyzer.report.view_observations import ObservationsView, agreement, observations
from analyzer.report.view_tables import TableView, appendix

TOP = 5
"""Findings named in the summary."""


@dataclass(frozen=True, slots=True)
class Count:
    """A number with its label; `slug` chooses its colour."""

    slug: str
    label: str
    number: int


@dataclass(frozen=True, slots=True)
class Line:
    """A finding in one line; `anchor` is empty when it is not shown in full."""

    anchor: str
    rule: str
    severity: str
    severity_label: str
    title: str


CAUSES = 12


@dataclass(frozen=True, slots=True)
class CauseView:
    """One cause: the statement, whose it is, the findings that show it, and the lines that settle it."""

    severity: str
    severity_label: str
    statement: str
    owner: str
    owner_label: str
    findings: tuple[tuple[str, str], ...]
    """(rule, anchor)"""
    decisive: tuple[tuple[str, str], ...]
    """(place, text)"""


@dataclass(frozen=True, slots=True)
class Summary:
    """What a reader needs who reads nothing else. `cells` are those of the matrix."""

    severities: tuple[Count, ...]
    headline: str
    top: tuple[Line, ...]
    cells: tuple[Count, ...]
    cells_total: int
    captured_percent: int
    agreement: str
    nodes: int
    services: int
    caveats: tuple[str, ...]
    symptoms: tuple[str, ...]
    causes: tuple[CauseView, ...]


@dataclass(frozen=True, slots=True)
class View:
    """The whole report."""

    language: str
    source: str
    layout: str
    digest: str
    tool_version: str
    generated: str
    summary: Summary
    matrix: svg_matrix.Pictures
    matrix_landscape: bool
    matrix_notes: tuple[str, ...]
    observations: ObservationsView
    findings: tuple[FindingView, ...]
    listed: tuple[Line, ...]
    unlisted: int
    environment: Environment
    coverage: Coverage
    skipped: tuple[SkippedView, ...]
    notes: Notes
    tables: tuple[TableView, ...]
    nodes: tuple[str, ...]


def build(
    analysis: Analysis, messages: Messages, limits: Limits = SCREEN, *, paper: bool = False, generated: str = ""
) -> View:
    """The view of an analysis. `generated` is a time to print, if the caller wants one; by default there is none."""
    snapshot = analysis.snapshot
    found = analysis.findings.findings
    full = finding_views(analysis, messages, limits)
    covered = coverage(snapshot, messages, limits)
    if paper:
        pictures, landscape = svg_matrix.for_print(analysis.matrix, messages)
    else:
        pictures, landscape = svg_matrix.draw(analysis.matrix, messages), False
    rest = found[limits.full_findings :]
    return View(
        language=messages.tag,
        source=clean(snapshot.source),
        layout=clean(snapshot.layout),
        digest=clean(snapshot.digest),
        tool_version=clean(analysis.tool_version),
        generated=clean(generated),
        summary=summary(analysis, messages),
        matrix=pictures,
        matrix_landscape=landscape,
        matrix_notes=(*_left_out(pictures, messages), *map(clean, analysis.matrix.left_out)),
        observations=observations(analysis, messages, limits),
        findings=full,
        listed=tuple(_line(analysis, index + limits.full_findings, messages, "") for index in range(len(rest)))[
            : limits.listed_findings
        ],
        unlisted=max(0, len(rest) - limits.listed_findings),
        environment=environment(snapshot, messages, limits),
        coverage=covered,
        skipped=skipped(analysis.findings.skipped),
        notes=notes(snapshot, messages, limits),
        tables=appendix(snapshot, messages, limits),
        nodes=tuple(map(clean, snapshot.node_names)),
    )


def summary(analysis: Analysis, messages: Messages) -> Summary:
    """Counts, the most important findings, and what weakens the answer."""
    found = analysis.findings.findings
    by_severity = Counter(finding.severity for finding in found if not finding.suppressed)
    cells = Counter(_fate(verdict.outcome) for verdict in analysis.matrix.cells.values())
    total = sum(cells.values())
    captured = sum(verdict.layer == "captured" for verdict in analysis.matrix.cells.values())
    serious = by_severity["critical"] + by_severity["warning"]
    headline = "serious" if serious else "minor" if found else "undecided" if analysis.findings.skipped else "none"
    caveats = []
    if analysis.snapshot.simulated:
        caveats.append(messages.text("whatif.simulated", changes="; ".join(map(clean, analysis.snapshot.simulated))))
    accepted = sum(1 for finding in found if finding.suppressed)
    if accepted:
        caveats.append(messages.text("policy.suppressed", n=accepted))
    for slug, listed in (("policy.expired", analysis.expired), ("policy.unused", analysis.unused)):
        for one in listed:
            about = f" {one.about}" if one.about else ""
            until = one.until.isoformat() if one.until else ""
            caveats.append(messages.text(slug, rule=f"{one.rule}{about}", reason=one.reason, until=until))
    if analysis.findings.skipped:
        caveats.append(messages.text("report.summary.skipped", n=len(analysis.findings.skipped)))
    if total and captured < total:
        caveats.append(messages.text("report.summary.inferred", n=total - captured, total=total))
    unread = unread_lines(analysis.snapshot)
    if unread:
        caveats.append(messages.text("report.summary.notes", n=unread))
    return Summary(
        severities=tuple(
            Count(severity, messages.text(f"severity.{severity}"), by_severity[severity]) for severity in SEVERITIES
        ),
        headline=messages.text(f"report.headline.{headline}", n=serious or len(found)),
        top=tuple(_line(analysis, index, messages, f"f-{index + 1}") for index in range(min(TOP, len(found)))),
        cells=tuple(
            Count(slug, messages.text(f"report.cells.{slug}"), cells[slug]) for slug in ("ok", "bad", "unknown")
        ),
        cells_total=total,
        captured_percent=captured * 100 // total if total else 0,
        agreement=agreement(analysis.observations, messages),
        nodes=len(analysis.snapshot.node_names),
        services=len(analysis.snapshot["services"]),
        caveats=tuple(caveats),
        symptoms=tuple(map(clean, symptom_lines(analysis, messages))),
        causes=_causes(analysis, messages),
    )


def _causes(analysis: Analysis, messages: Messages) -> tuple[CauseView, ...]:
    anchors = {(one.rule, one.about): f"f-{number}" for number, one in enumerate(analysis.findings.findings, 1)}
    return tuple(
        CauseView(
            one.severity, messages.text(f"severity.{one.severity}"), clean(statement_of(one, messages)), one.owner,
            messages.text(f"incident.owner.{one.owner}"), tuple((clean(key[0]), anchors.get(key, "")) for key in one.findings[:12]),
            tuple((clean(place.place), cut(clean(place.text), 240)) for place in one.decisive),
        )
        for one in analysis.incidents[:CAUSES]
    )  # fmt: skip


def _fate(outcome: str) -> str:
    return outcome if outcome in ("ok", "unknown") else "bad"


def _line(analysis: Analysis, index: int, messages: Messages, anchor: str) -> Line:
    finding = analysis.findings.findings[index]
    return Line(
        anchor, clean(finding.rule), finding.severity, messages.text(f"severity.{finding.severity}"),
        one_liner(finding, messages),
    )  # fmt: skip


def _left_out(pictures: svg_matrix.Pictures, messages: Messages) -> list[str]:
    notes = []
    if pictures.rows_left_out:
        notes.append(messages.text("report.matrix.rows-left-out", n=pictures.rows_left_out, total=pictures.rows))
    if pictures.columns_left_out:
        notes.append(
            messages.text("report.matrix.columns-left-out", n=pictures.columns_left_out, total=pictures.columns)
        )
    return notes
