#!/usr/bin/env python3
"""Run the benchmarks: CPU seconds and peak memory of each way to do the same work.

    bench/run.py                      all subjects
    bench/run.py conntrack --best-of 5 --size conntrack=200000

A subject is a module in `subjects/` (its contract is in README.md). Each way runs in a child process of its own; the
ways take turns, and the best of N counts. A way whose checksum differs from the slow reference gets no time.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

HERE = Path(__file__).resolve().parent


def load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"subject_{name}", HERE / "subjects" / f"{name}.py")
    if spec is None or spec.loader is None:
        raise SystemExit(f"no subject {name}")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def measure(argv: Sequence[str]) -> tuple[float, float, str]:
    """CPU seconds (user and system, of the child and what it waited for), peak RSS in MB, and the last line printed."""
    with tempfile.TemporaryFile() as out:
        child = subprocess.Popen(argv, stdout=out, cwd=HERE.parent)
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        lines = out.read().decode("utf-8", errors="replace").strip().splitlines()
    if child.returncode:
        return 0.0, 0.0, f"exit code {child.returncode}"
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, lines[-1] if lines else ""


def benchmark(name: str, folder: Path, size: int | None, best_of: int) -> dict[str, Any]:
    """All ways of one subject on one input."""
    subject = load(name)
    missing = subject.missing()
    if missing:
        return {"subject": name, "skipped": missing}
    data = folder / f"{name}.data"
    _, _, expected = measure(
        [sys.executable, str(HERE / "run.py"), "--prepare", name, str(data), str(size or subject.SIZE)]
    )
    ways: Mapping[str, Sequence[str]] = subject.ways(data)
    results: dict[str, dict[str, Any]] = {way: {"cpu_s": [], "rss_mb": [], "checksum": ""} for way in ways}
    for _ in range(best_of):
        for way, argv in ways.items():
            cpu, rss, checksum = measure(argv)
            results[way]["cpu_s"].append(cpu)
            results[way]["rss_mb"].append(rss)
            results[way]["checksum"] = checksum
    rows = [_row(way, found, expected, data.stat().st_size) for way, found in results.items()]
    base = next((row["cpu_s"] for row in rows if row["way"] == subject.BASE), None)
    for row in rows:
        row["ratio"] = round(row["cpu_s"] / base, 2) if base and row["cpu_s"] is not None else None
    return {
        "subject": name,
        "what": str(subject.__doc__).partition("\n")[0],
        "bytes": data.stat().st_size,
        "rows": rows,
    }


def _row(way: str, found: Mapping[str, Any], expected: str, size: int) -> dict[str, Any]:
    if found["checksum"] != expected:
        return {
            "way": way,
            "cpu_s": None,
            "rss_mb": None,
            "mb_per_s": None,
            "wrong": f"{found['checksum']} not {expected}",
        }
    cpu = min(found["cpu_s"])
    return {
        "way": way,
        "cpu_s": round(cpu, 3),
        "rss_mb": round(min(found["rss_mb"])),
        "mb_per_s": round(size / 1e6 / cpu) if cpu else None,
    }


def show(result: Mapping[str, Any]) -> None:
    if "skipped" in result:
        print(f"\n{result['subject']}: skipped, {result['skipped']}")
        return
    print(f"\n{result['subject']}: {result['what']} ({result['bytes'] / 1e6:.0f} MB)")
    print(f"  {'way':<34}{'CPU s':>8}{'ratio':>8}{'MB/s':>8}{'peak RSS MB':>13}")
    for row in result["rows"]:
        if row["cpu_s"] is None:
            print(f"  {row['way']:<34}  wrong result: {row['wrong'][:80]}")
        else:
            ratio = "" if row["ratio"] is None else f"{row['ratio']:.2f}"
            print(f"  {row['way']:<34}{row['cpu_s']:>8.2f}{ratio:>8}{row['mb_per_s'] or 0:>8}{row['rss_mb']:>13}")


def prepare(name: str, path: str, size: str) -> None:
    """Write the input and print the reference's checksum.

    In a process of its own: Linux counts what a process holds before `exec` into its peak, so the runner stays small.
    """
    subject = load(name)
    subject.make(Path(path), int(size))
    print(subject.reference(Path(path)))


def main(argv: Sequence[str]) -> int:
    if argv[:1] == ["--prepare"]:
        prepare(*argv[1:])
        return 0
    names = sorted(path.stem for path in (HERE / "subjects").glob("*.py") if not path.stem.startswith("_"))
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument(
        "subjects", nargs="*", metavar="SUBJECT", help=f"one of {', '.join(names)}; all when none is named"
    )
    parser.add_argument("--best-of", type=int, default=5, help="runs of each way (default 5)")
    parser.add_argument(
        "--size", action="append", default=[], metavar="SUBJECT=N", help="another input size for a subject"
    )
    parser.add_argument("--json", type=Path, help="write the results to this file")
    chosen = parser.parse_args(argv)
    if unknown := set(chosen.subjects) - set(names):
        parser.error(f"no subject {', '.join(sorted(unknown))}")
    sizes = {name: int(size) for name, _, size in (text.partition("=") for text in chosen.size)}
    results = []
    with tempfile.TemporaryDirectory() as folder:
        for name in chosen.subjects or names:
            results.append(benchmark(name, Path(folder), sizes.get(name), max(1, chosen.best_of)))
            show(results[-1])
    if chosen.json:
        machine = {"python": platform.python_version(), "machine": platform.machine(), "cpus": os.cpu_count()}
        chosen.json.write_text(json.dumps({"machine": machine, "results": results}, indent=2) + "\n", encoding="utf-8")
    return int(any(row["cpu_s"] is None for result in results for row in result.get("rows", ())))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
