"""The way of one packet as a picture: a lane per place, numbered arrows between them, time downwards.

Each arrow, address change and verdict has its own line of the picture, so texts cannot meet; a lane's line is hidden
behind the text that crosses it. The reply is a second run of dashed arrows below the request. Colour tells nothing
that is not also drawn.
"""

from __future__ import annotations

from dataclasses import dataclass

from markupsafe import Markup

from analyzer.forwarding.model import Packet, Path, Step, end_point
from analyzer.report import svg
from analyzer.report.messages import Messages
from analyzer.report.plain import clean, shorten, width, wrap

_SIZE = 10.0
_LINE = 13.0
_NOTE_FILL = "#f3f5f8"


@dataclass(frozen=True, slots=True)
class Arrow:
    """The packet goes from one lane to another."""

    start: int
    end: int
    packet: Packet | None
    reply: bool


@dataclass(frozen=True, slots=True)
class Change:
    """Something to show on a lane: the first packet, a change of addresses or mark (before and after), a decision."""

    lane: int
    step: Step
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Turn:
    """From here on it is the reply."""


def events(path: Path) -> tuple[list[str], list[Arrow | Change | Turn], int]:
    """The places in order of first visit, what happens between and on them, and the lane of the last hop."""
    lanes: list[str] = []
    happened: list[Arrow | Change | Turn] = []
    packet: Packet | None = None
    lane = 0
    # What happened last to the request tells why there is no connection; a working one needs no such line. The step
    # `end` only repeats the outcome.
    steps = [step for hop in path.hops if hop.direction == "request" for step in hop.steps]
    requests = [step for step in steps if step.slug != "end"]
    deciding = requests[-1] if requests and path.outcome != "ok" else None
    for index, hop in enumerate(path.hops):
        if hop.place not in lanes:
            lanes.append(hop.place)
        before, lane = lane, lanes.index(hop.place)
        turned = index > 0 and hop.direction != path.hops[index - 1].direction
        if turned:
            happened.append(Turn())
            packet = None
        if index and lane != before:
            carried = hop.steps[0].packet if packet is None and hop.steps else packet
            happened.append(Arrow(before, lane, carried, hop.direction == "reply"))
        for step in hop.steps:
            changed = changes(packet, step.packet) if packet is not None else ()
            if not happened and packet is None:
                happened.append(Change(lane, step, (str(step.packet).replace("->", "→"),)))
            elif changed or step is deciding:
                happened.append(Change(lane, step, changed))
            packet = step.packet
    return lanes, happened, lane


def changes(before: Packet, after: Packet) -> tuple[str, ...]:
    """What differs, a line each: source, destination, mark.

    >>> changes(Packet("tcp", "a", 1, "b", 2), Packet("tcp", "a", 1, "c", 2))
    ('dst b:2 → c:2',)
    """
    lines = []
    if (before.src, before.sport) != (after.src, after.sport):
        lines.append(f"src {end_point(before.src, before.sport)} → {end_point(after.src, after.sport)}")
    if (before.dst, before.dport) != (after.dst, after.dport):
        lines.append(f"dst {end_point(before.dst, before.dport)} → {end_point(after.dst, after.dport)}")
    if before.mark != after.mark:
        lines.append(f"mark {before.mark:#x} → {after.mark:#x}")
    return tuple(lines)


def draw(path: Path, messages: Messages) -> Markup:
    """The picture of one path; its width follows the number of places, at least 520 and about 120 per place."""
    lanes, happened, last = events(path)
    if not lanes:
        return Markup("")
    room = min(max(720 / len(lanes), 124), 240)
    canvas = _Canvas(messages, max(room * len(lanes), 520), len(lanes))
    canvas.places(lanes)
    counter = 0
    for event in happened:
        if isinstance(event, Arrow):
            counter += 1
            canvas.arrow(event, counter)
        elif isinstance(event, Change):
            canvas.change(event)
        else:
            canvas.turn()
    canvas.verdict(path, last)
    label = messages.text("report.path.label", start=lanes[0], outcome=messages.text(f"outcome.{path.outcome}"))
    return svg.document(canvas.wide, canvas.y + 6, label, canvas.finished())


