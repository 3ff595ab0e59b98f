"""Questions about load balancers that several rules ask."""

from __future__ import annotations

from analyzer.evidence import Evidence
from analyzer.findings.context import Context
from analyzer.forwarding import Target
from analyzer.forwarding.world import LbListener, LoadBalancer


def sharers(context: Context, address: str) -> tuple[str, ...]:
    """Services of this cluster that publish the address (and so have it bound to kube-ipvs0), ipMode Proxy aside."""
    return tuple(
        service.id
        for service in context.snapshot.objects.services
        if any(ip == address and mode != "Proxy" for ip, mode in service.ingress)
    )


def balancer_of(context: Context, target: Target) -> tuple[LoadBalancer | None, LbListener | None]:
    balancer = context.world.load_balancers.get(target.address)
    return balancer, balancer.listener(target.protocol, target.port) if balancer else None


def balancer_values(context: Context, target: Target) -> tuple[dict[str, str], tuple[Evidence, ...]]:
    """Values for sentences about a listener (address, port, protocol, lb, description, backends), and its lines."""
    balancer, listener = balancer_of(context, target)
    backends = listener.backends if listener and listener.backends else ()
    values = {
        "address": target.address,
        "port": str(target.port),
        "protocol": listener.protocol if listener else target.protocol,
        "lb": balancer.id if balancer and balancer.id else "?",
        "description": listener.description if listener and listener.description else "?",
        "backends": ", ".join(f"{one.address}:{one.port}" for one in backends[:4]) or "?",
    }
    where = tuple(one.evidence for one in (balancer, listener) if one is not None)
    return values, (*where, *(one.evidence for one in backends[:2]))


def bound_on(context: Context, address: str) -> tuple[str, ...]:
    """Nodes on which the address is local (bound to kube-ipvs0 or another interface)."""
    return context.world.holders(address)
