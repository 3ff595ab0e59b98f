"""F7: a ready endpoint on every node that clients use, so that `Local` finds one. Keeps policy and client address.

**Helps** against `Local` on a node without endpoint. **Worsens** the loop-back limit where the address is not bound.
"""

from __future__ import annotations

from typing import Any

from analyzer.remedies import sources
from analyzer.remedies.case import Case, ready_nodes
from analyzer.remedies.checks import has_selector
from analyzer.remedies.effects import Effects, workloads
from analyzer.remedies.model import Prerequisite, Remedy
from analyzer.remedies.plan import Plan
from analyzer.remedies.words import document, kubectl, lines, listed
from analyzer.snapshot.objects import Service, mapping
from analyzer.whatif.edits import AddEndpoint


def build(case: Case) -> Remedy | None:
    """For Local Services that miss an endpoint on some node; one workload per Service is shown."""
    services = [service for service in case.services if _is_local(service) and _without(case, service)]
    if not services:
        return None
    changes = []
    for service in services[:4]:
        owners = workloads(case, service)
        owner = owners[0] if owners else "deployment/<deployment>"
        changes.append(document(_spread(service), title="change.spread"))
        commands = [kubectl(service.namespace, "patch", owner, "--patch-file=spread.yaml")]
        if owner.startswith("deployment/"):
            count = sum(1 for node in case.cluster.nodes if node.ready is not False and not node.unschedulable)
            commands.append(kubectl(service.namespace, "scale", owner, f"--replicas={count or '<number-of-nodes>'}"))
        changes.append(lines(*commands, title="change.apply-spread"))
    without = sorted({node for service in services for node in _without(case, service)})
    effects = Effects().add("rolling-gap")
    if any(service.type == "LoadBalancer" and not service.published for service in services):
        effects.add("more-loopback")
    return Remedy(
        "F7", {"services": listed(service.id for service in services), "nodes": listed(without)}, tuple(changes),
        (has_selector(services), Prerequisite("capacity", "unknown", {"nodes": listed(without)})), tuple(effects.slugs),
        (lines(*(_slices(service) for service in services), title="change.read-endpoints"),), (sources.TRAFFIC_POLICY,),
    )  # fmt: skip


def _is_local(service: Service) -> bool:
    return service.external_local or service.internal_policy == "Local"


def _without(case: Case, service: Service) -> tuple[str, ...]:
    have = set(ready_nodes(service))
    return tuple(node for node in case.nodes if node not in have)


def _slices(service: Service) -> str:
    return kubectl(
        service.namespace,
        "get",
        "endpointslices",
        f"--selector=kubernetes.io/service-name={service.name}",
        "--output=yaml",
    )


def _spread(service: Service) -> dict[str, Any]:
    return {
        "spec": {
            "template": {
                "spec": {
                    "topologySpreadConstraints": [
                        {
                            "maxSkew": 1,
                            "topologyKey": "kubernetes.io/hostname",
                            "whenUnsatisfiable": "DoNotSchedule",
                            "labelSelector": {"matchLabels": mapping(service.selector)},
                        }
                    ]
                }
            }
        }
    }


def plan(case: Case) -> Plan:
    services = [service for service in case.services if _is_local(service)]
    return Plan(tuple(AddEndpoint(service.id, node) for service in services for node in _without(case, service)))


CARDS = {"F7": build}
PLANS = {"F7": plan}
