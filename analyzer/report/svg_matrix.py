"""The reachability matrix as pictures: rows are targets grouped by Service, columns are vantages grouped by node.

One path per colour and one per mark, so a picture of 300 x 60 costs hardly more than one of 3 x 3. What does not fit on
one sheet goes on several; what is more than a reader can take in is left out, worst rows first kept, and counted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from analyzer.forwarding.matrix_model import Matrix, MatrixTarget, Vantage
from analyzer.forwarding.model import Verdict
from analyzer.report import svg
from analyzer.report.messages import Messages
from analyzer.report.plain import shorten
from analyzer.report.svg_layout import (
    LARGE,
    SMALL,
    Labels,
    Style,
    cell,
    columns_of,
    parts_across,
    parts_down,
    positions,
    rows_of,
    worst,
)


@dataclass(frozen=True, slots=True)
class Sheet:
    """The room for one picture, and for all of them. `tooltips` needs one element per cell: not for print."""

    width: float
    height: float
    pictures: int = 12
    rows: int = 400
    columns: int = 200
    tooltips: bool = False
    compact: bool = False


SCREEN = Sheet(width=2600, height=9000, pictures=4, tooltips=True)
PORTRAIT = Sheet(width=680, height=820, pictures=1)
LANDSCAPE = Sheet(width=1000, height=560, pictures=8)
_TIPS = 2500
"""Most cells that get a tooltip each: about 150 bytes of HTML a piece."""
_LETTERED = 48
"""Most columns drawn with the large cell."""


@dataclass(frozen=True, slots=True)
class Picture:
    """A part of the matrix; rows and columns count from 1."""

    svg: Markup
    width: int
    height: int
    rows: tuple[int, int]
    columns: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Pictures:
    """The pictures, the whole size, and how much of it is not drawn."""

    pictures: tuple[Picture, ...]
    rows: int
    columns: int
    rows_left_out: int = 0
    columns_left_out: int = 0


def draw(matrix: Matrix, messages: Messages, sheet: Sheet = SCREEN) -> Pictures:
    """The matrix in as many pictures as the sheet asks for (none for an empty matrix)."""
    all_rows, all_columns = rows_of(matrix), columns_of(matrix)
    if not all_rows or not all_columns:
        return Pictures((), len(all_rows), len(all_columns))
    columns = all_columns[: sheet.columns]
    rows = worst(matrix, all_rows, columns, sheet.rows)
    small = sheet.compact or len(columns) > _LETTERED or len(rows) * len(columns) > 6000
    style = SMALL if small else LARGE
    labels = Labels.of(rows, columns, messages, style)
    across = parts_across(columns, sheet.width - labels.rows - labels.overhang - 8, style)
    down = parts_down(rows, sheet.height - labels.columns - 60, style)
    parts = [(row, column) for row in down for column in across][: sheet.pictures]
    plan = _Plan(matrix, messages, labels, style, sheet.tooltips)
    pictures = tuple(
        _Drawing(plan, rows[slice(*row)], columns[slice(*column)]).picture(
            (row[0] + 1, row[1]), (column[0] + 1, column[1])
        )
        for row, column in parts
    )
    # A row is drawn when all its parts are; with a bound on the pictures the last ones may be missing.
    whole = [row for row in down if all((row, column) in parts for column in across)]
    drawn = sum(end - start for start, end in whole)
    return Pictures(pictures, len(all_rows), len(all_columns), len(all_rows) - drawn, len(all_columns) - len(columns))


def for_print(matrix: Matrix, messages: Messages) -> tuple[Pictures, bool]:
    """The pictures for A4 and whether they need landscape: one portrait picture if it fits, else landscape ones."""
    upright = draw(matrix, messages, PORTRAIT)
    if not upright.rows_left_out and not upright.columns_left_out:
        return upright, False
    return draw(matrix, messages, LANDSCAPE), True


@dataclass(frozen=True, slots=True)
class _Plan:
    """What all pictures of one matrix share."""

    matrix: Matrix
    messages: Messages
    labels: Labels
    style: Style
    tooltips: bool


class _Drawing:
    """One picture, put together from top to bottom."""

    def __init__(self, plan: _Plan, rows: Sequence[MatrixTarget], columns: Sequence[Vantage]) -> None:
        self._plan, self._rows, self._columns = plan, rows, columns
        self._body: list[Markup] = []
        self._xs = positions(columns, plan.labels.rows, plan.style)
        self._ys: list[float] = []
        self._right = self._xs[-1] + plan.style.cell
        self._y = plan.labels.columns

    def picture(self, rows: tuple[int, int], columns: tuple[int, int]) -> Picture:
        """The picture; the arguments say which part of the whole it is."""
        self._column_labels()
        self._row_labels()
        counts = self._cells()
        if self._plan.tooltips and len(self._rows) * len(self._columns) <= _TIPS:
            self._tips()
        wide = max(self._right + self._plan.labels.overhang + 2, 300)
        self._legend(counts, wide)
        label = self._plan.messages.text("report.matrix.label", rows=len(self._rows), columns=len(self._columns))
        document = svg.document(wide, self._y + 2, label, self._body)
        return Picture(document, round(wide), round(self._y + 2), rows, columns)

    def _column_labels(self) -> None:
        style, labels = self._plan.style, self._plan.labels
        for column, x in zip(self._columns, self._xs, strict=True):
            label, full = labels.column_texts[column]
            # The baseline of rotated text runs through the middle of its column.
            place = x + style.cell / 2 + style.size * 0.36
            self._body.append(svg.text(place, labels.columns - 6, label, style.size, rotate=style.angle, title=full))

    def _row_labels(self) -> None:
        """A heading per Service, and for each row its target and kind; sets the rows' places."""
        style, labels, body = self._plan.style, self._plan.labels, self._body
        service: str | None = None
        for row in self._rows:
            if row.service != service:
                service = row.service
                body.append(svg.line(0, self._y + 1.5, self._right, self._y + 1.5, thickness=0.6))
                name = service or self._plan.messages.text("report.matrix.no-service")
                shown = shorten(name, self._right - 8, style.size, bold=True)
                body.append(svg.text(2, self._y + style.heading - 4, shown, style.size, bold=True, title=name))
                self._y += style.heading
            self._ys.append(self._y)
            target, kind, full = labels.row_texts[row]
            baseline = self._y + style.cell / 2 + style.size * 0.36
            body.append(svg.text(8, baseline, target, style.size, title=full))
            body.append(svg.text(labels.rows - 6, baseline, kind, style.size, kind="u", anchor="end", title=full))
            self._y += style.cell

    def _places(self) -> Iterator[tuple[float, float, Vantage, MatrixTarget, Verdict]]:
        """Every cell that has a verdict, with its corner; the others stay blank."""
        for row, y in zip(self._rows, self._ys, strict=True):
            for column, x in zip(self._columns, self._xs, strict=True):
                verdict = cell(self._plan.matrix, column, row)
                if verdict is not None:
                    yield x, y, column, row, verdict

    def _cells(self) -> Counter[str]:
        """Add squares, marks and the corners of inferred cells; gives how many of each there are.

        In the small form a square that is ok carries no mark: it is then the only plain one, so the marks still tell
        the outcomes apart without colour.
        """
        style = self._plan.style
        corners: dict[str, list[tuple[float, float]]] = {outcome: [] for outcome in svg.OUTCOMES}
        inferred: list[str] = []
        fold = svg.number(style.cell * 0.3)
        for x, y, _, _, verdict in self._places():
            corners.get(verdict.outcome, corners["unknown"]).append((x, y))
            if verdict.layer == "inferred":
                inferred.append(f"M{svg.number(x)} {svg.number(y)}h{fold}l-{fold} {fold}z")
        for outcome, places in corners.items():
            if places:
                self._body.append(svg.filled(outcome, svg.squares(places, style.cell - 1)))
                if style is LARGE or outcome != "ok":
                    thickness = 1.6 if style is LARGE else 1.1
                    self._body.append(svg.stroked(outcome, svg.marks(outcome, places, style.cell - 1), thickness))
        if inferred:
            self._body.append(svg.corner("".join(inferred)))
        return Counter({**{outcome: len(places) for outcome, places in corners.items()}, "inferred": len(inferred)})

    def _tips(self) -> None:
        """An invisible square over each cell that says what it is when pointed at."""
        template = Markup('<rect x="{}" y="{}" width="{}" height="{}" fill-opacity="0"><title>{}</title></rect>')
        text, side = self._plan.messages.text, svg.number(self._plan.style.cell - 1)
        for x, y, column, row, verdict in self._places():
            words = f"mechanism.{verdict.mechanism}.short"
            why = text(words) if self._plan.messages.has(words) else verdict.mechanism
            tip = text(
                "report.matrix.tip", source=column.source, target=row.target,
                outcome=text(f"outcome.{verdict.outcome}"), mechanism=why,
                confidence=text(f"confidence.{verdict.confidence}"), layer=text(f"report.layer.{verdict.layer}"),
            )  # fmt: skip
            self._body.append(template.format(svg.number(x), svg.number(y), side, side, tip))

    def _legend(self, counts: Counter[str], wide: float) -> None:
        text = self._plan.messages.text
        entries = [
            (outcome, text("report.matrix.legend", outcome=text(f"outcome.{outcome}"), n=counts[outcome]))
            for outcome in svg.OUTCOMES
            if counts[outcome]
        ]
        keys, used = svg.legend(4, self._y + 10, wide - 8, entries)
        self._body += keys
        self._y += 10 + used
        if counts["inferred"]:
            self._body.append(svg.corner(f"M4 {svg.number(self._y + 2)}h7l-7 7z"))
            note = text("report.matrix.inferred", n=counts["inferred"])
            self._body.append(svg.text(16, self._y + 10, shorten(note, wide - 20, 10), 10, kind="u", title=note))
            self._y += 18
