"""CPU and peak memory of each part of an analysis at three sizes, in a process of its own each time.

The parts that a subject measures are run as the subject runs them, the others on clusters of `make_cluster.py`.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

SUBJECTS: Mapping[str, tuple[str, str, str, Sequence[int]]] = {
    "conntrack parse": ("conntrack", "ipvscope", "entries", (100_000, 200_000, 400_000)),
    "ipvsadm parse": ("ipvsadm", "ipvscope, 1 node", "Services", (8_000, 16_000, 32_000)),
    "objects": ("pods_json", "ipvscope", "pods", (5_000, 10_000, 20_000)),
    "batch": ("batch", "ipvscope batch", "bundles", (30, 60, 120)),
}
"""Part -> subject, way, what its size counts, three sizes."""
NODES, SERVICES = (20, 40, 80), 250
ANALYZE = """
import sys
from analyzer.cli.main import main
sys.argv[1:] = ["analyze", sys.argv[1], "-o", sys.argv[2], "--format", sys.argv[3], "--limits", "off", "--fail-on", "never"]
main()
"""
STEPS = """
import sys
from analyzer.api import opened
from analyzer.forwarding import build_world, matrix
with opened(sys.argv[1]) as snapshot:
    if sys.argv[3] == "matrix":
        matrix(build_world(snapshot))
"""
PARTS: Mapping[str, tuple[str, str]] = {
    "snapshot": (STEPS, "load"),
    "matrix (with snapshot)": (STEPS, "matrix"),
    "whole analyze (JSON)": (ANALYZE, "json"),
    "HTML (with analyze)": (ANALYZE, "html"),
    "PDF (with analyze)": (ANALYZE, "pdf"),
}
Measure = Callable[[Sequence[str]], tuple[float, float, str]]


def records(measure: Measure, load: Callable[[str], ModuleType], folder: Path, rounds: int) -> Iterator[dict[str, Any]]:
    """One record per part."""
    for part, (name, way, unit, sizes) in SUBJECTS.items():
        if not load(name).missing():
            commands = [_of_subject(measure, load(name), name, way, folder, size) for size in sizes]
            yield _record(measure, part, unit, sizes, commands, rounds)
    bundles = [_cluster(measure, folder, nodes) for nodes in NODES]
    for part, (code, what) in PARTS.items():
        commands = [[sys.executable, "-c", code, str(bundle), str(folder / "sizes-out"), what] for bundle in bundles]
        yield _record(measure, part, f"nodes x {SERVICES} Services", NODES, commands, rounds)


def _of_subject(measure: Measure, subject: ModuleType, name: str, way: str, folder: Path, size: int) -> Sequence[str]:
    path = folder / f"sizes-{name}-{size}"
    measure([sys.executable, str(Path(__file__).with_name("run.py")), "--prepare", name, str(path), str(size)])
    found: Sequence[str] = subject.ways(path)[way]
    return found


def _cluster(measure: Measure, folder: Path, nodes: int) -> Path:
    path = folder / f"sizes-{nodes}.tar.gz"
    options = [f"--nodes={nodes}", f"--services={SERVICES}", "--conntrack=500", "--dump=json", f"--out={path}"]
    measure([sys.executable, str(Path(__file__).with_name("make_cluster.py")), *options])
    return path


def _record(
    measure: Measure, part: str, unit: str, sizes: Sequence[int], commands: Sequence[Sequence[str]], rounds: int
) -> dict[str, Any]:
    cpu, memory = [], []
    for command in commands:
        runs = [measure(command) for _ in range(rounds)]
        cpu.append(round(min(one[0] for one in runs), 2))
        memory.append(round(max(one[1] for one in runs)))
    return {
        "kind": "sizes", "part": part, "unit": unit, "sizes": list(sizes), "rounds": rounds, "cpu_s": cpu, "rss_mb": memory,
    }  # fmt: skip
