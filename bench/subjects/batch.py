"""What a queue costs beside its analyses: `ipvscope batch` of small bundles, one at a time, against one process for all.

The checksum is how many bundles could be analysed and how many are broken. Memory that grew with the queue would show as a
difference between half of it and all.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

SIZE = 120
"""Bundles; the target speaks of 10,000 (`bench/queue.py --count 10000`)."""
BASE = "one process"
TARGETS = {"ipvscope batch, half": "as much memory as all", "whole less half": "≤ 1.05x"}
LESS = {"whole less half": (("ipvscope batch", "ipvscope batch, half"), (BASE, "one process, half"))}
"""The start of both is left out: 10,000 bundles do not notice it."""
ALONE = """
import pathlib, sys, tempfile
from analyzer.batch.analysis import Request, analyse
from analyzer.batch.model import RECORDS, Options
broken = 0
paths = sorted(pathlib.Path(sys.argv[1]).glob("*/*.tar.gz"))
paths = paths[: len(paths) // int(sys.argv[2])]
for path in paths:
    with tempfile.TemporaryDirectory() as folder:
        analyse(Request(str(path), folder, "", Options(lang="en", reports=("html",))))
        broken += RECORDS.decode(pathlib.Path(folder, "record.json").read_bytes()).status == "failed"
print(len(paths) - broken, broken)
"""
BATCH = """
import io, pathlib, sys, tempfile
from analyzer.batch.run import Plan, run
from analyzer.batch.model import Options, Ticket
from analyzer.batch.progress import Plain
from analyzer.limits import Limits
from analyzer.report.messages import Messages
paths = sorted(pathlib.Path(sys.argv[1]).glob("*/*.tar.gz"))
tickets = [Ticket(path.name, str(path), str(path)) for path in paths[: len(paths) // int(sys.argv[2])]]
with tempfile.TemporaryDirectory() as folder:
    plan = Plan(folder, Options(lang="en", reports=("html",)), Limits(), jobs=1, duckdb=False)
    outcome = run(tickets, plan, Messages("en"), Plain(len(tickets), Messages("en"), io.StringIO()))
    broken = outcome.statuses["failed"]
    print(len(tickets) - broken, broken)
"""


def missing() -> str:
    return ""


def make(path: Path, size: int) -> None:
    sys.path.append(str(Path(__file__).parent.parent))
    import make_queue

    make_queue.write(path, size)


def reference(path: Path) -> Mapping[str, str]:
    """By what the generator does: one archive in so many is none."""
    import make_queue

    size = len(list(path.glob("*/*.tar.gz")))
    all_, half = (
        f"{count - count // make_queue.BROKEN_EVERY} {count // make_queue.BROKEN_EVERY}" for count in (size, size // 2)
    )
    return {BASE: all_, "one process, half": half, "ipvscope batch": all_, "ipvscope batch, half": half}


def ways(path: Path) -> Mapping[str, Sequence[str]]:
    return {
        BASE: [sys.executable, "-c", ALONE, str(path), "1"],
        "one process, half": [sys.executable, "-c", ALONE, str(path), "2"],
        "ipvscope batch": [sys.executable, "-c", BATCH, str(path), "1"],
        "ipvscope batch, half": [sys.executable, "-c", BATCH, str(path), "2"],
    }
