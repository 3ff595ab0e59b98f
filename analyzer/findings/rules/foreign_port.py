"""REACH-001: a load balancer's listener that no Service of this cluster serves, refused from inside."""

from __future__ import annotations

from collections.abc import Iterator

from analyzer.findings.context import Context, keys, names, nodes
from analyzer.findings.lb import balancer_values, sharers
from analyzer.findings.model import Finding
from analyzer.findings.registry import rule

AT_THE_NODE = frozenset({"ipvs-filter-reject", "vip-port-not-served", "rejected"})


@rule(
    "REACH-001",
    needs=("services", "cloud"),
    severities=("warning",),
    fixes=("F1", "F2", "F3", "F3b", "F4", "F9", "F10"),
)
def foreign_port(context: Context) -> Iterator[Finding]:
    """The case this project began with: the address is local to every node, the port is nobody's, the node refuses."""
    for row in context.matrix.targets:
        if row.kind != "load-balancer-listener":
            continue
        bad = [
            cell
            for cell in context.cells
            if cell.row == row
            and cell.vantage.kind != "external"
            and cell.verdict.outcome in ("refused", "unreachable")
            and cell.verdict.mechanism in AT_THE_NODE
        ]
        owners = sharers(context, row.target.address)
        # A Service's own port on an address it does not publish is the business of LB-002.
        if not bad or (row.service and row.service not in owners):
            continue
        example = context.trace(bad[0])
        outside = [
            cell.verdict.outcome for cell in context.cells if cell.row == row and cell.vantage.kind == "external"
        ]
        listener, where = balancer_values(context, row.target)
        yield Finding(
            rule="REACH-001",
            about=str(row.target),
            severity="warning",
            values={
                **listener,
                "owners": ", ".join(owners) or "?",
                "outside": outside[0] if outside else "unknown",
                "count": str(len(bad)),
            },
            evidence=context.evidence(
                example,
                *where,
                *(context.services[owner].evidence for owner in owners),
                *context.flows(bad[0].vantage.node, row.target.address, row.target.port),
            ),  # fmt: skip
            nodes=nodes(bad),
            services=owners,
            vantages=names(bad),
            targets=(str(row.target),),
            situation="S1",
            confidence=example.verdict.confidence,
            fixes=("F1", "F2", "F3b" if len(owners) > 1 else "F3", "F4", "F9", "F10"),
            example=example,
            cells=keys(bad),
        )
