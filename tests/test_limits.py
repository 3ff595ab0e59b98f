"""A function in a child process: its answer, its errors, its limits, and signals."""

from __future__ import annotations

import concurrent.futures
import faulthandler
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from analyzer.errors import UnsafeBundle, UsageError
from analyzer.limits import DEFAULT, OFF, Crashed, LimitReached, Limits, parse_limits, run_limited, size_limit

ROOM = Limits(memory=4 << 30, cpu=60, time=60)
"""More than the process of the tests itself takes, which counts."""


def add(left: int, right: int) -> int:
    return left + right


def refuse() -> None:
    raise UnsafeBundle("it bites", where="b.tgz", hint="Stay away.")


def devour() -> None:
    eaten = []
    while True:
        eaten.append(bytearray(8 << 20))


def spin() -> None:
    while True:
        pass


def wait_for(seconds: float) -> None:
    time.sleep(seconds)


def stubborn(_: int) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    while True:
        time.sleep(1)


def end_by(number: int) -> None:
    faulthandler.disable()
    os.kill(os.getpid(), number)


def lookup() -> None:
    raise KeyError("absent")


def with_child(path: str) -> None:
    subprocess.run(
        [sys.executable, "-c", f"import os, time; open({path!r}, 'w').write(str(os.getpid())); time.sleep(60)"],
        check=False,
    )


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.parametrize("limits", [OFF, ROOM, DEFAULT])
def test_the_answer_and_the_errors_come_back(limits: Limits) -> None:
    assert run_limited(add, (2, 3), limits) == 5
    with pytest.raises(UnsafeBundle) as caught:
        run_limited(refuse, (), limits)
    assert str(caught.value) == "b.tgz: it bites\n  Stay away."


@pytest.mark.parametrize(("limits", "size"), [(Limits(size=5), 5), (Limits(None, None, None, 7), 7), (OFF, None)])
def test_whoever_opens_a_bundle_learns_its_size_limit(limits: Limits, size: int | None) -> None:
    assert run_limited(size_limit, (), limits) == size
    assert size_limit() == DEFAULT.size


def test_a_long_answer_comes_back_whole() -> None:
    assert run_limited(bytes, (3 << 20,), ROOM) == bytes(3 << 20)


@pytest.mark.parametrize(
    ("function", "limits", "limit", "told"),
    [
        (devour, Limits(memory=256 << 20, cpu=60, time=60), "memory", "256 MiB of memory"),
        (spin, Limits(memory=None, cpu=1, time=60), "cpu", "1 s of CPU time"),
        (spin, Limits(memory=None, cpu=None, time=0.3), "time", "0.3 s of time"),
    ],
)
def test_a_limit_is_a_clear_error(function: object, limits: Limits, limit: str, told: str) -> None:
    with pytest.raises(LimitReached, match=told) as caught:
        run_limited(function, (), limits, where="b.tgz")  # type: ignore[arg-type]
    assert (caught.value.limit, caught.value.where, caught.value.exit_code) == (limit, "b.tgz", 3)
    assert f"--limits {limit}=" in caught.value.hint


def test_a_child_that_does_not_end_when_asked_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("analyzer.limits.GRACE_S", 0.3)
    with pytest.raises(LimitReached):
        run_limited(stubborn, (0,), Limits(time=0.3))


def test_what_the_child_started_ends_with_it(tmp_path: Path) -> None:
    with pytest.raises(LimitReached):
        run_limited(with_child, (str(tmp_path / "pid"),), Limits(time=1))
    pid = int((tmp_path / "pid").read_text())
    for _ in range(50):
        if not alive(pid):
            break
        time.sleep(0.05)
    assert not alive(pid)


