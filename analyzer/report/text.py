"""Terminal forms: a summary in five lines, a trace with its steps, a verdict in one line.

Everything from a bundle is cleaned of control characters before it reaches a terminal. Colour only when asked for.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from analyzer.findings.model import SEVERITIES
from analyzer.forwarding.model import Packet, Path, Step, Trace
from analyzer.report.analysis import Analysis
from analyzer.report.causes import statement_of, symptom_lines
from analyzer.report.messages import Messages
from analyzer.report.plain import clean, cut
from analyzer.report.svg_path import changes
from analyzer.report.view import summary as summarise
from analyzer.report.view_findings import one_liner
from analyzer.report.view_inputs import complete_nodes, unread_lines
from analyzer.report.view_trace import telling, verdict_line
from analyzer.snapshot.model import Snapshot

_ANSI = {"good": "32", "bad": "31", "warn": "33", "dim": "2", "bold": "1"}
_OUTCOME = {"ok": "good", "unknown": "dim", "mixed": "warn"}
_QUOTED = 160
"""Characters of a quoted line."""

CAUSES_SHOWN = 5


def summary(analysis: Analysis, messages: Messages) -> str:
    """Five lines: the input, findings by severity, the most important one, the matrix, what was collected."""
    counts = summarise(analysis, messages)
    found = analysis.findings.findings
    listed = ", ".join(
        messages.text("report.text.count", n=count.number, label=count.label)
        for count in counts.severities
        if count.number
    )
    first = found[0] if found else None
    cells = {count.slug: count.number for count in counts.cells}
    lines = (
        messages.text("report.text.input", source=_source(analysis), nodes=counts.nodes, services=counts.services),
        messages.text("report.text.findings", list=listed) if listed else counts.headline,
        messages.text("report.text.first", rule=first.rule, title=one_liner(first, messages))
        if first
        else messages.text("report.text.no-finding"),
        messages.text("report.text.cells", total=counts.cells_total, percent=counts.captured_percent, **cells)
        + _agreement(analysis, messages),
        messages.text(
            "report.text.coverage", n=complete_nodes(analysis.snapshot), total=counts.nodes,
            skipped=len(analysis.findings.skipped), notes=unread_lines(analysis.snapshot),
        ),
    )  # fmt: skip
    return (
        "\n".join(
            (*symptom_lines(analysis, messages), *lines, *_causes(analysis, messages), *_intent(analysis, messages))
        )
        + "\n"
    )


def _causes(analysis: Analysis, messages: Messages) -> list[str]:
    return [messages.text("incident.line", statement=statement_of(one, messages), owner=messages.text(f"incident.owner.{one.owner}"))
            for one in analysis.incidents[:CAUSES_SHOWN]]  # fmt: skip


def _intent(analysis: Analysis, messages: Messages) -> list[str]:
    """How the statements of an intent file stand, and which ones are violated or open."""
    if not analysis.intent:
        return []
    counts = Counter(one.standing for one in analysis.intent)
    lines = [
        messages.text(
            "intent.counts", total=len(analysis.intent), **{k: counts[k] for k in ("holds", "violated", "open")}
        )
    ]
    for one in analysis.intent:
        if one.standing != "holds":
            cells = one.of(one.standing)
            shown = ", ".join(f"{cell.source} -> {cell.target}" for cell in cells[:2])
            more = f" (+{len(cells) - 2})" if len(cells) > 2 else ""
            lines.append(
                f"  {messages.text(f'intent.{one.standing}')}: {clean(one.statement.name)}: {clean(shown)}{more}"
            )
    return lines


def _agreement(analysis: Analysis, messages: Messages) -> str:
    """The end of the line about connections: how many conntrack confirms; empty when it saw none."""
    seen = analysis.observations
    if not seen.decided:
        return ""
    return messages.text("report.text.agreement", confirmed=seen.confirmed, decided=seen.decided)


def _source(analysis: Analysis) -> str:
    """The input's name, cut for one line."""
    return cut(clean(analysis.snapshot.source), 120)


