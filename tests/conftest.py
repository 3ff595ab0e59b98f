"""What all tests share: the score of the walk against recorded truth, printed at the end of the run."""

from __future__ import annotations

from typing import Any

from tests import lab


def pytest_terminal_summary(terminalreporter: Any) -> None:
    if lab.SCORES.rows:
        terminalreporter.section("the walk against recorded truth")
        terminalreporter.write_line(lab.SCORES.table())
