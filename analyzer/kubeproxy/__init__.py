"""What each node should hold: kube-proxy in IPVS mode modelled from objects, configuration and version."""

from __future__ import annotations

from analyzer.kubeproxy.expected import expected
from analyzer.kubeproxy.frame import set_name
from analyzer.kubeproxy.model import Expected, ExpectedServer, ProxyNode, Socket
from analyzer.kubeproxy.node import expected_on, families, proxy_node, shared_of

__all__ = [
    "Expected", "ExpectedServer", "ProxyNode", "Socket", "expected", "expected_on", "families", "proxy_node", "set_name", "shared_of",
]  # fmt: skip