def test_a_defect_and_a_crash_are_told_without_a_traceback() -> None:
    with pytest.raises(Crashed, match="internal error: KeyError: 'absent'") as caught:
        run_limited(lookup, (), ROOM)
    assert "Traceback" in caught.value.trace
    with pytest.raises(Crashed, match="SIGSEGV"):
        run_limited(end_by, (signal.SIGSEGV,), ROOM)
    with pytest.raises(Crashed, match=r"SIGKILL.\n.*runs out of memory"):
        run_limited(end_by, (signal.SIGKILL,), ROOM)


def starve() -> None:
    try:
        bytearray(1 << 50)
    except MemoryError:
        raise ValueError("a library's own words") from None


def test_a_failed_allocation_behind_another_error_is_lack_of_memory() -> None:
    with pytest.raises(LimitReached, match="memory"):
        run_limited(starve, (), ROOM)


def test_threads_may_call_it() -> None:
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        calls = [pool.submit(run_limited, add, (at, at), ROOM) for at in range(12)]
        assert [call.result() for call in calls] == [2 * at for at in range(12)]


def test_nothing_stays_open_or_unwaited() -> None:
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(5):
        run_limited(add, (1, 1), ROOM)
    assert len(os.listdir("/proc/self/fd")) == before
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)


SCRIPT = """
import signal, sys, time, pathlib
from analyzer.limits import DEFAULT, run_limited
signal.signal(signal.SIGINT, signal.default_int_handler)  # also where the tests themselves run under nohup
signal.signal(signal.SIGTERM, signal.SIG_DFL)
signal.signal(signal.SIGHUP, signal.SIG_DFL)
def work(path):
    try:
        pathlib.Path(path).write_text("begun")
        time.sleep(60)
    finally:
        pathlib.Path(path).unlink()
run_limited(work, (sys.argv[1],), DEFAULT)
"""


@pytest.mark.parametrize(
    ("number", "code"),
    [(signal.SIGINT, -signal.SIGINT), (signal.SIGTERM, 128 + signal.SIGTERM), (signal.SIGHUP, 128 + signal.SIGHUP)],
)
def test_signals_reach_the_child_which_cleans_up(tmp_path: Path, number: int, code: int) -> None:
    mark = tmp_path / "mark"
    with subprocess.Popen([sys.executable, "-c", SCRIPT, str(mark)], stderr=subprocess.PIPE) as parent:
        while not mark.exists() and parent.poll() is None:
            time.sleep(0.02)
        parent.send_signal(number)
        parent.communicate(timeout=20)
        assert parent.returncode == code
    assert not mark.exists()


def test_a_killed_parent_takes_its_child_along(tmp_path: Path) -> None:
    if sys.platform != "linux":
        pytest.skip("Linux has this signal")
    mark = tmp_path / "mark"
    with subprocess.Popen([sys.executable, "-c", SCRIPT, str(mark)]) as parent:
        while not mark.exists():
            time.sleep(0.02)
        children = Path(f"/proc/{parent.pid}/task/{parent.pid}/children").read_text().split()
        parent.kill()
    for _ in range(100):
        if not any(alive(int(child)) for child in children):
            break
        time.sleep(0.05)
    assert children
    assert not any(alive(int(child)) for child in children)


@pytest.mark.parametrize(
    ("text", "limits"),
    [
        ("off", OFF),
        ("", DEFAULT),
        ("memory=512m", Limits(512 << 20, DEFAULT.cpu, DEFAULT.time)),
        ("Memory=2GiB, cpu=90 , time=1h", Limits(2 << 30, 90, 3600)),
        ("memory=off,cpu=off,time=2m", Limits(None, None, 120)),
    ],
)
def test_limits_are_read(text: str, limits: Limits) -> None:
    assert parse_limits(text) == limits


@pytest.mark.parametrize(
    "text",
    ["memory", "memory=", "memory=-1", "memory=0", "cpu=1g", "memory=1h", "memory=100m", "disk=1g", "4g", "cpu=1.5"],
)
def test_what_is_no_limit_is_said(text: str) -> None:
    with pytest.raises(UsageError, match="limit"):
        parse_limits(text)
