"""A trace as a tree: paths (failing ones first), the places a packet visits there and back, what happens there."""

from __future__ import annotations

from collections.abc import Iterable

from rich.text import Text
from rich.tree import Tree

from analyzer.evidence import Evidence
from analyzer.forwarding.model import Packet, Path, Step, Trace
from analyzer.report.messages import Messages
from analyzer.report.plain import clean, cut
from analyzer.report.svg_path import changes
from analyzer.report.terminal.style import outcome_mark, outcome_style, quote, text
from analyzer.report.view_trace import telling, verdict_line
from analyzer.snapshot.model import Snapshot

QUOTED = 160
"""Characters of a quoted line."""
ALSO = 5


def verdict(trace: Trace, messages: Messages) -> Text:
    """The verdict in one line, and why unless it is fine."""
    outcome = trace.verdict.outcome
    told = text(f"{outcome_mark(outcome)} {verdict_line(trace, messages)}", outcome_style(outcome))
    if outcome != "ok" and trace.verdict.mechanism:
        short = messages.text(f"mechanism.{trace.verdict.mechanism}.short")
        told.append_text(text(f"  {messages.text('report.text.why', text=short)}"))
    return told


def tree(trace: Trace, messages: Messages, snapshot: Snapshot) -> Tree:
    """The whole trace; each step with what it changed about the packet and the line of the bundle that proves it.

    Of paths that end alike for the same reason the first is shown step by step, of the others the end.
    """
    root = Tree(verdict(trace, messages), guide_style="dim")
    if trace.verdict.missing:
        missing = ", ".join(map(clean, trace.verdict.missing))
        root.add(text(messages.text("report.text.missing", list=missing), "magenta"))
    told: dict[tuple[str, str], int] = {}
    for number, path in enumerate(telling(trace.paths, len(trace.paths)), 1):
        outcome = messages.text(f"outcome.{path.outcome}")
        heading = messages.text("report.text.path", number=number, total=len(trace.paths), outcome=outcome)
        share = f" ({path.share * 100:.0f} %)" if path.share < 1 else ""
        style = outcome_style(path.outcome)
        branch = root.add(text(f"{outcome_mark(path.outcome)} {heading}{share}", f"bold {style}"))
        first = told.setdefault((path.outcome, path.mechanism), number)
        if first == number:
            _way(branch, path, messages, snapshot)
        else:
            branch.add(text(messages.text("terminal.like", number=first), "dim"))
        _end(branch, path, messages)
    return root


def _way(branch: Tree, path: Path, messages: Messages, snapshot: Snapshot) -> None:
    direction, packet = "", None
    way = branch
    for hop in path.hops:
        if hop.direction != direction:
            direction, packet = hop.direction, None
            way = branch.add(text(messages.text(f"report.path.{direction}"), "italic"))
        arrow = "→" if direction == "request" else "←"
        place = way.add(text(f"{arrow} {clean(hop.place)}", "bold"))
        for step in hop.steps:
            place.add(_step(step, packet, messages, snapshot))
            packet = step.packet


def _end(branch: Tree, path: Path, messages: Messages) -> None:
    if path.mechanism:
        why = messages.text(f"mechanism.{path.mechanism}", **path.values).replace("`", "")
        branch.add(text(messages.text("report.text.why", text=why), f"bold {outcome_style(path.outcome)}"))
    if path.server:
        names = ", ".join(map(clean, (path.server, *path.also[:ALSO]))) + (" …" if len(path.also) > ALSO else "")
        branch.add(text(messages.text("report.text.server", server=names, source=path.seen_source or "?")))


def _step(step: Step, before: Packet | None, messages: Messages, snapshot: Snapshot) -> Text:
    told = Text()
    if step.hook:
        told.append(f"{clean(step.hook)}  ", "cyan")
    told.append(clean(messages.text(f"step.{step.slug}", **step.values).replace("`", "")))
    shown: Iterable[str] = [str(step.packet).replace("->", "→")] if before is None else changes(before, step.packet)
    for line in shown:
        told.append(f"\n  {clean(line)}", "yellow")
    for place in map(snapshot.quote, step.evidence):
        told.append("\n  ")
        told.append_text(_quoted(place))
    return told


def _quoted(place: Evidence) -> Text:
    return quote(place.place, cut(clean(place.text), QUOTED))
