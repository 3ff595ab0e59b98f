"""A process that has everything loaded and forks once per bundle: ``python -m analyzer.batch.warm``.

Requests come as JSON lines on standard input, answers go as JSON lines to standard output. Each bundle is analysed in a
fork of its own under limits of memory, CPU time and time (`analyzer.limits`): imports and first uses are paid once, no
memory is kept from bundle to bundle, and a child that dies takes nothing with it. When standard input ends, because
whoever asked is gone, this process and its child end too.
"""

from __future__ import annotations

import gc
import os
import resource
import shutil
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace

import msgspec

from analyzer.batch.analysis import Request, Spent, analyse
from analyzer.batch.warmup import warm_up
from analyzer.limits import Crashed, LimitReached, Limits, run_limited

NO_LIMIT_S = 1e9


class Order(msgspec.Struct, frozen=True):
    """One request with its limits."""

    request: Request
    limits: Limits


class Answer(msgspec.Struct, frozen=True):
    """How it ended: done; limit (of `what`); crashed by an error of this program; died, killed from outside."""

    kind: str
    what: str = ""
    limit: str = ""
    seconds: float = 0.0
    peak_mb: float | None = None


ORDERS = msgspec.json.Decoder(Order)
ANSWERS = msgspec.json.Decoder(Answer)


def main() -> None:
    answers = os.fdopen(os.dup(1), "wb")
    # Nothing that a library prints may look like an answer.
    os.dup2(2, 1)
    current: list[str] = []
    lines = _Lines(current)
    warm_up()
    gc.collect()
    gc.freeze()
    for line in lines:
        order = ORDERS.decode(line)
        current[:] = [order.request.folder]
        answers.write(msgspec.json.encode(answer(order)) + b"\n")
        answers.flush()


def answer(order: Order) -> Answer:
    """Run one request in a child under its limits."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    started = time.monotonic()
    try:
        # Without limits, too, each bundle has a process of its own.
        limits = replace(order.limits, time=NO_LIMIT_S) if order.limits.off else order.limits
        spent: Spent = run_limited(analyse, (order.request,), limits)
    except LimitReached as error:
        return Answer("limit", error.what, error.limit, round(time.monotonic() - started, 3), _peak(before))
    except Crashed as error:
        return Answer(
            "crashed" if error.trace else "died", error.what, "", round(time.monotonic() - started, 3), _peak(before)
        )
    except (OSError, SystemExit) as error:
        return Answer("died", f"{type(error).__name__}: {error}")
    return Answer("done", seconds=spent.seconds, peak_mb=spent.peak_mb)


def _peak(before: int) -> float | None:
    """The kernel keeps the highest peak of all children: it is this child's when it has risen."""
    now = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    return round(now / (1 << 20 if sys.platform == "darwin" else 1 << 10), 1) if now > before else None


class _Lines:
    """Lines of standard input, read by a thread, so that its end is noticed also while a bundle is being analysed."""

    def __init__(self, current: list[str]) -> None:
        self._current = current
        self._ready = threading.Condition()
        self._lines: list[bytes] = []
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        # No buffered reader: its lock could be held in the moment of a fork.
        rest = b""
        while data := os.read(0, 1 << 16):
            *whole, rest = (rest + data).split(b"\n")
            with self._ready:
                self._lines += whole
                self._ready.notify()
        for folder in self._current:
            # Its parent is the work folder of the ticket, which nobody else removes now.
            shutil.rmtree(os.path.dirname(folder), ignore_errors=True)
        # The child of the moment ends with this process.
        os._exit(0)

    def __iter__(self) -> Iterator[bytes]:
        while True:
            with self._ready:
                while not self._lines:
                    self._ready.wait()
                line = self._lines.pop(0)
            yield line


if __name__ == "__main__":
    with suppress(KeyboardInterrupt, BrokenPipeError):
        main()
