"""The matrix by shared walks, against a walk for each cell (imports included).

The checksum is over the outcome, servers and sources of every cell.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

SIZE = 12
"""Nodes; ten times as many Services."""
BASE = "load alone"
TARGETS = {"shared walks": "1,000 nodes x 10,000 ports x 4 vantages in 2 s (not measured at that size)"}
RUN = """
import hashlib, sys
from analyzer.api import opened
from analyzer.forwarding import build_world, matrix, trace
with opened(sys.argv[1]) as snapshot:
    if sys.argv[2] == "load":
        import pandas
        print(sys.argv[3])
        raise SystemExit
    world = build_world(snapshot)
    if sys.argv[2] == "shared":
        cells = matrix(world, max_cells=3000).cells
    else:
        module = sys.modules["analyzer.forwarding.matrix"]  # the package's name for it is the function
        module.verdict_of = lambda world, source, target: trace(world, source, target).verdict
        cells = matrix(world, max_cells=3000).cells
found = [(str(s), str(t), v.outcome, v.servers, v.seen_source_ips) for (s, t), v in cells.items()]
print(len(found), hashlib.sha256(repr(found).encode()).hexdigest()[:16])
"""


def missing() -> str:
    return ""


def make(path: Path, size: int) -> None:
    import subprocess

    generator = Path(__file__).parent.parent / "make_cluster.py"
    options = [f"--nodes={size}", f"--services={size * 10}", "--conntrack=50", "--dump=json"]
    subprocess.run([sys.executable, str(generator), *options, "--out", str(path)], check=True)


def reference(path: Path) -> str:
    import os
    import subprocess

    run = [sys.executable, "-c", RUN, str(path), "each"]
    root = str(Path(__file__).parent.parent.parent)
    done = subprocess.run(run, check=True, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": root})
    (path / "checksum").write_text(done.stdout.strip(), encoding="utf-8")
    return done.stdout.strip()


def ways(path: Path) -> Mapping[str, Sequence[str]]:
    expected = (path / "checksum").read_text(encoding="utf-8")
    return {
        BASE: [sys.executable, "-c", RUN, str(path), "load", expected],
        "a walk for each cell": [sys.executable, "-c", RUN, str(path), "each"],
        "shared walks": [sys.executable, "-c", RUN, str(path), "shared"],
    }
