"""``inspect``: what a bundle holds and how well it could be read."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from analyzer.cli import out
from analyzer.cli.tables import records, write
from analyzer.errors import UsageError
from analyzer.report.plain import clean

if TYPE_CHECKING:
    from analyzer.snapshot import Snapshot


def run(bundle: Path, table: str, output: Path | None, node: str, *, lang: str = "en", as_json: bool = False) -> int:
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
        elif not table:
            out.say(overview(snapshot))
    return 0


def _plain(snapshot: Snapshot) -> dict[str, Any]:
    """``ipvscope-inspect/1``: regimes by node, the captures table, notes counted by reason."""
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
        "captures": records(snapshot["captures"]),
        "notes": {str(reason): int(count) for reason, count in sorted(notes.items(), key=lambda item: str(item[0]))},
    }


def overview(snapshot: Snapshot) -> str:
    """Nodes with their regime, captures per node with state and rows, what was refused, notes by reason."""
    from analyzer.snapshot.model import REGIME_KEYS

    lines = [f"{snapshot.source}  layout {snapshot.layout}  sha256 {snapshot.digest[:16]}", ""]
    for name in snapshot.node_names:
        regime = snapshot.regime(name)
        lines.append(f"node {name}")
        for key in REGIME_KEYS:
            fact = regime[key]
            where = f"  {fact.evidence[0].place}" if fact.evidence else ""
            lines.append(f"  {key:20} {fact.value:28} {fact.how}{where}")
        lines.append("")
    captures = snapshot["captures"]
    lines.append("captures")
    for row in captures.sort_values(["node", "file"], na_position="first").itertuples(index=False):
        counts = f"{row.rows} rows" if row.state == "rows" else str(row.state)
        extra = "" if row.complete is not False else " incomplete"
        detail = f"  {row.detail}" if isinstance(row.detail, str) and row.detail else ""
        lines.append(f"  {row.file!s:70} {row.form if isinstance(row.form, str) else '-':24} {counts}{extra}{detail}")
    notes = snapshot["parse_notes"]
    if len(notes):
        lines.append("")
        lines.append("parse notes")
        for reason, count in notes["reason"].value_counts().items():
            lines.append(f"  {reason:12} {count}")
    return "\n".join(map(clean, lines))
