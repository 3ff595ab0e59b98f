"""Two captures of one cluster: did the fix work, what changed before the incident."""

from __future__ import annotations

from analyzer.diff.model import Difference, Differences, FindingChange
from analyzer.diff.nodes import node_differences, not_compared
from analyzer.diff.objects import object_differences
from analyzer.findings import find
from analyzer.findings.model import SEVERITIES, Finding
from analyzer.forwarding import World, build_world, matrix
from analyzer.snapshot.model import Snapshot
from analyzer.whatif import compare

__all__ = ["Difference", "Differences", "FindingChange", "diff"]


def diff(old: Snapshot, new: Snapshot, *, max_cells: int = 0) -> Differences:
    """Compare two snapshots by meaning, aligned by names: objects, node states, who reaches what, findings.

    Args:
        max_cells: walk at most so many cells of each matrix; 0 for all.
    """
    worlds = build_world(old), build_world(new)
    return Differences(
        objects=tuple(object_differences(old, new)),
        nodes=tuple(node_differences(old, new)),
        verdicts=compare(*worlds, max_cells=max_cells),
        findings=_findings(_found(old, worlds[0]), _found(new, worlds[1])),
        not_compared=not_compared(old, new),
    )


def _found(snapshot: Snapshot, world: World) -> dict[tuple[str, str], Finding]:
    cells = matrix(world)
    return {(one.rule, one.about): one for one in find(snapshot, world, cells).findings}


def _findings(old: dict[tuple[str, str], Finding], new: dict[tuple[str, str], Finding]) -> tuple[FindingChange, ...]:
    changes = []
    for key in sorted({*old, *new}):
        was, will = old.get(key), new.get(key)
        if was is None or will is None:
            changes.append(FindingChange("new" if was is None else "gone", was, will))
            continue
        rank = SEVERITIES.index(was.severity) - SEVERITIES.index(will.severity)
        state = "worse" if rank > 0 else "better" if rank < 0 else "same"
        changes.append(FindingChange(state, was, will))  # type: ignore[arg-type]
    order = {"new": 0, "worse": 1, "gone": 2, "better": 3, "same": 4}
    return tuple(
        sorted(changes, key=lambda one: (order[one.state], SEVERITIES.index(one.finding.severity), one.finding.rule))
    )
