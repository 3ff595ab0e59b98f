"""A queue of small bundles for the tests, and what reads its results."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
from pathlib import Path

from bench.make_queue import FAULTS, bundle, packed

ROOT = Path(__file__).resolve().parents[2]
HOSTILE = '=cmd|"<script>alert(1)</script>'


def fill(folder: Path, count: int, seed: int = 0) -> list[Path]:
    """`count` archives that can be read."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for number in range(count):
        paths.append(folder / f"case-{number:03}.tar.gz")
        paths[-1].write_bytes(packed(bundle(number, seed)))
    return paths


def command(*arguments: str | Path) -> list[str]:
    return [sys.executable, "-m", "analyzer.cli.main", "batch", *map(str, arguments)]


def batch(*arguments: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(*arguments), capture_output=True, text=True, check=False, env={**os.environ, **environment}, timeout=300
    )


def rows(out: Path) -> list[dict[str, str]]:
    return rows_of((out / "tickets.csv").read_text("utf-8"))


def rows_of(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(text.splitlines()))


def steady(out: Path) -> dict[str, bytes]:
    """What two runs must have in common: all but what it took (the cost files, two columns of tickets.csv) and DuckDB's file."""
    found = {}
    for path in sorted(out.rglob("*")):
        name = str(path.relative_to(out))
        if (
            path.is_file()
            and not name.endswith((".cost.json", ".duckdb", ".lock", "tickets.csv"))
            and not name.startswith("seen/")
        ):
            found[name] = path.read_bytes()
    varies = ("seconds", "peak_mb")
    for number, row in enumerate(rows(out)):
        found[f"row {number}"] = repr([value for name, value in row.items() if name not in varies]).encode()
    return found


__all__ = ["FAULTS", "HOSTILE", "batch", "bundle", "command", "fill", "packed", "rows", "rows_of", "steady"]
