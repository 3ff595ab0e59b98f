"""F15: repair the way to the backends: endpoints, candidate nodes, health checks, access rules.

**Helps** when a Service (or its load balancer) has no backend it may use, or a rule drops the packets. What to change
depends on the cause; the snapshot names what it can.
"""

from __future__ import annotations

from analyzer.remedies import sources
from analyzer.remedies.case import Case, ready_endpoints
from analyzer.remedies.cluster import LABEL_LB_ID
from analyzer.remedies.effects import Effects
from analyzer.remedies.model import Change, Remedy
from analyzer.remedies.plan import Plan
from analyzer.remedies.profiles import CLB
from analyzer.remedies.words import cloud_id, command, endpoint, kubectl, lines, listed
from analyzer.whatif.edits import ReadyPods


def build(case: Case) -> Remedy | None:
    """What hinders the backends, and where to look; nodes and cloud only where a load balancer is concerned."""
    services = case.services
    if not services:
        return None
    nodes = case.cluster.nodes if case.balanced else ()
    excluded = [node for node in nodes if node.excluded_by]
    empty = [service.id for service in services if service.endpoints_known and not ready_endpoints(service)]
    not_ready = [node.name for node in nodes if node.ready is False]
    changes: list[Change] = []
    removable = [(node.name, label) for node in excluded for label in node.excluded_by if "/" in label]
    if removable:
        changes.append(
            lines(
                *(command("kubectl", "label", f"node/{name}", f"{label}-") for name, label in removable[:20]),
                title="change.remove-exclusion",
            )  # fmt: skip
        )
    for service in services[:4]:
        look = [
            kubectl(
                service.namespace, "get", "endpointslices", f"--selector=kubernetes.io/service-name={service.name}"
            ),
            kubectl(service.namespace, "get", "events", f"--field-selector=involvedObject.name={service.name}"),
        ]
        label = service.annotation("loadbalancer-backend-label")
        if label:
            look.append(command("kubectl", "get", "nodes", f"--selector={label}"))
        changes.append(lines(*look, title="change.read-cause"))
    changes.append(lines("iptables-save | grep -E 'DROP|REJECT|100[.]64[.]'", title="change.look-at-node"))
    abnormal = _abnormal(case)
    effects = Effects().add("depends-on-cause")
    values = {
        "services": listed(service.id for service in services), "excluded": listed(node.name for node in excluded),
        "not_ready": listed(not_ready), "empty": listed(empty), "abnormal": listed(abnormal),
    }  # fmt: skip
    return Remedy(
        "F15", values, tuple(changes), (), tuple(effects.slugs), _health(case),
        (sources.SLB_BACKENDS, sources.SLB_LOOPBACK),
    )  # fmt: skip


def _abnormal(case: Case) -> list[str]:
    ids = {service.labels.get(LABEL_LB_ID, "") for service in case.balanced}
    return [backend for lb, backend in case.cluster.abnormal if not lb or lb in ids]


def _health(case: Case) -> tuple[Change, ...]:
    commands = [
        command("aliyun", "slb", "DescribeHealthStatus", "--RegionId", cloud_id(case.cluster.region, "<region>"),
                "--LoadBalancerId", cloud_id(service.labels.get(LABEL_LB_ID, ""), "<load-balancer-id>"))
        for service in case.balanced
        if case.profile(service) is CLB
    ]  # fmt: skip
    dials = [endpoint(vip, port) for vip in case.vips for _, port in sorted(case.world.service_ports.get(vip, ()))]
    outside = [Change("text", "\n".join(dials[:8]), "change.dial-outside")] if dials else []
    return (*([lines(*commands, title="change.cloud-health")] if commands else []), *outside)


def plan(case: Case) -> Plan:
    """Where no endpoint is ready: the pods that the Service selects become ready. Everything else hangs on the cause."""
    empty = [one for one in case.services if one.endpoints_known and not ready_endpoints(one)]
    if not empty or len(empty) < len(case.services):
        return Plan()
    return Plan(tuple(ReadyPods(one.id) for one in empty))


CARDS = {"F15": build}
PLANS = {"F15": plan}
