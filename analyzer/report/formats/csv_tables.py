"""Every table as CSV: ``tables/NAME.csv``, UTF-8 with a byte order mark (spreadsheets need it for Chinese text), cells guarded."""

from __future__ import annotations

from collections.abc import Iterator

from analyzer.report.analysis import Analysis
from analyzer.report.cells import csv_text
from analyzer.report.messages import Messages
from analyzer.report.result_tables import all_tables


def files(analysis: Analysis, messages: Messages) -> Iterator[tuple[str, bytes]]:
    """One file per table, also for those without rows."""
    for schema, frame in all_tables(analysis, messages):
        yield f"tables/{schema.name}.csv", csv_text(frame).encode("utf-8-sig")
