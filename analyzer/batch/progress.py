"""Live progress on standard error: a bar on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import sys
import time
from collections import Counter
from types import TracebackType
from typing import TYPE_CHECKING, Protocol, TextIO

from analyzer.batch.model import Done
from analyzer.report.messages import Messages

if TYPE_CHECKING:
    from rich.progress import Progress as Bar

EVERY_S = 5.0


class Progress(Protocol):
    def __enter__(self) -> Progress: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def done(self, one: Done) -> None: ...


class Quiet:
    """Says nothing."""

    def __enter__(self) -> Quiet:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def done(self, one: Done) -> None:
        return None


class Plain:
    """One line every few seconds, and one at the end."""

    def __init__(self, total: int, messages: Messages, stream: TextIO) -> None:
        self._total, self._messages, self._stream = total, messages, stream
        self._counts: Counter[str] = Counter()
        self._reused = 0
        self._started = self._told = time.monotonic()

    def __enter__(self) -> Plain:
        return self

    def __exit__(self, *_: object) -> None:
        self._tell()

    def done(self, one: Done) -> None:
        self._counts[one.record.status] += 1
        self._reused += one.reused
        if time.monotonic() - self._told >= EVERY_S:
            self._tell()

    def _tell(self) -> None:
        self._told = time.monotonic()
        print(
            line(self._counts, self._reused, self._total, self._told - self._started, self._messages),
            file=self._stream,
            flush=True,
        )


def line(counts: Counter[str], reused: int, total: int, seconds: float, messages: Messages) -> str:
    """How far it is, in one line."""
    done = sum(counts.values())
    fresh = done - reused
    left = f"{(total - done) * seconds / fresh:.0f}" if fresh and done < total else "0" if done >= total else "?"
    return messages.text(
        "batch.progress", done=done, total=total, ok=counts["ok"], incomplete=counts["incomplete"], failed=counts["failed"],
        reused=reused, seconds=f"{seconds:.0f}", left=left,
    )  # fmt: skip


class Rich:
    """A bar with what is left."""

    def __init__(self, total: int, messages: Messages) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        self._messages = messages
        self._counts: Counter[str] = Counter()
        self._bar: Bar = Progress(
            BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), TextColumn("{task.description}", markup=False),
            console=Console(stderr=True),
        )  # fmt: skip
        self._task = self._bar.add_task("", total=total)

    def __enter__(self) -> Rich:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def done(self, one: Done) -> None:
        self._counts[one.record.status] += 1
        told = self._messages.text(
            "batch.counts", **{name: self._counts[name] for name in ("ok", "incomplete", "failed")}
        )
        self._bar.update(self._task, advance=1, description=told)


def progress(total: int, messages: Messages, *, quiet: bool = False) -> Progress:
    """The form that fits standard error."""
    if quiet:
        return Quiet()
    return Rich(total, messages) if sys.stderr.isatty() else Plain(total, messages, sys.stderr)
