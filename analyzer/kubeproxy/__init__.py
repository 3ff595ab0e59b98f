"""What each node should hold: kube-proxy in IPVS mode modelled from objects, configuration and version."""

from __future__ import annotations

from analyzer.kubeproxy.expected import ProxyNode, expected
from analyzer.kubeproxy.model import Expected, ExpectedServer
from analyzer.kubeproxy.node import expected_on, proxy_node

__all__ = ["Expected", "ExpectedServer", "ProxyNode", "expected", "expected_on", "proxy_node"]
