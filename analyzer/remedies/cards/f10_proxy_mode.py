"""F10: kube-proxy in iptables mode. Cluster-wide, a last resort.

**Helps** against faults of the binding: there is no kube-ipvs0, and ports that match nothing go to the load balancer.
**Does not help** an IPv6 CLB, which needs IPVS.
"""

from __future__ import annotations

from analyzer.remedies import sources
from analyzer.remedies.case import Case
from analyzer.remedies.checks import no_ipv6_balancer
from analyzer.remedies.effects import Effects
from analyzer.remedies.model import Remedy
from analyzer.remedies.plan import Plan
from analyzer.remedies.profiles import CLB
from analyzer.remedies.words import document, kubectl, lines, listed
from analyzer.whatif.edits import ProxyMode


def build(case: Case) -> Remedy | None:
    """Only where some node runs (or may run) the IPVS mode."""
    modes = {case.snapshot.regime(node).value("proxy_mode") for node in case.nodes}
    if modes and not modes & {"ipvs", "unknown"}:
        return None
    maps = list(case.cluster.proxy_configs) or ["kube-proxy-worker" if case.cluster.cloud is CLB else "kube-proxy"]
    first = next(
        (case.cluster.kube_proxy_pods[node] for node in case.nodes if node in case.cluster.kube_proxy_pods), None
    )
    namespace, pod = first or ("kube-system", "<kube-proxy-pod>")
    return Remedy(
        "F10", {"configmaps": listed(maps)},
        (
            lines(*(kubectl("kube-system", "edit", f"configmap/{name}") for name in maps), title="change.edit-proxy-config"),
            document({"mode": "iptables"}, title="change.proxy-mode"),
            lines(kubectl(namespace, "delete", f"pod/{pod}"), title="change.restart-one"),
            lines("kube-proxy --cleanup", "ipvsadm --clear", "ip link delete dev kube-ipvs0", title="change.clean-node"),
        ),
        (no_ipv6_balancer(case),), tuple(Effects().add("disruptive").add("addon-reverts").add("ipvs-deprecated").slugs),
        (
            lines(f"{kubectl('kube-system', 'logs', f'pod/{pod}')} | grep 'iptables Proxier'", title="change.read-log"),
            lines("ip link show dev kube-ipvs0", title="change.look-at-node"),
        ),
        (sources.KEP_IPVS, sources.IPVS_TO_NFTABLES, sources.ACK_135),
    )  # fmt: skip


def plan(case: Case) -> Plan:
    return Plan((ProxyMode("iptables"),))


CARDS = {"F10": build}
PLANS = {"F10": plan}
