"""The little that the pictures share: escaped elements, colours and marks of the outcomes.

Every colour stands as an attribute (a PDF renderer does not apply the page's style sheet inside a picture) and as a
class (the page's style sheet overrides it, for dark mode). A mark is a few strokes in a unit square, so all marks of
one outcome are one path, however many cells there are. No outcome is told by its colour alone.
"""

from __future__ import annotations

from collections.abc import Iterable

from markupsafe import Markup

from analyzer.report.plain import clean, width

OUTCOMES = ("ok", "mixed", "refused", "timeout", "unreachable", "wrong-server", "unknown")

FILL = {
    "ok": "#d5ebdd",
    "mixed": "#fbe3a1",
    "refused": "#c4432b",
    "timeout": "#e38a1e",
    "unreachable": "#7b4fa3",
    "wrong-server": "#2467b3",
    "unknown": "#e3e6ea",
}
INK = {
    "ok": "#1c6b3c",
    "mixed": "#5c4300",
    "refused": "#ffffff",
    "timeout": "#2a1600",
    "unreachable": "#ffffff",
    "wrong-server": "#ffffff",
    "unknown": "#4b5563",
}
# Strokes in a unit square, (0, 0) top left. Letters: R, T, U, W; a tick, a wave, a question mark.
_STROKES: dict[str, tuple[tuple[tuple[float, float], ...], ...]] = {
    "ok": (((0.26, 0.54), (0.43, 0.72), (0.75, 0.30)),),
    "mixed": (((0.22, 0.56), (0.32, 0.42), (0.42, 0.42), (0.58, 0.58), (0.68, 0.58), (0.78, 0.44)),),
    "refused": (
        ((0.34, 0.76), (0.34, 0.24), (0.58, 0.24), (0.68, 0.32), (0.68, 0.42), (0.58, 0.50), (0.34, 0.50)),
        ((0.52, 0.50), (0.70, 0.76)),
    ),
    "timeout": (((0.28, 0.25), (0.72, 0.25)), ((0.50, 0.25), (0.50, 0.76))),
    "unreachable": (((0.31, 0.24), (0.31, 0.62), (0.41, 0.75), (0.59, 0.75), (0.69, 0.62), (0.69, 0.24)),),
    "wrong-server": (((0.20, 0.25), (0.34, 0.75), (0.50, 0.38), (0.66, 0.75), (0.80, 0.25)),),
    "unknown": (
        ((0.34, 0.36), (0.42, 0.24), (0.58, 0.24), (0.66, 0.36), (0.60, 0.47), (0.50, 0.53), (0.50, 0.60)),
        ((0.50, 0.71), (0.50, 0.77)),
    ),
}
TEXT = "#1d2733"
MUTED = "#5b6675"
LINE = "#9aa4b2"
BACK = "#ffffff"
FONT = (
    "'Noto Sans','DejaVu Sans','Helvetica Neue',Arial,"
    "'Noto Sans CJK SC','Source Han Sans SC','PingFang SC','Microsoft YaHei',sans-serif"
)


def number(value: float) -> str:
    """A coordinate with at most one decimal; the same everywhere.

    >>> number(3.0), number(2.25)
    ('3', '2.2')
    """
    text = f"{value:.1f}".removesuffix(".0")
    return "0" if text == "-0" else text


def squares(corners: Iterable[tuple[float, float]], size: float) -> str:
    """The path of many squares."""
    side = number(size)
    return "".join(f"M{number(x)} {number(y)}h{side}v{side}h-{side}z" for x, y in corners)


def marks(outcome: str, corners: Iterable[tuple[float, float]], size: float) -> str:
    """The path of an outcome's mark in many squares: relative strokes, the same text in each square."""
    stroke = _relative(outcome, size)
    return "".join(f"M{number(x)} {number(y)}{stroke}" for x, y in corners)


