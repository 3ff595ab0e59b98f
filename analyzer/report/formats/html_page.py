"""The report as one HTML page."""

from __future__ import annotations

from collections.abc import Iterator

from analyzer.report import html
from analyzer.report.analysis import Analysis
from analyzer.report.messages import Messages


def files(analysis: Analysis, messages: Messages) -> Iterator[tuple[str, bytes]]:
    """``report.html``."""
    yield "report.html", html.render(analysis, messages).encode("utf-8")
