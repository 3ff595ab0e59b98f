"""F9: an NLB (or a layer-7 ingress) instead of the CLB: it publishes a name, so nothing is bound.

**Helps** against faults of the binding. **Partial** for the loop-back limit: an NLB that keeps the client's address has it too.
**Needs** a new Service, because `loadBalancerClass` cannot be changed. Alibaba Cloud only.
"""

from __future__ import annotations

from analyzer.remedies import sources
from analyzer.remedies.case import Case
from analyzer.remedies.checks import ccm_version, has_selector, server_version, two_zones
from analyzer.remedies.effects import Effects
from analyzer.remedies.model import Remedy
from analyzer.remedies.parts import look_at_unbound, new_service, status_of
from analyzer.remedies.plan import Plan
from analyzer.remedies.profiles import ALIBABA, CLB
from analyzer.remedies.words import cloud_id, document, listed


def build(case: Case) -> Remedy | None:
    """A new Service per Service of the address."""
    services = [s for s in case.all_binders or case.balanced if case.profile(s) is CLB]
    if not services:
        return None
    zones = [cloud_id(zone, "") for zone in sorted({node.zone for node in case.cluster.nodes})]
    zones = [zone for zone in zones if zone][:3]
    while len(zones) < 2:
        zones.append(f"<zone-{len(zones) + 1}>")
    kind = "internet" if any(case.is_internet(vip) for vip in case.vips) else "intranet"
    annotations = {
        f"{ALIBABA}loadbalancer-zone-maps": ",".join(f"{zone}:<vswitch-{n}>" for n, zone in enumerate(zones, 1)),
        f"{ALIBABA}loadbalancer-address-type": kind,
    }
    if case.finding.situation == "S11":
        annotations[f"{ALIBABA}loadbalancer-preserve-client-ip"] = "off"
    manifests = [
        new_service(s, "nlb", annotations, s.ports, loadBalancerClass="alibabacloud.com/nlb") for s in services
    ]
    effects = Effects().add("new-address").add("nlb-loopback")
    return Remedy(
        "F9", {"services": listed(s.id for s in services), "addresses": listed(case.vips)},
        (document(*manifests, title="change.new-service"),),
        (server_version(case, "1.24"), ccm_version(case, "2.5.0"), two_zones(case), has_selector(services)),
        tuple(effects.slugs), (status_of(services), look_at_unbound(case.vips)) if case.vips else (status_of(services),),
        (sources.ACK_NLB,), partial=case.finding.situation == "S11",
    )  # fmt: skip


def plan(case: Case) -> Plan:
    """The addresses of a load balancer that is yet to be made are not known, nor how it would deliver."""
    return Plan()


CARDS = {"F9": build}
PLANS = dict.fromkeys(CARDS, plan)
