"""Vantage points and addresses that are alike: equal outcomes for equal reasons in every cell of the matrix.

A thousand nodes are a handful of classes, so a reader can take the matrix in and nothing of it is left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from analyzer.forwarding.matrix_model import Matrix, MatrixTarget, Vantage
from analyzer.forwarding.model import Verdict


@dataclass(frozen=True, slots=True)
class Classes:
    """The matrix by classes: every row of `rows` and every column of `columns` is a group of equals, the first stands for all.

    Rows keep the order of the matrix, those of one Service together; columns too, those outside the cluster last.
    """

    rows: tuple[tuple[MatrixTarget, ...], ...]
    columns: tuple[tuple[Vantage, ...], ...]
    cells: Mapping[tuple[int, int], Verdict]
    """(row, column) by their numbers; absent where the matrix has no such cell."""

    def size(self, row: int, column: int) -> int:
        """How many cells of the matrix one cell stands for."""
        return len(self.rows[row]) * len(self.columns[column])


_Said = tuple[str, str, str, str]


def classes(matrix: Matrix) -> Classes:
    """Group the vantage points, then the addresses.

    Vantage points are alike when they are of one kind and every address gives the same outcome by the same mechanism, known the same
    way. Addresses are alike when they are of one kind, Service, port and protocol (NodePorts of several nodes, addresses of a
    dual-stack Service) and look the same from every class.
    """
    said: dict[Vantage, tuple[_Said, ...]] = {
        vantage: tuple(_said(matrix.cells.get((vantage.source, row.target))) for row in matrix.targets)
        for vantage in matrix.vantages
    }
    columns: dict[tuple[str, tuple[_Said, ...]], list[Vantage]] = {}
    for vantage in matrix.vantages:
        columns.setdefault((vantage.kind, said[vantage]), []).append(vantage)
    ordered = sorted(columns.values(), key=lambda group: group[0].kind == "external")
    first = {row: number for number, row in enumerate(matrix.targets)}
    rows: dict[tuple[object, ...], list[MatrixTarget]] = {}
    for row in matrix.targets:
        seen = tuple(said[group[0]][first[row]] for group in ordered)
        rows.setdefault((row.service, row.kind, row.target.port, row.target.protocol, seen), []).append(row)
    services = {row.service: number for number, row in reversed(list(enumerate(matrix.targets)))}
    listed = sorted(rows.values(), key=lambda group: (services[group[0].service], first[group[0]]))
    cells = {
        (number, index): verdict
        for number, group in enumerate(listed)
        for index, column in enumerate(ordered)
        if (verdict := matrix.cells.get((column[0].source, group[0].target))) is not None
    }
    return Classes(tuple(map(tuple, listed)), tuple(map(tuple, ordered)), cells)


def _said(verdict: Verdict | None) -> _Said:
    return (
        ("", "", "", "") if verdict is None else (verdict.outcome, verdict.mechanism, verdict.layer, verdict.confidence)
    )
