"""SVC-002: internalTrafficPolicy Local and nodes without an endpoint."""

from __future__ import annotations

from collections.abc import Iterator

from analyzer.findings.context import Context, keys, names, nodes, targets
from analyzer.findings.model import Finding, few
from analyzer.findings.registry import rule


@rule("SVC-002", needs=("services", "endpoints"), severities=("warning", "info"), fixes=("F7", "F11"))
def internal_policy(context: Context) -> Iterator[Finding]:
    """By design refused where no endpoint is; up to 1.23 the policy reaches the NodePort and the load balancer too."""
    for service in context.snapshot.objects.services:
        if service.internal_policy != "Local" or not context.endpoint_nodes(service):
            continue
        bad = [
            cell
            for cell in context.by_service.get(service.id, ())
            if cell.bad and "ipvs-no-destination" in cell.verdict.mechanisms and cell.key not in context.explained
        ]
        if not bad:
            continue
        wider = [cell for cell in bad if cell.row.kind != "cluster-ip"]
        example = context.trace((wider or bad)[0])
        yield Finding(
            rule="SVC-002",
            about=service.id,
            severity="warning" if wider else "info",
            values={
                "service": service.id,
                "having": few(sorted(context.endpoint_nodes(service))),
                "targets": few(targets(bad)),
                "count": str(len(bad)),
                "wider": str(len(wider)),
            },  # fmt: skip
            evidence=context.evidence(example, service.evidence),
            nodes=nodes(bad),
            services=(service.id,),
            vantages=names(bad),
            targets=targets(bad),
            confidence=example.verdict.confidence,
            fixes=("F7", "F11") if wider else (),
            example=example,
            cells=keys(bad),
        )
