"""How the steps of an analysis grow: three sizes along nodes, services and conntrack entries, and the fitted exponent.

One more node of the same cluster should cost what the one before cost: CPU ~ size ** exponent with an exponent of at most 1.1.
Each step's CPU time is taken inside one process, imports aside; the least of the rounds counts.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

# Axis -> the sizes along it; the options of make_cluster.py that stay as they are.
AXES: Mapping[str, tuple[Sequence[int], Mapping[str, int]]] = {
    "nodes": ((8, 16, 32), {"services": 120, "conntrack": 500}),
    "services": ((80, 160, 320), {"nodes": 8, "conntrack": 500}),
    "conntrack": ((20_000, 40_000, 80_000), {"nodes": 4, "services": 60}),
}
STEPS = ("load", "world", "matrix", "observe", "find", "json")
RUN = """
import json, sys, time
from analyzer.bundle import open_bundle
from analyzer.cli.words import words
from analyzer.findings import find
from analyzer.forwarding import build_world, matrix
from analyzer.observations import observe
from analyzer.report import json_report
from analyzer.report.analysis import Analysis
from analyzer.snapshot import load
import pandas, pyarrow
spent = {}
before = time.process_time()
def step(name, made):
    global before
    now = time.process_time()
    spent[name], before = now - before, now
    return made
with open_bundle(sys.argv[1]) as bundle:
    snapshot = step("load", load(bundle))
    world = step("world", build_world(snapshot))
    cells = step("matrix", matrix(world))
    seen = step("observe", observe(snapshot, world, cells))
    found = step("find", find(snapshot, world, cells, seen))
    text = step("json", json_report.render(Analysis(snapshot, cells, found, {}, "0", seen), words("en")))
spent["cells"], spent["findings"] = len(cells.cells), len(found.findings)
print(json.dumps(spent))
"""


def records(
    measure: Callable[[Sequence[str]], tuple[float, float, str]], folder: Path, rounds: int
) -> Iterator[dict[str, Any]]:
    """One record per axis and step."""
    for axis, (sizes, fixed) in AXES.items():
        steps: dict[str, list[float]] = {name: [] for name in (*STEPS, "whole")}
        memory: list[int] = []
        counted: list[dict[str, int]] = []
        for size in sizes:
            bundle = folder / f"{axis}-{size}"
            options = [f"--{key}={value}" for key, value in {**fixed, axis: size}.items()]
            measure([sys.executable, str(Path(__file__).with_name("make_cluster.py")), *options, "--out", str(bundle)])
            runs = []
            peak = 0.0
            for _ in range(rounds):
                _, rss, said = measure([sys.executable, "-c", RUN, str(bundle)])
                runs.append(json.loads(said))
                peak = max(peak, rss)
            for name in STEPS:
                steps[name].append(min(run[name] for run in runs))
            steps["whole"].append(min(sum(run[name] for name in STEPS) for run in runs))
            memory.append(round(peak))
            counted.append({"cells": runs[0]["cells"], "findings": runs[0]["findings"]})
        for name, spent in steps.items():
            record = {
                "kind": "growth", "axis": axis, "sizes": list(sizes), "fixed": dict(fixed), "step": name, "rounds": rounds,
                "cpu_s": [round(one, 3) for one in spent], "exponent": exponent(sizes, spent), "counted": counted,
            }  # fmt: skip
            if name == "whole":
                record["rss_mb"] = memory
            yield record


def exponent(sizes: Sequence[int], spent: Sequence[float]) -> float | None:
    """The slope of the least-squares line through the logarithms.

    >>> exponent([1, 2, 4], [3.0, 6.0, 12.0])
    1.0
    """
    if any(one <= 0 for one in spent):
        return None
    points = [(math.log(size), math.log(one)) for size, one in zip(sizes, spent, strict=True)]
    x, y = (sum(values) / len(points) for values in zip(*points, strict=True))
    slope = sum((a - x) * (b - y) for a, b in points) / sum((a - x) ** 2 for a, _ in points)
    return round(slope, 2)
