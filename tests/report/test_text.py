"""What the terminal shows."""

from __future__ import annotations

import dataclasses

from analyzer.findings.model import Findings
from analyzer.report import text
from analyzer.report.analysis import Analysis
from analyzer.report.messages import Messages

from . import make


def test_summary_has_five_lines_and_the_causes(analysis: Analysis, messages: Messages) -> None:
    lines = text.summary(analysis, messages).splitlines()
    assert len(lines) == 5 + len([line for line in lines if line.startswith("Cause: ")])
    assert len(lines) > 5
    assert "2 Critical, 2 Warning" in lines[1]
    assert "[REACH-001]" in lines[2]
    assert "105 reached" in lines[3]
    none = dataclasses.replace(analysis, findings=Findings(()))
    assert len(text.summary(none, messages).splitlines()) == 5


def test_trace_shows_packet_changes_and_evidence(analysis: Analysis, messages: Messages) -> None:
    shown = text.trace(make.trace(), messages, analysis.snapshot)
    assert "→ node:node-a" in shown
    assert "← pod:shop/web-5d9c7" in shown
    assert "dst 203.0.113.10:443 → 192.0.2.8:8443" in shown
    assert "see nodes/node-a/ipvsadm-Ln.txt:12  TCP  203.0.113.10:443 rr" in shown
    assert shown.index("timeout (30 %)") < shown.index("reached (50 %)")
    assert "192.0.2.9:8443 sees source 198.51.100.1" in shown


def test_plain_text_drives_no_terminal(analysis: Analysis, messages: Messages) -> None:
    plain = (
        text.trace(make.trace(), messages, analysis.snapshot)
        + text.summary(analysis, messages)
        + text.findings(analysis, messages)
    )
    assert not any((ord(char) < 32 and char != "\n") or 127 <= ord(char) < 160 for char in plain)


def test_colour_only_adds_colour(analysis: Analysis, messages: Messages) -> None:
    import re

    coloured = text.trace(make.trace(), messages, analysis.snapshot, color=True)
    assert "\x1b[" in coloured
    assert re.sub(r"\x1b\[[0-9]*m", "", coloured) == text.trace(make.trace(), messages, analysis.snapshot)


def test_verdict_is_one_line(messages: Messages) -> None:
    assert text.verdict(make.trace(), messages) == (
        "node:node-a → 203.0.113.10:443/tcp: differs by path (confidence: high, captured)"
    )
