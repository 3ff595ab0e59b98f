"""The account of lines for formats whose records are spans of bytes (JSON, YAML items) instead of lines."""

from __future__ import annotations

from typing import Literal

from analyzer.parsers.base import LineCount

Fate = Literal["row", "note"]


class ByteAccount:
    """Takes the spans of objects in their order and tells each one's first line.

    Every line that an object touches counts for it, blank ones inside it included; a line that two objects share
    counts for the first. What lies between objects is blank or furniture.

    >>> account = ByteAccount(b'{"items": [\\n{"a": 1},\\n\\n{"b": 2}]}')
    >>> account.span(12, 20, "row"), account.span(23, 31, "row")
    (2, 4)
    >>> account.count()
    LineCount(total=4, blank=1, rows=2, furniture=1, noted=0)
    """

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._pos = 0
        self._line = 1
        self._owned = 0
        self._counts = {"row": 0, "note": 0, "blank": 0, "furniture": 0}

    def span(self, start: int, end: int, fate: Fate) -> int:
        """Account for the bytes from `start` to `end`; gives the line of `start`."""
        start = max(start, self._pos)
        first = self._line + self._data.count(b"\n", self._pos, start)
        if first - self._owned > 1:
            self._gap(self._data[self._pos : start].split(b"\n")[:-1])
        last = first + self._data.count(b"\n", start, max(start, end))
        self._counts[fate] += last - max(first, self._owned + 1) + 1
        self._pos, self._line, self._owned = max(start, end), last, last
        return first

    def line(self, position: int) -> int:
        """The line of a position behind the last span."""
        return self._line + self._data.count(b"\n", self._pos, position)

    def _gap(self, segments: list[bytes]) -> None:
        for segment in segments[1 if self._owned == self._line else 0 :]:
            self._counts["furniture" if segment.strip() else "blank"] += 1

    def count(self) -> LineCount:
        """Close the account; nothing may be added afterwards."""
        segments = self._data[self._pos :].split(b"\n")
        if not segments[-1] and (len(segments) > 1 or self._owned < self._line):
            segments.pop()
        self._gap(segments)
        counts = self._counts
        return LineCount(sum(counts.values()), counts["blank"], counts["row"], counts["furniture"], counts["note"])
