"""LB-003, LB-004: what the load balancer adds is missing inside the cluster, because the packet never passes it.

The address is bound, so a client inside is connected to a pod directly. PROXY protocol: the server waits for a header that only
the load balancer sends (LB-003). A layer-7 listener: no TLS, no X-Forwarded-For, no redirect; TLS clients meet plain HTTP (LB-004).
"""

from __future__ import annotations

from collections.abc import Iterator

from analyzer.evidence import Evidence
from analyzer.findings.context import Context
from analyzer.findings.model import Finding
from analyzer.findings.registry import rule
from analyzer.forwarding import Target
from analyzer.snapshot.objects import Service, evidence_of, records, text


def _bound(context: Context, address: str) -> tuple[str, ...]:
    state = context.world.state
    return tuple(node for node in context.world.node_names if state(node).local.get(address, ("",))[0] == "kube-ipvs0")


def _finding(
    context: Context, rule_id: str, situation: str, service: Service, target: Target, kind: str, where: Evidence
) -> Iterator[Finding]:
    nodes = _bound(context, target.address)
    if not nodes:
        return
    yield Finding(
        rule=rule_id,
        about=str(target),
        severity="warning",
        values={"service": service.id, "target": str(target), "kind": kind, "count": str(len(nodes))},
        evidence=context.evidence(
            None, where, service.evidence, *context.world.state(nodes[0]).local_evidence(target.address)
        ),
        nodes=nodes,
        services=(service.id,),
        targets=(str(target),),
        situation=situation,
        fixes=("F1", "F3", "F4") if rule_id == "LB-003" else ("F3", "F4", "F1"),
    )


@rule("LB-003", needs=("services", "ip-addr"), severities=("warning",), fixes=("F1", "F3", "F4"))
def proxy_protocol(context: Context) -> Iterator[Finding]:
    """TCP connects, then the server reports a broken header or closes."""
    frame = context.snapshot["lb_listeners"]
    listeners = {
        (text(row["lb_id"]), int(row["port"])): row for row in records(frame) if str(row["proxy_protocol"]) == "True"
    }
    for service in context.services.values():
        annotated = service.annotation("loadbalancer-proxy-protocol") == "on"
        for address in service.published:
            balancer = context.world.load_balancers.get(address)
            for port in service.ports:
                row = listeners.get((balancer.id if balancer else "", port.port))
                if (annotated or row) and port.protocol == "tcp":
                    where = evidence_of(row) if row else service.evidence
                    yield from _finding(context, "LB-003", "S12", service, Target(address, port.port), "PROXY", where)


@rule("LB-004", needs=("services", "ip-addr"), severities=("warning",), fixes=("F3", "F4", "F1"))
def layer7_listener(context: Context) -> Iterator[Finding]:
    """wrong version number, missing headers, a redirect that does not come."""
    for service in context.services.values():
        for address in service.published:
            balancer = context.world.load_balancers.get(address)
            for port in service.ports:
                listener = balancer.listener(port.protocol, port.port) if balancer else None
                if listener is not None and listener.layer7:
                    target = Target(address, port.port, port.protocol)
                    yield from _finding(
                        context, "LB-004", "S13", service, target, listener.protocol.upper(), listener.evidence
                    )
