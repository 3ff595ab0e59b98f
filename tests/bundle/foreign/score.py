"""What can be said of the measured connections from a foreign bundle of the same capture, and that nothing else is said."""

from __future__ import annotations

import importlib
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from analyzer import opened
from analyzer.api import probe_frame
from analyzer.forwarding import build_world
from tests import lab

from .capture import Capture, Files
from .harness import write
from .lacks import LACKS
from .loose import cluster_only

WITH_OBJECTS = {
    "ack + objects": ("ack", False),
    "ack + objects + cloud": ("ack", True),
    "eks + objects": ("eks", False),
    "kubeskoop + objects": ("kubeskoop", False),
}
"""An archive of nodes, the objects as kubectl prints them beside it, and the load balancer's documents or not."""
NAMES = (*LACKS, *WITH_OBJECTS)


@dataclass
class Score:
    cells: int = 0
    right: int = 0
    unknown: int = 0
    wrong: list[str] = field(default_factory=list)
    false_ok: int = 0


def uploads(name: str, of: Capture) -> dict[str, Files]:
    layout, cloud = WITH_OBJECTS.get(name, (name, False))
    made: dict[str, Files] = dict(importlib.import_module(f"tests.bundle.foreign.{layout}").uploads(of))
    if name in WITH_OBJECTS:
        made |= cluster_only(of)
    if cloud:
        made["cloud.zip"] = of.cloud
    return made


def score(name: str, of: Capture, at: Path) -> Score:
    """Cells of truth.csv against the verdicts from layout `name`. An answer that leaves something open counts as unknown."""
    cells = list(lab.measured(of.case))
    asked = pd.DataFrame(
        {"source": [one.source for one in cells], "target": [one.target for one in cells]}, dtype="str"
    )
    with opened(write(at, uploads(name, of))) as snapshot:
        said = probe_frame(build_world(snapshot), asked)
    found = Score(len(cells))
    for cell, outcomes, why in zip(cells, said["outcomes"], said["mechanism"], strict=True):
        got = lab.fold(frozenset(outcomes.split(";")))
        if got == cell.outcomes:
            found.right += 1
        elif "unknown" in got:
            found.unknown += 1
        else:
            found.wrong.append(f"{cell.source} -> {cell.target}: {outcomes} ({why}), measured {sorted(cell.outcomes)}")
            found.false_ok += "ok" in got and "ok" not in cell.outcomes
    return found
