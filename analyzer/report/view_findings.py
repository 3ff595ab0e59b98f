"""Findings as the report shows them: sentences, evidence with quotes, pictures of paths, remedies in order."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from markupsafe import Markup

from analyzer.findings.model import Finding
from analyzer.forwarding import Verdict
from analyzer.remedies import Proof
from analyzer.remedies.model import Change, Remedy
from analyzer.report.analysis import Analysis
from analyzer.report.limits import Limits
from analyzer.report.messages import Messages
from analyzer.report.plain import clean, clean_block, cut
from analyzer.report.view_trace import Names, Quote, TraceView, names_of, quotes, trace_view

_LINK = re.compile(r"https?://[A-Za-z0-9._~:/?#\[\]@!$&()*+,;=%-]{1,2000}")


@dataclass(frozen=True, slots=True)
class ChangeView:
    """A command or document to copy."""

    kind: str
    title: Markup
    body: str
    lines_left_out: int


@dataclass(frozen=True, slots=True)
class Condition:
    """A prerequisite with its mark."""

    state: str
    mark: str
    label: str
    text: Markup


@dataclass(frozen=True, slots=True)
class Source:
    """Where a remedy comes from; `url` is empty unless the text is a plain web address."""

    text: str
    url: str

    @classmethod
    def of(cls, text: str) -> Source:
        return cls(clean(text), text if _LINK.fullmatch(text) else "")


@dataclass(frozen=True, slots=True)
class RemedyView:
    """A fix card, filled; `anchor` is empty where nothing links to it."""

    card: str
    anchor: str
    title: Markup
    text: Markup
    usable: bool
    partial: bool
    changes: tuple[ChangeView, ...]
    conditions: tuple[Condition, ...]
    side_effects: tuple[Markup, ...]
    verify: tuple[ChangeView, ...]
    sources: tuple[Source, ...]
    proof: ProofView | None
    shape: str
    """open, folded (on a screen) or brief (on paper: without commands)."""


@dataclass(frozen=True, slots=True)
class ProofRow:
    """Connections of the finding that become the same: what is dialled before and after, and what the client sees."""

    target: str
    dialled: str
    before: str
    after: str
    solved: bool
    clients: int
    example: str


@dataclass(frozen=True, slots=True)
class ProofView:
    """What a remedy does in simulation: a verdict, sentences, and the connections before and after."""

    state: str
    label: str
    sentences: tuple[str, ...]
    rows: tuple[ProofRow, ...]
    rows_left_out: int


@dataclass(frozen=True, slots=True)
class FindingView:
    """One finding in full. `node_indexes` point into the snapshot's node names, for the filter."""

    anchor: str
    rule: str
    about: str
    severity: str
    severity_label: str
    suppressed: str
    title: Markup
    plain_title: str
    text: Markup
    confidence: str
    confidence_label: str
    situation: str
    nodes: Names
    services: Names
    vantages: Names
    targets: Names
    node_indexes: tuple[int, ...]
    evidence: tuple[Quote, ...]
    evidence_left_out: int
    trace: TraceView | None
    remedies: tuple[RemedyView, ...]


MARKS = {"met": "✓", "not-met": "✗", "unknown": "?"}


def one_liner(finding: Finding, messages: Messages) -> str:
    """The title without markup, cut for a line of a list."""
    return cut(messages.text(f"finding.{finding.rule}.title", **finding.values).replace("`", ""), 240)


def finding_views(analysis: Analysis, messages: Messages, limits: Limits) -> tuple[FindingView, ...]:
    """The first findings, as many as the medium shows in full."""
    index = {name: number for number, name in enumerate(analysis.snapshot.node_names)}
    brief = replace(limits, pictures=0)
    shown = analysis.findings.findings[: limits.full_findings]
    return tuple(
        replace(
            _finding(analysis, finding, messages, limits if number <= limits.examples else brief),
            anchor=f"f-{number}",
            node_indexes=tuple(sorted(index[node] for node in finding.nodes if node in index)),
        )
        for number, finding in enumerate(shown, 1)
    )


def _finding(analysis: Analysis, finding: Finding, messages: Messages, limits: Limits) -> FindingView:
    snapshot = analysis.snapshot
    title = f"finding.{finding.rule}.title"
    # Remedies that cannot be used come last; otherwise the order of the analysis stands.
    remedies = sorted(analysis.remedies_of(finding), key=lambda remedy: not remedy.usable)
    return FindingView(
        anchor="",
        rule=clean(finding.rule),
        about=clean(finding.about),
        severity=finding.severity,
        severity_label=messages.text(f"severity.{finding.severity}"),
        suppressed=messages.text("policy.tag", reason=finding.suppressed) if finding.suppressed else "",
        title=messages.html(title, **finding.values),
        plain_title=one_liner(finding, messages),
        text=messages.html(f"finding.{finding.rule}.text", **finding.values),
        confidence=finding.confidence,
        confidence_label=messages.text(f"confidence.{finding.confidence}"),
        situation=clean(finding.situation),
        nodes=names_of(finding.nodes, limits),
        services=names_of(finding.services, limits),
        vantages=names_of(finding.vantages, limits),
        targets=names_of(finding.targets, limits),
        node_indexes=(),
        evidence=quotes(finding.evidence[: limits.evidence], snapshot, limits),
        evidence_left_out=max(0, len(finding.evidence) - limits.evidence),
        trace=trace_view(finding.example, messages, snapshot, limits) if finding.example else None,
        remedies=tuple(
            remedy_view(remedy, analysis.proof_of(finding, remedy), position, messages, limits)
            for position, remedy in enumerate(remedies)
        ),
    )


