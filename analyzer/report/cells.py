"""Cells of tables made safe for spreadsheets and terminals.

A spreadsheet takes a text that begins with ``=``, ``+``, ``-``, ``@`` (also in their full-width forms) for a formula, and some
programs strip blanks first; in CSV such a text gets an apostrophe in front, as spreadsheets themselves write it. Numbers are
numbers and stay as they are. Control and direction characters become U+FFFD, line breaks and tabs a blank.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from analyzer.report.plain import clean

if TYPE_CHECKING:
    import pandas as pd

_FORMULA = re.compile(r"[\s'\ufffd]*[=+\-@\uff1d\uff0b\uff0d\uff20]")
# Where the list separator is a semicolon, what follows one begins a cell.
_LATER = re.compile(r";(?=[\s'\ufffd]*[=+\-@\uff1d\uff0b\uff0d\uff20])")


def is_formula(text: str) -> bool:
    """Whether a spreadsheet might take the text for a formula.

    >>> is_formula("=1+1"), is_formula(" -A KUBE-SERVICES"), is_formula("10.0.0.1")
    (True, True, False)
    """
    return _FORMULA.match(text) is not None


def guarded(text: object) -> str:
    """The text of a CSV cell.

    >>> guarded("=HYPERLINK(1)"), guarded("a\\tb"), guarded("a;@b")
    ("'=HYPERLINK(1)", 'a b', "a;'@b")
    """
    shown = _LATER.sub(";'", clean(text))
    return f"'{shown}" if is_formula(shown) else shown


def csv_text(frame: pd.DataFrame) -> str:
    """A frame as CSV: guarded cells, null as nothing, a newline after each row, no index."""
    import pandas as pd

    data = {}
    for name in frame.columns:
        series = frame[name]
        if pd.api.types.is_numeric_dtype(series.dtype) or pd.api.types.is_bool_dtype(series.dtype):
            data[name] = series
            continue
        # Each distinct text is looked at once; tables repeat names a lot.
        known = {value: guarded(value) for value in series.dropna().unique()}
        data[name] = series.astype("object").map(known)
    return str(
        pd.DataFrame(data, index=frame.index, columns=list(frame.columns)).to_csv(index=False, lineterminator="\n")
    )
