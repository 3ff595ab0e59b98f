"""What ``analyze`` prints: a summary for people, styled on a terminal, or one JSON document for programs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from analyzer.cli import out

if TYPE_CHECKING:
    from analyzer.report.analysis import Analysis
    from analyzer.report.messages import Messages


def show(analysis: Analysis, messages: Messages, written: Sequence[Path], code: int, *, as_json: bool) -> None:
    """Print the summary and where the reports are."""
    if as_json:
        out.document(plain(analysis, messages, written, code))
    elif out.styled():
        from analyzer.report.terminal import summary

        console = out.console()
        summary.show(console, analysis, messages)
        summary.written(console, written, messages)
    else:
        from analyzer.report import text

        out.say(text.summary(analysis, messages), end="")
        for path in written:
            out.say(str(path))


def plain(analysis: Analysis, messages: Messages, written: Sequence[Path], code: int) -> dict[str, Any]:
    """``ipvscope-analyze/1``: the parts of the report that answer at once; everything is in report.json."""
    import msgspec

    from analyzer.report.json_report import report

    whole = msgspec.to_builtins(report(analysis, messages))
    names = ("rule", "about", "severity", "title", "confidence", "nodes", "services", "suppressed")
    return {
        "schema": "ipvscope-analyze/1",
        **{
            key: whole[key]
            for key in ("language", "tool", "input", "summary", "incidents", "symptoms", "intent", "skipped")
        },
        "findings": [{name: one[name] for name in names} for one in whole["findings"]],
        "files": [str(path) for path in written],
        "exit_code": code,
    }
