"""Rancher supportability review: an archive per node, and one for the cluster. Source: as of August 2026.

No ipvsadm and no flows of conntrack. Lists in ``api_version/`` are cut down to names: they prove that an object exists and must not be
taken for objects without content.
"""

from __future__ import annotations

from analyzer.bundle.layouts.rancher import HOST, NODE_FILES
from analyzer.bundle.places import NAMES_ONLY, Layout, Root, Rule


def _node(root: Root) -> str:
    text = root.text("systeminfo", "hostname", limit=300).strip()
    return text if HOST.fullmatch(text) else root.name


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
        *NODE_FILES,
    ),
    lacks=("ipvsadm", "ipset", "conntrack", "endpoints", "proxy_configs"),
)
