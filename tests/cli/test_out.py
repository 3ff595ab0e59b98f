"""Printing: plain into pipes, styled on terminals, JSON on every command, progress only where it is seen."""

from __future__ import annotations

import io
import json
import os
import pty
import select
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from analyzer.cli import out
from analyzer.cli.main import main
from analyzer.cli.progress import Display

SAMPLE = str(Path(__file__).parents[2] / "samples" / "clb-reuse.tar.gz")
FROM_TO = ("--from", "node:cn-hongkong.10.0.2.77", "--to", "192.168.1.200:443")


@dataclass(frozen=True)
class Done:
    returncode: int
    stdout: str
    stderr: str


Run = Callable[..., Done]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """The command in this process, not in its limited child: much faster, and its output can be captured."""
    monkeypatch.setattr("analyzer.limits.run_limited", lambda command, arguments, _limits, _where: command(*arguments))

    def call(*arguments: str) -> Done:
        monkeypatch.setattr(sys, "argv", ["ipvscope", *arguments])
        with pytest.raises(SystemExit) as left:
            main()
        captured = capsys.readouterr()
        return Done(int(left.value.code or 0), captured.out, captured.err)

    return call


def on_terminal(*arguments: str) -> tuple[int, str]:
    """Exit code and what a terminal receives."""
    leader, follower = pty.openpty()
    child = subprocess.Popen(
        [sys.executable, "-m", "analyzer.cli.main", *arguments], stdin=follower, stdout=follower, stderr=follower,
        env={**os.environ, "TERM": "xterm-256color", "COLUMNS": "120"},
    )  # fmt: skip
    os.close(follower)
    received = b""
    while select.select([leader], [], [], 120)[0]:
        try:
            part = os.read(leader, 65536)
        except OSError:
            break
        if not part:
            break
        received += part
    os.close(leader)
    return child.wait(), received.decode("utf-8").replace("\r\n", "\n")


@pytest.mark.parametrize(
    ("arguments", "schema", "keys"),
    [
        (
            ("inspect", SAMPLE),
            "ipvscope-inspect/1",
            {"source", "layout", "digest", "nodes", "clocks", "captures", "notes"},
        ),
        (("inspect", SAMPLE, "-t", "virtual_servers"), "ipvscope-table/1", {"table", "rows"}),
        (("probe", SAMPLE, *FROM_TO), "ipvscope-trace/1", {"source", "target", "verdict", "paths"}),
        (("trace", SAMPLE, *FROM_TO), "ipvscope-trace/1", {"source", "target", "verdict", "paths"}),
        (("matrix", SAMPLE), "ipvscope-matrix/1", {"cells", "not_walked"}),
        (("rules",), "ipvscope-rules/1", {"rules"}),
        (("rules", "reach-001"), "ipvscope-rules/1", {"rules"}),
        (
            ("expected", SAMPLE, "--node", "cn-hongkong.10.0.2.77", "--what", "all"),
            "ipvscope-expected/1",
            {"node", "undecided", "servers", "addresses", "sets", "rules", "chains", "sysctls", "sockets"},
        ),
        (
            ("whatif", SAMPLE, "--apply", "drain cn-hongkong.10.0.2.77"),
            "ipvscope-whatif/1",
            {"applied", "cells", "counts", "changes", "forecast", "assumed", "not_walked"},
        ),
        (
            ("diff", SAMPLE, SAMPLE),
            "ipvscope-diff/1",
            {"changed", "findings", "verdicts", "objects", "nodes", "not_compared", "not_walked"},
        ),
    ],
)
def test_json_on_every_command(run: Run, arguments: tuple[str, ...], schema: str, keys: set[str]) -> None:
    done = run(*arguments, "--json")
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert document.pop("schema") == schema
    assert document.keys() == keys


def test_analyze_json_answers_and_names_the_files(run: Run, tmp_path: Path) -> None:
    done = run("analyze", SAMPLE, "-o", str(tmp_path), "-f", "json,md,csv", "--json", "--no-simulate")
    assert done.returncode == 1, done.stderr
    document = json.loads(done.stdout)
    assert document["schema"] == "ipvscope-analyze/1"
    assert document["exit_code"] == 1
    assert [one["rule"] for one in document["findings"]] == ["REACH-001"]
    assert document["incidents"][0]["owner"] == "cluster"
    assert document["files"] == [str(tmp_path / name) for name in ("report.json", "report.md", "tables")]
    assert (tmp_path / "tables" / "matrix.csv").is_file()


def test_an_unknown_format_is_a_usage_error(run: Run, tmp_path: Path) -> None:
    done = run("analyze", SAMPLE, "-o", str(tmp_path / "new"), "-f", "html,docx")
    assert done.returncode == 2
    assert "formats: html, pdf, json, md, sarif" in done.stderr
    assert not (tmp_path / "new").exists()


