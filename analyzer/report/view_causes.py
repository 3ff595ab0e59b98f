"""Root causes as the report shows them: one section each, what fails for whom, whose it is, the fixes side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, replace

from markupsafe import Markup

from analyzer.findings.incidents import Incident
from analyzer.findings.model import Finding
from analyzer.forwarding.verdict import SEVERITY
from analyzer.remedies import Proof, Remedy
from analyzer.remedies.options import Option, best_of
from analyzer.report.analysis import Analysis
from analyzer.report.causes import statement_of
from analyzer.report.limits import Limits
from analyzer.report.messages import Messages
from analyzer.report.plain import clean, cut
from analyzer.report.view_findings import FindingView, RemedyView, Source, one_liner, remedy_view
from analyzer.report.view_matrix import MatrixView, kind_of, matrix_view
from analyzer.report.view_trace import Names, Quote, TraceView, names_of, quotes, trace_view

WHOLE = 2
"""Causes whose fixes are shown as far as the medium shows them."""
CARDS = 3
DECISIVE = 3
"""Lines that settle a cause: enough to believe it, few enough to read."""


@dataclass(frozen=True, slots=True)
class Side:
    """One kind of client at one address: state is fails, works, other (fails or is open for another reason) or none."""

    state: str
    mark: str
    text: str


@dataclass(frozen=True, slots=True)
class Affected:
    """An address of a cause: what clients see, and how many of each kind."""

    target: str
    about: str
    """The Service and what the address is to it."""
    seen: str
    """What a client meets, without the mechanism."""
    why: str
    sides: tuple[Side, ...]
    """nodes, pods, outside"""


@dataclass(frozen=True, slots=True)
class OptionView:
    """A fix in the comparison; the numbers are words already."""

    card: str
    with_card: str
    anchor: str
    title: Markup
    plain_title: str
    usable: bool
    state: str
    label: str
    solves: str
    breaks: str
    breaks_something: bool
    sources: str
    moves_sources: bool
    """Servers see another source address afterwards."""
    example: str
    """A connection that breaks, and how it fails then."""
    text: Markup
    """The card's first words, unless findings of the cause fill it differently."""
    effort: str
    """How many commands and documents there are to apply."""


@dataclass(frozen=True, slots=True)
class CauseView:
    """One root cause in full. `advice` is the fix to begin with, in a sentence for the first page."""

    number: int
    anchor: str
    severity: str
    severity_label: str
    title: Markup
    plain_title: str
    statement: str
    owner: str
    owner_label: str
    confidence: str
    confidence_label: str
    cells: int
    sort: tuple[str, str]
    alike: int
    """How many more causes are of this sort."""
    affected: tuple[Affected, ...]
    affected_left_out: int
    affected_names: Names
    nodes: Names
    services: Names
    rules: tuple[tuple[str, str], ...]
    """(rule, anchor)"""
    decisive: tuple[Quote, ...]
    trace: TraceView | None
    excerpt: MatrixView
    options: tuple[OptionView, ...]
    remedies: tuple[RemedyView, ...]
    references: tuple[Source, ...]
    findings: tuple[FindingView, ...]
    findings_left_out: int
    advice: OptionView | None


def cause_views(
    analysis: Analysis, findings: Sequence[FindingView], messages: Messages, limits: Limits
) -> tuple[CauseView, ...]:
    """The first causes, as many as the medium shows in full. `findings` are the views of the first findings of the analysis."""
    anchors = {(one.rule, one.about): f"f-{number}" for number, one in enumerate(analysis.findings.findings, 1)}
    shown = {one.anchor: one for one in findings}
    return tuple(
        _cause(analysis, one, number, anchors, shown, messages, _room(number, limits))
        for number, one in enumerate(analysis.incidents[: limits.causes], 1)
    )


def cards(causes: Sequence[CauseView], total: int) -> tuple[CauseView, ...]:
    """Causes that stand on the first page in full: three, and where there are more in `total`, none that is like another of them."""
    if total <= CARDS:
        return tuple(causes)
    first: dict[tuple[str, str], CauseView] = {}
    for one in causes:
        first.setdefault(one.sort, one)
    return tuple(first.values())[:CARDS]


