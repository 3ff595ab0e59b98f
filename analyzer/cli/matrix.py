"""``matrix``: every Service address and port from every distinct vantage point, as a table."""

from __future__ import annotations

import sys
from pathlib import Path

from analyzer.errors import IpvscopeError


def run(bundle: Path, output: Path | None, max_cells: int, listeners: bool, node: str) -> int:
    """Print the matrix as CSV, or write it as CSV or Parquet. What was left out goes to standard error."""
    from analyzer import api
    from analyzer.forwarding import build_world, matrix

    with api.opened(bundle, node=node) as snapshot:
        cells = matrix(build_world(snapshot), max_cells=max_cells, listeners=listeners)
    frame = cells.frame()
    for what in cells.left_out:
        print(f"ipvscope: not walked: {what} (see --max-cells)", file=sys.stderr)
    if output is None:
        print(frame.to_csv(index=False), end="")
        return 0
    try:
        if output.suffix == ".parquet":
            frame.to_parquet(output, index=False)
        else:
            frame.to_csv(output, index=False)
    except OSError as error:
        raise IpvscopeError(f"cannot be written: {error.strerror}", where=str(output)) from None
    return 0
