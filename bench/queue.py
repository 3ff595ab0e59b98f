#!/usr/bin/env python3
"""A queue of generated bundles, undisturbed and killed: throughput, memory, and whether a killed run ends with the same results.

    bench/queue.py --count 10000                  the pool, killed (-9) three times at random and resumed
    bench/queue.py --count 300 --engine dask      two Dask workers, one of them killed, and replaced, at random

What is compared is everything but seconds and memory: each record and report, the Parquet files, index.html, and tickets.csv
without the columns seconds and peak_mb. The figures are printed as one line of JSON. Exit code 1: the results differ.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import json
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench.make_queue import write

RECORD = re.compile(r"[0-9a-f]{64}\.json")
VARIES = ("seconds", "peak_mb")
OWN_TIME = (".cost.json", "tickets.csv", ".duckdb", ".lock")


def command(queue: Path, out: Path, *more: str) -> list[str]:
    return [
        sys.executable,
        "-m",
        "analyzer.cli.main",
        "batch",
        str(queue / "tickets.csv"),
        "-o",
        str(out),
        "--no-duckdb",
        *more,
    ]


def contents(out: Path) -> dict[str, str]:
    """Name -> digest of every file that must be equal, and the rows of tickets.csv without what varies."""
    found = {}
    for path in sorted(out.rglob("*")):
        name = str(path.relative_to(out))
        if path.is_file() and not name.endswith(OWN_TIME) and not name.startswith(("seen/", ".tmp/")):
            found[name] = hashlib.sha256(path.read_bytes()).hexdigest()
    for number, row in enumerate(rows(out)):
        found[f"tickets.csv:{number}"] = json.dumps([value for name, value in row.items() if name not in VARIES])
    return found


def rows(out: Path) -> list[dict[str, str]]:
    with (out / "tickets.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def timed(argv: list[str]) -> tuple[float, float, int]:
    """Wall seconds, CPU seconds of all processes, exit code."""
    started = time.monotonic()
    child = subprocess.Popen(argv, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    return time.monotonic() - started, usage.ru_utime + usage.ru_stime, child.returncode


def killed(argv: list[str], out: Path, count: int, kills: int, rng: random.Random) -> list[int]:
    """Run, kill (-9) at random, run again ...; gives how many results were there at each kill."""
    there = []
    points = sorted(rng.randint(count // 20, count - count // 20) for _ in range(kills))
    for point in points:
        child = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        while finished(out) < point and child.poll() is None:
            time.sleep(0.2)
        if child.poll() is not None:
            raise SystemExit(f"it ended before it could be killed: {child.returncode}")
        child.send_signal(signal.SIGKILL)
        child.wait()
        there.append(finished(out))
    return there


def finished(out: Path) -> int:
    """Records that are there."""
    folder = out / "results"
    if not folder.is_dir():
        return 0
    return sum(RECORD.fullmatch(name) is not None for one in folder.iterdir() for name in os.listdir(one))


class Cluster:
    """A Dask scheduler and two workers, each a process of its own."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._port = random.Random().randint(20_000, 40_000)
        self.address = f"tcp://127.0.0.1:{self._port}"
        self._scheduler = self._start(
            "distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", str(self._port), "--no-dashboard"
        )
        self.workers = [self.worker(), self.worker()]

    def worker(self) -> subprocess.Popen[bytes]:
        # No nanny: what is killed is the process that works.
        return self._start(
            "distributed.cli.dask_worker", self.address, "--no-nanny", "--nthreads", "1", "--no-dashboard"
        )

    def _start(self, module: str, *arguments: str) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, "-m", module, *arguments], cwd=self._folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parent.parent)},
        )  # fmt: skip

    def close(self) -> None:
        for process in (*self.workers, self._scheduler):
            process.kill()
            process.wait()


def with_dask(queue: Path, out: Path, count: int, rng: random.Random, more: list[str]) -> list[int]:
    """One run on a cluster of which a worker is killed at random and replaced."""
    with tempfile.TemporaryDirectory() as folder:
        cluster = Cluster(Path(folder))
        try:
            argv = command(queue, out, *more, "--engine", "dask", "--scheduler", cluster.address)
            child = subprocess.Popen(argv, stdout=subprocess.DEVNULL)
            point = rng.randint(count // 5, count // 2)
            while finished(out) < point and child.poll() is None:
                time.sleep(0.2)
            cluster.workers[0].send_signal(signal.SIGKILL)
            there = finished(out)
            cluster.workers.append(cluster.worker())
            child.wait()
            return [there]
        finally:
            cluster.close()


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(description=str(__doc__).partition("\n")[0])
    parser.add_argument("--count", type=int, default=1000, help="bundles (default 1,000)")
    parser.add_argument("--engine", choices=("pool", "dask"), default="pool")
    parser.add_argument("--kills", type=int, default=3)
    parser.add_argument("--jobs", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--report", default="none", help="none, html ... as --report of batch")
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args(argv)
    more = ["--report", chosen.report, "--jobs", str(chosen.jobs)]
    rng = random.Random(chosen.seed)
    with tempfile.TemporaryDirectory(prefix="queue-") as folder:
        queue, calm, rough = Path(folder, "queue"), Path(folder, "calm"), Path(folder, "rough")
        write(queue, chosen.count, chosen.seed)
        wall, cpu, _ = timed(command(queue, calm, *more))
        again, _, _ = timed(command(queue, calm, *more))
        if chosen.engine == "dask":
            there, resumed = with_dask(queue, rough, chosen.count, rng, more), 0.0
        else:
            there = killed(command(queue, rough, *more), rough, chosen.count, chosen.kills, rng)
            resumed, _, _ = timed(command(queue, rough, *more))
        print(json.dumps(figures(chosen, calm, rough, wall, cpu, again, there, resumed)))
        return int(contents(calm) != contents(rough))


def figures(
    chosen: argparse.Namespace,
    calm: Path,
    rough: Path,
    wall: float,
    cpu: float,
    again: float,
    there: list[int],
    resumed: float,
) -> dict[str, Any]:
    listed = rows(rough)
    seconds = sum(float(row["seconds"]) for row in listed if row["seconds"])
    one, other = contents(calm), contents(rough)
    peaks = [float(row["peak_mb"]) for row in rows(calm) if row["peak_mb"]]
    tenth = max(1, len(peaks) // 10)
    return {
        "count": chosen.count, "engine": chosen.engine, "jobs": chosen.jobs, "load": os.getloadavg()[0],
        "wall_s": round(wall, 1), "cpu_s": round(cpu, 1), "bundles_per_cpu_s": round(chosen.count / cpu, 2),
        "bundles_per_wall_s": round(chosen.count / wall, 2), "nothing_to_do_s": round(again, 1),
        "sum_of_seconds": round(seconds, 1), "peak_mb_max": max(peaks), "peak_mb_first_tenth": round(sum(peaks[:tenth]) / tenth, 1),
        "peak_mb_last_tenth": round(sum(peaks[-tenth:]) / tenth, 1), "statuses": Counter(row["status"] for row in listed),
        "killed_at": there, "resumed_s": round(resumed, 1), "rows": len(listed), "distinct_tickets": len({row["ticket"] for row in listed}),
        "equal": one == other, "different": sorted(name for name in one.keys() | other.keys() if one.get(name) != other.get(name))[:5],
    }  # fmt: skip


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
