"""Cells of tables made safe for spreadsheets and terminals.

A spreadsheet takes a text that begins with ``=``, ``+``, ``-``, ``@`` (also in their full-width forms) for a formula, and some
programs strip blanks first; in CSV such a text gets an apostrophe in front, as spreadsheets themselves write it. Numbers are
numbers and stay as they are. Control and direction characters become U+FFFD.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from analyzer.report.plain import clean_block

if TYPE_CHECKING:
    import pandas as pd

# Where the list separator is a semicolon, or a tab is pasted, what follows it begins a cell.
_FORMULA = re.compile(r"(^|[;\t\n])(?=\s*[=+\-@\uff1d\uff0b\uff0d\uff20])")
_NUMBER = re.compile(r"[+-]?[0-9]{1,40}(\.[0-9]{1,40})?(e[+-]?[0-9]{1,4})?", re.IGNORECASE)


def is_formula(text: str) -> bool:
    """Whether a spreadsheet might take the text for a formula.

    >>> is_formula("=1+1"), is_formula(" -A KUBE-SERVICES"), is_formula("10.0.0.1")
    (True, True, False)
    """
    return not _NUMBER.fullmatch(text) and _FORMULA.search(text) is not None


def harmless(text: str) -> str:
    """A text for a cell of a CSV: no control characters, and an apostrophe where a spreadsheet would see a formula.

    >>> harmless("=1+1"), harmless("a;@b"), harmless("-5.0"), harmless("10.0.0.1")
    ("'=1+1", "a;'@b", '-5.0', '10.0.0.1')
    """
    text = clean_block(text)
    return text if _NUMBER.fullmatch(text) else _FORMULA.sub(r"\1'", text)


def harmless_frame(frame: pd.DataFrame) -> pd.DataFrame:
    """The frame with every text made `harmless`; numbers and nulls as they are."""
    import pandas as pd

    changed = {}
    for name in frame.columns:
        column = frame[name]
        if pd.api.types.is_numeric_dtype(column.dtype) or pd.api.types.is_datetime64_any_dtype(column.dtype):
            continue
        # A column repeats its few values: each is looked at once.
        try:
            values = column.dropna().unique()
            known = {value: harmless(str(value)) for value in values}
        except TypeError:
            known = {}
            changed[name] = column.map(lambda value: harmless(str(value)), na_action="ignore")
        if any(value != text for value, text in known.items()):
            changed[name] = column.map(lambda value, known=known: known.get(value, value), na_action="ignore")
    return frame.assign(**changed) if changed else frame


def csv_text(frame: pd.DataFrame) -> str:
    """A frame as CSV: harmless cells, null as nothing, a newline after each row, no index."""
    return str(harmless_frame(frame).to_csv(index=False, lineterminator="\n"))
