"""F28: nodes answer ARP only for addresses of the interface that is asked (strictARP).

**Helps** where something announces addresses on layer 2 (MetalLB, kube-vip): without it every node answers for every address on kube-ipvs0.
"""

from __future__ import annotations

from analyzer.remedies.case import Case
from analyzer.remedies.configuration import proxy_configuration
from analyzer.remedies.model import Remedy
from analyzer.remedies.plan import Plan
from analyzer.whatif.edits import ProxyConfig


def build(case: Case) -> Remedy | None:
    """One setting of kube-proxy; it sets arp_ignore and arp_announce."""
    return proxy_configuration(case, "F28", {"ipvs": {"strictARP": True}}, {"nodes": str(len(case.nodes))})


def plan(case: Case) -> Plan:
    return Plan((ProxyConfig("strictARP", "true"),))


CARDS = {"F28": build}
PLANS = {"F28": plan}
