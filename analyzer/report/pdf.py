"""The report as a PDF: the paper form of the page, rendered by WeasyPrint in a child process."""

from __future__ import annotations

import base64
import hashlib
import importlib.util
import json
import os
import subprocess
import sys

from analyzer.errors import IpvscopeError, MissingExtra
from analyzer.report import html
from analyzer.report.analysis import Analysis
from analyzer.report.attachments import attachments
from analyzer.report.messages import Messages

TIMEOUT_S = 600
_EPOCH = "0"
"""Time written into embedded fonts, fixed so that the same input gives the same bytes."""


def render(analysis: Analysis, messages: Messages, *, generated: str = "") -> bytes:
    """The PDF, tagged for PDF/UA, with the whole tables attached. It carries no clock: its identifier comes from the page.

    Raises:
        MissingExtra: WeasyPrint, a library it needs, or a font for the report's language is not installed.
        IpvscopeError: rendering failed or took more than its limit of time or memory.
    """
    if importlib.util.find_spec("weasyprint") is None:
        raise MissingExtra(
            messages.text("report.error.no-weasyprint"), hint=messages.text("report.error.no-weasyprint.hint")
        )
    attached = attachments(analysis, messages)
    page = html.render_for_paper(analysis, messages, generated=generated, attached=attached)
    order = {
        "identifier": hashlib.sha256(page.encode("utf-8")).hexdigest()[:32],
        "page": page,
        "cjk": messages.tag.startswith(("zh", "ja", "ko")),
        "attached": [
            {"name": one.name, "title": one.title, "content": base64.b64encode(one.content).decode()}
            for one in attached
        ],
    }
    try:
        # -P: the working folder, which may hold a stranger's files, is not a place to import from.
        child = subprocess.run(
            [sys.executable, "-P", "-m", "analyzer.report.pdf_child"],
            input=json.dumps(order).encode(), capture_output=True, timeout=TIMEOUT_S, check=False,
            env={**os.environ, "SOURCE_DATE_EPOCH": _EPOCH},
        )  # fmt: skip
    except subprocess.TimeoutExpired as expired:
        raise _failed(messages, f"{expired.timeout:.0f} s") from expired
    if child.returncode == 3:
        raise MissingExtra(
            messages.text("report.error.no-pango"), where=_last_line(child.stderr),
            hint=messages.text("report.error.no-pango.hint"),
        )  # fmt: skip
    if child.returncode == 5:
        raise MissingExtra(messages.text("page.error.no-cjk"), hint=messages.text("page.error.no-cjk.hint"))
    if child.returncode or not child.stdout.startswith(b"%PDF-"):
        raise _failed(messages, _last_line(child.stderr) or f"exit {child.returncode}")
    return child.stdout


def _failed(messages: Messages, why: str) -> IpvscopeError:
    return IpvscopeError(messages.text("report.error.pdf"), where=why, hint=messages.text("report.error.pdf.hint"))


def _last_line(stderr: bytes) -> str:
    lines = stderr.decode("utf-8", "replace").strip().splitlines()
    return lines[-1][:200] if lines else ""
