"""F20: let the cloud controller write the listener's backends anew.

**Helps** when the list is behind the cluster (an error that is gone, an edit by hand). **Does not help** while the controller
still reports an error for the Service; its events say which.
"""

from __future__ import annotations

from analyzer.forwarding.balancers import implied_listener
from analyzer.remedies import sources
from analyzer.remedies.case import Case
from analyzer.remedies.cluster import LABEL_LB_ID
from analyzer.remedies.effects import Effects
from analyzer.remedies.model import Remedy
from analyzer.remedies.plan import Plan
from analyzer.remedies.words import annotate, cloud_id, command, kubectl, lines, listed
from analyzer.whatif.edits import SetListener

TOUCHED = "ipvscope/synced-at"
"""Any change of the Service makes the controller look at it again; nobody reads this one."""


def build(case: Case) -> Remedy | None:
    """For Services of type LoadBalancer."""
    services = case.balanced
    if not services:
        return None
    events = [
        kubectl(
            one.namespace,
            "get",
            "events",
            f"--field-selector=involvedObject.kind=Service,involvedObject.name={one.name}",
        )
        for one in services[:4]
    ]
    touch = [annotate(one.namespace, one.name, {TOUCHED: "<now>"}) for one in services[:4]]
    look = [
        command("aliyun", "slb", "DescribeLoadBalancerAttribute", "--RegionId", cloud_id(case.cluster.region, "<region>"),
                "--LoadBalancerId", cloud_id(one.labels.get(LABEL_LB_ID, ""), "<load-balancer-id>"))
        for one in services[:4]
    ]  # fmt: skip
    return Remedy(
        "F20", {"services": listed(one.id for one in services)},
        (lines(*events, title="change.read-cause"), lines(*touch, title="change.annotate")), (),
        tuple(Effects().add("depends-on-cause").slugs), (lines(*look, title="change.cloud-backends"),),
        (sources.ACK_LB_NOTES, sources.SLB_BACKENDS),
    )  # fmt: skip


def plan(case: Case) -> Plan:
    """The backends that the controller gives such a Service, on each listener the finding is about."""
    edits = []
    for target in case.targets:
        for service in case.balanced:
            port = next((p for p in service.ports if (p.port, p.protocol) == (target.port, target.protocol)), None)
            if port is None or target.address not in service.published:
                continue
            implied = implied_listener(case.snapshot, service, port, case.world.node_addresses)
            backends = tuple((one.address, one.port) for one in implied.backends or () if one.weight > 0)
            if backends:
                edits.append(SetListener(target.address, target.port, target.protocol, backends))
    return Plan(tuple(edits))


CARDS = {"F20": build}
PLANS = {"F20": plan}
