"""Alibaba Cloud ACK, ``diagnose_k8s.sh``: one archive per node, ``tmp/diagnose_<epoch>/`` inside.

Most files hold several commands, each between a line of dashes with ``run <argv>`` and one with ``End of <argv0>``; the
parsers cut them apart. The cluster's objects come from ``kubectl cluster-info dump`` without ``-A`` and cover kube-system
and one more namespace; on nodes without a kubeconfig the file is empty. Source: the script, as of December 2025.
"""

from __future__ import annotations

import re

from analyzer.bundle.places import Layout, Parts, Place, Root, Rule

SOME_NAMESPACES = "kubectl cluster-info dump without -A covers kube-system and the current namespace only"
_HOST = re.compile(r"^Linux ([A-Za-z0-9][A-Za-z0-9._-]{0,252}) \d", re.MULTILINE)


def _node(root: Root) -> str:
    """The host name in ``uname -a``."""
    match = _HOST.search(root.text("system_info"))
    return match[1] if match else ""


def _adjust(root: Root, parts: Parts, place: Place) -> Place:
    """Empty dumps were not taken: knowledge of nothing."""
    if place.area == "cluster" and not root.pieces[parts].size:
        return Place(place.area, place.node, unused="empty: no kubeconfig on this node")
    return place


LAYOUT = Layout(
    "ack-diagnose",
    title="Alibaba Cloud ACK diagnose_k8s.sh",
    markers=(frozenset({"network_info", "daemon_status/"}),),
    node=_node,
    adjust=_adjust,
    rules=(
        Rule("network_info"),
        Rule("system_info"),
        Rule("cluster_dump.log", "cluster", partial=SOME_NAMESPACES),
    ),
    lacks=("ipvsadm", "ipset", "ip-rule", "ip6tables", "kube-proxy-log", "proxy_configs", "endpoints"),
)
