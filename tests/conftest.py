"""What all tests share: the score of the walk against recorded truth, printed at the end of the run."""

from __future__ import annotations

import os
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


def pytest_terminal_summary(terminalreporter: Any) -> None:
    if lab.SCORES.rows:
        terminalreporter.section("the walk against recorded truth")
        terminalreporter.write_line(lab.SCORES.table())
