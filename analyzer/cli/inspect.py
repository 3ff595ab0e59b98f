"""``inspect``: what a bundle holds and how well it could be read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from analyzer.cli import out
from analyzer.cli.tables import records, write
from analyzer.errors import UsageError
from analyzer.report.plain import clean

if TYPE_CHECKING:
    from analyzer.report.messages import Messages
    from analyzer.snapshot.model import Snapshot


def run(
    bundle: Sequence[Path], table: str, output: Path | None, node: str, *, lang: str = "", as_json: bool = False
) -> int:
    """Print the overview or one table; write the table as CSV or Parquet."""
    from analyzer import api
    from analyzer.cli.words import words
    from analyzer.tables import TABLES

    messages = words(lang)

    if table and table not in TABLES:
        raise UsageError(f"no table {table!r}", hint="tables: " + ", ".join(TABLES))
    if output is not None and not table:
        raise UsageError("--output needs --table")
    with api.opened(bundle, node=node) as snapshot:
        if table and output is not None:
            write(snapshot[table], output)
        if table and as_json:
            out.document({"schema": "ipvscope-table/1", "table": table, "rows": records(snapshot[table])})
        elif table and output is None:
            write(snapshot[table], None)
        elif as_json:
            out.document(_plain(snapshot))
        elif not table and out.styled():
            from analyzer.report.terminal.inventory import show

            show(out.console(), snapshot, messages)
            out.say(coverage(snapshot, messages))
        elif not table:
            out.say(overview(snapshot, messages))
            out.say("")
            out.say(coverage(snapshot, messages))
    return 0


def _plain(snapshot: Snapshot) -> dict[str, Any]:
    """``ipvscope-inspect/1``: regimes by node, clocks by node, the captures table, notes counted by reason."""
    from analyzer.findings.clocks import clocks
    from analyzer.snapshot.model import REGIME_KEYS

    notes = snapshot["parse_notes"]["reason"].value_counts()
    regimes = {}
    for node in snapshot.node_names:
        regime = snapshot.regime(node)
        regimes[node] = {
            key: {
                "value": regime[key].value,
                "how": regime[key].how,
                "evidence": [{"file": one.file, "line": one.line} for one in regime[key].evidence],
            }
            for key in REGIME_KEYS
        }
    return {
        "schema": "ipvscope-inspect/1",
        "source": snapshot.source,
        "layout": snapshot.layout,
        "digest": snapshot.digest,
        "nodes": regimes,
        "clocks": {one.node: {"least_s": one.least_s, "most_s": one.most_s} for one in clocks(snapshot)},
        "captures": records(snapshot["captures"]),
        "notes": {str(reason): int(count) for reason, count in sorted(notes.items(), key=lambda item: str(item[0]))},
    }


def overview(snapshot: Snapshot, messages: Messages) -> str:
    """Nodes with their regime, captures per node with state and rows, what was refused, notes by reason."""
    from analyzer.cli.said import spoken
    from analyzer.snapshot.model import REGIME_KEYS

    lines = [f"{snapshot.source}  layout {snapshot.layout}  sha256 {snapshot.digest[:16]}", ""]
    for name in snapshot.node_names:
        regime = snapshot.regime(name)
        lines.append(spoken(f"node {name}", messages))
        for key in REGIME_KEYS:
            fact = regime[key]
            where = f"  {fact.evidence[0].place}" if fact.evidence else ""
            lines.append(f"  {key:20} {fact.value:28} {fact.how}{where}")
        lines.append("")
    captures = snapshot["captures"]
    lines.append(spoken("captures", messages))
    for row in captures.sort_values(["node", "file"], na_position="first").itertuples(index=False):
        counts = spoken(f"{row.rows} rows", messages) if row.state == "rows" else messages.text(f"state.{row.state}")
        extra = "" if row.complete is not False else " " + spoken("incomplete", messages)
        detail = f"  {row.detail}" if isinstance(row.detail, str) and row.detail else ""
        lines.append(f"  {row.file!s:70} {row.form if isinstance(row.form, str) else '-':24} {counts}{extra}{detail}")
    notes = snapshot["parse_notes"]
    if len(notes):
        lines.append("")
        lines.append(spoken("parse notes", messages))
        for reason, count in notes["reason"].value_counts().items():
            lines.append(f"  {reason:12} {count}")
    return "\n".join(map(clean, lines))


def coverage(snapshot: Snapshot, messages: Messages) -> str:
    """What was recognised; per node and input how well it is there; what the lack costs; times; obfuscation."""
    from analyzer.bundle.layouts import layout
    from analyzer.findings.inputs import inputs

    text = messages.text
    known = inputs(snapshot)
    lines = [text("inspect.recognised")]
    for part in snapshot.parts:
        title = known_layout.title if (known_layout := layout(part.layout)) else part.layout
        lines.append(f"  {clean(part.root or '.'):40} {title}" + (f"  {clean(part.node)}" if part.node else ""))
    lacking: dict[str, set[str]] = {}
    node: str | None = None
    for one in known.inputs:
        if one.node != node:
            node = one.node
            title = text("inspect.inputs.node", node=node) if node else text("inspect.inputs.cluster")
            lines += ["", title]
        told = [text(f"inspect.state.{one.state}"), ", ".join(map(clean, one.files[:2]))]
        if len(one.files) > 2:
            told[-1] += f" (+{len(one.files) - 2})"
        told.append(clean(one.detail) if one.state not in ("present", "missing") else "")
        told.append(text("inspect.masked", count=one.masked) if one.masked else "")
        told.append(text("inspect.stale", seconds=one.stale_s) if one.stale_s else "")
        lines.append(f"  {one.name:18} " + "  ".join(part for part in told if part))
        if one.state != "present":
            lacking.setdefault(one.name, set()).update(one.rules)
    if lacking:
        lines += ["", text("inspect.cost")]
        for name, ids in lacking.items():
            lines.append(f"  {name:18} {text(f'inspect.cost.{name}')}")
            if ids:
                lines.append(f"  {'':18} {text('inspect.cost.rules', rules=', '.join(sorted(ids)))}")
    lines += ["", text("inspect.times")]
    for name, (first, last) in known.times.items():
        lines.append("  " + text("inspect.times.node", node=name, first=_clock(first), last=_clock(last)))
    apart = text("inspect.times.apart", seconds=int(known.apart_s)) if known.times else text("inspect.times.unknown")
    lines.append("  " + apart)
    lines += ["  " + told for told in skew(snapshot, messages)]
    if known.obfuscated:
        lines += [
            "",
            text("inspect.obfuscated"),
            *("  " + text(f"inspect.obfuscated.{sign}") for sign in known.obfuscated),
        ]
    return "\n".join(lines)


def skew(snapshot: Snapshot, messages: Messages) -> Iterator[str]:
    """Each node whose clock differs from the collecting machine's, and how many do not show that they do."""
    from analyzer.findings.clocks import clocks

    known = clocks(snapshot)
    agree = [one for one in known if one.agrees]
    for one in known:
        if not one.agrees:
            least, most = sorted((abs(one.least_s), abs(one.most_s)))
            way = "ahead" if one.least_s > 0 else "behind"
            yield messages.text(f"inspect.clocks.{way}", node=clean(one.node), least=least, most=most)
    if agree:
        width = max(max(-one.least_s, one.most_s) for one in agree)
        yield messages.text("inspect.clocks.agree", n=len(agree), seconds=width)


def _clock(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S")
