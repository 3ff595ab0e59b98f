"""Progress with the time left, and files that are whole or not there."""

from __future__ import annotations

from pathlib import Path

import pytest

from analyzer import api
from analyzer.atomic import write_whole
from analyzer.progress import STEPS, Moment, Progress


def test_time_left_follows_from_the_share_done() -> None:
    now = [100.0]
    told: list[Moment] = []
    report = Progress(told.append, clock=lambda: now[0]).step("read")
    report(0, 200)
    now[0] = 100.05
    report(10, 200)  # too soon after the last one
    now[0] = 104.0
    report(50, 200)
    now[0] = 116.0
    report(200, 200)
    assert told == [
        Moment("read", 0.0, 0.0, None), Moment("read", 0.25, 4.0, 12.0), Moment("read", 1.0, 16.0, 0.0),
    ]  # fmt: skip


def test_nothing_to_do_is_done() -> None:
    told: list[Moment] = []
    Progress(told.append).step("read")(0, 0)
    assert [(one.share, one.left_s) for one in told] == [(1.0, 0.0)]


def test_an_analysis_tells_its_steps_in_order() -> None:
    told: list[Moment] = []
    with api.opened(api.example("clb-reuse"), listen=told.append) as snapshot:
        api.analyze(snapshot, simulate=False, listen=told.append)
    assert tuple(dict.fromkeys(one.step for one in told)) == STEPS
    assert told[-1].share == 1.0


def test_interrupted_writing_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "report.json"
    write_whole(path, b"first")

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("analyzer.atomic.os.replace", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_whole(path, b"second")
    assert path.read_bytes() == b"first"
    assert [one.name for one in tmp_path.iterdir()] == ["report.json"]


def test_written_file_has_ordinary_rights(tmp_path: Path) -> None:
    plain, whole = tmp_path / "plain", tmp_path / "whole"
    plain.write_bytes(b"")
    write_whole(whole, b"")
    assert plain.stat().st_mode == whole.stat().st_mode
