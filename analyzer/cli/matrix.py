"""``matrix``: every Service address and port from every distinct vantage point, as a table."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from analyzer.cli import out
from analyzer.cli.tables import records, write
from analyzer.progress import stage


def run(
    bundle: Sequence[Path],
    output: Path | None,
    max_cells: int,
    listeners: bool,
    node: str,
    apply: Sequence[str] = (),
    *,
    lang: str = "",
    as_json: bool = False,
) -> int:
    """Write the matrix as CSV or Parquet, print it as JSON or CSV, or on a terminal a line per address.

    What was left out goes to standard error.
    """
    from analyzer import api
    from analyzer.cli.words import words
    from analyzer.forwarding import build_world, matrix

    messages = words(lang)
    with api.opened(bundle, node=node, apply=apply) as snapshot:
        stage("walking")
        cells = matrix(build_world(snapshot), max_cells=max_cells, listeners=listeners)
    for what in cells.left_out:
        out.warn(f"not walked: {what} (see --max-cells)")
    if output is not None:
        write(cells.frame(), output)
    if as_json:
        out.document(
            {"schema": "ipvscope-matrix/1", "cells": records(cells.frame()), "not_walked": list(cells.left_out)}
        )
    elif output is None and out.styled():
        from analyzer.report.terminal.matrix import show

        show(out.console(), cells, messages)
    elif output is None:
        write(cells.frame(), None)
    return 0