def _relative(outcome: str, size: float) -> str:
    at = (0.0, 0.0)
    parts = []
    for stroke in _STROKES.get(outcome, _STROKES["unknown"]):
        for index, point in enumerate(stroke):
            place = (round(point[0] * size, 1), round(point[1] * size, 1))
            step = (number(place[0] - at[0]), number(place[1] - at[1]))
            parts.append(("m", "l", " ")[min(index, 2)] + step[0] + ("" if step[1].startswith("-") else " ") + step[1])
            at = place
    return "".join(parts)


def filled(outcome: str, path: str) -> Markup:
    return Markup('<path class="o-{0}" fill="{1}" d="{2}"/>').format(outcome, FILL[outcome], path)


def stroked(outcome: str, path: str, thickness: float) -> Markup:
    return Markup(
        '<path class="m-{0}" fill="none" stroke="{1}" stroke-width="{2}" stroke-linecap="round" '
        'stroke-linejoin="round" d="{3}"/>'
    ).format(outcome, INK[outcome], number(thickness), path)


def corner(path: str) -> Markup:
    """The folded corners of inferred cells."""
    return Markup('<path class="c" fill="{}" d="{}"/>').format(TEXT, path)


def text(
    x: float, y: float, content: str, size: float = 11, *, kind: str = "t", anchor: str = "start",
    bold: bool = False, rotate: float = 0, title: str = "",
) -> Markup:  # fmt: skip
    """One line of text. `kind` is t (normal), u (muted) or b (bad); `title` the full text where it was shortened."""
    attributes = Markup("")
    if anchor != "start":
        attributes += Markup(' text-anchor="{}"').format(anchor)
    if bold:
        attributes += Markup(' font-weight="700"')
    if rotate:
        attributes += Markup(' transform="rotate({} {} {})"').format(number(rotate), number(x), number(y))
    colour = {"t": TEXT, "u": MUTED, "b": "#b3261e"}[kind]
    tip = Markup("<title>{}</title>").format(clean(title)) if title and title != content else Markup("")
    return Markup('<text class="{}" x="{}" y="{}" font-size="{}" fill="{}"{}>{}{}</text>').format(
        kind, number(x), number(y), number(size), colour, attributes, tip, clean(content)
    )


def line(x1: float, y1: float, x2: float, y2: float, *, colour: str = LINE, kind: str = "l", thickness: float = 1,
         dashed: bool = False) -> Markup:  # fmt: skip
    dash = Markup(' stroke-dasharray="4 3"') if dashed else Markup("")
    return Markup('<path class="{}" d="M{} {}L{} {}" fill="none" stroke="{}" stroke-width="{}"{}/>').format(
        kind, number(x1), number(y1), number(x2), number(y2), colour, number(thickness), dash
    )


def document(wide: float, high: float, label: str, body: Iterable[Markup]) -> Markup:
    """The picture as a whole; `label` is what a screen reader says."""
    return Markup(
        '<svg xmlns="http://www.w3.org/2000/svg" role="img" aria-label="{}" width="{}" height="{}" '
        'viewBox="0 0 {} {}" font-family="{}">{}</svg>'
    ).format(
        clean(label), number(wide), number(high), number(wide), number(high), FONT, Markup("").join(body)
    )  # fmt: skip


def legend(x: float, y: float, room: float, entries: Iterable[tuple[str, str]]) -> tuple[list[Markup], float]:
    """Swatch, mark and word per outcome, in as many rows as needed; gives the elements and the height used."""
    body: list[Markup] = []
    left, top, size = x, y, 14.0
    for outcome, label in entries:
        need = size + 5 + width(label, 10) + 14
        if left > x and left + need > x + room:
            left, top = x, top + 20
        body += [
            filled(outcome, squares([(left, top)], size)),
            stroked(outcome, marks(outcome, [(left, top)], size), 1.4),
            text(left + size + 5, top + 11, label, 10),
        ]
        left += need
    return body, top + 20 - y
