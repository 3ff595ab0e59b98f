"""The report as a PDF: the paper form of the page, rendered by WeasyPrint in a child process."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import subprocess
import sys

from analyzer.errors import IpvscopeError, MissingExtra
from analyzer.report import html
from analyzer.report.analysis import Analysis
from analyzer.report.messages import Messages

TIMEOUT_S = 600
_EPOCH = "0"
"""Time written into embedded fonts, fixed so that the same input gives the same bytes."""


def render(analysis: Analysis, messages: Messages, *, generated: str = "") -> bytes:
    """The PDF. It carries no clock: its identifier comes from the page, which comes from the input.

    Raises:
        MissingExtra: WeasyPrint, or a library it needs, is not installed.
        IpvscopeError: rendering failed or took more than its limit of time or memory.
    """
    if importlib.util.find_spec("weasyprint") is None:
        raise MissingExtra(
            messages.text("report.error.no-weasyprint"), hint=messages.text("report.error.no-weasyprint.hint")
        )
    page = html.render_for_paper(analysis, messages, generated=generated).encode("utf-8")
    identifier = hashlib.sha256(page).hexdigest()[:32]
    try:
        # -P: the working folder, which may hold a stranger's files, is not a place to import from.
        child = subprocess.run(
            [sys.executable, "-P", "-m", "analyzer.report.pdf_child", identifier],
            input=page, capture_output=True, timeout=TIMEOUT_S, check=False,
            env={**os.environ, "SOURCE_DATE_EPOCH": _EPOCH},
        )  # fmt: skip
    except subprocess.TimeoutExpired as expired:
        raise _failed(messages, f"{expired.timeout:.0f} s") from expired
    if child.returncode == 3:
        raise MissingExtra(
            messages.text("report.error.no-pango"), where=_last_line(child.stderr),
            hint=messages.text("report.error.no-pango.hint"),
        )  # fmt: skip
    if child.returncode or not child.stdout.startswith(b"%PDF-"):
        raise _failed(messages, _last_line(child.stderr) or f"exit {child.returncode}")
    return child.stdout


def _failed(messages: Messages, why: str) -> IpvscopeError:
    return IpvscopeError(messages.text("report.error.pdf"), where=why, hint=messages.text("report.error.pdf.hint"))


def _last_line(stderr: bytes) -> str:
    lines = stderr.decode("utf-8", "replace").strip().splitlines()
    return lines[-1][:200] if lines else ""
