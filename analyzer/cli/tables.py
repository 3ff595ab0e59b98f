"""A table on standard output or in a file."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

from analyzer.cli import out
from analyzer.cli.files import write_file
from analyzer.report.cells import csv_text, harmless, harmless_frame

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["harmless", "harmless_frame", "records", "write", "write_csv"]


def write(frame: pd.DataFrame, output: Path | None) -> None:
    """CSV to standard output, or a file: Parquet by its suffix (values as they are), else CSV (`harmless`).

    Raises:
        IpvscopeError: the file cannot be written.
    """
    if output is None:
        out.say(csv_text(frame), end="")
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


def records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows for JSON: null as None, numbers and truth values as such."""
    columns = []
    for name in frame.columns:
        known = frame[name].notna().tolist()
        values = frame[name].astype("object").tolist()
        columns.append([value if is_known else None for value, is_known in zip(values, known, strict=True)])
    return [dict(zip(map(str, frame.columns), row, strict=True)) for row in zip(*columns, strict=True)]
