"""NODE-002: a VIP that is also the address of another node, or of a router on the way.

Every node that binds it keeps packets for that machine to itself: the local table comes before all routes.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from analyzer.findings.context import Context
from analyzer.findings.model import Finding, few
from analyzer.findings.registry import rule
from analyzer.snapshot.objects import columns


def _gateways(context: Context) -> dict[str, set[str]]:
    """Service address -> the nodes with a route through it; routes that stand in for a capture have no such gateway."""
    found: dict[str, set[str]] = defaultdict(set)
    for frame in context.snapshot.chunks("routes", "node", "gateway"):
        for node, gateway in columns(frame[frame["gateway"].notna()], "node", "gateway"):
            if gateway in context.world.service_addresses:
                found[gateway].add(node)
    return found


@rule("NODE-002", needs=("services", "ip-addr"), severities=("critical",), fixes=("F2",))
def vip_of_somebody_else(context: Context) -> Iterator[Finding]:
    """Nodes that bind the address can no longer reach the machine that really has it."""
    world = context.world
    routed = _gateways(context)
    for address, uses in sorted(world.service_addresses.items()):
        owners = tuple(owner for owner, kind in uses if kind != "cluster-ip")
        owner = world.node_by_address.get(address, "")
        binding, where = [], []
        for node in world.node_names if owner else sorted(routed.get(address, ())):
            state = world.state(node)
            bound = state.local.get(address, ("",))[0] == "kube-ipvs0"
            gateways = [route for routes in state.routes.values() for route in routes if route.gateway == address]
            if bound and ((owner and owner != node) or gateways):
                binding.append(node)
                where += [*state.local_evidence(address), *(route.evidence for route in gateways[:1])]
        if not owners or not binding:
            continue
        yield Finding(
            rule="NODE-002",
            about=address,
            severity="critical",
            values={
                "address": address,
                "owners": ", ".join(owners),
                "machine": owner or "router",
                "nodes": few(binding),
            },
            evidence=context.evidence(None, *where, *(context.services[one].evidence for one in owners)),
            nodes=tuple(binding),
            services=owners,
            fixes=("F2",),
        )
