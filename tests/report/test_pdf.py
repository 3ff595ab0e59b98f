"""The PDF: readable text, bookmarks, the same bytes, nothing fetched. Skipped where WeasyPrint is not installed."""

from __future__ import annotations

import dataclasses
import importlib.util
import io

import pytest

from analyzer.errors import IpvscopeError, MissingExtra
from analyzer.findings.model import Findings
from analyzer.report import pdf, pdf_child
from analyzer.report.analysis import Analysis
from analyzer.report.messages import Messages

from . import make

needs_weasyprint = pytest.mark.skipif(not importlib.util.find_spec("weasyprint"), reason="WeasyPrint is not installed")


@pytest.fixture(scope="module")
def small() -> Analysis:
    """Few pages: the first two findings, a small matrix."""
    whole = make.analysis()
    return dataclasses.replace(
        whole, matrix=make.matrix(3, 3), findings=Findings(make.findings()[:2]), snapshot=make.snapshot(("node-a",))
    )


@needs_weasyprint
def test_titles_bookmarks_and_stability(small: Analysis, messages: Messages) -> None:
    pypdf = pytest.importorskip("pypdf")
    first = pdf.render(small, messages)
    assert first == pdf.render(small, messages)
    reader = pypdf.PdfReader(io.BytesIO(first))
    text = "\n".join(page.extract_text() for page in reader.pages)
    for section in ("summary", "matrix", "findings", "environment", "coverage", "skipped", "notes", "appendix"):
        assert messages.text(f"report.section.{section}") in text
    assert "REACH-001" in text
    assert "alert(1)" in text
    assert "结算服务" in text
    titles = [item.title for item in reader.outline if not isinstance(item, list)]
    assert messages.text("report.section.findings") in titles
    assert "/CreationDate" not in (reader.metadata or {})
    assert reader.pages[0].mediabox.width == pytest.approx(595.3, abs=1)


def test_says_what_is_missing(small: Analysis, messages: Messages, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    with pytest.raises(MissingExtra, match="ipvscope\\[pdf\\]"):
        pdf.render(small, messages)


@needs_weasyprint
def test_failure_of_the_child_is_an_error_with_a_hint(
    small: Analysis, messages: Messages, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pdf, "TIMEOUT_S", 0.01)
    with pytest.raises(IpvscopeError) as caught:
        pdf.render(small, messages)
    assert caught.value.hint


def test_nothing_is_fetched() -> None:
    for url in ("http://192.0.2.1/x.png", "file:///etc/hostname", "data:image/png;base64,AAAA"):
        with pytest.raises(ValueError, match="loads nothing"):
            pdf_child._refuse(url)
