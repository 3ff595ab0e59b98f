"""Captured against expected state, for the report: what nodes hold that they should not, and the other way round."""

from __future__ import annotations

from dataclasses import dataclass

from analyzer.report.analysis import Analysis
from analyzer.report.limits import Limits
from analyzer.report.messages import Messages
from analyzer.report.plain import clean, cut
from analyzer.report.view_trace import Names, Quote, names_of, quotes


@dataclass(frozen=True, slots=True)
class DriftRow:
    """One difference, on all nodes that have it."""

    label: str
    nodes: Names
    service: str
    server: str
    detail: str
    sides: str
    benign: bool
    quotes: tuple[Quote, ...]


@dataclass(frozen=True, slots=True)
class DriftView:
    """`summary` is a sentence, also where nothing differs or nothing could be compared."""

    summary: str
    rows: tuple[DriftRow, ...]
    left_out: int


def drift_view(analysis: Analysis, messages: Messages, limits: Limits) -> DriftView:
    nodes = len(analysis.snapshot.node_names)
    groups: dict[tuple[str, ...], list[int]] = {}
    for number, one in enumerate(analysis.drift):
        key = (one.kind, one.service, one.server, one.detail, one.expected, one.captured, str(one.skew))
        groups.setdefault(key, []).append(number)
    rows = []
    for members in list(groups.values())[: limits.drift]:
        first = analysis.drift[members[0]]
        label = messages.text(f"page.drift.{first.kind}")
        sides = messages.text("page.drift.sides", expected=first.expected, captured=first.captured)
        rows.append(
            DriftRow(
                label + (messages.text("page.drift.skew") if first.skew else ""),
                names_of([analysis.drift[number].node for number in members], limits),
                cut(clean(first.service), limits.cell),
                cut(clean(first.server), limits.cell),
                cut(clean(first.detail), limits.cell),
                cut(clean(sides), limits.cell) if first.expected or first.captured else "",
                first.benign,
                quotes(first.evidence[:2], analysis.snapshot, limits),
            )
        )
    slug = "none-compared" if not analysis.compared else "same" if not groups else "differs"
    summary = messages.text(f"page.drift.{slug}", n=analysis.compared, total=nodes, count=len(analysis.drift))
    return DriftView(summary, tuple(rows), max(0, len(groups) - len(rows)))
