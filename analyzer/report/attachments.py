"""Whole tables as files inside the PDF: the pages show the first rows, a reader who checks gets all of them.

A table is CSV; one of more than `MOST_CSV` rows is Parquet, which holds millions of rows in little room.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING

from analyzer.report.analysis import Analysis
from analyzer.report.messages import Messages

if TYPE_CHECKING:
    import pandas as pd

MOST_CSV = 20_000
MOST = 500_000
"""Rows of one attachment; the rest of a larger table is left out and counted in its description."""
TABLES = ("services", "virtual_servers", "real_servers", "lb_listeners", "lb_backends", "captures", "parse_notes")


@dataclass(frozen=True, slots=True)
class Attached:
    """One file: its name, what it holds, its rows and bytes."""

    name: str
    title: str
    rows: int
    content: bytes


def attachments(analysis: Analysis, messages: Messages) -> tuple[Attached, ...]:
    """The matrix, then the tables that the pages shorten; empty tables are left out."""
    frames = {"matrix": analysis.matrix.frame(), **{name: analysis.snapshot[name] for name in TABLES}}
    titles = {"matrix": "report.section.matrix"}
    return tuple(
        _file(name, messages.text(titles.get(name, f"page.table.{name}")), frame)
        for name, frame in frames.items()
        if len(frame)
    )


def _file(name: str, title: str, frame: pd.DataFrame) -> Attached:
    if len(frame) <= MOST_CSV:
        return Attached(
            f"{name}.csv", title, len(frame), frame.to_csv(index=False, lineterminator="\n").encode("utf-8", "replace")
        )
    held = io.BytesIO()
    frame.head(MOST).to_parquet(held, index=False)
    return Attached(f"{name}.parquet", title, min(len(frame), MOST), held.getvalue())
