"""The records of `run.py --json` as docs/performance.md."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

HEAD = """# Performance

Generated from measurements: `make performance`. CPU seconds are user and system time of a whole process, imports included,
the least of at least {rounds} rounds in which all ways of a subject take turns; memory is the largest peak. Only ratios within one
subject mean something, and differences under 20 % mean nothing. A way whose result differs from the slow reference in rows,
bad lines or sums has no time. Inputs are synthetic (`bench/make_bundle.py`, `bench/make_cluster.py`).

{machine}
"""
GROWTH = """
## How cost grows

CPU seconds of each step, imports aside, at three sizes (the least of {rounds} runs each), and the exponent fitted to them (1:
twice the size, twice the cost). The target is 1.1 or less. Fixed costs flatten the exponent at such small sizes; "of the
increase" leaves them out (how the second increase relates to the first one) and is empty where an increase of less than 0.1 s
says nothing. A matrix has at most 8,000 cells; beyond, the nodes that differ most stand for the others.
"""
SIZES = """
## Parts at three sizes

Each in a process of its own, imports included: CPU seconds (the least of {rounds}) and peak memory in MB.

"""
LARGE = """
## Large clusters

`ipvscope analyze BUNDLE` with HTML and JSON, without limits, once for each size: CPU seconds, memory and time of the whole
command, with {conntrack} conntrack entries a node and the objects as JSON. The target is 5,000 nodes x 5,000 Services in 4 GB
resident on 2 CPUs (`bench/run.py none --large 5000x5000`, an hour with the generator).

