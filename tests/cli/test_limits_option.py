"""--limits, and results that are whole or not there."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from analyzer.cli.files import write_file, write_files
from analyzer.errors import IpvscopeError

from .test_commands import SAMPLES, run

SAMPLE = str(SAMPLES / "clb-reuse.tar.gz")


def test_a_limit_that_is_hit_is_exit_code_3_and_leaves_nothing(tmp_path: Path) -> None:
    out = tmp_path / "out"
    code = (
        "import sys; from analyzer import limits; limits.parse_limits = lambda _: limits.Limits(None, None, 0.2); "
        "from analyzer.cli.main import main; main()"
    )
    command = [sys.executable, "-c", code, "analyze", SAMPLE, "-o", str(out)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 3
    assert "clb-reuse.tar.gz: analysing it takes more than 0.2 s of time" in done.stderr
    assert "--limits time=" in done.stderr
    assert "Traceback" not in done.stderr
    assert not out.exists()


def test_what_is_no_limit_is_a_usage_error() -> None:
    done = run("inspect", SAMPLE, "--limits", "memory=lots")
    assert done.returncode == 2
    assert "not a limit" in done.stderr


def test_without_limits_there_is_no_child() -> None:
    code = "import os; os.fork = None; import sys; from analyzer.cli.main import main; sys.argv = ['x', *sys.argv[1:]]; main()"
    done = subprocess.run(
        [sys.executable, "-c", code, "inspect", SAMPLE, "--limits", "off"], capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_ctrl_c_is_one_line_and_leaves_nothing(tmp_path: Path) -> None:
    out = tmp_path / "out"
    command = [sys.executable, "-m", "analyzer.cli.main", "analyze", SAMPLE, "-o", str(out), "-f", "json"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as running:
        children = Path(f"/proc/{running.pid}/task/{running.pid}/children")
        while running.poll() is None and not children.read_text().strip():
            time.sleep(0.01)
        running.send_signal(signal.SIGINT)
        _, told = running.communicate(timeout=60)
    assert running.returncode == 130
    assert told == "ipvscope: interrupted\n"
    assert not out.exists()


def test_files_take_their_place_together(tmp_path: Path) -> None:
    (tmp_path / "b.json").mkdir()
    (tmp_path / "a.html").write_bytes(b"old")
    with pytest.raises(IpvscopeError, match=r"b\.json"):
        write_files(tmp_path, {"b.json": b"new", "a.html": b"new"})
    assert sorted(os.listdir(tmp_path)) == ["a.html", "b.json"]
    assert (tmp_path / "a.html").read_bytes() == b"old"
    written = write_files(tmp_path / "deep" / "er", {"x": b"1", "y": b"2"})
    assert [path.read_bytes() for path in written] == [b"1", b"2"]
    mask = os.umask(0)
    os.umask(mask)
    assert written[0].stat().st_mode & 0o777 == 0o666 & ~mask


def test_a_file_that_fails_half_way_keeps_its_old_content(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_bytes(b"old")

    def fail(file: object) -> None:
        file.write(b"half")  # type: ignore[attr-defined]
        raise OSError(28, "No space left on device")

    with pytest.raises(IpvscopeError, match="No space left"):
        write_file(path, fail)
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["x.csv"]
    write_file(Path("/dev/null"), lambda file: file.write(b"1"))


def test_what_a_bundle_may_unpack_to() -> None:
    done = run("inspect", SAMPLE, "--limits", "size=10k")
    assert done.returncode == 3
    assert "unpacks to more than 10240 bytes" in done.stderr
    assert "--limits size=" in done.stderr
    assert run("inspect", SAMPLE, "--limits", "size=1g").returncode == 0
    assert run("inspect", SAMPLE, "--limits", "size=10k,memory=off,cpu=off,time=off").returncode == 3
