"""AWS EKS ``eks-log-collector.sh``: ``eks_<instance>_<time>_<version>.tar.gz``, one per node.

The node is known by its instance id, which the Node objects carry as provider id. There is no ``ip addr``: ``ifconfig`` lists
interfaces that are up, and kube-ipvs0 never is; the local route table tells its addresses. Source: version 0.7.9.
"""

from __future__ import annotations

import re

from analyzer.bundle.places import Layout, Root, Rule

TCP_ONLY = "netstat -plant lists TCP sockets only"
ONE_NAMESPACE = "kubectl get svc lists one namespace only"
_NAME = re.compile(r"eks_(i-[0-9a-f]{8,32})_.*")


def _node(root: Root) -> str:
    match = _NAME.fullmatch(root.name)
    return match[1] if match else ""


LAYOUT = Layout(
    "eks",
    title="AWS EKS log collector",
    markers=(frozenset({"networking/", "ipamd/"}),),
    node=_node,
    rules=(
        Rule("networking/ipvsadm.txt", command="ipvsadm"),
        Rule("networking/conntrack.txt", command="conntrack -L"),
        Rule("networking/conntrack6.txt", command="conntrack -L -f ipv6"),
        Rule("system/netstat.txt", command="netstat -plant", partial=TCP_ONLY),
        Rule("networking/ifconfig.txt", command="ifconfig"),
        Rule("networking/iproute.txt", command="ip route show table all"),
        Rule("networking/iprule.txt", command="ip rule show"),
        Rule("networking/ip6route.txt", command="ip -6 route show table all"),
        Rule("networking/ip6rule.txt", command="ip -6 rule show"),
        Rule("networking/iptables-save.txt", command="iptables-save"),
        Rule("networking/iptables-*.txt", unused="a listing of what iptables-save.txt holds"),
        Rule("networking/ip6tables-save.txt", command="ip6tables-save"),
        Rule("networking/ipset.txt", command="ipset list"),
        Rule("kubelet/svc.log", "cluster", command="kubectl get svc", partial=ONE_NAMESPACE),
        Rule("sysctls/sysctl_all.txt", command="sysctl --all"),
        Rule("modinfo/ip_vs", command="lsmod", partial="modules named ip_vs only"),
        Rule("system/uname.txt", command="uname -a"),
        Rule("var_log/kube-proxy.log", command="kube-proxy.log"),
    ),
    lacks=("endpoints", "nodes", "pods", "ip6tables"),
)
