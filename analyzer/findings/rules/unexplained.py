"""REACH-099: failures of served addresses that no other rule explains. Nothing that fails goes unmentioned."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from analyzer.findings.context import Cell, Context, keys, names, nodes, targets
from analyzer.findings.model import Finding, few
from analyzer.findings.registry import rule


@rule("REACH-099", order=90, severities=("warning", "notice"), fixes=("F1",))
def unexplained(context: Context) -> Iterator[Finding]:
    """The walk knows the mechanism; only the advice is missing."""
    groups: dict[tuple[str, str], list[Cell]] = defaultdict(list)
    for cell in context.cells:
        expected = cell.row.kind == "cluster-ip" and cell.vantage.kind == "external"
        if cell.bad and not expected and cell.key not in context.explained:
            groups[(cell.row.service or str(cell.row.target), cell.verdict.mechanism)].append(cell)
    for (about, mechanism), bad in sorted(groups.items()):
        example = context.trace(bad[0])
        service = context.services.get(about)
        yield Finding(
            rule="REACH-099",
            about=f"{about}:{mechanism}",
            severity="warning" if service is not None else "notice",
            values={
                "service": about,
                "targets": few(targets(bad)),
                "count": str(len(bad)),
                "mechanism": mechanism,
                "outcome": bad[0].verdict.outcome,
            },  # fmt: skip
            evidence=context.evidence(example, *((service.evidence,) if service else ())),
            nodes=nodes(bad),
            services=(about,) if service else (),
            vantages=names(bad),
            targets=targets(bad),
            confidence=example.verdict.confidence,
            fixes=("F1",) if service else (),
            example=example,
            cells=keys(bad),
        )
