"""REACH-014: a firewall rule on a node drops or rejects what a Service should serve."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from analyzer.findings.context import Cell, Context, keys, names, nodes, targets, worst
from analyzer.findings.model import Finding, few
from analyzer.findings.registry import rule

BY_RULE = frozenset({"dropped", "reply-dropped", "rejected", "ipvs-filter-reject"})


@rule("REACH-014", needs=("iptables", "services"), order=50, severities=("warning",), fixes=("F15",))
def dropped(context: Context) -> Iterator[Finding]:
    """Source ranges, host firewalls, a DROP policy, a filter that lacks an exception: named with the rule's own line."""
    groups: dict[tuple[str, str], list[Cell]] = defaultdict(list)
    for cell in context.cells:
        if cell.bad and cell.row.service and cell.verdict.mechanism in BY_RULE and cell.key not in context.explained:
            groups[(cell.row.service, cell.verdict.mechanism)].append(cell)
    for (service, mechanism), bad in sorted(groups.items()):
        example = context.trace(bad[0])
        values = worst(example).values
        yield Finding(
            rule="REACH-014",
            about=f"{service}:{mechanism}",
            severity="warning",
            values={
                "service": service,
                "chain": values.get("chain", "?"),
                "node": values.get("node", "?"),
                "targets": few(targets(bad)),
                "count": str(len(bad)),
                "outcome": bad[0].verdict.outcome,
            },  # fmt: skip
            evidence=context.evidence(example, context.services[service].evidence),
            nodes=nodes(bad),
            services=(service,),
            vantages=names(bad),
            targets=targets(bad),
            situation="S16",
            confidence=example.verdict.confidence,
            fixes=("F15",),
            example=example,
            cells=keys(bad),
        )
