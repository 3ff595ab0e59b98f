"""The summary of ``analyze`` on a terminal: what is wrong and whose it is, what to do first, the findings, what is not known."""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import Console
from rich.padding import Padding
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from analyzer.remedies import Proof
from analyzer.remedies.model import Change, Remedy
from analyzer.report.advice import first_fixes, headline, missing_inputs
from analyzer.report.analysis import Analysis
from analyzer.report.causes import statement_of, symptom_lines
from analyzer.report.messages import Messages
from analyzer.report.plain import clean, clean_block, cut
from analyzer.report.terminal.style import SEVERITY, quote, text
from analyzer.report.view import Summary, summary
from analyzer.report.view_findings import one_liner, proof_sentences
from analyzer.report.view_inputs import complete_nodes, unread_lines

CAUSES = 3
FIXES = 2
FINDINGS = 12
SKIPPED = 5
NAMED = 4
BODY_LINES = 12
CHANGES = 3
BAR = 60


def show(console: Console, analysis: Analysis, messages: Messages) -> None:
    """Print it; every part but the head only where there is something to say."""
    counts = summary(analysis, messages)
    _head(console, analysis, counts, messages)
    for line in symptom_lines(analysis, messages):
        console.print(text(line, "bold"))
    _causes(console, analysis, messages)
    _fixes(console, analysis, messages)
    _findings(console, analysis, messages)
    _unknown(console, analysis, counts.caveats, messages)


def written(console: Console, paths: Iterable[object], messages: Messages) -> None:
    """Where the reports are."""
    _title(console, messages.text("terminal.written"))
    for path in paths:
        console.print(Padding(text(path), (0, 0, 0, 2)), soft_wrap=True)


def _title(console: Console, words: str) -> None:
    console.print()
    console.print(text(words, "bold underline"))


def _indented(console: Console, told: Text, left: int = 2) -> None:
    console.print(Padding(told, (0, 0, 0, left)))


def _head(console: Console, analysis: Analysis, counts: Summary, messages: Messages) -> None:
    worst = next((one.slug for one in counts.severities if one.number), "")
    mark, style = SEVERITY.get(worst, ("", "bold"))
    body = Text()
    listed = ", ".join(
        messages.text("report.text.count", n=one.number, label=one.label) for one in counts.severities if one.number
    )
    told = headline(analysis, messages)
    told = messages.text("terminal.headline", headline=told, list=listed) if listed else told
    body.append(f"{mark} {clean(told)}".strip() + "\n\n", style)
    if counts.cells_total:
        body.append_text(_bar({one.slug: one.number for one in counts.cells}, counts.cells_total))
    cells = {one.slug: one.number for one in counts.cells}
    told = messages.text("report.text.cells", total=counts.cells_total, percent=counts.captured_percent, **cells)
    seen = analysis.observations
    if seen.decided:
        told += messages.text("report.text.agreement", confirmed=seen.confirmed, decided=seen.decided)
    body.append(told + "\n")
    body.append(
        messages.text(
            "report.text.coverage", n=complete_nodes(analysis.snapshot), total=counts.nodes,
            skipped=len(analysis.findings.skipped), notes=unread_lines(analysis.snapshot),
        )
    )  # fmt: skip
    source = cut(clean(analysis.snapshot.source), 60)
    title = messages.text("report.text.input", source=source, nodes=counts.nodes, services=counts.services)
    console.print(Panel(body, title=Text(title), title_align="left", border_style=style.removeprefix("bold ")))


def _bar(cells: dict[str, int], total: int) -> Text:
    """The connections as a bar: reached, not, undecided; a part that is not empty has at least one cell."""
    bar = Text()
    for slug, char, style in (("ok", "█", "green"), ("bad", "▒", "red"), ("unknown", "?", "magenta")):
        number = cells.get(slug, 0)
        bar.append(char * max(1, round(number * BAR / total)) if number else "", style)
    return bar.append("\n")


