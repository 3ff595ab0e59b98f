"""A violated statement as a finding, so that every report shows it with its proof."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from analyzer.findings.model import Finding
from analyzer.forwarding import World, trace
from analyzer.intent.model import Cell, Intent, Result
from analyzer.snapshot.model import Snapshot

EVIDENCE = 12


def intent_findings(intent: Intent, results: Iterable[Result], snapshot: Snapshot, world: World) -> Iterator[Finding]:
    """INTENT-001 for each violated statement; with ``open: fail`` INTENT-002 for each that cannot be decided."""
    for one in results:
        if one.standing == "violated":
            yield _finding("INTENT-001", one, one.of("violated"), snapshot, world)
        elif one.standing == "open" and intent.open_fails:
            yield _finding("INTENT-002", one, one.of("open"), snapshot, world)


def _finding(rule: str, result: Result, cells: tuple[Cell, ...], snapshot: Snapshot, world: World) -> Finding:
    statement = result.statement
    example = trace(world, cells[0].source, cells[0].target) if cells else None
    steps = [step for hop in example.paths[0].hops for step in hop.steps] if example else []
    evidence = dict.fromkeys(one for step in steps for one in step.evidence if one.file)
    keys = tuple((str(cell.source), str(cell.target)) for cell in cells)
    return Finding(
        rule=rule,
        about=statement.name,
        severity="critical" if rule == "INTENT-001" else "warning",
        values={
            "statement": statement.name,
            "must": statement.must,
            "count": str(len(cells)),
            "total": str(len(result.cells)),
        },
        evidence=tuple(snapshot.quote(one) for one in list(evidence)[:EVIDENCE]),
        nodes=tuple(dict.fromkeys(cell.source.name for cell in cells if cell.source.kind == "node")),
        vantages=tuple(dict.fromkeys(source for source, _ in keys)),
        targets=tuple(dict.fromkeys(target for _, target in keys)),
        confidence=cells[0].verdict.confidence if cells else "low",
        example=example,
        cells=keys,
    )
