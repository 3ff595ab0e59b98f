"""LB-002: only some of the Services that share a load balancer keep its address off the nodes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from analyzer.findings.context import Context, keys, names, nodes
from analyzer.findings.model import Finding
from analyzer.findings.registry import rule
from analyzer.snapshot.objects import Service


def _id(service: Service) -> str:
    return service.labels.get("service.k8s.alibaba/loadbalancer-id") or service.annotation("loadbalancer-id") or ""


@rule("LB-002", needs=("services",), severities=("warning",), fixes=("F3b",))
def partial_hostname(context: Context) -> Iterator[Finding]:
    """S18: binding is per address, so one Service without the annotation binds it again for all of them."""
    by_lb: dict[str, list[Service]] = defaultdict(list)
    for service in context.snapshot.objects.services:
        if service.type == "LoadBalancer" and _id(service):
            by_lb[_id(service)].append(service)
    for lb, sharing in sorted(by_lb.items()):
        hidden = [one for one in sharing if one.hostnames and not one.published]
        binding = [one for one in sharing if one.published]
        if not hidden or not binding:
            continue
        addresses = {address for one in binding for address in one.published}
        hidden_ports = {(port.protocol, port.port) for one in hidden for port in one.ports}
        bad = [
            cell
            for cell in context.cells
            if cell.row.target.address in addresses
            and (cell.row.target.protocol, cell.row.target.port) in hidden_ports
            and cell.vantage.kind != "external"
            and cell.bad
        ]
        example = context.trace(bad[0]) if bad else None
        yield Finding(
            rule="LB-002",
            about=lb,
            severity="warning",
            values={
                "lb": lb,
                "hidden": ", ".join(one.id for one in hidden),
                "binding": ", ".join(one.id for one in binding),
                "addresses": ", ".join(sorted(addresses)),
                "count": str(len(bad)),
            },  # fmt: skip
            evidence=context.evidence(example, *(one.evidence for one in (*hidden, *binding))),
            nodes=nodes(bad),
            services=tuple(one.id for one in sharing),
            vantages=names(bad),
            targets=tuple(dict.fromkeys(str(cell.row.target) for cell in bad)),
            situation="S18",
            confidence=example.verdict.confidence if example else "high",
            fixes=("F3b",),
            example=example,
            cells=keys(bad),
        )
