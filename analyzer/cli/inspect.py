"""``inspect``: what a bundle holds and how well it could be read."""

from __future__ import annotations

from pathlib import Path

from analyzer.cli.tables import write
from analyzer.errors import UsageError
from analyzer.report.plain import clean


def run(bundle: Path, table: str, output: Path | None, node: str) -> int:
    """Print the overview or one table; write the table as CSV or Parquet."""
    from analyzer import api
    from analyzer.tables import TABLES

    if table and table not in TABLES:
        raise UsageError(f"no table {table!r}", hint="tables: " + ", ".join(TABLES))
    if output is not None and not table:
        raise UsageError("--output needs --table")
    with api.opened(bundle, node=node) as snapshot:
        if not table:
            print(overview(snapshot))
            return 0
        write(snapshot[table], output)
    return 0


def overview(snapshot: object) -> str:
    """Nodes with their regime, captures per node with state and rows, what was refused, notes by reason."""
    from analyzer.snapshot.model import REGIME_KEYS, Snapshot

    assert isinstance(snapshot, Snapshot)
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