def remedy_view(
    remedy: Remedy, proof: Proof | None, position: int, messages: Messages, limits: Limits, anchor: str = ""
) -> RemedyView:
    """A fix card; `position` in its list decides how much of it is shown."""
    shape = "open" if position < limits.open_remedies else "folded" if limits.folds else "brief"
    return RemedyView(
        card=clean(remedy.card),
        anchor=anchor,
        title=messages.html(f"fix.{remedy.card}.title", **remedy.values),
        text=messages.html(f"fix.{remedy.card}.text", **remedy.values),
        usable=remedy.usable,
        partial=remedy.partial,
        changes=tuple(_change(change, remedy, messages, limits) for change in remedy.changes),
        conditions=tuple(
            Condition(
                item.state, MARKS[item.state], messages.text(f"report.check.{item.state}"),
                messages.html(f"prerequisite.{item.slug}", **item.values),
            )
            for item in remedy.prerequisites
        ),
        side_effects=tuple(messages.html(f"side-effect.{slug}", **remedy.values) for slug in remedy.side_effects),
        verify=tuple(_change(change, remedy, messages, limits) for change in remedy.verify),
        sources=tuple(map(Source.of, remedy.sources)),
        proof=_proof(proof, messages, limits) if proof is not None else None,
        shape=shape,
    )  # fmt: skip


def _proof(proof: Proof, messages: Messages, limits: Limits) -> ProofView:
    sentences = proof_sentences(proof, messages)
    groups: dict[tuple[str, str, str, str, bool], list[str]] = {}
    for one in (proof.helped or proof).cells:
        before, after = side(one.before, messages), side(one.after, messages)
        key = (str(one.target), str(one.dialled), before, after, one.solved)
        groups.setdefault(key, []).append(str(one.source))
    rows = [
        ProofRow(
            clean(target),
            clean(dialled) if dialled != target else "",
            before,
            after,
            solved,
            len(names),
            clean(names[0]),
        )
        for (target, dialled, before, after, solved), names in groups.items()
    ]
    state = _state(proof)
    return ProofView(
        state, messages.text(f"report.proof.label.{state}", card=proof.with_card), tuple(sentences), tuple(rows[: limits.proof_rows]),
        max(0, len(rows) - limits.proof_rows),
    )  # fmt: skip


def _state(proof: Proof) -> str:
    """What the label says: a fix that solves its finding and breaks something else is not simply a good one."""
    if proof.helped is not None and proof.helped.state == "solves" and not proof.helped.broken:
        return "everywhere" if proof.with_card == "F16" else "helped"
    if proof.state == "solves" and proof.broken:
        return "breaks"
    return "everywhere" if proof.helped is not None and proof.helped.state == "solves" else proof.state


def side(verdict: Verdict, messages: Messages) -> str:
    """Outcome and, unless it is fine, why."""
    label = messages.text(f"outcome.{verdict.outcome}")
    if verdict.outcome == "ok":
        return label
    return messages.text("page.why", what=label, why=messages.text(f"mechanism.{verdict.mechanism}.short"))


def proof_sentences(proof: Proof, messages: Messages) -> list[str]:
    """What a simulation showed, sentence by sentence."""
    if proof.state == "not-simulated":
        return [messages.text(f"report.proof.not-simulated.{proof.why}")]
    found = [messages.text(f"report.proof.{proof.state}", solved=proof.solved, total=len(proof.cells))]
    if proof.compared:
        if proof.broken:
            source, target, outcome, mechanism = (*proof.examples[0][:3], proof.examples[0][3])
            words = (f"outcome.{outcome}", f"mechanism.{mechanism}.short") if mechanism else (f"outcome.{outcome}",)
            told = messages.text("page.comma").join(map(messages.text, words))
            found.append(
                messages.text("report.proof.broken", n=proof.broken, source=source, target=target, outcome=told)
            )
        else:
            found.append(messages.text("report.proof.nothing-broken", n=proof.compared))
        if proof.sources:
            found.append(messages.text("report.proof.sources", n=proof.sources))
        if proof.unsure:
            found.append(messages.text("report.proof.unsure", n=proof.unsure))
    found += [messages.text(f"assumed.{slug}", **values) for slug, values in proof.assumed]
    if proof.helped is not None:
        way = "everywhere" if proof.with_card == "F16" else "helped"
        found.append(
            messages.text(
                f"report.proof.{way}", card=proof.with_card, title=messages.text(f"fix.{proof.with_card}.title")
            )
        )
        found += proof_sentences(replace(proof.helped, helped=None, assumed=()), messages)
    return found


def _change(change: Change, remedy: Remedy, messages: Messages, limits: Limits) -> ChangeView:
    lines = clean_block(change.body).rstrip("\n").split("\n")
    shown = "\n".join(cut(line, 2000) for line in lines[: limits.change_lines])
    title = messages.html(change.title, **remedy.values) if change.title else Markup("")
    return ChangeView(change.kind, title, shown, max(0, len(lines) - limits.change_lines))
