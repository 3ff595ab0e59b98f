"""LB-010: the listener of a Service exists and is stopped."""

from __future__ import annotations

from collections.abc import Iterator

from analyzer.findings.context import Context, keys
from analyzer.findings.model import Finding
from analyzer.findings.registry import rule
from analyzer.snapshot.objects import evidence_of, number, records, text


def stopped(context: Context) -> dict[tuple[str, str, int], dict[str, object]]:
    """(load balancer, transport protocol, port) -> the row of a stopped listener."""
    return {
        (text(row["lb_id"]), "udp" if text(row["protocol"]) == "udp" else "tcp", number(row["port"]) or 0): row
        for row in records(context.snapshot["lb_listeners"])
        if text(row["status"]).lower() == "stopped"
    }


@rule("LB-010", needs=("services", "cloud"), severities=("warning",), fixes=("F15",))
def listener_stopped(context: Context) -> Iterator[Finding]:
    """Works inside, where the load balancer is not asked; nobody answers outside."""
    halted = stopped(context)
    for service in context.snapshot.objects.services if halted else ():
        for address in service.published:
            balancer = context.world.load_balancers.get(address)
            for port in service.ports if balancer is not None else ():
                row = halted.get((balancer.id if balancer else "", port.protocol, port.port))
                if row is None:
                    continue
                cells = [
                    cell
                    for cell in context.by_service.get(service.id, ())
                    if (cell.row.target.address, cell.row.target.port, cell.vantage.kind)
                    == (address, port.port, "external")
                ]
                yield Finding(
                    rule="LB-010",
                    about=f"{service.id}:{address}:{port.port}/{port.protocol}",
                    severity="warning",
                    values={
                        "service": service.id, "address": address, "port": str(port.port), "protocol": port.protocol,
                        "lb": balancer.id if balancer else "?",
                    },
                    evidence=context.evidence(None, evidence_of(row), service.evidence, port.evidence),
                    services=(service.id,),
                    vantages=tuple(dict.fromkeys(str(cell.vantage.source) for cell in cells)),
                    targets=(f"{address}:{port.port}/{port.protocol}",),
                    situation="S16",
                    fixes=("F15",),
                    cells=keys(cells),
                )  # fmt: skip
