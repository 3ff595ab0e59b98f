"""How far a long run is: what a caller may draw, with an estimate of the time left.

A step calls `report(done, total)` as often as it likes; `Progress.step` turns that into `Moment`s, at most ten a second.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

STEPS = ("read", "walk", "observe", "find", "prove")
PAUSE_S = 0.1
SURE_AFTER_S = 1.0
"""Seconds of a step before which no time left is told: the first members say little of the rest."""


@dataclass(frozen=True, slots=True)
class Moment:
    """Where a run is: the step (one of STEPS), its share done (0 to 1), seconds spent on it and, if it can be told, left."""

    step: str
    share: float
    spent_s: float
    left_s: float | None


Report = Callable[[int, int], None]
"""How many of how many are done; of what is the step's own affair (bytes, cells)."""


def _ignored(done: int, total: int) -> None:
    pass


class Progress:
    """Hands moments to `listen`; without it nothing is told and nothing is measured."""

    def __init__(
        self, listen: Callable[[Moment], None] | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._listen = listen
        self._clock = clock

    def step(self, name: str) -> Report:
        """The reporter of a step; the step begins now."""
        if self._listen is None:
            return _ignored
        listen, clock, began = self._listen, self._clock, self._clock()
        told = -math.inf

        def report(done: int, total: int) -> None:
            nonlocal told
            now = clock()
            if done < total and now - told < PAUSE_S:
                return
            told = now
            spent = now - began
            share = done / total if total else 1.0
            sure = spent >= SURE_AFTER_S and share > 0
            listen(Moment(name, share, spent, spent / share - spent if sure else 0.0 if share == 1 else None))

        return report
