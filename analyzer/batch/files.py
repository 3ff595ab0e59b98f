"""The queue as files: tickets.csv, Parquet, a DuckDB file, a workbook. Each function gives the whole content as bytes."""

from __future__ import annotations

import csv
import importlib.util
import io
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from analyzer.batch.tables import LISTED, Entry, listed_rows
from analyzer.errors import MissingExtra
from analyzer.report.cells import harmless
from analyzer.report.workbook import Book

if TYPE_CHECKING:
    import pandas as pd

_MOST_ROWS = 1_048_575


def guarded(value: object) -> str:
    """A cell that no spreadsheet takes for a formula: an apostrophe in front of what could begin one.

    >>> guarded("=1+1"), guarded("a=1"), guarded(None)
    ("'=1+1", 'a=1', '')
    """
    return "" if value is None else harmless(str(value))


def tickets_csv(entries: Sequence[Entry]) -> bytes:
    """tickets.csv: exactly one row per source, in input order."""
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(LISTED)
    for row in listed_rows(entries):
        writer.writerow(guarded(row[name]) for name in LISTED)
    return out.getvalue().encode("utf-8")


def parquet(frame: pd.DataFrame) -> bytes:
    """One table as Parquet; equal tables give equal bytes."""
    out = io.BytesIO()
    frame.to_parquet(out, index=False, engine="pyarrow", compression="zstd")
    return out.getvalue()


def has(library: str) -> bool:
    return importlib.util.find_spec(library) is not None


def duckdb_file(frames: Mapping[str, pd.DataFrame]) -> bytes:
    """A DuckDB database with one table per frame.

    Raises:
        MissingExtra: DuckDB is not installed.
    """
    if not has("duckdb"):
        raise MissingExtra("the DuckDB file needs DuckDB", hint="pip install 'ipvscope[sql]'")
    import duckdb
    import pyarrow as pa

    with tempfile.TemporaryDirectory(prefix="ipvscope-") as folder:
        path = Path(folder, "queue.duckdb")
        with duckdb.connect(str(path), config={"threads": 1}) as base:
            for name, frame in frames.items():
                base.register("rows_in", pa.Table.from_pandas(frame, preserve_index=False))
                # The name is one of our own tables.
                base.execute(f"CREATE TABLE {name} AS SELECT * FROM rows_in")  # noqa: S608
                base.unregister("rows_in")
        return path.read_bytes()


def workbook(frames: Mapping[str, pd.DataFrame]) -> bytes:
    """A workbook with one sheet per table.

    Raises:
        MissingExtra: XlsxWriter is not installed.
    """
    if not has("xlsxwriter"):
        raise MissingExtra("the workbook needs XlsxWriter", hint="pip install 'ipvscope[xlsx]'")

    out = io.BytesIO()
    with Book(out) as book:
        for name, frame in frames.items():
            book.table(name, frame.head(_MOST_ROWS))
    return out.getvalue()
