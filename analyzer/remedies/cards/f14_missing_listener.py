"""F14: let the cloud controller make the listener of a reused load balancer.

**Helps** clients outside when the load balancer has no listener for a port of the Service; inside everything works, because
the nodes answer for the address. **Needs** that nobody else owns that listener port.
"""

from __future__ import annotations

from analyzer.remedies import sources
from analyzer.remedies.case import Case
from analyzer.remedies.cluster import LABEL_LB_ID
from analyzer.remedies.effects import Effects
from analyzer.remedies.model import Prerequisite, Remedy
from analyzer.remedies.parts import annotate_all
from analyzer.remedies.profiles import ALIBABA
from analyzer.remedies.words import cloud_id, command, endpoint, lines, listed
from analyzer.snapshot.objects import Service


def build(case: Case) -> Remedy | None:
    """For Services on a reused load balancer that do not manage its listeners yet."""
    services = [
        service
        for service in case.balanced
        if service.annotation("loadbalancer-id")
        and service.annotation("loadbalancer-force-override-listeners") != "true"
    ]
    if not services:
        return None
    missing, taken, known = [], [], True
    for service in services:
        for vip in service.published or case.vips:
            balancer = case.world.load_balancers.get(vip)
            known = known and balancer is not None and balancer.complete
            for port in service.ports if balancer else ():
                listener = balancer.listener(port.protocol, port.port) if balancer else None
                place = f"{endpoint(vip, port.port)}/{port.protocol}"
                if listener is None:
                    missing.append(place)
                elif not listener.inferred and not listener.description.startswith("k8s/"):
                    taken.append(place)
    state = Prerequisite(
        "listener-port-free", "not-met" if taken else "met" if known else "unknown", {"ports": listed(taken)}
    )
    effects = Effects().add("listener-overwritten")
    return Remedy(
        "F14", {"services": listed(service.id for service in services), "ports": listed(missing)},
        (annotate_all(services, {f"{ALIBABA}loadbalancer-force-override-listeners": "true"}, "change.annotate"),), (state,),
        tuple(effects.slugs), (lines(*(_describe(case, service) for service in services), title="change.cloud-listeners"),),
        (sources.ACK_REUSE, sources.ACK_CLB),
    )  # fmt: skip


def _describe(case: Case, service: Service) -> str:
    lb = service.labels.get(LABEL_LB_ID) or service.annotation("loadbalancer-id") or ""
    return command(
        "aliyun", "slb", "DescribeLoadBalancerAttribute", "--RegionId", cloud_id(case.cluster.region, "<region>"),
        "--LoadBalancerId", cloud_id(lb, "<load-balancer-id>"),
    )  # fmt: skip


CARDS = {"F14": build}