def findings(analysis: Analysis, messages: Messages, color: bool = False) -> str:
    """All findings, one line each, most severe first."""
    paint = _Paint(color)
    room = max(len(messages.text(f"severity.{severity}")) for severity in SEVERITIES)
    style = {"critical": "bad", "warning": "warn"}
    lines = [
        f"{paint(messages.text(f'severity.{item.severity}').ljust(room), style.get(item.severity, ''))}"
        f"  {clean(item.rule):<10}  {one_liner(item, messages)}\n"
        for item in analysis.findings.findings
    ]
    return "".join(lines)


def verdict(trace: Trace, messages: Messages, color: bool = False) -> str:
    """One line: who, what, outcome, confidence."""
    return _Paint(color)(verdict_line(trace, messages), _OUTCOME.get(trace.verdict.outcome, "bad"))


def trace(trace: Trace, messages: Messages, snapshot: Snapshot, color: bool = False) -> str:
    """The verdict, then every path with its hops and steps, failing paths first.

    A step is followed by what it changed about the packet and by the line of the bundle that proves it.
    """
    writer = _Writer(messages, snapshot, _Paint(color))
    lines = [verdict(trace, messages, color)]
    if trace.verdict.missing:
        lines.append(messages.text("report.text.missing", list=", ".join(map(clean, trace.verdict.missing))))
    for number, path in enumerate(telling(trace.paths, len(trace.paths)), 1):
        outcome = messages.text(f"outcome.{path.outcome}")
        heading = messages.text("report.text.path", number=number, total=len(trace.paths), outcome=outcome)
        share = f" ({path.share * 100:.0f} %)" if path.share < 1 else ""
        lines += ["", writer.paint(heading + share, "bold"), *writer.path(path)]
    return "\n".join(lines) + "\n"


@dataclass(frozen=True, slots=True)
class _Writer:
    """Writes the lines of paths and steps."""

    messages: Messages
    snapshot: Snapshot
    paint: _Paint

    def path(self, path: Path) -> Iterator[str]:
        packet: Packet | None = None
        direction = ""
        for hop in path.hops:
            if hop.direction != direction:
                direction, packet = hop.direction, None
                yield "  " + self.paint(self.messages.text(f"report.path.{direction}"), "dim")
            yield f"  {'→' if direction == 'request' else '←'} {self.paint(clean(hop.place), 'bold')}"
            for step in hop.steps:
                yield from self.step(step, packet)
                packet = step.packet
        if path.mechanism:
            why = self.messages.text(f"mechanism.{path.mechanism}", **path.values).replace("`", "")
            yield "  " + self.paint(self.messages.text("report.text.why", text=why), _OUTCOME.get(path.outcome, "bad"))
        if path.server:
            names = ", ".join(map(clean, (path.server, *path.also[:5]))) + (" …" if len(path.also) > 5 else "")
            yield "  " + self.messages.text("report.text.server", server=names, source=path.seen_source or "?")

    def step(self, step: Step, before: Packet | None) -> Iterator[str]:
        words = self.messages.text(f"step.{step.slug}", **step.values).replace("`", "")
        yield f"      {clean(step.hook):<12} {words}"
        indent = " " * 19
        if before is None:
            yield f"{indent}{clean(step.packet).replace('->', '→')}"
        else:
            for change in changes(before, step.packet):
                yield f"{indent}{clean(change)}"
        for item in map(self.snapshot.quote, step.evidence):
            place = self.messages.text("report.text.evidence", place=item.place)
            quoted = f"  {cut(clean(item.text), _QUOTED)}" if item.text else ""
            yield indent + self.paint(place + quoted, "dim")


class _Paint:
    """Wraps text in an ANSI style, or does nothing."""

    def __init__(self, on: bool) -> None:
        self._on = on

    def __call__(self, text: str, style: str) -> str:
        return f"\x1b[{_ANSI[style]}m{text}\x1b[0m" if self._on and style else text
