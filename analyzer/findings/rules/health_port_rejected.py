"""SVC-007: the health-check nodePort of a Local Service is rejected on the VIP.

KUBE-IPVS-FILTER of 1.26.0 and 1.27.1 does not let it through; a load balancer that probes VIP:healthCheckNodePort marks all nodes
alike. Sources: kubernetes#117621, #117723.
"""

from __future__ import annotations

from collections.abc import Iterator

from analyzer.findings.context import Context
from analyzer.findings.model import Finding
from analyzer.findings.registry import rule
from analyzer.kubeproxy import proxy_node


@rule("SVC-007", needs=("services", "iptables"), severities=("notice",), fixes=("F11", "F16"))
def health_port_rejected(context: Context) -> Iterator[Finding]:
    """Probes of the load balancer by the VIP are refused by every node."""
    services = [one for one in context.services.values() if one.health_check_node_port and one.published]
    members = []
    for node in context.snapshot.node_names if services else ():
        returns = proxy_node(context.snapshot, node).filter_returns
        if returns is not None and "KUBE-HEALTH-CHECK-NODE-PORT" not in returns:
            members.append(node)
    if members:
        facts = [place for node in members for place in context.snapshot.regime(node)["ipvs_filter"].evidence]
        yield Finding(
            rule="SVC-007",
            about="cluster",
            severity="notice",
            fixes=("F11", "F16"),
            values={
                "services": ", ".join(one.id for one in services[:6]), "nodes": ", ".join(members[:6]), "count": str(len(members)),
            },
            evidence=context.evidence(None, *(one.evidence for one in services[:3]), *facts),
            nodes=tuple(members),
            services=tuple(one.id for one in services),
        )  # fmt: skip
