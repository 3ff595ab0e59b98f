"""What all tests share: the score of the walk against recorded truth, printed at the end of the run."""

from __future__ import annotations

import os
import signal
import threading
from typing import Any

import pytest
from hypothesis import settings

from tests import lab

# Continuous integration judges a change by the same examples each time; everybody else explores.
settings.register_profile("ci", derandomize=True, deadline=None)
if os.environ.get("CI"):
    settings.load_profile("ci")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-golden", action="store_true", help="rewrite expected files; the tests that did so fail")


@pytest.fixture
def update_golden(request: pytest.FixtureRequest) -> bool:
    return bool(request.config.getoption("--update-golden"))


def pytest_sessionfinish(session: pytest.Session) -> None:
    """A worker of pytest-xdist hands its part of the score to the process that prints it."""
    output = getattr(session.config, "workeroutput", None)
    if output is not None:
        output["scores"] = [[*key, *row] for key, row in lab.SCORES.rows.items()]


class Collect:
    """Adds up what the workers hand over."""

    def pytest_testnodedown(self, node: Any) -> None:
        for group, name, *row in getattr(node, "workeroutput", {}).get("scores", ()):
            own = lab.SCORES.rows.setdefault((group, name), [0] * len(row))
            own[:] = [a + b for a, b in zip(own, row, strict=True)]


def pytest_configure(config: pytest.Config) -> None:
    # A shell starts what runs in its background with interrupts ignored, and so would be every command that a test interrupts.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN and threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if config.pluginmanager.hasplugin("xdist"):
        config.pluginmanager.register(Collect())


def pytest_terminal_summary(terminalreporter: Any) -> None:
    if lab.SCORES.rows:
        terminalreporter.section("the walk against recorded truth")
        terminalreporter.write_line(lab.SCORES.table())
