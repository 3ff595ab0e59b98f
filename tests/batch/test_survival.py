"""Limits, processes that are killed, and results that are there already."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from analyzer.batch import digest
from analyzer.batch.model import Done, Found, Options, Record, Status, Task, Ticket
from analyzer.batch.one import SLOTS, analyse_one
from analyzer.batch.progress import Quiet
from analyzer.batch.run import Outcome, Plan
from analyzer.batch.run import run as run_batch
from analyzer.batch.store import FolderStore
from analyzer.cli.batch import run as run_command
from analyzer.errors import UsageError
from analyzer.limits import DEFAULT, Limits
from analyzer.report.messages import Messages
from tests.batch.queue import batch, bundle, command, fill, rows, steady

PLAIN = Options(reports=())


@pytest.fixture(autouse=True, scope="module")
def _slots() -> Iterator[None]:
    yield
    SLOTS.close()


def task(path: Path, store: Path, limits: Limits = DEFAULT, **more: str) -> Task:
    return Task(1, Ticket("T", str(path), path.name, **more), PLAIN, limits, str(store))


def test_a_limit_is_said_and_a_higher_limit_tries_again(tmp_path: Path) -> None:
    # A member that has to be read as a whole: the warm process has no such room to spare.
    path = tmp_path / "in"
    for name, text in {**bundle(0), "notes.txt": "x" * (64 << 20)}.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_text(text)
    small = Limits(memory=1 << 20, cpu=None, time=60)
    first = analyse_one(task(path, tmp_path / "out", small))
    assert first.record.limit == "memory"
    assert first.record.status != "ok"
    assert "memory" in first.record.error
    again = analyse_one(task(path, tmp_path / "out", small))
    assert again.reused, "the same limit would end it the same way"
    more = analyse_one(task(path, tmp_path / "out"))
    assert (more.record.status, more.record.limit) == ("ok", "")
    assert not more.reused
    assert more.key == first.key
    assert analyse_one(task(path, tmp_path / "out", small)).reused, (
        "a result does not depend on limits that it did not need"
    )


def test_a_bundle_too_large_is_tried_again_when_it_may_be_larger(tmp_path: Path) -> None:
    (path,) = fill(tmp_path / "in", 1)
    first = analyse_one(task(path, tmp_path / "out", Limits(size=100)))
    assert (first.record.status, first.record.limit) == ("failed", "size")
    assert analyse_one(task(path, tmp_path / "out", Limits(size=100))).reused
    more = analyse_one(task(path, tmp_path / "out"))
    assert (more.record.status, more.reused) == ("ok", False)


def test_time_ends_an_analysis(tmp_path: Path) -> None:
    (path,) = fill(tmp_path / "in", 1)
    done = analyse_one(task(path, tmp_path / "out", Limits(None, None, 0.01)))
    assert (done.record.status, done.record.limit) == ("failed", "time")


def test_a_result_is_found_by_content_not_by_place(tmp_path: Path) -> None:
    (path,) = fill(tmp_path / "in", 1)
    first = analyse_one(task(path, tmp_path / "out"))
    copy = tmp_path / "elsewhere" / path.name
    copy.parent.mkdir()
    copy.write_bytes(path.read_bytes())
    assert analyse_one(task(copy, tmp_path / "out")).reused
    assert analyse_one(task(copy, tmp_path / "out", symptom="")).key == first.key
    assert analyse_one(task(copy, tmp_path / "out", symptom="it hangs")).key != first.key
    copy.write_bytes(fill(tmp_path / "other", 1, seed=1)[0].read_bytes())
    assert analyse_one(task(copy, tmp_path / "out")).key != first.key


def test_a_warm_process_that_is_killed_costs_nothing_but_time(tmp_path: Path) -> None:
    (path,) = fill(tmp_path / "in", 1)
    slot = SLOTS.mine()
    analyse_one(task(path, tmp_path / "warm"))
    process = slot._process
    assert process is not None
    killer = threading.Timer(0.05, process.kill)
    killer.start()
    done = analyse_one(task(path, tmp_path / "out"))
    killer.join()
    assert done.record.status != "failed"
    assert not done.reused


def test_a_record_that_is_damaged_is_made_again(tmp_path: Path) -> None:
    (path,) = fill(tmp_path / "in", 1)
    first = analyse_one(task(path, tmp_path / "out"))
    (record,) = (tmp_path / "out" / "results").rglob(f"{first.key}.json")
    record.write_bytes(record.read_bytes()[:50])
    again = analyse_one(task(path, tmp_path / "out"))
    assert not again.reused
    assert again.record == first.record


@pytest.mark.parametrize("content", [b"\xff\xfe", b"../../elsewhere", b""])
def test_a_note_of_what_was_seen_that_is_damaged_costs_a_look_at_the_content(tmp_path: Path, content: bytes) -> None:
    (path,) = fill(tmp_path / "in", 1)
    first = analyse_one(task(path, tmp_path / "out"))
    (seen,) = (tmp_path / "out" / "seen").iterdir()
    seen.write_bytes(content)
    again = analyse_one(task(path, tmp_path / "out"))
    assert (again.key, again.reused) == (first.key, True)
    assert seen.read_text() == first.key


def test_a_store_keeps_the_old_content_until_the_new_is_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = FolderStore(str(tmp_path))
    store.put("a/b.json", b"old")

    def fails(_: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", fails)
    with pytest.raises(KeyboardInterrupt):
        store.put("a/b.json", b"new")
    assert store.get("a/b.json") == b"old"
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["b.json"]
    assert store.get("a/none") is None


def test_the_digest_of_a_folder_is_that_of_its_files(tmp_path: Path) -> None:
    for name in ("x", "y"):
        (tmp_path / name / "nodes").mkdir(parents=True)
        (tmp_path / name / "nodes" / "a.txt").write_text("1")
        (tmp_path / name / "link").symlink_to("/etc/passwd")
        os.mkfifo(tmp_path / name / "pipe")
    assert digest.content_digest(str(tmp_path / "x")) == digest.content_digest(str(tmp_path / "y"))
    (tmp_path / "y" / "nodes" / "a.txt").write_text("2")
    assert digest.content_digest(str(tmp_path / "x")) != digest.content_digest(str(tmp_path / "y"))


def descendants(pid: int) -> set[int]:
    found: set[int] = set()
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            text = (folder / "environ").read_bytes()
        except OSError:
            continue
        if f"IPVSCOPE_TEST={pid}".encode() in text.split(b"\0"):
            found.add(int(folder.name))
    return found


def test_killed_and_resumed_gives_what_an_undisturbed_run_gives(tmp_path: Path) -> None:
    fill(tmp_path / "in", 8)
    mark = str(os.getpid())
    arguments = (tmp_path / "in", "-j", "2", "--no-duckdb", "-r", "none")
    child = subprocess.Popen(
        command(*arguments, "-o", tmp_path / "killed"), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        env={**os.environ, "IPVSCOPE_TEST": mark},
    )  # fmt: skip
    results = tmp_path / "killed" / "results"
    deadline = time.monotonic() + 120
    while len(list(results.rglob("*.cost.json"))) < 2 and time.monotonic() < deadline:
        time.sleep(0.02)
    child.send_signal(signal.SIGKILL)
    child.wait()
    there = len(list(results.rglob("*.cost.json")))
    assert 2 <= there < 8
    assert not (tmp_path / "killed" / "tickets.csv").exists()
    while descendants(int(mark)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not descendants(int(mark)), "nobody works on when the batch is gone"
    resumed = batch(*arguments, "-o", tmp_path / "killed")
    calm = batch(*arguments, "-o", tmp_path / "calm")
    assert resumed.returncode == calm.returncode, resumed.stderr
    assert steady(tmp_path / "killed") == steady(tmp_path / "calm")
    assert [row["ticket"] for row in rows(tmp_path / "killed")] == [f"case-{number:03}" for number in range(8)]
    assert ", 0 failed; 0 were there" not in resumed.stdout


def test_interrupted_from_the_keyboard(tmp_path: Path) -> None:
    fill(tmp_path / "in", 4)
    child = subprocess.Popen(
        command(tmp_path / "in", "-o", tmp_path / "out", "-j", "1"),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    while not list((tmp_path / "out").rglob("*.cost.json")):
        time.sleep(0.02)
    child.send_signal(signal.SIGINT)
    _, told = child.communicate(timeout=60)
    assert child.returncode == 130
    assert "Traceback" not in told
    assert not (tmp_path / "out" / "tickets.csv").exists()


CODES = [
    (("ok", "ok"), "notice", 0), (("ok", "failed"), "notice", 4), (("ok", "incomplete"), "notice", 4), (("failed", "failed"), "", 3),
    (("ok", "failed"), "warning", 1), (("ok",), "critical", 1), (("failed",), "critical", 3),
]  # fmt: skip


@pytest.mark.parametrize(("statuses", "severity", "code"), CODES)
def test_exit_codes(statuses: tuple[Status, ...], severity: str, code: int) -> None:
    found = Found("X-001", "a", severity, "", "high", "x", (), 1, 1)
    entries = [
        (
            Ticket("t", "s", "s"),
            Done(number, "k", Record(status, findings=(found,) if status != "failed" else ()), None),
        )
        for number, status in enumerate(statuses, 1)
    ]
    assert Outcome(entries, ()).exit_code("warning") == code
    assert Outcome(entries, ()).exit_code("never") == (3 if code == 3 else 4 if set(statuses) != {"ok"} else 0)


WRONG = [
    {"engine": "dask"}, {"scheduler": "tcp://127.0.0.1:1"}, {"limits": "memory=-1"}, {"output": "https://h/x"}, {"lang": "xx"},
]  # fmt: skip


@pytest.mark.parametrize("changed", WRONG, ids=lambda one: next(iter(one)))
def test_wrong_use(tmp_path: Path, changed: dict[str, str]) -> None:
    (tmp_path / "a.tgz").write_bytes(b"x")
    words = {"output": str(tmp_path / "out"), "limits": "", "engine": "pool", "scheduler": "", "lang": "en", **changed}
    with pytest.raises(UsageError):
        run_command(
            [str(tmp_path / "a.tgz")], words["output"], ["none"], 1, words["limits"], words["engine"], words["scheduler"], "warning", "",
            words["lang"], simulate=False, fresh=False, duckdb=False, workbook=False, https_listing=False, quiet=True,
        )  # fmt: skip
    assert not (tmp_path / "out").exists()


def test_two_batches_in_one_folder(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    plan = Plan(str(tmp_path / "out"), PLAIN, DEFAULT, 1)
    with (tmp_path / "out" / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(UsageError, match="another batch"):
            run_batch([Ticket("T", "x", "x")], plan, Messages(), Quiet())


def test_help_is_text() -> None:
    done = batch("--help")
    assert done.stdout.startswith("Usage: ")
    assert "--scheduler" in done.stdout
