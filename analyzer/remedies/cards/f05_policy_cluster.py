"""F5: `externalTrafficPolicy: Cluster`, so that every node uses all endpoints and masquerades.

**Helps** against everything that `Local` does on a node without endpoint. **Does not help** with ports that no Service
serves, nor with the loop-back limit.
"""

from __future__ import annotations

from analyzer.remedies import sources
from analyzer.remedies.case import Case
from analyzer.remedies.effects import Effects, policy_cluster
from analyzer.remedies.model import Change, Remedy
from analyzer.remedies.parts import POLICY_CLUSTER, patch_all
from analyzer.remedies.words import command, ipvs_server, lines, listed
from analyzer.snapshot.objects import Service


def build(case: Case) -> Remedy | None:
    """For the Services of the finding whose policy is Local."""
    services = [service for service in case.services if service.external_local]
    if not services:
        return None
    effects = Effects()
    policy_cluster(case, effects, services)
    return Remedy(
        "F5", {"services": listed(service.id for service in services), **effects.values},
        (patch_all(services, POLICY_CLUSTER, "change.patch"),), (), tuple(effects.slugs), look_at_servers(case, services),
        (sources.TRAFFIC_POLICY, sources.ACK_LB_NOTES),
    )  # fmt: skip


def look_at_servers(case: Case, services: list[Service]) -> tuple[Change, ...]:
    """On a node without endpoint: the virtual servers of the published addresses and node ports list all endpoints."""
    commands = []
    for service in services:
        for port in service.ports:
            commands += [
                command("ipvsadm", "-Ln", *ipvs_server(ip, port.port, port.protocol)) for ip in service.published
            ]
            for node in case.nodes[:1] if port.node_port else ():
                address = case.world.primary(node, 4) or case.world.primary(node, 6)
                if address and port.node_port:
                    commands.append(command("ipvsadm", "-Ln", *ipvs_server(address, port.node_port, port.protocol)))
    return (lines(*commands[:8], title="change.look-at-node"),) if commands else ()


CARDS = {"F5": build}
