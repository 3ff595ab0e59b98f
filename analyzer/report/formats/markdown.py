"""The report as Markdown that fits a ticket: ``report.md``, below 32,000 characters whatever the bundle holds.

Causes and whose they are with the lines that settle them, what to do first, the findings, and what is not known. The whole
story is in the other formats.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from analyzer.findings.model import SEVERITIES, Finding
from analyzer.report.advice import first_fixes, headline, missing_inputs
from analyzer.report.analysis import Analysis
from analyzer.report.causes import statement_of, symptom_lines
from analyzer.report.markdown_text import block, code, escaped, sentence, value
from analyzer.report.messages import Messages
from analyzer.report.plain import clean, cut
from analyzer.report.view import summary
from analyzer.report.view_findings import one_liner, proof_sentences
from analyzer.report.view_inputs import complete_nodes, unread_lines

CAUSES = 5
FIXES = 3
FINDINGS = 15
NAMES = 4
LINES = 30
BODY = 2500
COLUMNS = 160
SENTENCE = 400


def files(analysis: Analysis, messages: Messages) -> Iterator[tuple[str, bytes]]:
    """``report.md``."""
    yield "report.md", ("\n".join(_document(analysis, messages)) + "\n").encode("utf-8")


def _document(analysis: Analysis, messages: Messages) -> Iterator[str]:
    counts = summary(analysis, messages)
    snapshot = analysis.snapshot
    yield f"# ipvscope: {value(snapshot.source)}"
    yield ""
    listed = ", ".join(
        messages.text("report.text.count", n=one.number, label=one.label) for one in counts.severities if one.number
    )
    told = headline(analysis, messages)
    yield f"**{escaped(messages.text('terminal.headline', headline=told, list=listed) if listed else told)}**"
    yield ""
    for line in symptom_lines(analysis, messages)[:CAUSES]:
        yield f"- {_told(line)}"
    cells = {one.slug: one.number for one in counts.cells}
    yield "- " + sentence(
        messages, "report.text.cells", total=counts.cells_total, percent=counts.captured_percent, **cells
    )
    if analysis.observations.decided:
        seen = analysis.observations
        yield "- " + sentence(messages, "output.md.conntrack", confirmed=seen.confirmed, decided=seen.decided)
    yield "- " + sentence(
        messages, "report.text.coverage", n=complete_nodes(snapshot), total=counts.nodes,
        skipped=len(analysis.findings.skipped), notes=unread_lines(snapshot),
    )  # fmt: skip
    yield from _causes(analysis, messages)
    yield from _fixes(analysis, messages)
    yield from _findings(analysis, messages)
    yield from _unknown(analysis, counts.caveats, messages)
    yield ""
    yield "---"
    yield f"ipvscope {escaped(analysis.tool_version)}, sha256 {code(snapshot.digest)}"


def _heading(messages: Messages, slug: str) -> list[str]:
    return ["", "## " + escaped(messages.text(f"output.md.{slug}")), ""]


def _told(text: str) -> str:
    """A sentence that was put together elsewhere; it may hold anything of the bundle."""
    return value(text.replace("`", ""), SENTENCE)


def _causes(analysis: Analysis, messages: Messages) -> Iterator[str]:
    causes = analysis.incidents
    if not causes:
        return
    yield from _heading(messages, "causes")
    for number, one in enumerate(causes[:CAUSES], 1):
        yield f"{number}. **{_told(statement_of(one, messages))}**"
        yield f"   - {escaped(messages.text('incident.owner'))}: {escaped(messages.text(f'incident.owner.{one.owner}'))}"
        for slug, names in (("services", one.services), ("nodes", one.nodes)):
            if names:
                yield f"   - {escaped(messages.text(f'output.md.{slug}'))}: {_names(names)}"
        for place in map(analysis.snapshot.quote, one.decisive):
            quoted = f": {code(cut(clean(place.text), COLUMNS))}" if place.text else ""
            yield f"   - {code(cut(clean(place.place), COLUMNS))}{quoted}"
    if len(causes) > CAUSES:
        yield "- " + sentence(messages, "output.md.more", n=len(causes) - CAUSES)


def _names(names: Sequence[str]) -> str:
    shown = ", ".join(code(cut(clean(name), COLUMNS)) for name in names[:NAMES])
    return shown + (f" (+{len(names) - NAMES})" if len(names) > NAMES else "")


def _fixes(analysis: Analysis, messages: Messages) -> Iterator[str]:
    for number, (finding, fix) in enumerate(first_fixes(analysis, causes=CAUSES, limit=FIXES)):
        yield from ("",) if number else _heading(messages, "do")
        yield f"### {sentence(messages, f'fix.{fix.card}.title', **fix.values)} ({code(fix.card)})"
        yield ""
        proof = analysis.proof_of(finding, fix)
        for words in proof_sentences(proof, messages)[:4] if proof is not None else ():
            yield f"- {_told(words)}"
        for item in fix.prerequisites:
            if item.state == "unknown":
                check = sentence(messages, f"prerequisite.{item.slug}", **item.values)
                yield f"- {escaped(messages.text('output.md.check'))}: {check}"
        for slug in fix.side_effects[:3]:
            yield f"- {sentence(messages, f'side-effect.{slug}', **fix.values)}"
        for change in fix.changes[:2]:
            yield ""
            language = {"command": "sh", "yaml": "yaml"}.get(change.kind, "")
            # A command or document is shown whole or not at all: half of one is dangerous to copy.
            whole = len(change.body) <= BODY and change.body.count("\n") < LINES
            yield from block(change.body, language) if whole else [sentence(messages, "output.md.too-long")]


def _findings(analysis: Analysis, messages: Messages) -> Iterator[str]:
    found = analysis.findings.findings
    if not found:
        return
    yield from _heading(messages, "findings")
    for one in found[:FINDINGS]:
        yield f"- {_finding(one, messages)}"
    if len(found) > FINDINGS:
        yield "- " + sentence(messages, "output.md.more", n=len(found) - FINDINGS)


def _finding(one: Finding, messages: Messages) -> str:
    severity = escaped(messages.text(f"severity.{one.severity}"))
    shown = f"**{severity}**" if one.severity in SEVERITIES[:2] else severity
    tag = f" ({value(messages.text('policy.tag', reason=one.suppressed))})" if one.suppressed else ""
    return f"{shown} {code(one.rule)} {value(one_liner(one, messages))}{tag}"


def _unknown(analysis: Analysis, caveats: Sequence[str], messages: Messages) -> Iterator[str]:
    skipped = analysis.findings.skipped
    if not caveats and not skipped:
        return
    yield from _heading(messages, "unknown")
    for line in caveats[:8]:
        yield f"- {_told(line)}"
    missing = missing_inputs(skipped)
    for name, rules in missing[:8]:
        listed = ", ".join(rules[:NAMES]) + (" …" if len(rules) > NAMES else "")
        yield "- " + sentence(messages, "output.md.missing", input=name, n=len(rules), rules=listed)
    if len(missing) > 8:
        yield "- " + sentence(messages, "output.md.more", n=len(missing) - 8)
