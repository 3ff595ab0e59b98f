"""Every table that has rows as a sheet of one workbook: ``tables/tables.xlsx`` (needs XlsxWriter, the extra ``xlsx``).

The first sheet lists all tables with what a row is and how many there are.
"""

from __future__ import annotations

import importlib.util
import io
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from analyzer.errors import MissingExtra
from analyzer.report.analysis import Analysis
from analyzer.report.messages import Messages
from analyzer.report.plain import clean
from analyzer.report.result_tables import all_tables
from analyzer.report.workbook import Book
from analyzer.schema import TableSchema

if TYPE_CHECKING:
    import pandas as pd

ROWS = 50_000
"""Rows of one sheet; the first sheet tells what was left out, which the CSV and Parquet files have."""


def files(analysis: Analysis, messages: Messages) -> Iterator[tuple[str, bytes]]:
    """``tables/tables.xlsx``.

    Raises:
        MissingExtra: XlsxWriter is not installed.
    """
    if importlib.util.find_spec("xlsxwriter") is None:
        raise MissingExtra(messages.text("output.no-xlsxwriter"), hint=messages.text("output.no-xlsxwriter.hint"))

    out = io.BytesIO()
    with Book(out) as book:
        tables = list(all_tables(analysis, messages))
        _contents(book, tables, analysis, messages)
        for schema, frame in tables:
            if len(frame):
                book.table(schema.name, frame.head(ROWS))
    yield "tables/tables.xlsx", out.getvalue()


def _contents(
    book: Book, tables: Sequence[tuple[TableSchema, pd.DataFrame]], analysis: Analysis, messages: Messages
) -> None:
    sheet, snapshot = book.sheet("tables"), analysis.snapshot
    source = f"{clean(snapshot.source)}  sha256 {clean(snapshot.digest)}  ipvscope {clean(analysis.tool_version)}"
    book.text(sheet, 0, 0, source)
    for column, slug in enumerate(("table", "row", "rows", "left-out")):
        sheet.write_string(2, column, messages.text(f"output.contents.{slug}"), book.head)
    for number, (schema, frame) in enumerate(tables, 3):
        if len(frame):
            sheet.write_url(number, 0, f"internal:'{schema.name[:31]}'!A1", string=schema.name)
        else:
            sheet.write_string(number, 0, schema.name)
        sheet.write_string(number, 1, schema.row)
        sheet.write_number(number, 2, len(frame))
        if len(frame) > ROWS:
            sheet.write_number(number, 3, len(frame) - ROWS)
    sheet.set_column(0, 0, 26)
    sheet.set_column(1, 1, 80)
    sheet.freeze_panes(3, 0)