def _causes(console: Console, analysis: Analysis, messages: Messages) -> None:
    causes = analysis.incidents
    if not causes:
        return
    _title(console, messages.text("terminal.causes"))
    for one in causes[:CAUSES]:
        mark, style = SEVERITY[one.severity]
        console.print(Text.assemble((f"{mark} ", style), (clean(statement_of(one, messages)), "bold")))
        owner = messages.text(f"incident.owner.{one.owner}")
        _indented(console, text(messages.text("terminal.owner", owner=owner)))
        for place in map(analysis.snapshot.quote, one.decisive):
            _indented(console, quote(place.place, place.text))
    if len(causes) > CAUSES:
        _indented(console, text(messages.text("output.md.more", n=len(causes) - CAUSES), "dim"))


def _fixes(console: Console, analysis: Analysis, messages: Messages) -> None:
    for number, (finding, fix) in enumerate(first_fixes(analysis, causes=CAUSES, limit=FIXES)):
        if not number:
            _title(console, messages.text("terminal.do"))
        title = messages.text(f"fix.{fix.card}.title", **fix.values).replace("`", "")
        proof = analysis.proof_of(finding, fix)
        mark, style = _worth(proof)
        console.print(
            Text.assemble((f"{mark} ", style), (f"{fix.card} ", "cyan"), (clean(title), "bold"), f"  [{finding.rule}]")
        )
        for words in proof_sentences(proof, messages)[:3] if proof is not None else ():
            _indented(console, text(words))
        for change in fix.changes[:CHANGES]:
            _change(console, change, fix, messages)


def _worth(proof: Proof | None) -> tuple[str, str]:
    """Mark and colour of a fix: ✓ only for one that solves everything in simulation and breaks nothing."""
    if proof is None or proof.state in ("open", "not-simulated"):
        return "?", "magenta"
    if proof.broken:
        return SEVERITY["warning"]
    return {"solves": ("✓", "green"), "partly": ("≈", "yellow")}.get(proof.state, ("✗", "red"))


def _change(console: Console, change: Change, fix: Remedy, messages: Messages) -> None:
    """Ready to copy: the terminal wraps by itself, so that there are no line breaks of ours in it."""
    if change.title:
        _indented(console, text(messages.text(change.title, **fix.values).replace("`", ""), "italic"))
    lines = clean_block(change.body).rstrip("\n").split("\n")
    if len(lines) > BODY_LINES:
        # Half a document is dangerous to copy.
        _indented(console, text(messages.text("terminal.too-long"), "dim"), 4)
        return
    for line in lines:
        console.print(Text(f"    {line}", style="green"), soft_wrap=True)


def _findings(console: Console, analysis: Analysis, messages: Messages) -> None:
    found = analysis.findings.findings
    if not found:
        return
    _title(console, messages.text("terminal.findings"))
    table = Table(box=None, padding=(0, 2, 0, 0), show_header=False)
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for one in found[:FINDINGS]:
        mark, style = SEVERITY[one.severity]
        told = text(one_liner(one, messages))
        if one.suppressed:
            mark, style = "–", "dim"
            told = text(f"{one_liner(one, messages)} ({messages.text('policy.tag', reason=one.suppressed)})", "dim")
        table.add_row(Text(f"{mark} {messages.text(f'severity.{one.severity}')}", style), text(one.rule), told)
    console.print(table)
    if len(found) > FINDINGS:
        _indented(console, text(messages.text("terminal.more-findings", n=len(found) - FINDINGS), "dim"))


def _unknown(console: Console, analysis: Analysis, caveats: Iterable[str], messages: Messages) -> None:
    skipped = analysis.findings.skipped
    told = list(caveats)
    missing = missing_inputs(skipped)
    for name, rules in missing[:SKIPPED]:
        listed = ", ".join(rules[:NAMED]) + (" …" if len(rules) > NAMED else "")
        told.append(messages.text("output.md.missing", input=name, n=len(rules), rules=listed))
    if len(missing) > SKIPPED:
        told.append(messages.text("output.md.more", n=len(missing) - SKIPPED))
    if told:
        _title(console, messages.text("terminal.unknown"))
    for line in told:
        _indented(console, Text.assemble(("? ", "magenta"), clean(line)))
