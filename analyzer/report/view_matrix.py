"""The matrix as the report shows it: addresses by classes of clients, a mark and a word for each outcome, a link to a trace."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field

from analyzer.forwarding.matrix_model import MatrixTarget, Vantage
from analyzer.forwarding.model import Verdict
from analyzer.report.analysis import Analysis
from analyzer.report.limits import Limits
from analyzer.report.messages import Messages
from analyzer.report.plain import clean, cut
from analyzer.report.view_trace import Names, names_of

MARKS = {
    "ok": "✓", "mixed": "≈", "refused": "R", "timeout": "T", "unreachable": "U", "wrong-server": "W", "unknown": "?",
}  # fmt: skip
"""One sign for each outcome, so that none is told by its colour alone."""
KINDS = ("node", "pod", "backend-pod", "external")


@dataclass(frozen=True, slots=True)
class CellView:
    """One cell of classes. `link` is the anchor of its trace or empty, `here` that the cause at hand explains it."""

    outcome: str
    mark: str
    tip: str
    link: str
    inferred: bool
    here: bool


@dataclass(frozen=True, slots=True)
class ColumnView:
    """Clients that are alike: a letter, what they are, how many, and their names."""

    letter: str
    kind: str
    count: int
    names: Names


@dataclass(frozen=True, slots=True)
class RowView:
    """Addresses that are alike; `fine` when every cell is ok."""

    service: str
    target: str
    more: Names
    kind: str
    cells: tuple[CellView, ...]
    fine: bool


@dataclass(frozen=True, slots=True)
class MatrixView:
    """Bands of columns with all rows each (one band on a screen), the legend, and what is not shown."""

    bands: tuple[tuple[int, int], ...] = ()
    columns: tuple[ColumnView, ...] = ()
    rows: tuple[RowView, ...] = ()
    rows_left_out: int = 0
    rows_fine: int = 0
    """Rows of an excerpt that no listed cell concerns."""
    legend: tuple[tuple[str, str, str], ...] = field(default=())
    """(outcome, mark, words)"""
    inferred: int = 0


def letter(number: int) -> str:
    """A, B ... Z, AA, AB ...

    >>> letter(0), letter(25), letter(26)
    ('A', 'Z', 'AA')
    """
    number += 1
    letters = ""
    while number:
        number, rest = divmod(number - 1, 26)
        letters = chr(65 + rest) + letters
    return letters


def kind_of(row: MatrixTarget, messages: Messages) -> str:
    """What an address is: a listener of a load balancer that some Service uses is that Service's, any other is foreign."""
    kind = "load-balancer" if row.kind == "load-balancer-listener" and row.service else row.kind
    return messages.text(f"report.target.{kind}")


def matrix_view(
    analysis: Analysis, messages: Messages, limits: Limits, only: Collection[tuple[str, str]] | None = None
) -> MatrixView:
    """The whole matrix, or the rows that the cells `only` stand in."""
    grouped = analysis.classes
    if not grouped.rows or not grouped.columns:
        return MatrixView()
    anchors = trace_anchors(analysis, limits)
    wanted = list(_wanted(analysis, only))
    # What fails somewhere comes before what works from everywhere where not all can be shown.
    fine = {number: _fine(analysis, number) for number in wanted}
    kept = sorted(sorted(wanted, key=fine.__getitem__)[: limits.matrix_rows])
    columns = tuple(
        ColumnView(letter(index), messages.text(f"page.kind.{group[0].kind}", n=len(group)), len(group),
                   names_of([str(one.source) for one in group], limits))
        for index, group in enumerate(grouped.columns)
    )  # fmt: skip
    rows = []
    counts: Counter[str] = Counter()
    inferred = 0
    for number in kept:
        group = grouped.rows[number]
        cells = []
        for index, column in enumerate(grouped.columns):
            verdict = grouped.cells.get((number, index))
            size = grouped.size(number, index)
            counts[verdict.outcome if verdict else "unknown"] += size
            inferred += size if verdict is not None and verdict.layer == "inferred" else 0
            cells.append(_cell(verdict, group, column, messages, anchors, only))
        kind = kind_of(group[0], messages)
        rows.append(
            RowView(
                cut(clean(group[0].service), limits.cell) or messages.text("report.matrix.no-service"), clean(group[0].target),
                names_of([str(one.target) for one in group[1:]], limits), kind, tuple(cells), fine[number],
            )
        )  # fmt: skip
    legend = tuple(
        (one, MARKS[one], messages.text("report.matrix.legend", outcome=messages.text(f"outcome.{one}"), n=counts[one]))
        for one in MARKS
        if counts[one]
    )
    wide = limits.matrix_columns
    bands = tuple((start, min(start + wide, len(columns))) for start in range(0, len(columns), wide))
    return MatrixView(
        bands, columns, tuple(rows), len(wanted) - len(kept), len(grouped.rows) - len(wanted), legend, inferred
    )


def _wanted(analysis: Analysis, only: Collection[tuple[str, str]] | None) -> Iterator[int]:
    targets = {target for _, target in only} if only is not None else set()
    for number, group in enumerate(analysis.classes.rows):
        if only is None or any(str(row.target) in targets for row in group):
            yield number


def _fine(analysis: Analysis, row: int) -> bool:
    grouped = analysis.classes
    verdicts = [grouped.cells.get((row, index)) for index in range(len(grouped.columns))]
    return all(verdict is not None and verdict.outcome == "ok" for verdict in verdicts)


def _cell(
    verdict: Verdict | None, rows: tuple[MatrixTarget, ...], column: tuple[Vantage, ...], messages: Messages,
    anchors: dict[tuple[str, str], str], only: Collection[tuple[str, str]] | None,
) -> CellView:  # fmt: skip
    if verdict is None:
        return CellView("unknown", MARKS["unknown"], messages.text("outcome.unknown"), "", False, False)
    words = f"mechanism.{verdict.mechanism}.short"
    tip = messages.text(
        "report.matrix.tip", source=column[0].source, target=rows[0].target, outcome=messages.text(f"outcome.{verdict.outcome}"),
        mechanism=messages.text(words) if messages.has(words) else verdict.mechanism,
        confidence=messages.text(f"confidence.{verdict.confidence}"), layer=messages.text(f"report.layer.{verdict.layer}"),
    )  # fmt: skip
    here = only is not None and any((str(one.source), str(row.target)) in only for one in column for row in rows)
    key = (str(column[0].source), str(rows[0].target))
    return CellView(
        verdict.outcome, MARKS.get(verdict.outcome, "?"), tip, anchors.get(key, ""), verdict.layer == "inferred", here
    )


def trace_anchors(analysis: Analysis, limits: Limits) -> dict[tuple[str, str], str]:
    """(source, target) -> the anchor of the trace that shows it; none in a medium that shows no traces."""
    return {key: f"t-{number}" for number, key in enumerate(list(analysis.traces)[: limits.traces], 1)}
