"""A table on standard output or in a file."""

from __future__ import annotations

import csv
import io
import re
from pathlib import Path
from typing import TYPE_CHECKING

from analyzer.cli.files import write_file
from analyzer.report.plain import clean_block

if TYPE_CHECKING:
    import pandas as pd

# Spreadsheets take a cell for a formula by its first sign, some also in the full width of East Asian keyboards; where
# the list separator is a semicolon, or a tab is pasted, what follows it begins a cell.
_FORMULA = re.compile(r"(^|[;\t\n])(?=\s*[=+\-@＝＋－＠])")
_NUMBER = re.compile(r"[+-]?[0-9]{1,40}(\.[0-9]{1,40})?(e[+-]?[0-9]{1,4})?", re.IGNORECASE)


def write(frame: pd.DataFrame, output: Path | None) -> None:
    """CSV to standard output, or a file: Parquet by its suffix (values as they are), else CSV (`harmless`).

    Raises:
        IpvscopeError: the file cannot be written.
    """
    if output is None:
        print(harmless_frame(frame).to_csv(index=False), end="")
    elif output.suffix == ".parquet":
        # Arrow closes what it writes into.
        content = io.BytesIO(frame.to_parquet(index=False))
        write_file(output, lambda file: file.write(content.getbuffer()))
    else:
        write_csv(harmless_frame(frame), output)


def write_csv(frame: pd.DataFrame, output: Path) -> None:
    """A frame as it is, as CSV.

    Raises:
        IpvscopeError: the file cannot be written.
    """
    write_file(
        output,
        lambda file: frame.to_csv(file, index=False, quoting=csv.QUOTE_MINIMAL, encoding="utf-8", errors="replace"),
    )


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
