"""The PDF: readable text, bookmarks, the same bytes, nothing fetched. Skipped where WeasyPrint is not installed."""

from __future__ import annotations

import dataclasses
import importlib.util
import io
import shutil
import subprocess
from pathlib import Path

import pypdf
import pytest

from analyzer import api
from analyzer.errors import IpvscopeError, MissingExtra
from analyzer.findings.model import Findings
from analyzer.report import pdf, pdf_child
from analyzer.report.analysis import Analysis
from analyzer.report.messages import Messages
from tests import lab

from . import make

needs_weasyprint = pytest.mark.skipif(not importlib.util.find_spec("weasyprint"), reason="WeasyPrint is not installed")

needs_font = pytest.mark.skipif(not pdf_child.has_font("zh-cn"), reason="no font for Chinese is installed")


@pytest.fixture(scope="module")
def small() -> Analysis:
    """Few pages: the first two findings, a small matrix."""
    whole, snapshot = make.analysis(), make.snapshot(("node-a",))
    short = dataclasses.replace(snapshot, tables={name: frame.head(8) for name, frame in snapshot.tables.items()})
    return dataclasses.replace(
        whole, matrix=make.matrix(3, 3), findings=Findings(make.findings()[:2]), snapshot=short, traces={}
    )


@needs_weasyprint
def test_titles_bookmarks_and_stability(small: Analysis, messages: Messages) -> None:
    first = pdf.render(small, messages)
    assert first == pdf.render(small, messages)
    reader = pypdf.PdfReader(io.BytesIO(first))
    text = "\n".join(page.extract_text() for page in reader.pages)
    for section in ("matrix", "environment", "coverage", "skipped", "notes", "appendix"):
        assert messages.text(f"report.section.{section}") in text
    for section in ("drift", "glossary", "reproduce", "sign-off"):
        assert messages.text(f"page.section.{section}") in text
    assert "REACH-001" in text
    assert "alert(1)" in text
    assert "结算服务" in text
    titles = [item.title for item in reader.outline if not isinstance(item, list)]
    assert messages.text("report.section.matrix") in titles
    assert sum(messages.text("page.cause", number=1) in title for title in titles) == 1
    assert "/CreationDate" not in (reader.metadata or {})
    assert reader.pages[0].mediabox.width == pytest.approx(595.3, abs=1)


@needs_weasyprint
def test_the_first_page_is_one_page() -> None:
    """Of the sample with the most root causes, in the longer language; nothing of the rest matters here."""
    with api.opened(lab.bundle("1.28.3-terway-hostname")) as snapshot:
        whole = api.analyze(snapshot, simulate=False)
    words = Messages("en")
    reader = pypdf.PdfReader(io.BytesIO(pdf.render(dataclasses.replace(whole, traces={}), words)))
    first, second = (reader.pages[number].extract_text() for number in (0, 1))
    assert words.text("page.basis") in first
    assert words.text("page.missing") in first
    assert words.text("page.contents") in second


@pytest.fixture(scope="module")
def chinese(small: Analysis) -> bytes:
    return pdf.render(small, Messages("zh_CN"))


@needs_weasyprint
@needs_font
def test_chinese_is_searchable_and_its_glyphs_are_embedded(chinese: bytes) -> None:
    reader = pypdf.PdfReader(io.BytesIO(chinese))
    words = Messages("zh_CN")
    text = "".join(page.extract_text() for page in reader.pages)
    assert words.text("incident.owner") in text
    assert words.text("page.do-now") in text
    assert words.text("page.section.sign-off") in text
    fonts = {
        str(font.get_object()["/BaseFont"]): font.get_object()["/DescendantFonts"][0]
        .get_object()["/FontDescriptor"]
        .get_object()
        for page in reader.pages
        for font in page["/Resources"]["/Font"].values()
    }
    assert all({"/FontFile2", "/FontFile3"} & set(descriptor) for descriptor in fonts.values())
    # A subset, not the font: fonts for Chinese have more than ten megabytes.
    assert len(chinese) < 3_000_000
    assert not any(name.endswith(("CJK-JP", "CJK-KR", "CJK-TC", "CJKjp", "CJKkr", "CJKtc")) for name in fonts)


@needs_weasyprint
@needs_font
def test_tags_language_attachments_and_links(chinese: bytes, small: Analysis) -> None:
    reader = pypdf.PdfReader(io.BytesIO(chinese))
    catalog = reader.trailer["/Root"].get_object()
    assert catalog["/MarkInfo"]["/Marked"] == True  # noqa: E712 - an object of pypdf
    assert catalog["/Lang"] == "zh-CN"
    assert b"pdfuaid" in catalog["/Metadata"].get_object().get_data()
    assert set(reader.attachments) >= {"matrix.csv", "services.csv", "virtual_servers.csv"}
    assert len(reader.attachments["matrix.csv"][0].decode().splitlines()) == len(small.matrix.cells) + 1
    links = [[one.get_object()["/Subtype"] for one in page.get("/Annots", [])].count("/Link") for page in reader.pages]
    # From the first page to each cause and the fix to begin with, then the contents.
    assert links[0] >= 4
    assert sum(links) > 20
    assert len(reader.pages) < 40


@needs_weasyprint
def test_without_a_chinese_font_there_is_a_message_and_no_tofu(
    small: Analysis, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A machine whose only font has no Chinese: fontconfig is given a folder with one font."""
    found = subprocess.run(
        ["fc-match", "-f", "%{file}", "DejaVu Sans"], capture_output=True, text=True, check=False
    ).stdout
    if not found.endswith("DejaVuSans.ttf"):
        pytest.skip("DejaVu Sans is not installed")
    (tmp_path / "fonts").mkdir()
    shutil.copy(found, tmp_path / "fonts")
    (tmp_path / "fonts.conf").write_text(
        f"<?xml version='1.0'?><fontconfig><dir>{tmp_path}/fonts</dir><cachedir>{tmp_path}/cache</cachedir></fontconfig>"
    )
    monkeypatch.setenv("FONTCONFIG_FILE", str(tmp_path / "fonts.conf"))
    with pytest.raises(MissingExtra, match="中文字体") as caught:
        pdf.render(small, Messages("zh_CN"))
    assert "fonts-noto-cjk" in caught.value.hint
    tiny = dataclasses.replace(small, findings=Findings(()), remedies={})
    text = "".join(page.extract_text() for page in pypdf.PdfReader(io.BytesIO(pdf.render(tiny, Messages("en")))).pages)
    assert "\\u793a\\u4f8b" in text
    assert "示例" not in text


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
