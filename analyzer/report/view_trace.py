"""A trace as the report shows it: the verdict in a line, a picture and the steps of the paths that tell most."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from analyzer.evidence import Evidence
from analyzer.forwarding.model import Path, Trace
from analyzer.report import svg_path
from analyzer.report.limits import Limits
from analyzer.report.messages import Messages
from analyzer.report.plain import clean, cut
from analyzer.snapshot.model import Snapshot


@dataclass(frozen=True, slots=True)
class Quote:
    """Evidence: `place` is file:line."""

    place: str
    node: str
    text: str


@dataclass(frozen=True, slots=True)
class Names:
    """A list of names: the first ones, the folded ones, and how many are not in the report at all."""

    shown: tuple[str, ...]
    hidden: tuple[str, ...] = ()
    more: int = 0

    @property
    def rest(self) -> int:
        return len(self.hidden) + self.more


@dataclass(frozen=True, slots=True)
class StepView:
    """One step of a path; `place` is given where it differs from the step before."""

    number: int
    place: str
    reply: bool
    hook: str
    text: Markup
    packet: str
    quotes: tuple[Quote, ...]


@dataclass(frozen=True, slots=True)
class PathView:
    """One way a connection can go: picture and steps."""

    outcome: str
    outcome_label: str
    mechanism: Markup
    server: str
    also: int
    seen_source: str
    share: str
    inferred: bool
    picture: Markup
    steps: tuple[StepView, ...]
    steps_left_out: int


@dataclass(frozen=True, slots=True)
class TraceView:
    """The example of a finding."""

    verdict: str
    paths: tuple[PathView, ...]
    paths_left_out: int


def quotes(evidence: Iterable[Evidence], snapshot: Snapshot, limits: Limits) -> tuple[Quote, ...]:
    """Evidence with the quoted line."""
    quoted = map(snapshot.quote, evidence)
    return tuple(Quote(clean(item.place), clean(item.node), _telling(item.text, limits)) for item in quoted)


def names_of(names: Sequence[str], limits: Limits) -> Names:
    """Names as far as the medium shows them."""
    cleaned = [cut(clean(name), limits.cell) for name in names]
    # One more name is shorter than the words that would say there is one more.
    first = limits.names if len(cleaned) > limits.names + 1 else len(cleaned)
    hidden = cleaned[first : first + limits.hidden_names]
    return Names(tuple(cleaned[:first]), tuple(hidden), len(cleaned) - first - len(hidden))


def _telling(text: str, limits: Limits) -> str:
    """The line, or nothing where it only opens an object of a JSON document."""
    return cut(clean(text), limits.cell) if any(map(str.isalnum, text)) else ""


def verdict_line(trace: Trace, messages: Messages) -> str:
    """Source, target, outcome and confidence in one line."""
    return messages.text(
        "report.verdict.line", source=trace.source, target=trace.target,
        outcome=messages.text(f"outcome.{trace.verdict.outcome}"),
        confidence=messages.text(f"confidence.{trace.verdict.confidence}"),
        layer=messages.text(f"report.layer.{trace.verdict.layer}"),
    )  # fmt: skip


def telling(paths: Sequence[Path], limit: int) -> list[Path]:
    """The paths worth a picture: failing before working, one of each kind first, then the likelier ones."""
    ranked = sorted(paths, key=lambda path: (path.outcome == "ok", -path.share))
    kinds: set[tuple[str, str]] = set()
    first: list[Path] = []
    others: list[Path] = []
    for path in ranked:
        kind = (path.outcome, path.mechanism)
        (others if kind in kinds else first).append(path)
        kinds.add(kind)
    return (first + others)[:limit]


def trace_view(trace: Trace, messages: Messages, snapshot: Snapshot, limits: Limits) -> TraceView:
    drawn = telling(trace.paths, limits.pictures)
    return TraceView(
        verdict_line(trace, messages),
        tuple(_path(path, messages, snapshot, limits) for path in drawn),
        len(trace.paths) - len(drawn),
    )


def _path(path: Path, messages: Messages, snapshot: Snapshot, limits: Limits) -> PathView:
    steps: list[StepView] = []
    seen = ""
    for hop in path.hops:
        for step in hop.steps:
            here = f"{hop.place} {hop.direction}"
            place = clean(hop.place) if here != seen else ""
            steps.append(
                StepView(
                    len(steps) + 1, place, hop.direction == "reply", clean(step.hook),
                    messages.html(f"step.{step.slug}", **step.values), clean(step.packet).replace("->", "→"),
                    quotes(step.evidence[: limits.step_quotes], snapshot, limits),
                )
            )  # fmt: skip
            seen = here
    return PathView(
        outcome=path.outcome,
        outcome_label=messages.text(f"outcome.{path.outcome}"),
        mechanism=messages.html(f"mechanism.{path.mechanism}", **path.values) if path.mechanism else Markup(""),
        server=clean(path.server),
        also=len(path.also),
        seen_source=clean(path.seen_source),
        share=f"{path.share * 100:.0f} %" if path.share < 1 else "",
        inferred=path.inferred,
        picture=svg_path.draw(path, messages),
        steps=tuple(steps[: limits.steps]),
        steps_left_out=max(0, len(steps) - limits.steps),
    )