def _kind_and_name(place: str) -> tuple[str, str]:
    kind, _, name = place.partition(":")
    return kind, name


class _Canvas:
    """Collects the elements from top to bottom; `y` is the first free line."""

    def __init__(self, messages: Messages, wide: float, lanes: int) -> None:
        self.messages, self.wide, self.y = messages, wide, 0.0
        self._room = wide / lanes
        self._x = [self._room * (index + 0.5) for index in range(lanes)]
        self._top = 0.0
        self._body: list[Markup] = []

    def places(self, lanes: list[str]) -> None:
        """The boxes at the top, all as high as the highest."""
        room = self._room - 24
        named = []
        for place in lanes:
            kind, name = _kind_and_name(place)
            named.append(
                (self.messages.text(f"report.place.{kind}"), wrap(name, room, _SIZE, bold=True, lines=3), name)
            )
        high = 20 + _LINE * max(len(lines) for _, lines, _ in named)
        for x, (kind, lines, name) in zip(self._x, named, strict=True):
            self._box(x - self._room / 2 + 5, 1, self._room - 10, high)
            # A place without a name of its own (the network) stands in the middle of its box.
            y = 13 if lines else high / 2 + 4
            self._body.append(svg.text(x, y, shorten(kind, room, 9), 9, kind="u", anchor="middle", title=kind))
            for index, part in enumerate(lines):
                y = 26 + index * _LINE
                self._body.append(svg.text(x, y, part, _SIZE, anchor="middle", bold=True, title=name))
        self._top = high + 1
        self.y = high + 12

    def arrow(self, arrow: Arrow, counter: int) -> None:
        start, end = self._x[arrow.start], self._x[arrow.end]
        words = str(arrow.packet).replace("->", "→") if arrow.packet else ""
        lines = wrap(words, self.wide - 40, _SIZE, lines=3)
        broad = 24 + max((width(line, _SIZE) for line in lines), default=0)
        left = self._clamp(min(start, end) + 6, broad)
        high = _LINE * max(len(lines), 1) + 4
        self._hide(left, self.y, broad, high)
        self._body.append(
            Markup('<circle class="n" cx="{}" cy="{}" r="7.5" fill="none" stroke="{}"/>').format(
                svg.number(left + 8), svg.number(self.y + 8), svg.TEXT
            )
        )
        size = 9 if counter < 10 else 7.5
        self._body.append(svg.text(left + 8, self.y + 8 + size * 0.36, str(counter), size, anchor="middle", bold=True))
        for index, part in enumerate(lines):
            self._body.append(svg.text(left + 20, self.y + 12 + index * _LINE, part, _SIZE, title=words))
        y = self.y + high + 5
        way = 1 if end > start else -1
        self._body.append(
            svg.line(start, y, end - way * 6, y, colour=svg.TEXT, kind="a", thickness=1.4, dashed=arrow.reply)
        )
        head = f"M{svg.number(end)} {svg.number(y)}l{-8 * way} -4v8z"
        self._body.append(Markup('<path class="h" fill="{}" d="{}"/>').format(svg.TEXT, head))
        self.y = y + 11

    def change(self, change: Change) -> None:
        """A small box on the lane: where in the kernel, what it did, and the addresses before and after."""
        limit = self.wide - 20
        step, words = change.step, f"step.{change.step.slug}.short"
        what = self.messages.text(words, **step.values).replace("`", "") if self.messages.has(words) else ""
        heading = shorten(" · ".join(filter(None, (clean(step.hook), what))), limit, 8.5)
        lines = [line for text in change.lines for line in wrap(text, limit, _SIZE, lines=3)]
        if not heading and not lines:
            return
        broad = 16 + max([width(heading, 8.5), *(width(line, _SIZE) for line in lines)])
        left = self._clamp(self._x[change.lane] - broad / 2, broad)
        high = 8 + _LINE * (len(lines) + bool(heading))
        self._box(left, self.y, broad, high)
        y = self.y + 13
        if heading:
            self._body.append(svg.text(left + 8, y, heading, 8.5, kind="u"))
            y += _LINE
        for part in lines:
            self._body.append(svg.text(left + 8, y, part, _SIZE, bold=False))
            y += _LINE
        self.y += high + 10

    def turn(self) -> None:
        """The line between request and reply."""
        label = self.messages.text("report.path.reply")
        broad = width(label, 9) + 16
        self._body.append(svg.line(4, self.y + 6, self.wide - 4, self.y + 6, thickness=0.8))
        self._hide(self.wide / 2 - broad / 2, self.y, broad, 13)
        self._body.append(svg.text(self.wide / 2, self.y + 9, label, 9, kind="u", anchor="middle"))
        self.y += 22

    def verdict(self, path: Path, lane: int) -> None:
        """What the client sees, at the place where it was decided."""
        messages = self.messages
        title = messages.text(f"outcome.{path.outcome}")
        detail = messages.text(f"mechanism.{path.mechanism}", **path.values).replace("`", "") if path.mechanism else ""
        limit = min(self.wide - 46, 430.0)
        lines = wrap(detail, limit, _SIZE, lines=6)
        broad = 38 + max([width(title, 11, bold=True), *(width(line, _SIZE) for line in lines)])
        left = self._clamp(self._x[lane] - broad / 2, broad)
        high = 22 + _LINE * len(lines) + (4 if lines else 0)
        bad = path.outcome != "ok"
        if bad:
            # The cross on the lane: the packet gets no further than this.
            x, y = self._x[lane], self.y + 7
            self._hide(x - 8, self.y - 1, 16, 16)
            cross = f"M{svg.number(x - 6)} {svg.number(y - 6)}l12 12m0 -12l-12 12"
            self._body.append(
                Markup('<path class="x" fill="none" stroke="#b3261e" stroke-width="3" d="{}"/>').format(cross)
            )
            self.y += 18
        self._box(left, self.y, broad, high, strong=bad)
        place = [(left + 8, self.y + 4)]
        self._body += [
            svg.filled(path.outcome, svg.squares(place, 14)),
            svg.stroked(path.outcome, svg.marks(path.outcome, place, 14), 1.4),
            svg.text(left + 28, self.y + 15, title, 11, bold=True),
        ]
        for index, part in enumerate(lines):
            self._body.append(svg.text(left + 28, self.y + 30 + index * _LINE, part, _SIZE, title=detail))
        self.y += high

    def finished(self) -> list[Markup]:
        """All elements, the lanes' lines at the bottom of the pile."""
        return [*(svg.line(x, self._top, x, self.y, thickness=1) for x in self._x), *self._body]

    def _clamp(self, left: float, broad: float) -> float:
        return max(3.0, min(left, self.wide - broad - 3))

    def _hide(self, x: float, y: float, broad: float, high: float) -> None:
        self._body.append(_rectangle("bg", (x, y), (broad, high), svg.BACK, Markup("")))

    def _box(self, x: float, y: float, broad: float, high: float, *, strong: bool = False) -> None:
        border = Markup(' stroke="{}" stroke-width="{}" rx="3"').format(
            "#b3261e" if strong else svg.LINE, 1.6 if strong else 1
        )
        self._body.append(_rectangle("bad" if strong else "box", (x, y), (broad, high), _NOTE_FILL, border))


def _rectangle(kind: str, corner: tuple[float, float], size: tuple[float, float], fill: str, more: Markup) -> Markup:
    return Markup('<rect class="{}" x="{}" y="{}" width="{}" height="{}" fill="{}"{}/>').format(
        kind, *map(svg.number, (*corner, *size)), fill, more
    )