def test_a_terminal_gets_a_tree_and_a_pipe_plain_text(run: Run) -> None:
    code, told = on_terminal("trace", SAMPLE, *FROM_TO)
    assert code == 0
    assert "├──" in told
    assert "\x1b[" in told
    plain = run("trace", SAMPLE, *FROM_TO).stdout
    assert "├──" not in plain
    assert "\x1b" not in plain


@pytest.mark.parametrize(
    ("term", "tty", "wanted"), [("xterm", True, True), ("dumb", True, False), ("xterm", False, False)]
)
def test_style_is_for_terminals_that_can(monkeypatch: pytest.MonkeyPatch, term: str, tty: bool, wanted: bool) -> None:
    stream = io.StringIO()
    monkeypatch.setattr(stream, "isatty", lambda: tty, raising=False)
    monkeypatch.setattr(sys, "stdout", stream)
    monkeypatch.setenv("TERM", term)
    assert out.styled() is wanted


def test_no_colour_where_none_is_wanted(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(out, "styled", lambda: True)
    monkeypatch.setattr("analyzer.cli.main.guard", lambda: None)  # it lets colours through to terminals alone
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    assert "\x1b[31m" in run("probe", SAMPLE, *FROM_TO).stdout
    monkeypatch.setenv("NO_COLOR", "1")
    told = run("probe", SAMPLE, *FROM_TO).stdout
    assert "refused" in told
    assert "\x1b[3" not in told


def test_what_the_encoding_lacks_is_no_error() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "analyzer.cli.main", "rules", "--lang", "zh_CN"],
        capture_output=True, text=True, check=False, env={**os.environ, "PYTHONIOENCODING": "ascii"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "\\u" in done.stdout


def test_plain_text_is_cleaned(capsys: pytest.CaptureFixture[str]) -> None:
    out.say("a\x1b[31m\x9b\u202eb\n\tc")
    out.warn("x\x07y")
    out.lines(["l\x00"])
    captured = capsys.readouterr()
    assert captured.out == "a\ufffd[31m\ufffd\ufffdb\n\tc\nl\ufffd\n"
    assert captured.err == "ipvscope: x\ufffdy\n"


def test_json_escapes_what_drives_a_terminal() -> None:
    text = out.json_text({"a\x9b": ["\u202e\x1b\ud800\x7f", "汉"]})
    assert all(char.isprintable() or char == "\n" for char in text)
    assert json.loads(text) == {"a\x9b": ["\u202e\x1b\ud800\x7f", "汉"]}
    text.encode("utf-8")


def test_csv_of_a_hostile_table_is_guarded(run: Run, tmp_path: Path) -> None:
    services = {"kind": "List", "apiVersion": "v1", "items": [
        {"apiVersion": "v1", "kind": "Service", "metadata": {"namespace": "=cmd()", "name": "x\x1b]0;t"}, "spec": {"ports": []}},
    ]}  # fmt: skip
    (tmp_path / "services.json").write_text(json.dumps(services))
    done = run("inspect", str(tmp_path), "-t", "services")
    assert done.returncode == 0, done.stderr
    assert "\n'=cmd(),x\ufffd]0;t," in done.stdout


def display(monkeypatch: pytest.MonkeyPatch, *, tty: bool) -> tuple[Display, io.StringIO]:
    stream = io.StringIO()
    monkeypatch.setattr(stream, "isatty", lambda: tty, raising=False)
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.setenv("TERM", "xterm")
    shown = Display(delay=0.02)
    shown.enable()
    return shown, stream


def test_progress_is_silent_in_a_pipe(monkeypatch: pytest.MonkeyPatch) -> None:
    shown, stream = display(monkeypatch, tty=False)
    shown.update("reading", 0, 0)
    time.sleep(0.1)
    shown.stop()
    assert stream.getvalue() == ""


def test_progress_is_silent_when_the_work_is_short(monkeypatch: pytest.MonkeyPatch) -> None:
    shown, stream = display(monkeypatch, tty=True)
    shown.update("reading", 0, 0)
    shown.stop()
    time.sleep(0.1)
    assert stream.getvalue() == ""


def test_progress_appears_and_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    shown, stream = display(monkeypatch, tty=True)
    shown.update("reading", 0, 0)
    limit = time.monotonic() + 10
    while "reading the bundle" not in stream.getvalue() and time.monotonic() < limit:
        time.sleep(0.02)
    shown.update("fixes", 1, 4)
    shown.stop()
    told = stream.getvalue()
    assert "reading the bundle" in told
    assert "trying out fixes" in told
    assert told.rstrip().endswith("\x1b[2K")  # the line is taken away
