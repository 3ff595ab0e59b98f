"""Rancher supportability review: an archive per node, and one for the cluster. Source: as of August 2026.

No ipvsadm and no flows of conntrack. Lists in ``api_version/`` are cut down to names: they prove that an object exists and must not be
taken for objects without content.
"""

from __future__ import annotations

import re

from analyzer.bundle.places import NAMES_ONLY, Layout, Root, Rule

_HOST = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,251}[A-Za-z0-9])?")


def _node(root: Root) -> str:
    text = root.text("systeminfo", "hostname", limit=300).strip()
    return text if _HOST.fullmatch(text) else root.name


LAYOUT = Layout(
    "rancher-review",
    title="Rancher supportability review",
    over=("rancher",),
    markers=(
        frozenset({"networking/ipaddrshow", "networking/conntrack.out"}),
        frozenset({"nodes.json", "api_version/"}),
    ),
    node=_node,
    rules=(
        Rule("api_version/*", "cluster", unused=NAMES_ONLY),
        Rule("nodes.json", "cluster"),
        Rule("pods.json", "cluster"),
        Rule("services.json", "cluster"),
        Rule("kube-system-daemonsets.json", "cluster"),
        Rule("networking/conntrack.out", command="conntrack -S"),
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
    ),
    lacks=("ipvsadm", "ipset", "conntrack", "endpoints", "proxy_configs"),
)
