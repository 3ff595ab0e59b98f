"""Traces that show the cells of the matrix: one for each class of cells, walked here so that no renderer walks."""

from __future__ import annotations

from collections.abc import Mapping

from analyzer.forwarding import Matrix, Trace, World, trace
from analyzer.forwarding.classes import classes

MOST = 120
"""Walks for one report; cells that do not end well come first."""


def illustrations(world: World, matrix: Matrix, *, most: int = MOST) -> Mapping[tuple[str, str], Trace]:
    """(source, target) of a cell that stands for its class -> its trace."""
    grouped = classes(matrix)
    ranked = sorted(grouped.cells, key=lambda place: grouped.cells[place].outcome == "ok")
    found = {}
    for row, column in ranked[:most]:
        source, target = grouped.columns[column][0].source, grouped.rows[row][0].target
        found[str(source), str(target)] = trace(world, source, target)
    return found
