"""What an analysis says, as lines of text in an order that does not depend on names: to compare a bundle with its image."""

from __future__ import annotations

import re
from pathlib import Path

from analyzer import api
from analyzer.findings import find
from analyzer.forwarding import build_world
from analyzer.forwarding import matrix as walk_matrix
from analyzer.observations import observe


def picture(bundle: Path) -> list[str]:
    """Findings with what they are about and where it stands, skipped rules, all cells, what conntrack says.

    Of several pods that are alike to the walk the matrix asks the first by name. Which one that is depends on the key, so a
    pod stands here as a pod of its node, and what conntrack saw of that very pod is left out, as are its lines among the evidence.
    """
    with api.opened(bundle) as snapshot:
        world = build_world(snapshot)
        cells = walk_matrix(world)
        seen = observe(snapshot, world, cells)
        found = find(snapshot, world, cells, seen)
        pods = {str(one.source): f"{one.kind}@{one.node}" for one in cells.vantages if "pod" in one.kind}
        rows = []
        for one in found.findings:
            values = [f"{key}={_any_order(value)}" for key, value in sorted(one.values.items())]
            proof = [f"{piece.file}:{piece.line}" for piece in one.evidence if "conntrack" not in piece.file]
            rows.append(("finding", one.rule, one.about, one.severity, one.situation, *one.fixes, *values))
            rows += [
                ("of", one.rule, one.about, *sorted(many))
                for many in (one.nodes, one.services, [pods.get(two, two) for two in one.vantages], one.targets, proof)
            ]
        rows += [("skipped", one.rule, *one.missing) for one in found.skipped]
        for row in cells.frame().itertuples(index=False):
            rows.append(("cell", pods.get(str(row[0]), row[0]), *map(_any_order, row[1:])))
        rows += [
            ("observed", str(one.source), str(one.target), one.status, str(one.entries))
            for one in seen.cells
            if str(one.source) not in pods
        ]
        rows += [
            ("notes", file or "", str(count)) for file, count in snapshot["parse_notes"]["file"].value_counts().items()
        ]
    return ["  ".join(map(str, row)) for row in rows]


def _any_order(value: object) -> str:
    return " ".join(sorted(re.split(r"[;,\s]+", str(value))))


def sorted_words(lines: list[str]) -> list[str]:
    """For the comparison: words of each line in order, then the lines."""
    return sorted(" ".join(sorted(re.split(r"[\s,=]+", line))) for line in lines)
