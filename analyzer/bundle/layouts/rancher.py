"""Rancher ``rancher2_logs_collector.sh``: ``<host>-<date>_<time>/``, one per node. Source: as of August 2026.

Objects are wide text tables, but for ``nodes.json``; on kubeadm clusters a ``cluster-info dump`` is beside them. Several ``ss`` files
describe the same sockets; the one that holds all is used.
"""

from __future__ import annotations

import re

from analyzer.bundle.places import Layout, Root, Rule

_NAME = re.compile(r"(?P<host>[A-Za-z0-9][A-Za-z0-9._-]*?)-20\d\d-\d\d-\d\d_\d\d_\d\d_\d\d")
HOST = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,251}[A-Za-z0-9])?")


def _node(root: Root) -> str:
    text = root.text("systeminfo", "hostname", limit=300).strip()
    if HOST.fullmatch(text):
        return text
    match = _NAME.fullmatch(root.name)
    return match["host"] if match else ""


NODE_FILES = (
    Rule("networking/ssanp", command="ss -anp"),
    Rule("networking/sstunlp4", command="ss -tunlp4", partial="IPv4 sockets only"),
    Rule("networking/sstunlp6", command="ss -tunlp6", partial="IPv6 sockets only"),
    Rule("networking/ss*", unused="its sockets are in ssanp"),
    Rule("networking/ipaddrshow", command="ip addr show"),
    Rule("networking/ipv6addrshow", unused="its addresses are in ipaddrshow"),
    Rule("networking/iproute", command="ip route show table all"),
    Rule("networking/ipv6route", command="ip -6 route show table all"),
    Rule("networking/iprule", command="ip rule show"),
    Rule("networking/ipv6rule", command="ip -6 rule show"),
    Rule("networking/ipneighbour", command="ip neighbour show"),
    Rule("networking/iplinkshow", command="ip link show"),
    Rule("networking/iptablessave", command="iptables-save"),
    Rule("networking/ip6tablessave", command="ip6tables-save"),
    Rule("networking/nft_ruleset", command="nft list ruleset"),
    Rule("systeminfo/sysctla", command="sysctl -a"),
    Rule("systeminfo/uname", command="uname -a"),
    Rule("systeminfo/lsmod", command="lsmod"),
)
"""What both collectors of Rancher take on a node."""

LAYOUT = Layout(
    "rancher",
    title="Rancher logs collector",
    markers=(frozenset({"networking/ipaddrshow", "systeminfo/"}),),
    node=_node,
    rules=(
        Rule("networking/ipvsadm", command="ipvsadm -ln"),
        Rule("systeminfo/conntrack", command="conntrack -S"),
        *NODE_FILES,
        Rule("networking/netstat", command="netstat -antu"),
        Rule("*/kubectl/nodes.json", "cluster"),
        Rule("*/kubectl/cluster-info_dump", "cluster"),
        Rule("*/kubectl/services", "cluster", command="kubectl get services"),
        Rule("*/kubectl/svc", "cluster", command="kubectl get services"),
        Rule("*/kubectl/endpoints", "cluster", command="kubectl get endpoints"),
        Rule("*/kubectl/pods", "cluster", command="kubectl get pods"),
        Rule("*/kubectl/nodes", "cluster", command="kubectl get nodes"),
    ),
    lacks=("ipset", "conntrack"),
)
