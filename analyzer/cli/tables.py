"""A table on standard output or in a file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from analyzer.errors import IpvscopeError

if TYPE_CHECKING:
    import pandas as pd


def write(frame: pd.DataFrame, output: Path | None) -> None:
    """CSV to standard output, or a file: Parquet by its suffix, else CSV.

    Raises:
        IpvscopeError: the file cannot be written.
    """
    if output is None:
        print(frame.to_csv(index=False), end="")
        return
    try:
        if output.suffix == ".parquet":
            frame.to_parquet(output, index=False)
        else:
            frame.to_csv(output, index=False)
    except OSError as error:
        raise IpvscopeError(f"cannot be written: {error.strerror}", where=str(output)) from None
