"""``matrix``: every Service address and port from every distinct vantage point, as a table."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from analyzer.cli.tables import write


def run(
    bundle: Path,
    output: Path | None,
    max_cells: int,
    listeners: bool,
    node: str,
    apply: Sequence[str] = (),
    lang: str = "",
) -> int:
    """Print the matrix as CSV, or write it as CSV or Parquet. What was left out goes to standard error."""
    from analyzer import api
    from analyzer.cli.said import spoken
    from analyzer.cli.words import words
    from analyzer.forwarding import build_world, matrix

    messages = words(lang)
    with api.opened(bundle, node=node, apply=apply) as snapshot:
        cells = matrix(build_world(snapshot), max_cells=max_cells, listeners=listeners)
    frame = cells.frame()
    for what in cells.left_out:
        print("ipvscope: " + spoken(f"not walked: {what} (see --max-cells)", messages), file=sys.stderr)
    write(frame, output)
    return 0
