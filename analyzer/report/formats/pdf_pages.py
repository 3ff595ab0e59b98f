"""The report as a PDF (needs the extra ``pdf``)."""

from __future__ import annotations

from collections.abc import Iterator

from analyzer.report import pdf
from analyzer.report.analysis import Analysis
from analyzer.report.messages import Messages


def files(analysis: Analysis, messages: Messages) -> Iterator[tuple[str, bytes]]:
    """``report.pdf``."""
    yield "report.pdf", pdf.render(analysis, messages)
