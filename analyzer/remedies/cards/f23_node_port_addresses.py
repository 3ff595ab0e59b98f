"""F23: give every node its NodePorts on the address that clients use.

**Helps** when kube-proxy's nodePortAddresses leave the node's own address out. An empty list means all of a node's addresses. In IPVS mode
a list that covers addresses of Services binds NodePorts there, too.
"""

from __future__ import annotations

from analyzer.remedies.case import Case
from analyzer.remedies.configuration import proxy_configuration
from analyzer.remedies.model import Remedy
from analyzer.remedies.plan import Plan
from analyzer.whatif.edits import ProxyConfig


def build(case: Case) -> Remedy | None:
    """An empty list, which is the default."""
    return proxy_configuration(case, "F23", {"nodePortAddresses": []}, {"nodes": str(len(case.nodes))})


def plan(case: Case) -> Plan:
    return Plan((ProxyConfig("nodePortAddresses", ""),))


CARDS = {"F23": build}
PLANS = {"F23": plan}
