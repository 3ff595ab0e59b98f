"""One run over a mixed queue, shared by the tests that look at its files."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.batch.queue import HOSTILE, batch, fill


@dataclass(frozen=True)
class Run:
    """A finished batch: its list of tickets, its results, and the process."""

    tickets: Path
    out: Path
    done: subprocess.CompletedProcess[str]


@pytest.fixture(scope="session")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Seven bundles, one of them named twice, and one each that is cut, no archive, missing, and not named at all."""
    folder = tmp_path_factory.mktemp("queue")
    paths = fill(folder, 7)
    (folder / "cut.tar.gz").write_bytes(paths[0].read_bytes()[:-200])
    (folder / "noise.zip").write_bytes(bytes(range(256)) * 4)
    lines = ["id,customer,symptom,bundle,time"]
    lines += [f"T{number},c{number % 2},,{path.name},2025-0{number + 1}-01" for number, path in enumerate(paths)]
    lines += [f'"{HOSTILE.replace(chr(34), chr(34) * 2)}",@c,it does not work,{paths[2].name},2025-09-01']
    lines += ["CUT,c1,,cut.tar.gz,", "NOISE,,,noise.zip,", "GONE,,,no-such.tgz,", "EMPTY,c2,,,"]
    (folder / "tickets.csv").write_text("\n".join(lines) + "\n", "utf-8")
    out = folder / "out"
    return Run(
        folder / "tickets.csv",
        out,
        batch(folder / "tickets.csv", "-o", out, "--xlsx", "--duckdb", "-r", "html", "-r", "json"),
    )