"""


def document(path: Path) -> str:
    """The page; of several records of one subject and way the latest counts."""
    records = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    times = {(one["subject"], one["way"]): one for one in records if one["kind"] == "time"}
    skipped = {one["subject"]: one["why"] for one in records if one["kind"] == "skipped"}
    growth = {(one["axis"], one["step"]): one for one in records if one["kind"] == "growth"}
    large = {(one["nodes"], one["services"]): one for one in records if one["kind"] == "large"}
    machine = next((one for one in reversed(records) if one["kind"] == "machine"), {})
    rounds = min((one["rounds"] for one in times.values()), default=0)
    parts = [HEAD.format(rounds=rounds, machine=_machine(machine, times.values()))]
    subjects: dict[str, list[dict[str, Any]]] = {}
    for (subject, _), one in times.items():
        subjects.setdefault(subject, []).append(one)
    for subject, rows in sorted(subjects.items()):
        what = rows[0]["what"].rstrip(".")
        parts.append(f"\n## {subject}\n\n{what}; size {rows[0]['size']:,}, {rows[0]['bytes'] / 1e6:.1f} MB.\n\n")
        parts.append(_times(rows))
    for subject, why in sorted(skipped.items()):
        if subject not in subjects:
            parts.append(f"\n## {subject}\n\nNot measured: {why}.\n")
    if growth:
        parts.append(GROWTH.format(rounds=min(one["rounds"] for one in growth.values())))
        for axis in dict.fromkeys(axis for axis, _ in growth):
            parts.append(_growth(axis, [one for (which, _), one in growth.items() if which == axis]))
    sizes = {one["part"]: one for one in records if one["kind"] == "sizes"}
    if sizes:
        parts.append(SIZES.format(rounds=min(one["rounds"] for one in sizes.values())))
        parts.append(_sizes(sizes.values()))
    if large:
        parts.append(LARGE.format(conntrack=next(iter(large.values()))["conntrack"]))
        parts.append(_large([one for _, one in sorted(large.items())]))
    return "".join(parts)


def _large(rows: list[dict[str, Any]]) -> str:
    def line(one: dict[str, Any]) -> list[str]:
        size = [f"{one['nodes']:,} x {one['services']:,}", f"{one['packed'] / 1e6:,.0f}"]
        if "wrong" in one:
            return [*size, one["wrong"], "", "", "", "", ""]
        each = one["cpu_s"] / (one["nodes"] * one["services"]) * 1e3
        return [
            *size, f"{one['cpu_s']:,.0f}", f"{one['wall_s']:,.0f}", f"{one['rss_mb']:,}", f"{each:.2f}",
            f"{one['html'] / 1e6:.1f}", f"{one['json'] / 1e6:.1f}",
        ]  # fmt: skip

    head = [
        "nodes x Services",
        "packed MB",
        "CPU s",
        "time s",
        "peak MB",
        "CPU ms for a node and Service",
        "HTML MB",
        "JSON MB",
    ]
    return _table(head, map(line, rows))


def _sizes(rows: Iterable[dict[str, Any]]) -> str:
    def line(one: dict[str, Any]) -> list[str]:
        figures = [f"{cpu:.2f} s, {memory:,} MB" for cpu, memory in zip(one["cpu_s"], one["rss_mb"], strict=True)]
        return [one["part"], ", ".join(f"{size:,}" for size in one["sizes"]) + f" {one['unit']}", *figures]

    return _table(["part", "sizes", "small", "middle", "large"], map(line, rows))


def _machine(machine: dict[str, Any], times: Iterable[dict[str, Any]]) -> str:
    versions = ", ".join(f"{name} {version}" for name, version in machine.get("versions", {}).items())
    loads = [one["load"][0] for one in times]
    load = f", load {min(loads):.1f} to {max(loads):.1f} while measuring" if loads else ""
    return f"Python {machine.get('python', '?')}, {machine.get('cpus', '?')} CPUs ({machine.get('machine', '?')}){load}; {versions}."


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _times(rows: list[dict[str, Any]]) -> str:
    def line(one: dict[str, Any]) -> list[str]:
        if "wrong" in one:
            return [one["way"], "wrong result", "", "", "", one["target"]]
        ratio = "" if one["ratio"] is None else f"{one['ratio']:.2f}"
        rate = f"{one['mb_per_s']:,.0f}" if one["bytes"] > 100_000 and one["mb_per_s"] is not None else ""
        memory = "" if one["rss_mb"] is None else f"{one['rss_mb']:,}"
        return [one["way"], f"{one['cpu_s']:.2f}", ratio, rate, memory, one["target"]]

    return _table(["way", "CPU s", f"x {rows[0]['base']}", "MB/s", "peak MB", "target"], map(line, rows))


def _growth(axis: str, rows: list[dict[str, Any]]) -> str:
    sizes = rows[0]["sizes"]
    fixed = ", ".join(f"{value:,} {key}" for key, value in rows[0]["fixed"].items())
    counted = "; ".join(f"{one['cells']:,} cells, {one['findings']} findings" for one in rows[0]["counted"])
    lines = []
    for one in rows:
        over = " **over**" if one["exponent"] is not None and one["exponent"] > 1.1 else ""
        last = marginal(one["sizes"], one["cpu_s"])
        lines.append([one["step"], *(f"{spent:.2f}" for spent in one["cpu_s"]), f"{one['exponent']}{over}", last])
        if "rss_mb" in one:
            lines.append(["peak MB", *(f"{memory:,}" for memory in one["rss_mb"]), "", ""])
    table = _table(["step", *(f"{size:,}" for size in sizes), "exponent", "of the increase"], lines)
    return f"\n### {axis}\n\nWith {fixed} ({counted}).\n\n{table}"


def marginal(sizes: Sequence[int], spent: Sequence[float]) -> str:
    """The exponent that the two increases between three doubled sizes follow; it does not see a fixed cost.

    >>> marginal([1, 2, 4], [6.0, 7.0, 9.0])
    '1.0'
    """
    first, second = spent[1] - spent[0], spent[2] - spent[1]
    if min(first, second) < 0.1 or not sizes[2] == 2 * sizes[1] == 4 * sizes[0]:
        return ""
    return f"{math.log2(second / first):.1f}"
