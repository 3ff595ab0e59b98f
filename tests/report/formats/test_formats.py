"""What every format keeps: equal bytes, own paths, no control characters, both languages."""

from __future__ import annotations

import unicodedata

import pytest

from analyzer.errors import UsageError
from analyzer.report import formats
from analyzer.report.analysis import Analysis
from analyzer.report.messages import Messages

from .. import make
from .conftest import FAST

TEXT = ("json", "md", "sarif", "junit", "csv")


def test_formats_are_chosen_by_commas_and_repeats() -> None:
    assert formats.chosen([]) == ("html", "pdf", "json")
    assert formats.chosen(["md, SARIF", "md"]) == ("md", "sarif")
    with pytest.raises(UsageError, match="no format 'docx'"):
        formats.chosen(["md,docx"])
    with pytest.raises(UsageError):
        formats.chosen([""])


@pytest.mark.parametrize("name", FAST)
def test_equal_input_gives_equal_bytes(name: str, written: dict[str, dict[str, bytes]], messages: Messages) -> None:
    assert dict(formats.files(name, make.analysis(), messages)) == written[name]


def test_paths_are_the_tools_own(written: dict[str, dict[str, bytes]]) -> None:
    paths = [path for files in written.values() for path in files]
    assert len(paths) == len(set(paths))
    assert {path for path in paths if "/" not in path} == {
        "report.json", "report.md", "report.sarif", "report.junit.xml",
    }  # fmt: skip
    assert all(path.startswith("tables/") and path.count("/") == 1 for path in paths if "/" in path)


@pytest.mark.parametrize("name", TEXT)
def test_no_control_or_direction_character_is_written(name: str, written: dict[str, dict[str, bytes]]) -> None:
    for path, content in written[name].items():
        text = content.decode("utf-8-sig")
        bad = {char for char in text if unicodedata.category(char) in ("Cc", "Cf") and char != "\n"}
        assert not bad, path


@pytest.mark.parametrize("name", TEXT)
def test_every_format_speaks_chinese(name: str, analysis: Analysis, written: dict[str, dict[str, bytes]]) -> None:
    chinese = dict(formats.files(name, analysis, Messages("zh_CN")))
    assert chinese.keys() == written[name].keys()
    assert chinese != written[name]
    assert not any("⟦output." in content.decode("utf-8-sig") for content in chinese.values())