def _room(number: int, limits: Limits) -> Limits:
    """What a cause may take: behind the first ones one fix whole, behind the examples no picture."""
    if number > limits.examples:
        limits = replace(limits, pictures=0)
    return replace(limits, open_remedies=1) if number > WHOLE else limits


def _cause(
    analysis: Analysis, incident: Incident, number: int, anchors: dict[tuple[str, str], str], shown: dict[str, FindingView],
    messages: Messages, limits: Limits,
) -> CauseView:  # fmt: skip
    members = [one for one in analysis.findings.findings if (one.rule, one.about) in set(incident.findings)]
    lead = incident.lead
    cells = {cell for one in members for cell in one.cells}
    options = analysis.options_of(incident)
    views = tuple(_option(one, number, messages) for one in options)
    affected = _affected(analysis, cells, messages)
    own = [shown[anchor] for key in incident.findings if (anchor := anchors.get(key, "")) in shown]
    return CauseView(
        number=number,
        anchor=f"c-{number}",
        severity=incident.severity,
        severity_label=messages.text(f"severity.{incident.severity}"),
        title=messages.html(f"finding.{lead.rule}.title", **lead.values),
        plain_title=one_liner(lead, messages),
        statement=cut(clean(statement_of(incident, messages)), 600),
        owner=incident.owner,
        owner_label=messages.text(f"incident.owner.{incident.owner}"),
        confidence=lead.confidence,
        confidence_label=messages.text("page.sure", confidence=messages.text(f"confidence.{lead.confidence}"),
                                       meaning=messages.text(f"confidence.{lead.confidence}.meaning")),
        cells=incident.cells,
        sort=incident.sort,
        alike=sum(one.sort == incident.sort for one in analysis.incidents) - 1,
        affected=tuple(affected[: limits.affected]),
        affected_left_out=max(0, len(affected) - limits.affected),
        affected_names=names_of([one.target for one in affected], limits),
        nodes=names_of(incident.nodes, limits),
        services=names_of(incident.services, limits),
        rules=tuple((clean(key[0]), anchors.get(key, "") if anchors.get(key) in shown else "") for key in incident.findings[:12]),
        decisive=_decisive(analysis, incident, members, limits),
        trace=trace_view(lead.example, messages, analysis.snapshot, limits) if lead.example and limits.pictures else None,
        excerpt=matrix_view(analysis, messages, limits, cells) if cells else MatrixView(),
        options=views,
        remedies=tuple(
            remedy_view(remedy, proof, position, messages, limits, anchor="" if again else f"c-{number}-{clean(one.card)}")
            for position, one in enumerate(options)
            for again, (remedy, proof) in enumerate(_filled(one))
        ),
        references=_references(options),
        findings=tuple(own),
        findings_left_out=len(incident.findings) - len(own),
        advice=next((one for one in views if one.usable), None),
    )  # fmt: skip


def _decisive(analysis: Analysis, incident: Incident, members: Sequence[Finding], limits: Limits) -> tuple[Quote, ...]:
    """The lines of the incident, then the lead's, up to DECISIVE different ones."""
    listed = {
        (one.file, one.line): one for one in (*incident.decisive, *incident.lead.evidence) if one.file and one.text
    }
    return quotes(list(listed.values())[:DECISIVE], analysis.snapshot, limits)


def _affected(analysis: Analysis, cells: set[tuple[str, str]], messages: Messages) -> list[Affected]:
    """Addresses with failing cells of this cause; per kind of client how many fail for it, of how many."""
    matrix = analysis.matrix
    targets = {target for _, target in cells}
    found = []
    for row in matrix.targets:
        name = str(row.target)
        if name not in targets:
            continue
        seen: set[str] = set()
        why: dict[str, None] = {}
        sides = []
        for kinds in (("node",), ("pod", "backend-pod"), ("external",)):
            verdicts = [
                (matrix.cells.get((one.source, row.target)), (str(one.source), name) in cells)
                for one in matrix.vantages
                if one.kind in kinds
            ]
            bad = [verdict for verdict, here in verdicts if here and verdict is not None]
            for verdict in bad:
                seen.update(verdict.outcomes if verdict.outcome == "mixed" else (verdict.outcome,))
                why.setdefault(messages.text(f"mechanism.{verdict.mechanism}.short"))
            good = sum(verdict is not None and verdict.outcome == "ok" for verdict, _ in verdicts)
            if not verdicts:
                sides.append(Side("none", "–", ""))
            elif bad:
                count = messages.text("page.of", n=len(bad), total=len(verdicts))
                always = any(verdict.outcome != "mixed" or "ok" not in verdict.outcomes for verdict in bad)
                sides.append(
                    Side("fails", "✗", messages.text("page.fails" if always else "page.fails-at-times", n=count))
                )
            elif good == len(verdicts):
                count = messages.text("page.of", n=good, total=len(verdicts))
                sides.append(Side("works", "✓", messages.text("page.works", n=count)))
            else:
                sides.append(Side("other", "?", messages.text("page.other-cause")))
        kind = kind_of(row, messages)
        about = messages.text("page.address-of", service=clean(row.service), kind=kind) if row.service else kind
        found.append(Affected(clean(name), about, _met(seen, messages), _some(why, messages), tuple(sides)))
    return found


