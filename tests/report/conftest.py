"""A rich analysis made by hand: hostile names, long names, Chinese names, a matrix of 24 x 9, six findings."""

from __future__ import annotations

import pytest

from analyzer.report.analysis import Analysis
from analyzer.report.messages import Messages

from .make import analysis as make_analysis


@pytest.fixture(scope="session")
def messages() -> Messages:
    return Messages("en")


@pytest.fixture(scope="session")
def analysis() -> Analysis:
    return make_analysis()
