"""REACH-018: loadBalancerSourceRanges lets clients outside in, and clients of the cluster not.

kube-proxy enforces the ranges on the nodes, so they meet every client of the bound address: pods by their own address, processes of a
node by the address itself. From 1.29 on the ranges hold for processes of the node too (KUBE-IPVS-OUT-FILTER). Source:
kubernetes#119656; pkg/proxy/ipvs/proxier.go.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from analyzer.findings.context import Cell, Context, keys, names, nodes, targets
from analyzer.findings.model import Finding
from analyzer.findings.registry import rule

BY_RULE = frozenset({"dropped", "rejected", "ipvs-filter-reject"})
CHAINS = frozenset(
    {"KUBE-FIREWALL", "KUBE-PROXY-FIREWALL", "KUBE-SOURCE-RANGES-FIREWALL", "KUBE-MARK-DROP", "KUBE-IPVS-OUT-FILTER"}
)


@rule("REACH-018", needs=("services",), severities=("notice",), fixes=("F21", "F1"), order=40)
def source_ranges(context: Context) -> Iterator[Finding]:
    """A wanted restriction that also meets clients inside."""
    groups: dict[str, list[Cell]] = defaultdict(list)
    for cell in context.cells:
        service = context.services.get(cell.row.service)
        if service is None or not service.source_ranges or cell.row.kind != "load-balancer" or not cell.bad:
            continue
        if cell.vantage.kind != "external" and cell.verdict.mechanism in BY_RULE and cell.key not in context.explained:
            path = next(one for one in context.trace(cell).paths if one.mechanism in BY_RULE)
            if path.values.get("chain", "") in CHAINS:
                groups[service.id].append(cell)
    for name, bad in sorted(groups.items()):
        service = context.services[name]
        example = context.trace(bad[0])
        yield Finding(
            rule="REACH-018",
            about=name,
            severity="notice",
            values={
                "service": name, "ranges": ", ".join(service.source_ranges[:8]), "targets": ", ".join(targets(bad)[:6]),
                "count": str(len(bad)), "outcome": bad[0].verdict.outcome,
            },
            evidence=context.evidence(example, service.evidence),
            nodes=nodes(bad),
            services=(name,),
            vantages=names(bad),
            targets=targets(bad),
            confidence=example.verdict.confidence,
            fixes=("F21", "F1"),
            example=example,
            cells=keys(bad),
        )  # fmt: skip
