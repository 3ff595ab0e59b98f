"""Help in both languages: the catalogue says what the code says, and every command speaks."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import typer.main
from babel.messages.catalog import Catalog
from babel.messages.pofile import read_po, write_po
from rich.cells import cell_len

from analyzer.cli.help import texts
from analyzer.cli.main import app
from tests.cli.test_commands import run

LOCALE = Path(__file__).resolve().parents[2] / "locale"
COMMANDS = tuple(typer.main.get_command(app).commands)  # type: ignore[attr-defined]


def catalogue(language: str) -> Catalog:
    with (LOCALE / language / "LC_MESSAGES" / "help.po").open("rb") as file:
        return read_po(file, locale=language)


def test_the_catalogue_says_what_the_code_says(update_golden: bool) -> None:
    said = {id: re.sub(r"\x08\n?", "", text) for id, text in texts(typer.main.get_command(app)).items()}
    if update_golden:
        made = Catalog(locale="en", fuzzy=False)
        for id, text in sorted(said.items()):
            made.add(id, text)
        with (LOCALE / "en" / "LC_MESSAGES" / "page.po").open("rb") as file:
            header = file.read().partition(b"\n\n")[0]
        with (LOCALE / "en" / "LC_MESSAGES" / "help.po").open("wb") as file:
            file.write(header + b"\n\n")
            write_po(file, made, omit_header=True, width=0)
    assert {message.id: message.string for message in catalogue("en") if message.id} == said
    assert {message.id for message in catalogue("zh_CN")} == {message.id for message in catalogue("en")}


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_helps_in_chinese(command: str) -> None:
    english, chinese = run(command, "--help").stdout, run(command, "--help", "--lang", "zh").stdout
    assert chinese.startswith("用法：")
    assert set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", english)) <= set(re.findall(r"--[a-z][a-z-]+", chinese)) | {
        "--lang"
    }
    assert max(map(cell_len, chinese.splitlines())) <= 130
    for line in chinese.splitlines():
        assert not re.search(r"[a-z]+ [a-z]+ [a-z]+ [a-z]+", re.sub(r"\S+\.po\S*", "", line)), line


def test_the_locale_decides_and_the_option_overrules(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LC_ALL", "zh_CN.UTF-8")
    assert run("trace", "-h").stdout.startswith("用法：")
    assert "analyze" in run("-h").stdout
    assert "分析诊断包并生成报告" in run("-h").stdout
    assert run("trace", "-h", "--lang=en").stdout.startswith("Usage:")
    monkeypatch.setenv("LC_ALL", "fr_FR.UTF-8")
    assert run("trace", "-h").stdout.startswith("Usage:")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("trace", "x", "--to", "192.0.2.1:80"), "缺少 --from。"),
        (("trace", "x", "--from", "node:a", "--to", "192.0.2.1:80", "--wrong"), "没有选项 --wrong"),
        (("nosuch",), "没有命令 nosuch。"),
        (("matrix", "x", "--max-cells", "many"), "--max-cells 的值无效："),
    ],
)
def test_a_wrong_command_line_is_explained(words: tuple[str, ...], said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run(*words).stderr.startswith("Usage:")
    monkeypatch.setenv("LC_ALL", "zh_CN.UTF-8")
    done = run(*words)
    assert done.returncode == 2
    assert done.stderr.startswith(f"ipvscope: {said}")
    assert "查看帮助" in done.stderr
