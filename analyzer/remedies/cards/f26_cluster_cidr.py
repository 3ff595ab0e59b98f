"""F26: tell kube-proxy the pods' range, not the Services'.

**Helps** when clusterCIDR covers ClusterIPs, so that a node's own processes are taken for pods and not masqueraded. Without a
range kube-proxy recognises them by their source.
"""

from __future__ import annotations

import ipaddress

from analyzer.remedies.case import Case
from analyzer.remedies.configuration import proxy_configuration
from analyzer.remedies.model import Remedy
from analyzer.remedies.plan import Plan
from analyzer.whatif.edits import ProxyConfig


def _pod_range(case: Case) -> str:
    """The smallest range with all nodes' pod ranges, if it holds no ClusterIP; else empty."""
    own = [
        ipaddress.ip_network(one) for networks in case.world.pod_networks.values() for one in networks if ":" not in one
    ]
    if not own:
        return ""
    whole = own[0]
    while not all(one.subnet_of(whole) for one in own):  # type: ignore[arg-type]
        whole = whole.supernet()
    vips = [
        ipaddress.ip_address(ip) for one in case.snapshot.objects.services for ip in one.cluster_ips if ip[:1].isdigit()
    ]
    return "" if whole.prefixlen == 0 or any(vip in whole for vip in vips) else str(whole)


def build(case: Case) -> Remedy | None:
    """The range of the nodes' podCIDRs, or none."""
    wanted = _pod_range(case)
    return proxy_configuration(case, "F26", {"clusterCIDR": wanted}, {"cidr": wanted or '""'})


def plan(case: Case) -> Plan:
    return Plan((ProxyConfig("clusterCIDR", _pod_range(case)),))


CARDS = {"F26": build}
PLANS = {"F26": plan}
