"""LB-011: a listener of a Service has an access list, and its entries were not collected.

From inside the list does not apply while the address is bound on the nodes; from the moment it is not (hostname, ipMode: Proxy),
clients inside are judged by it as well. Which clients outside it admits is not known here, so they are unknown.
"""

from __future__ import annotations

from collections.abc import Iterator

from analyzer.findings.context import Context, keys
from analyzer.findings.model import Finding
from analyzer.findings.registry import rule


@rule("LB-011", needs=("services", "cloud"), severities=("info",), fixes=())
def access_list(context: Context) -> Iterator[Finding]:
    """Who is admitted from outside cannot be told without the list."""
    for service in context.snapshot.objects.services:
        for address in service.published:
            balancer = context.world.load_balancers.get(address)
            for port in service.ports if balancer is not None else ():
                listener = balancer.listener(port.protocol, port.port) if balancer else None
                if listener is None or not listener.acl:
                    continue
                cells = [
                    cell
                    for cell in context.by_service.get(service.id, ())
                    if cell.row.target.address == address and cell.verdict.mechanism == "lb-access-list"
                ]
                yield Finding(
                    rule="LB-011",
                    about=f"{service.id}:{address}:{port.port}/{port.protocol}",
                    severity="info",
                    values={
                        "service": service.id, "address": address, "port": str(port.port), "acl": listener.acl,
                        "lb": balancer.id if balancer else "?", "count": str(len(cells)),
                    },
                    evidence=context.evidence(None, listener.evidence, service.evidence),
                    services=(service.id,),
                    vantages=tuple(dict.fromkeys(str(cell.vantage.source) for cell in cells)),
                    targets=(f"{address}:{port.port}/{port.protocol}",),
                    situation="S16",
                    fixes=(),
                    cells=keys(cells),
                )  # fmt: skip
