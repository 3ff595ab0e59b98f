"""How the matrix is laid out: the order of rows and columns, labels and the room they take, what fits on a sheet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import ceil

from analyzer.forwarding.matrix_model import Matrix, MatrixTarget, Vantage
from analyzer.forwarding.model import Verdict
from analyzer.report.messages import Messages
from analyzer.report.plain import shorten, width


@dataclass(frozen=True, slots=True)
class Style:
    cell: float
    size: float
    heading: float
    angle: float
    rows: float
    columns: float

    @property
    def slope(self) -> float:
        """Sideways part of a column label: cosine of the angle."""
        return 0.5 if self.angle == -60 else 0.0


LARGE = Style(cell=18, size=10, heading=19, angle=-60, rows=330, columns=230)
SMALL = Style(cell=10, size=8.5, heading=15, angle=-90, rows=260, columns=170)
GAP = 3
"""Blank pixels between the columns of two nodes."""


def rows_of(matrix: Matrix) -> list[MatrixTarget]:
    """The targets, those of one Service together, otherwise in the order of the matrix."""
    order: dict[str, int] = {}
    for row in matrix.targets:
        order.setdefault(row.service, len(order))
    return sorted(matrix.targets, key=lambda row: order[row.service])


def columns_of(matrix: Matrix) -> list[Vantage]:
    """The vantages, those of one node together, those outside the cluster last."""
    order: dict[str, int] = {}
    for vantage in matrix.vantages:
        order.setdefault(vantage.node, len(order))
    return sorted(matrix.vantages, key=lambda vantage: (vantage.node == "", order[vantage.node]))


def worst(matrix: Matrix, rows: list[MatrixTarget], columns: list[Vantage], limit: int) -> list[MatrixTarget]:
    """At most `limit` rows in their order, those that are not ok everywhere before the others."""
    if len(rows) <= limit:
        return rows
    fine = [all(outcome(matrix, column, row) == "ok" for column in columns) for row in rows]
    chosen = sorted(range(len(rows)), key=lambda index: fine[index])[:limit]
    return [rows[index] for index in sorted(chosen)]


def cell(matrix: Matrix, column: Vantage, row: MatrixTarget) -> Verdict | None:
    return matrix.cells.get((column.source, row.target))


def outcome(matrix: Matrix, column: Vantage, row: MatrixTarget) -> str:
    verdict = cell(matrix, column, row)
    return verdict.outcome if verdict else ""


@dataclass(frozen=True, slots=True)
class Labels:
    """Shortened labels with the room they take."""

    row_texts: dict[MatrixTarget, tuple[str, str, str]]
    column_texts: dict[Vantage, tuple[str, str]]
    rows: float
    columns: float
    overhang: float

    @classmethod
    def of(cls, rows: Sequence[MatrixTarget], columns: Sequence[Vantage], messages: Messages, style: Style) -> Labels:
        kinds = {row: _kind(row, messages) for row in rows}
        kind_room = min(max(width(kind, style.size) for kind in kinds.values()), style.rows * 0.45)
        target_room = style.rows - kind_room - 24
        row_texts = {
            row: (
                shorten(str(row.target), target_room, style.size),
                shorten(kinds[row], kind_room, style.size),
                f"{row.target} {kinds[row]}",
            )
            for row in rows
        }
        full = {column: _vantage(column) for column in columns}
        column_texts = {column: (shorten(label, style.columns, style.size), label) for column, label in full.items()}
        longest = max(width(label, style.size) for label, _ in column_texts.values())
        target_wide = max(width(target, style.size) for target, _, _ in row_texts.values())
        # Whole numbers here make every cell's corner one: shorter paths, sharper edges.
        room = ceil(8 + target_wide + 12 + kind_room + 8)
        high = ceil(longest * (0.87 if style.slope else 1) + 12)
        return cls(row_texts, column_texts, room, high, longest * style.slope + 6)


def _kind(row: MatrixTarget, messages: Messages) -> str:
    kind = messages.text(f"report.target.{row.kind}")
    return f"{kind} {row.node}" if row.node else kind


def _vantage(vantage: Vantage) -> str:
    return f"backend-{vantage.source}" if vantage.kind == "backend-pod" else str(vantage.source)


def parts_across(columns: Sequence[Vantage], room: float, style: Style) -> list[tuple[int, int]]:
    """Ranges of columns that fit, equally wide so that the last sheet is not nearly empty."""
    groups = len({column.node for column in columns})
    fitting = max(1, int((room - groups * GAP) // style.cell))
    sheets = -(-len(columns) // fitting)
    step = -(-len(columns) // sheets)
    return [(start, min(start + step, len(columns))) for start in range(0, len(columns), step)]


def parts_down(rows: Sequence[MatrixTarget], room: float, style: Style) -> list[tuple[int, int]]:
    """Ranges of rows that fit, with the headings of their Services."""
    parts: list[tuple[int, int]] = []
    start, used, service = 0, 0.0, None
    for index, row in enumerate(rows):
        need = style.cell + (style.heading if row.service != service else 0)
        if used + need > room and index > start:
            parts.append((start, index))
            start, used, need = index, 0.0, style.cell + style.heading
        used += need
        service = row.service
    return [*parts, (start, len(rows))]


def positions(columns: Sequence[Vantage], left: float, style: Style) -> list[float]:
    xs = [left]
    for before, after in pairwise(columns):
        xs.append(xs[-1] + style.cell + (GAP if before.node != after.node else 0))
    return xs
