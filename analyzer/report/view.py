"""What a report shows, as text: an `Analysis` turned into small frozen objects without frames.

A renderer only arranges. Plain `str` still has to be escaped by it; `Markup` was made by `Messages.html` or by the
pictures and is safe. The order is that of the analysis or sorted; no clock is read.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace

from analyzer.findings.model import SEVERITIES
from analyzer.report.advice import headline
from analyzer.report.analysis import Analysis
from analyzer.report.causes import statement_of, symptom_lines
from analyzer.report.limits import SCREEN, Limits
from analyzer.report.messages import Messages
from analyzer.report.plain import clean
from analyzer.report.view_case import Case, case
from analyzer.report.view_causes import CauseView, cards, cause_views
from analyzer.report.view_drift import DriftView, drift_view
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
)
from analyzer.report.view_matrix import MatrixView, matrix_view, trace_anchors
from analyzer.report.view_observations import ObservationsView, agreement, observations
from analyzer.report.view_tables import TableView, appendix
from analyzer.report.view_trace import TraceView, trace_view


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


@dataclass(frozen=True, slots=True)
class Summary:
    """What a reader needs who reads nothing else. `cells` are those of the matrix."""

    severities: tuple[Count, ...]
    headline: str
    cells: tuple[Count, ...]
    cells_total: int
    captured_percent: int
    agreement: str
    nodes: int
    services: int
    caveats: tuple[str, ...]
    explained: int
    """Failing connections that a root cause explains."""
    others: int
    """Failing connections that no rule calls a fault."""
    symptoms: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CellTrace:
    """The trace that a cell of the matrix opens, and how many cells it stands for."""

    anchor: str
    title: str
    cells: int
    trace: TraceView


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
    case: Case
    causes: tuple[CauseView, ...]
    cards: tuple[CauseView, ...]
    """Those of the first page."""
    causes_left_out: tuple[str, ...]
    """Statements of the causes that have no section."""
    matrix: MatrixView
    matrix_notes: tuple[str, ...]
    traces: tuple[CellTrace, ...]
    drift: DriftView
    observations: ObservationsView
    findings: tuple[FindingView, ...]
    """Those that no section of a cause holds."""
    shown: int
    """Findings in full, inside the sections of causes and outside."""
    listed: tuple[Line, ...]
    unlisted: int
    environment: Environment
    coverage: Coverage
    skipped: tuple[SkippedView, ...]
    notes: Notes
    tables: tuple[TableView, ...]
    nodes: tuple[str, ...]


def build(analysis: Analysis, messages: Messages, limits: Limits = SCREEN, *, generated: str = "") -> View:
    """The view of an analysis. `generated` is a time to print, if the caller wants one; by default there is none."""
    snapshot = analysis.snapshot
    found = analysis.findings.findings
    full = finding_views(analysis, messages, limits)
    causes = cause_views(analysis, full, messages, limits)
    inside = {one.anchor for cause in causes for one in cause.findings}
    rest = found[limits.full_findings :]
    return View(
        language=messages.tag,
        source=clean(snapshot.source),
        layout=clean(snapshot.layout),
        digest=clean(snapshot.digest),
        tool_version=clean(analysis.tool_version),
        generated=clean(generated),
        summary=summary(analysis, messages),
        case=case(analysis, messages, limits, generated),
        causes=causes,
        cards=cards(causes, len(analysis.incidents)),
        causes_left_out=tuple(
            clean(statement_of(one, messages))
            for one in analysis.incidents[len(causes) : len(causes) + limits.listed_findings]
        ),
        matrix=matrix_view(analysis, messages, limits),
        matrix_notes=tuple(map(clean, analysis.matrix.left_out)),
        traces=_traces(analysis, messages, limits),
        drift=drift_view(analysis, messages, limits),
        observations=observations(analysis, messages, limits),
        findings=tuple(one for one in full if one.anchor not in inside),
        shown=len(full),
        listed=tuple(_line(analysis, index + limits.full_findings, messages, "") for index in range(len(rest)))[
            : limits.listed_findings
        ],
        unlisted=max(0, len(rest) - limits.listed_findings),
        environment=environment(snapshot, messages, limits),
        coverage=coverage(snapshot, messages, limits),
        skipped=skipped(analysis.findings.skipped),
        notes=notes(snapshot, messages, limits),
        tables=appendix(snapshot, messages, limits),
        nodes=tuple(map(clean, snapshot.node_names)),
    )


def _traces(analysis: Analysis, messages: Messages, limits: Limits) -> tuple[CellTrace, ...]:
    anchors = trace_anchors(analysis, limits)
    grouped = analysis.classes
    sizes = {
        (str(column[0].source), str(row[0].target)): grouped.size(number, index)
        for number, row in enumerate(grouped.rows)
        for index, column in enumerate(grouped.columns)
    }
    brief = replace(limits, pictures=2, step_quotes=1)
    return tuple(
        CellTrace(anchor, f"{clean(key[0])} → {clean(key[1])}", sizes.get(key, 1),
                  trace_view(analysis.traces[key], messages, analysis.snapshot, brief))
        for key, anchor in anchors.items()
    )  # fmt: skip


def summary(analysis: Analysis, messages: Messages) -> Summary:
    """Counts, the most important findings, and what weakens the answer."""
    found = analysis.findings.findings
    by_severity = Counter(finding.severity for finding in found if not finding.suppressed)
    cells = Counter(_fate(verdict.outcome) for verdict in analysis.matrix.cells.values())
    total = sum(cells.values())
    captured = sum(verdict.layer == "captured" for verdict in analysis.matrix.cells.values())
    grouped = {key for one in analysis.incidents for key in one.findings}
    explained = {cell for one in found if (one.rule, one.about) in grouped for cell in one.cells}
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
    return Summary(
        severities=tuple(
            Count(severity, messages.text(f"severity.{severity}"), by_severity[severity]) for severity in SEVERITIES
        ),
        headline=headline(analysis, messages),
        cells=tuple(
            Count(slug, messages.text(f"report.cells.{slug}"), cells[slug]) for slug in ("ok", "bad", "unknown")
        ),
        cells_total=total,
        captured_percent=captured * 100 // total if total else 0,
        agreement=agreement(analysis.observations, messages),
        nodes=len(analysis.snapshot.node_names),
        services=len(analysis.snapshot["services"]),
        caveats=tuple(caveats),
        explained=len(explained),
        others=sum(
            _fate(one.outcome) == "bad" and (str(source), str(target)) not in explained
            for (source, target), one in analysis.matrix.cells.items()
        ),
        symptoms=tuple(map(clean, symptom_lines(analysis, messages))),
    )


def _fate(outcome: str) -> str:
    return outcome if outcome in ("ok", "unknown") else "bad"


def _line(analysis: Analysis, index: int, messages: Messages, anchor: str) -> Line:
    finding = analysis.findings.findings[index]
    return Line(
        anchor, clean(finding.rule), finding.severity, messages.text(f"severity.{finding.severity}"),
        one_liner(finding, messages),
    )  # fmt: skip
