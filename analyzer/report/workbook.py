"""Tables as sheets of a workbook (XlsxWriter): texts are texts, never formulas, links or numbers; no clock is read.

A text that looks like a formula is marked as quoted, so that editing its cell does not make it one either.
"""

from __future__ import annotations

import datetime as dt
from typing import IO, TYPE_CHECKING, Any

from analyzer.report.cells import is_formula
from analyzer.report.plain import clean, cut

if TYPE_CHECKING:
    import pandas as pd

CELL = 32_000
"""Characters of a cell (Excel allows 32,767)."""
WIDEST = 60
_MADE = dt.datetime(2000, 1, 1, tzinfo=dt.UTC).replace(tzinfo=None)
"""The creation time that the format asks for."""


class Book:
    """A workbook being written; as a context manager it is finished at the end."""

    def __init__(self, out: IO[bytes]) -> None:
        import xlsxwriter

        safe = {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}
        self._book = xlsxwriter.Workbook(out, safe)
        self._book.set_properties({"title": "ipvscope", "created": _MADE})
        self.head = self._book.add_format({"bold": True, "bottom": 1})
        self._quoted = self._book.add_format({"quote_prefix": True})

    def sheet(self, name: str) -> Any:
        return self._book.add_worksheet(name[:31])

    def text(self, sheet: Any, row: int, column: int, text: str) -> None:
        """A text, whatever it looks like."""
        sheet.write_string(row, column, text, self._quoted if is_formula(text) else None)

    def table(self, name: str, frame: pd.DataFrame) -> None:
        """A sheet of its own with the frame's rows; nulls are empty cells."""
        sheet = self.sheet(name)
        for column, heading in enumerate(frame.columns):
            sheet.write_string(0, column, str(heading), self.head)
            widest = self._column(sheet, column, frame[heading], len(str(heading)) + 2)
            sheet.set_column(column, column, min(widest + 1, WIDEST))
        sheet.freeze_panes(1, 0)
        sheet.autofilter(0, 0, len(frame), len(frame.columns) - 1)

    def _column(self, sheet: Any, column: int, values: pd.Series[Any], widest: int) -> int:
        """Write the values below the heading; characters of the longest text."""
        known = values.notna().tolist()
        for row, (value, is_known) in enumerate(zip(values.astype("object").tolist(), known, strict=True), 1):
            if not is_known:
                continue
            if isinstance(value, bool):
                sheet.write_boolean(row, column, value)
            elif isinstance(value, int | float):
                sheet.write_number(row, column, value)
            else:
                text = cut(clean(value), CELL)
                widest = max(widest, len(text))
                self.text(sheet, row, column, text)
        return widest

    def __enter__(self) -> Book:
        return self

    def __exit__(self, *_: object) -> None:
        self._book.close()
