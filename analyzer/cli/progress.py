"""The progress line on standard error: shown when work takes more than a second, and only on a terminal.

It is taken away before anything else is printed (`analyzer.cli.out` does that), so it never mixes with the output.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, TextIO, cast

if TYPE_CHECKING:
    from rich.progress import Progress

DELAY_S = 1.0


class Display:
    """One line: a spinner, the stage, a bar where its length is known, the time so far and left."""

    def __init__(self, delay: float = DELAY_S) -> None:
        self.enabled = False
        self.language = "en"
        self._delay = delay
        self._lock = threading.RLock()
        self._timer: threading.Timer | None = None
        self._line: Progress | None = None
        self._now = ("", 0, 0)

    def enable(self) -> None:
        """Show it where standard error is a terminal that can."""
        self.enabled = sys.stderr.isatty() and os.environ.get("TERM", "") not in ("", "dumb")

    def update(self, stage: str, done: int, total: int) -> None:
        """Take note of a stage; the line appears when a second has passed since the first one."""
        if not self.enabled:
            return
        with self._lock:
            self._now = (stage, done, total)
            if self._line is not None:
                self._refresh()
            elif self._timer is None:
                self._timer = threading.Timer(self._delay, self._show)
                self._timer.daemon = True
                self._timer.start()

    def around(self, work: Callable[[], int]) -> int:
        """Do the work; whatever becomes of it, the line is taken away (a child process leaves without further ado)."""
        try:
            return work()
        finally:
            self.stop()

    def stop(self) -> None:
        """Take the line away; the next stage begins a new one."""
        with self._lock:
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None
            if self._line is not None:
                self._line.stop()
                self._line = None

    def _show(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn

        with self._lock:
            if self._timer is None:
                return
            self._line = Progress(
                SpinnerColumn(), TextColumn("{task.description}", markup=False), BarColumn(bar_width=24),
                TimeElapsedColumn(), TimeRemainingColumn(), console=Console(file=_raw_stderr()), transient=True,
                redirect_stdout=False, redirect_stderr=False,
            )  # fmt: skip
            self._line.add_task("", total=None)
            self._refresh()
            self._line.start()

    def _refresh(self) -> None:
        from analyzer.report.messages import Messages

        stage, done, total = self._now
        if self._line is not None:
            told = Messages(self.language).text(f"progress.{stage}")
            task = self._line.task_ids[0]
            self._line.update(task, description=told, total=total or None, completed=done)


def _raw_stderr() -> TextIO:
    """Standard error below the net that takes control characters away: the line moves the cursor, and no text of a bundle is in it."""
    return cast(TextIO, getattr(sys.stderr, "below", sys.stderr))


display = Display()
"""The one of this process; `main` enables it."""
