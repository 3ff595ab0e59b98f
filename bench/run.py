#!/usr/bin/env python3
"""Run the benchmarks: CPU seconds and peak memory of each way to do the same work.

    bench/run.py                                          all subjects, five rounds
    bench/run.py conntrack --rounds 5 --size conntrack=200000
    bench/run.py --growth --json results.jsonl --doc docs/performance.md

A subject is a module in `subjects/` (its contract is in README.md). Each way runs in a child process of its own; the ways
take turns, so that a slow phase of the machine hits all of them. The least CPU time and the largest memory count. A way
whose checksum (bad lines included) differs from the slow reference in any round gets no time.
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
from collections.abc import Iterator, Mapping, Sequence
from importlib import metadata
from pathlib import Path
from types import ModuleType
from typing import Any

HERE = Path(__file__).resolve().parent
PACKAGES = ("pandas", "pyarrow", "msgspec", "PyYAML", "weasyprint")


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
        child = subprocess.Popen(
            argv,
            stdout=out,
            stderr=subprocess.DEVNULL,
            cwd=HERE.parent,
            env={**os.environ, "PYTHONPATH": str(HERE.parent)},
        )
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        lines = out.read().decode("utf-8", errors="replace").strip().splitlines()
    if child.returncode:
        return 0.0, 0.0, f"exit code {child.returncode}"
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, lines[-1] if lines else ""


def size_of(path: Path) -> int:
    return (
        path.stat().st_size if path.is_file() else sum(one.stat().st_size for one in path.rglob("*") if one.is_file())
    )


def benchmark(name: str, folder: Path, size: int | None, rounds: int) -> Iterator[dict[str, Any]]:
    """One record per way of a subject, on one input."""
    subject = load(name)
    missing = subject.missing()
    if missing:
        yield {"kind": "skipped", "subject": name, "why": missing}
        return
    data = folder / f"{name}.data"
    size = size or subject.SIZE
    _, _, said = measure([sys.executable, str(HERE / "run.py"), "--prepare", name, str(data), str(size)])
    expected: Any = json.loads(said) if said.startswith("{") else said
    ways: Mapping[str, Sequence[str]] = subject.ways(data)
    found: dict[str, list[tuple[float, float, str]]] = {way: [] for way in ways}
    for _ in range(rounds):
        for way, argv in ways.items():
            found[way].append(measure(argv))
    base = min((cpu for cpu, _, _ in found.get(subject.BASE, ())), default=0.0)
    weight = size_of(data)
    records = list(_records_of(subject, name, found, expected, base, weight, size, rounds))
    yield from records
    yield from differences(subject, records)


def _records_of(
    subject: ModuleType, name: str, found: Mapping[str, Sequence[tuple[float, float, str]]], expected: Any, base: float,
    weight: int, size: int, rounds: int,
) -> Iterator[dict[str, Any]]:  # fmt: skip
    for way, runs in found.items():
        wanted = expected[way] if isinstance(expected, dict) else expected
        record = {
            "kind": "time", "subject": name, "what": str(subject.__doc__).partition("\n")[0], "way": way, "base": subject.BASE,
            "target": getattr(subject, "TARGETS", {}).get(way, ""), "size": size, "bytes": weight, "rounds": rounds,
            "checksum": wanted, "load": [round(one, 1) for one in os.getloadavg()],
        }  # fmt: skip
        wrong = next((told for _, _, told in runs if told != wanted), None)
        if wrong is not None:
            yield {**record, "wrong": wrong[:200]}
            continue
        cpu = min(cpu for cpu, _, _ in runs)
        yield {
            **record, "cpu_s": round(cpu, 3), "ratio": round(cpu / base, 3) if base else None,
            "rss_mb": round(max(rss for _, rss, _ in runs)), "mb_per_s": round(weight / 1e6 / cpu, 1) if cpu else None,
        }  # fmt: skip


def differences(subject: ModuleType, records: Sequence[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    """What one way takes more than another, which leaves out the start: a record per entry of the subject's LESS."""
    spent = {one["way"]: one["cpu_s"] for one in records if "cpu_s" in one}
    for name, (way, over) in getattr(subject, "LESS", {}).items():
        if {*way, *over} - {""} <= spent.keys():
            more, base = (spent[first] - spent.get(second, 0.0) for first, second in (way, over))
            ratio = round(more / base, 3) if base > 0 else None
            yield {
                **records[0], "way": name, "target": subject.TARGETS.get(name, ""), "cpu_s": round(more, 3), "ratio": ratio,
                "rss_mb": None, "mb_per_s": None if over[1] or more <= 0 else round(records[0]["bytes"] / 1e6 / more, 1),
            }  # fmt: skip


