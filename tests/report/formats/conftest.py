"""The hand-made analysis in every format, once."""

from __future__ import annotations

import dataclasses

import pytest

from analyzer.report import formats
from analyzer.report.analysis import Analysis
from analyzer.report.messages import Messages

from .. import make

FAST = tuple(name for name in formats.FORMATS if name not in ("html", "pdf"))


@pytest.fixture(scope="session")
def messages() -> Messages:
    return Messages("en")


@pytest.fixture(scope="session")
def analysis() -> Analysis:
    return make.analysis()


@pytest.fixture(scope="session")
def written(analysis: Analysis, messages: Messages) -> dict[str, dict[str, bytes]]:
    """format -> path -> content."""
    return {name: dict(formats.files(name, analysis, messages)) for name in FAST}


@pytest.fixture(scope="session")
def accepted(analysis: Analysis) -> Analysis:
    """The same with its first finding accepted."""
    first, *rest = analysis.findings.findings
    known = dataclasses.replace(first, suppressed=f"until March {make.HOSTILE}")
    return dataclasses.replace(analysis, findings=dataclasses.replace(analysis.findings, findings=(known, *rest)))
