"""Every table as Parquet: ``tables/NAME.parquet``, with the declared types; texts are those of the bundle, unchanged."""

from __future__ import annotations

import io
from collections.abc import Iterator

from analyzer.report.analysis import Analysis
from analyzer.report.messages import Messages
from analyzer.report.result_tables import all_tables


def files(analysis: Analysis, messages: Messages) -> Iterator[tuple[str, bytes]]:
    """One file per table, also for those without rows."""
    for schema, frame in all_tables(analysis, messages):
        out = io.BytesIO()
        frame.to_parquet(out, index=False, engine="pyarrow", compression="zstd")
        yield f"tables/{schema.name}.parquet", out.getvalue()
