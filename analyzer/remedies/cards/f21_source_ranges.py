"""F21: admit the cluster's own clients in loadBalancerSourceRanges.

**Helps** clients inside that the nodes refuse because of the ranges. kube-proxy lets a node's own processes through when the node's
address is in a range. The load balancer's access list is made of the same ranges and grows with them.
"""

from __future__ import annotations

import ipaddress

from analyzer.remedies.case import Case
from analyzer.remedies.effects import Effects
from analyzer.remedies.model import Remedy
from analyzer.remedies.parts import patch_all
from analyzer.remedies.words import kubectl, lines, listed
from analyzer.snapshot.objects import Service

MOST = 50


def _ranges(case: Case, service: Service) -> list[str]:
    """Addresses of the finding's clients: nodes, and pods by their node's range where there is one."""
    found: list[str] = list(service.source_ranges)
    for vantage in case.finding.vantages:
        kind, _, name = vantage.partition(":")
        if kind == "node":
            found += list(case.world.node_addresses.get(name, ())[:1])
        pod = case.world.pods.get(name) if kind == "pod" else None
        if pod is not None:
            found += list(case.world.pod_networks.get(pod.node, ())) or list(pod.ips)
    networks = []
    for one in found:
        try:
            networks.append(ipaddress.ip_network(one, strict=False))
        except ValueError:
            return []
    four = ipaddress.collapse_addresses(one for one in networks if isinstance(one, ipaddress.IPv4Network))
    six = ipaddress.collapse_addresses(one for one in networks if isinstance(one, ipaddress.IPv6Network))
    return [str(one) for one in (*four, *six)][:MOST]


def build(case: Case) -> Remedy | None:
    """For Services that have source ranges."""
    services = [one for one in case.services if one.source_ranges and _ranges(case, one)]
    if not services:
        return None
    service = services[0]
    ranges = _ranges(case, service)
    looks = [
        kubectl(
            service.namespace, "get", f"service/{service.name}", "--output=jsonpath={.spec.loadBalancerSourceRanges}"
        )
    ]
    return Remedy(
        "F21", {"services": listed([service.id]), "ranges": listed(ranges)},
        (patch_all([service], {"spec": {"loadBalancerSourceRanges": ranges}}, "change.patch"),), (),
        tuple(Effects().add("list-goes-stale").slugs), (lines(*looks, title="change.read-status"),),
    )  # fmt: skip


CARDS = {"F21": build}
