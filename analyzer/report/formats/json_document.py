"""The report as JSON; its shape is `docs/report.schema.json`."""

from __future__ import annotations

from collections.abc import Iterator

from analyzer.report import json_report
from analyzer.report.analysis import Analysis
from analyzer.report.messages import Messages


def files(analysis: Analysis, messages: Messages) -> Iterator[tuple[str, bytes]]:
    """``report.json``."""
    yield "report.json", json_report.render(analysis, messages).encode("utf-8")
