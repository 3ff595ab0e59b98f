"""What conntrack and IPVS show, for the report: how far it agrees, what it contradicts, what piles up."""

from __future__ import annotations

from dataclasses import dataclass

from markupsafe import Markup

from analyzer.observations import Observations, Seen
from analyzer.report.analysis import Analysis
from analyzer.report.limits import Limits
from analyzer.report.messages import Messages
from analyzer.report.plain import clean, cut
from analyzer.report.view_trace import Quote, quotes

_QUOTES = 2
"""Lines quoted for one row."""


@dataclass(frozen=True, slots=True)
class ContradictionView:
    """A cell that conntrack contradicts."""

    source: str
    target: str
    text: Markup
    quotes: tuple[Quote, ...]


@dataclass(frozen=True, slots=True)
class SignView:
    """Something IPVS' tables show about one real server."""

    node: str
    server: str
    text: Markup
    quotes: tuple[Quote, ...]


@dataclass(frozen=True, slots=True)
class ObservationsView:
    """`summary` is a sentence, also when nothing was seen."""

    summary: str
    contradictions: tuple[ContradictionView, ...]
    contradictions_left_out: int
    signs: tuple[SignView, ...]
    signs_left_out: int


def agreement(seen: Observations, messages: Messages) -> str:
    """How many of the connections conntrack saw went as the model says; empty when it saw none."""
    if not seen.decided:
        return ""
    return messages.text("report.observations.agreement", confirmed=seen.confirmed, decided=seen.decided)


def observations(analysis: Analysis, messages: Messages, limits: Limits) -> ObservationsView:
    """The section; rows beyond `limits.rows` are counted."""
    seen, snapshot = analysis.observations, analysis.snapshot
    nothing = messages.text("report.observations.none" if seen.nodes else "report.observations.no-capture")
    contradictions = tuple(
        ContradictionView(
            cut(clean(cell.source), limits.cell),
            cut(clean(cell.target), limits.cell),
            messages.html(
                f"report.differs.{cell.differs}",
                predicted=_said(cell.predicted, cell, messages),
                observed=_said(cell.observed, cell, messages),
            ),
            quotes(cell.evidence[:_QUOTES], snapshot, limits),
        )
        for cell in seen.contradictions[: limits.rows]
    )
    signs = tuple(
        SignView(
            cut(clean(one.node), limits.cell),
            cut(clean(one.server), limits.cell),
            messages.html(f"report.sign.{one.kind}", n=one.count, real_server=one.real_server),
            quotes(one.evidence[:_QUOTES], snapshot, limits),
        )
        for one in seen.signs[: limits.rows]
    )
    return ObservationsView(
        agreement(seen, messages) or nothing,
        contradictions,
        len(seen.contradictions) - len(contradictions),
        signs,
        len(seen.signs) - len(signs),
    )


def _said(value: str, cell: Seen, messages: Messages) -> str:
    """Outcomes in words; servers and addresses as they are."""
    if cell.differs != "outcome":
        return value
    return ", ".join(messages.text(f"outcome.{one}") for one in value.split(", "))