def _met(outcomes: Set[str], messages: Messages) -> str:
    """What failing clients meet, in a word or two: all outcomes but ok, and whether some get through at times."""
    bad = sorted(outcomes - {"ok"}, key=SEVERITY.index)
    words = messages.text("page.or").join(messages.text(f"outcome.{one}") for one in bad)
    return messages.text("page.at-times", what=words) if "ok" in outcomes else words


def _some(words: Mapping[str, None], messages: Messages) -> str:
    listed = list(words)
    return messages.text("page.and").join(listed[:3]) + (" …" if len(listed) > 3 else "")


def _option(one: Option, number: int, messages: Messages) -> OptionView:
    simulated = one.state != "not-simulated"
    label = "breaks" if one.state == "solves" and one.broken else one.state
    title = f"fix.{one.card}.title"
    apply = len(one.remedy.changes)
    return OptionView(
        card=clean(one.card),
        with_card=clean(one.with_card),
        anchor=f"c-{number}-{clean(one.card)}",
        title=messages.html(title, **one.remedy.values),
        plain_title=cut(messages.text(title, **one.remedy.values).replace("`", ""), 200)
        + (messages.text("page.with", card=one.with_card, title=messages.text(f"fix.{one.with_card}.title")) if one.with_card else ""),
        usable=one.usable,
        state=label,
        label=messages.text("report.fix.unusable") if not one.usable
        else messages.text("report.proof.label.helped", card=one.with_card) if one.with_card and label == "solves"
        else messages.text(f"report.proof.label.{label}", card=one.with_card),
        solves=messages.text("page.of", n=one.solved, total=one.total) if simulated else "–",
        breaks=(messages.text("page.breaks", n=one.broken) if one.broken else messages.text("page.breaks.none")) if simulated else "–",
        breaks_something=bool(one.broken),
        sources=(messages.text("page.sources", n=one.sources) if one.sources else messages.text("page.sources.none")) if simulated else "–",
        moves_sources=bool(simulated and one.sources),
        example=_broken(one, messages),
        text=messages.first_paragraph(f"fix.{one.card}.text", **one.remedy.values) if len(_filled(one)) == 1 else Markup(""),
        effort=messages.text("page.effort", n=apply) if apply else messages.text("page.effort.none"),
    )  # fmt: skip


def _broken(one: Option, messages: Messages) -> str:
    """The first connection that the fix breaks, by itself or with the one that helps it."""
    for _, _, proof in one.advised:
        shown = best_of(proof) if proof is not None else None
        if shown is not None and shown.examples and one.broken:
            source, target, outcome, _ = shown.examples[0]
            return messages.text(
                "page.breaks.example", source=source, target=target, outcome=messages.text(f"outcome.{outcome}")
            )
    return ""


def _filled(one: Option) -> list[tuple[Remedy, Proof | None]]:
    """A card as each finding fills it in, those with the same commands once (they name other nodes or addresses else)."""
    different: dict[tuple[str, ...], tuple[Remedy, Proof | None]] = {}
    for _, remedy, proof in one.advised:
        different.setdefault(tuple(change.body for change in remedy.changes), (remedy, proof))
    return list(different.values())


def _references(options: Sequence[Option]) -> tuple[Source, ...]:
    every = dict.fromkeys(source for one in options for source in one.remedy.sources)
    return tuple(Source.of(source) for source in list(every)[:12])