def machine() -> dict[str, Any]:
    """What the figures were taken on."""
    versions = {}
    for name in PACKAGES:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return {
        "kind": "machine", "python": platform.python_version(), "machine": platform.machine(), "cpus": os.cpu_count(),
        "load": [round(one, 1) for one in os.getloadavg()], "versions": versions,
    }  # fmt: skip


def show(record: Mapping[str, Any]) -> None:
    if record["kind"] == "skipped":
        print(f"{record['subject']}: skipped, {record['why']}")
    elif "wrong" in record and record["kind"] == "large":
        print(f"{record['nodes']} nodes x {record['services']} Services: {record['wrong']}")
    elif "wrong" in record:
        print(f"{record['subject']:<14}{record['way']:<34}wrong result: {record['wrong']} not {record['checksum']}")
    elif record["kind"] == "time":
        ratio = "" if record["ratio"] is None else f"{record['ratio']:.2f}"
        memory = "" if record["rss_mb"] is None else f"{record['rss_mb']:>8} MB"
        print(f"{record['subject']:<14}{record['way']:<34}{record['cpu_s']:>8.2f} s{ratio:>8} x{memory}")
    elif record["kind"] == "large":
        print(f"{record['nodes']} nodes x {record['services']} Services: {record['cpu_s']} s, {record['rss_mb']} MB")
    elif record["kind"] == "sizes":
        print(f"{record['part']} at {record['sizes']} {record['unit']}: {record['cpu_s']} s, {record['rss_mb']} MB")
    elif record["kind"] == "growth":
        print(f"growth of {record['step']} with {record['axis']}: {record['cpu_s']} s, exponent {record['exponent']}")
    sys.stdout.flush()


def prepare(name: str, path: str, size: str) -> None:
    """Write the input and print the reference's checksum.

    In a process of its own: Linux counts what a process holds before `exec` into its peak, so the runner stays small.
    """
    subject = load(name)
    subject.make(Path(path), int(size))
    expected = subject.reference(Path(path))
    print(expected if isinstance(expected, str) else json.dumps(expected))


def main(argv: Sequence[str]) -> int:
    if argv[:1] == ["--prepare"]:
        prepare(*argv[1:])
        return 0
    names = sorted(path.stem for path in (HERE / "subjects").glob("*.py") if not path.stem.startswith("_"))
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("subjects", nargs="*", metavar="SUBJECT", help=f"one of {', '.join(names)}; all by default")
    parser.add_argument("--rounds", type=int, default=5, help="runs of each way (default 5)")
    parser.add_argument("--size", action="append", default=[], metavar="SUBJECT=N", help="another size for a subject")
    parser.add_argument("--growth", action="store_true", help="also how cost grows with nodes, services and entries")
    parser.add_argument("--sizes", action="store_true", help="also CPU and memory of each part at three sizes")
    parser.add_argument(
        "--large", nargs="?", const="", metavar="NODESxSERVICES,...", help="also whole analyses of large clusters"
    )
    parser.add_argument("--json", type=Path, help="append the records to this file, one JSON object per line")
    parser.add_argument("--doc", type=Path, help="write the tables of the JSON file to this Markdown file")
    chosen = parser.parse_args(argv)
    if unknown := set(chosen.subjects) - {*names, "none"}:
        parser.error(f"no subject {', '.join(sorted(unknown))}")
    if chosen.doc and not chosen.json:
        parser.error("--doc needs --json")
    sizes = {name: int(size) for name, _, size in (text.partition("=") for text in chosen.size)}
    wrong = False
    with tempfile.TemporaryDirectory() as folder:
        for record in _records(chosen, names, sizes, Path(folder)):
            show(record)
            wrong |= "wrong" in record
            if chosen.json:
                with chosen.json.open("a", encoding="utf-8") as out:
                    out.write(json.dumps(record) + "\n")
    if chosen.doc:
        sys.path.insert(0, str(HERE))
        import tables

        chosen.doc.write_text(tables.document(chosen.json), encoding="utf-8")
    return int(wrong)


def _records(
    chosen: argparse.Namespace, names: Sequence[str], sizes: Mapping[str, int], folder: Path
) -> Iterator[dict[str, Any]]:
    yield machine()
    for name in chosen.subjects or names:
        if name != "none":
            yield from benchmark(name, folder, sizes.get(name), max(1, chosen.rounds))
    if chosen.sizes:
        sys.path.insert(0, str(HERE))
        import sizes as three

        yield from three.records(measure, load, folder, max(1, min(chosen.rounds, 2)))
    if chosen.growth:
        sys.path.insert(0, str(HERE))
        import growth

        yield from growth.records(measure, folder, max(1, min(chosen.rounds, 2)))
    if chosen.large is not None:
        sys.path.insert(0, str(HERE))
        import large

        yield from large.records(measure, folder, chosen.large or large.SIZES)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
