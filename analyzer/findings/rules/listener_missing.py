"""LB-001: a Service port without a listener on the load balancer the Service publishes."""

from __future__ import annotations

from collections.abc import Iterator

from analyzer.findings.context import Cell, Context, keys
from analyzer.findings.model import Finding
from analyzer.findings.registry import rule


@rule("LB-001", needs=("services", "cloud"), severities=("warning",), fixes=("F14", "F15"))
def listener_missing(context: Context) -> Iterator[Finding]:
    """S14: works inside the cluster (IPVS), fails outside: nobody made the listener on a reused load balancer."""
    for service in context.snapshot.objects.services:
        for address in service.published:
            balancer = context.world.load_balancers.get(address)
            if balancer is None or not balancer.complete:
                continue
            for port in service.ports:
                if balancer.listener(port.protocol, port.port) is not None:
                    continue
                reused = service.annotation("loadbalancer-id")
                override = service.annotation("loadbalancer-force-override-listeners")
                cells: list[Cell] = [
                    cell
                    for cell in context.by_service.get(service.id, ())
                    if cell.row.target.address == address
                    and cell.row.target.port == port.port
                    and cell.vantage.kind == "external"
                ]
                yield Finding(
                    rule="LB-001",
                    about=f"{service.id}:{address}:{port.port}/{port.protocol}",
                    severity="warning",
                    values={
                        "service": service.id,
                        "address": address,
                        "port": str(port.port),
                        "lb": balancer.id or "?",
                        "reuse": "reused" if reused else "own",
                        "override": override or "absent",
                    },  # fmt: skip
                    evidence=context.evidence(None, balancer.evidence, service.evidence, port.evidence),
                    services=(service.id,),
                    vantages=tuple(str(cell.vantage.source) for cell in cells),
                    targets=(f"{address}:{port.port}/{port.protocol}",),
                    situation="S14",
                    fixes=("F14", "F15"),
                    cells=keys(cells),
                )
