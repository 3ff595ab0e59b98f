"""Every table that has rows as a sheet of one workbook: ``tables/tables.xlsx`` (needs XlsxWriter, the extra ``xlsx``).

The first sheet lists all tables with what a row is and how many there are. Texts are written as texts, never as formulas, and
one that looks like a formula is marked as quoted, so that editing the cell does not make it one. Times in the file are fixed.
"""

from __future__ import annotations

import datetime as dt
import importlib.util
import io
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from analyzer.errors import MissingExtra
from analyzer.report.analysis import Analysis
from analyzer.report.cells import is_formula
from analyzer.report.messages import Messages
from analyzer.report.plain import clean, cut
from analyzer.report.result_tables import all_tables
from analyzer.schema import TableSchema

if TYPE_CHECKING:
    import pandas as pd

ROWS = 50_000
"""Rows of one sheet; the first sheet tells what was left out, which the CSV and Parquet files have."""
CELL = 32_000
"""Characters of a cell (Excel allows 32,767)."""
WIDEST = 60
_MADE = dt.datetime(2000, 1, 1, tzinfo=dt.UTC).replace(tzinfo=None)
"""The creation time that the format asks for; no clock is read."""


def files(analysis: Analysis, messages: Messages) -> Iterator[tuple[str, bytes]]:
    """``tables/tables.xlsx``.

    Raises:
        MissingExtra: XlsxWriter is not installed.
    """
    if importlib.util.find_spec("xlsxwriter") is None:
        raise MissingExtra(messages.text("output.no-xlsxwriter"), hint=messages.text("output.no-xlsxwriter.hint"))
    import xlsxwriter

    out = io.BytesIO()
    options = {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}
    with xlsxwriter.Workbook(out, options) as book:
        book.set_properties({"title": "ipvscope", "created": _MADE})
        styles = {
            "head": book.add_format({"bold": True, "bottom": 1}),
            "quoted": book.add_format({"quote_prefix": True}),
        }
        tables = list(all_tables(analysis, messages))
        _contents(book.add_worksheet("tables"), tables, analysis, messages, styles)
        for schema, frame in tables:
            if len(frame):
                _sheet(book.add_worksheet(schema.name[:31]), frame, styles)
    yield "tables/tables.xlsx", out.getvalue()


def _contents(
    sheet: Any, tables: Sequence[tuple[TableSchema, pd.DataFrame]], analysis: Analysis, messages: Messages, styles: Any
) -> None:
    snapshot = analysis.snapshot
    source = f"{clean(snapshot.source)}  sha256 {clean(snapshot.digest)}  ipvscope {clean(analysis.tool_version)}"
    _text(sheet, 0, 0, source, styles)
    for column, slug in enumerate(("table", "row", "rows", "left-out")):
        sheet.write_string(2, column, messages.text(f"output.contents.{slug}"), styles["head"])
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


def _sheet(sheet: Any, frame: pd.DataFrame, styles: Any) -> None:
    shown = frame.head(ROWS)
    for column, name in enumerate(shown.columns):
        sheet.write_string(0, column, str(name), styles["head"])
        known = shown[name].notna().tolist()
        values = shown[name].astype("object").tolist()
        widest = len(str(name)) + 2
        for row, (value, is_known) in enumerate(zip(values, known, strict=True), 1):
            if not is_known:
                continue
            if isinstance(value, bool):
                sheet.write_boolean(row, column, value)
            elif isinstance(value, int | float):
                sheet.write_number(row, column, value)
            else:
                text = cut(clean(value), CELL)
                widest = max(widest, len(text))
                _text(sheet, row, column, text, styles)
        sheet.set_column(column, column, min(widest + 1, WIDEST))
    sheet.freeze_panes(1, 0)
    sheet.autofilter(0, 0, len(shown), len(shown.columns) - 1)


def _text(sheet: Any, row: int, column: int, text: str, styles: Any) -> None:
    sheet.write_string(row, column, text, styles["quoted"] if is_formula(text) else None)
