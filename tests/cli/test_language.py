"""The language of commands: asked for, from the locale, and in errors."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

import analyzer
from analyzer.cli.analyze import read_meta
from analyzer.cli.said import _patterns, error_lines, language_of, spoken
from analyzer.cli.words import of_locale, words
from analyzer.errors import UsageError
from analyzer.report.messages import Messages

SAMPLES = Path(__file__).parents[2] / "samples"
ERRORS = ("IpvscopeError", "BundleError", "UnsafeBundle", "UsageError", "MissingExtra")
ZH = Messages("zh_CN")


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if name not in ("LC_ALL", "LC_MESSAGES", "LANG")}
    return subprocess.run(
        [sys.executable, "-m", "analyzer.cli.main", *arguments], capture_output=True, text=True, check=False,
        env={**clean, "PYTHONIOENCODING": "utf-8", **environment},
    )  # fmt: skip


@pytest.mark.parametrize(
    ("asked", "language"), [("zh", "zh_CN"), ("zh-CN", "zh_CN"), ("zh_CN", "zh_CN"), ("ZH", "zh_CN"), ("en", "en")]
)
def test_languages_by_their_names(asked: str, language: str) -> None:
    assert words(asked).language == language


def test_an_unknown_language_is_an_error() -> None:
    with pytest.raises(UsageError, match="'tlh'"):
        words("tlh")


@pytest.mark.parametrize(
    ("variables", "language"),
    [
        ({"LANG": "zh_CN.UTF-8"}, "zh_CN"),
        ({"LANG": "zh_SG.UTF-8@pinyin"}, "zh_CN"),
        ({"LANG": "zh_CN.UTF-8", "LC_ALL": "C"}, "en"),
        ({"LANG": "en_GB.UTF-8", "LC_MESSAGES": "zh_CN"}, "zh_CN"),
        ({"LANG": "fr_FR.UTF-8"}, "en"),
        ({}, "en"),
    ],
)
def test_the_locale_decides_otherwise(
    variables: dict[str, str], language: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert of_locale() == language


def test_every_command_takes_a_language() -> None:
    """Read off the commands themselves, so that a new one cannot forget it."""
    source = Path(analyzer.__file__).with_name("cli") / "main.py"
    commands = [
        one for one in ast.parse(source.read_text("utf-8")).body
        if isinstance(one, ast.FunctionDef) and any("command" in ast.unparse(each) for each in one.decorator_list)
    ]  # fmt: skip
    assert len(commands) >= 9
    assert [one.name for one in commands if "lang" not in {argument.arg for argument in one.args.args}] == []


def test_errors_speak_the_language_that_was_asked_for() -> None:
    done = run("analyze", "no-such-bundle", "--lang", "zh")
    assert done.returncode == 3
    assert "没有这个文件或文件夹" in done.stderr
    assert "请检查路径" in done.stderr
    done = run(
        "trace", str(SAMPLES / "clb-reuse.tar.gz"), "--from", "node:x", "--to", "10.0.0.1:80", LANG="zh_CN.UTF-8"
    )
    assert done.returncode == 2
    assert "该诊断包中没有节点 'x'" in done.stderr


def test_errors_are_told_by_the_command_line() -> None:
    assert language_of(["probe", "--lang=zh"]).language == "zh_CN"
    assert language_of(["probe", "--lang", "nonsense"]).language == of_locale()
    error = UsageError("no Service 'a/b' in this bundle", where="f.yaml:3", hint="Services in it: x/y")
    assert error_lines(error, ZH) == ["f.yaml:3: 该诊断包中没有 Service 'a/b'", "其中的 Service：x/y"]
    assert error_lines(error, Messages("en")) == str(error).split("\n  ")


def sentences() -> dict[str, str]:
    """Each sentence that the code raises as an error, with x for its values -> where."""
    found: dict[str, str] = {}
    for file in sorted(Path(analyzer.__file__).parent.rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ERRORS and node.args:
                said = node.args[0]
                if isinstance(said, ast.Constant) and isinstance(said.value, str):
                    found[said.value] = file.name
                elif isinstance(said, ast.JoinedStr):
                    parts = [str(one.value) if isinstance(one, ast.Constant) else "x" for one in said.values]
                    found["".join(parts)] = file.name
    return found


def test_sentences_of_the_code_are_in_the_catalogue() -> None:
    """Nearly all: one that is not is shown in English, so a gap is small, but it must not grow."""
    every = sentences()
    assert len(every) > 60
    known = [pattern for _, pattern in _patterns()]
    missing = {said: where for said, where in every.items() if not any(one.fullmatch(said) for one in known)}
    assert len(missing) * 20 < len(every), missing


def test_a_sentence_nobody_translated_stays_as_it_is() -> None:
    assert spoken("never heard of", ZH) == "never heard of"


def test_meta_is_key_and_value() -> None:
    assert read_meta(["ticket=T-1", "note = a=b "]) == {"ticket": "T-1", "note": "a=b"}
    with pytest.raises(UsageError, match="KEY=VALUE"):
        read_meta(["ticket"])
