"""LB-006: the backends of a Service's listener are not what the Service asks for.

A port that is no nodePort (or endpoint port) of the Service any more, a machine that is no node, or, with policy Local, a node without
an endpoint: its share of the connections fails outside. The cloud controller writes this list; it has not followed (an error, a
server group managed by hand, too little time). A backend with weight 0 gets nothing and is no fault.
"""

from __future__ import annotations

from collections.abc import Iterator

from analyzer.findings.context import Context, keys
from analyzer.findings.model import Finding
from analyzer.findings.registry import rule
from analyzer.forwarding.world import Backend
from analyzer.snapshot.objects import Service, ServicePort


@rule("LB-006", needs=("services", "endpoints", "cloud"), severities=("warning", "notice"), fixes=("F20",))
def backends_differ(context: Context) -> Iterator[Finding]:
    """Some connections from outside land where nobody serves the Service."""
    for service in context.snapshot.objects.services:
        for address in service.published:
            balancer = context.world.load_balancers.get(address)
            if balancer is None or not balancer.complete:
                continue
            for port in service.ports:
                listener = balancer.listener(port.protocol, port.port)
                live = [one for one in listener.backends or () if one.weight > 0] if listener else []
                if listener is None or listener.inferred or not live:
                    continue
                wrong = [(one, reason) for one in live if (reason := _wrong(context, service, port, one))]
                if not wrong:
                    continue
                cells = [
                    cell
                    for cell in context.by_service.get(service.id, ())
                    if cell.row.target.address == address and cell.row.target.port == port.port
                    and cell.vantage.kind == "external" and cell.bad
                ]  # fmt: skip
                example = context.trace(cells[0]) if cells else None
                yield Finding(
                    rule="LB-006",
                    about=f"{service.id}:{address}:{port.port}/{port.protocol}",
                    severity="warning" if cells else "notice",
                    values={
                        "service": service.id, "address": address, "port": str(port.port), "lb": balancer.id or "?",
                        "count": str(len(wrong)), "total": str(len(live)),
                        "backends": ", ".join(f"{one.address}:{one.port} ({reason})" for one, reason in wrong[:6]),
                    },
                    evidence=context.evidence(example, *(one.evidence for one, _ in wrong[:4]), port.evidence, service.evidence),
                    nodes=tuple(dict.fromkeys(one.node for one, _ in wrong if one.node)),
                    services=(service.id,),
                    vantages=tuple(dict.fromkeys(str(cell.vantage.source) for cell in cells)),
                    targets=(f"{address}:{port.port}/{port.protocol}",),
                    situation="S16",
                    fixes=("F20",),
                    example=example,
                    cells=keys(cells),
                )  # fmt: skip


def _wrong(context: Context, service: Service, port: ServicePort, backend: Backend) -> str:
    """Why this backend does not serve the port; empty when it does, or cannot be judged."""
    endpoints = service.endpoints_of(port, 6 if ":" in backend.address else 4)
    if any(one.address == backend.address and one.port == backend.port for one in endpoints):
        return ""
    if backend.node:
        if not port.node_port or backend.port != port.node_port:
            return f"nodePort {port.node_port}" if port.node_port else "no nodePort"
        if service.external_local and context.endpoint_nodes(service):
            return "" if backend.node in context.endpoint_nodes(service) else "no endpoint"
        return ""
    if not context.snapshot.has("", "nodes") or not endpoints:
        return ""
    # An address of the cluster's own endpoints' kind that is none: a pod that is gone. Others belong to other systems.
    return "gone" if backend.kind == "eni" else ""
