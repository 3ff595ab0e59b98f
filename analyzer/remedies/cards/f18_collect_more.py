"""F18: which captures are missing (or were cut), and how to take them. Nothing changes in the cluster.

**Helps** where a verdict is unknown, or inferred from objects.
"""

from __future__ import annotations

from collections.abc import Mapping

from analyzer.remedies.case import Case
from analyzer.remedies.cluster import LABEL_LB_ID
from analyzer.remedies.model import Change, Remedy
from analyzer.remedies.profiles import CLB
from analyzer.remedies.words import cloud_id, command, lines, listed

NODE: Mapping[str, str] = {
    "ipvsadm": "ipvsadm -Ln",
    "ip-addr": "ip addr",
    "ip-route": "ip route show table all",
    "ip-rule": "ip rule",
    "ipset": "ipset save",
    "iptables": "iptables-save -c",
    "sockets": "ss -lntup",
    "sysctl": "sysctl net.ipv4.vs net.ipv4.conf net.ipv4.ip_forward",
    "conntrack": "conntrack -L -o extended",
}
CLUSTER: Mapping[str, str] = {
    "services": "kubectl get services -A -o json",
    "endpoints": "kubectl get endpointslices -A -o json",
    "nodes": "kubectl get nodes -o json",
    "pods": "kubectl get pods -A -o json",
    "versions": "kubectl version -o json",
    "proxy_configs": "kubectl get configmap -n kube-system kube-proxy kube-proxy-worker kube-proxy-master -o json --ignore-not-found",
    "daemonsets": "kubectl get daemonsets -n kube-system -o json",
}


def build(case: Case) -> Remedy | None:
    """For the nodes of the finding, the cluster's objects, and the cloud's description of the addresses."""
    by_node = {node: _missing(case, node) for node in case.nodes or tuple(node.name for node in case.cluster.nodes)}
    by_node = {node: names for node, names in by_node.items() if names}
    have = case.snapshot.captured.get("", {})
    objects = [name for name in CLUSTER if not have.get(name)]
    balancers = _undescribed(case)
    changes: list[Change] = []
    if by_node:
        changes.append(lines("sh collect.sh node", title="change.collect-node"))
    if objects:
        changes.append(lines("sh collect.sh cluster", title="change.collect-cluster"))
    if balancers:
        changes.append(lines(command("sh", "collect.sh", "cloud-aliyun", *balancers), title="change.collect-cloud"))
    if not changes:
        return None
    changes.append(lines("sh collect.sh merge '<archive>'", title="change.collect-merge"))
    wanted = list(dict.fromkeys(name for names in by_node.values() for name in names))
    by_hand = [NODE[name] for name in wanted] + [CLUSTER[name] for name in objects]
    if by_hand:
        changes.append(lines(*by_hand, title="change.collect-by-hand"))
    values = {
        "nodes": listed(by_node), "captures": listed(wanted, 9), "objects": listed(objects, 9), "balancers": listed(balancers),
    }  # fmt: skip
    return Remedy("F18", values, tuple(changes), (), (), ())


def _missing(case: Case, node: str) -> list[str]:
    """Captures of one node that are not there or were cut; ip6tables and the rest are no reason to ask again."""
    return [name for name in NODE if not case.snapshot.complete(node, name)]


def _undescribed(case: Case) -> list[str]:
    """Ids of load balancers of the finding whose listeners the bundle does not list. Only CLBs can be collected."""
    found: dict[str, None] = {}
    for service in case.balanced or case.all_binders:
        if case.profile(service) is not CLB:
            continue
        for vip in service.published or case.vips:
            balancer = case.world.load_balancers.get(vip)
            if balancer is None or not balancer.complete:
                lb = (balancer.id if balancer else "") or service.labels.get(LABEL_LB_ID, "")
                found[cloud_id(lb, "<load-balancer-id>")] = None
    return list(found)


CARDS = {"F18": build}
