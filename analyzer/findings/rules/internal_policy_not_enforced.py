"""SVC-005: internalTrafficPolicy Local that kube-proxy in IPVS mode does not enforce.

For a Service that is also reachable from outside (NodePort, LoadBalancer, external IP) a ClusterIP server without local
endpoint lists all endpoints from 1.24 on: the list is chosen by the external policy's fallback (pkg/proxy/ipvs/proxier.go).
"""

from __future__ import annotations

from collections.abc import Iterator

from analyzer.findings.context import Context
from analyzer.findings.model import Finding
from analyzer.findings.registry import rule
from analyzer.snapshot.regime import minor_version


@rule("SVC-005", needs=("services", "endpoints"), severities=("notice",), fixes=("F10",))
def internal_policy_not_enforced(context: Context) -> Iterator[Finding]:
    """Traffic leaves the node although the Service says that it must not."""
    for service in context.services.values():
        if service.internal_policy != "Local" or not service.externally_accessible or service.headless:
            continue
        members = []
        for node in sorted(context.without_endpoint(service)):
            regime = context.snapshot.regime(node)
            version = minor_version(regime.value("kube_proxy_version"))
            if regime.value("proxy_mode") == "ipvs" and version is not None and version >= (1, 24):
                members.append(node)
        if not members:
            continue
        yield Finding(
            rule="SVC-005",
            about=service.id,
            severity="notice",
            fixes=("F10",),
            values={"service": service.id, "nodes": ", ".join(members[:6]), "count": str(len(members))},
            evidence=context.evidence(None, service.evidence),
            nodes=tuple(members),
            services=(service.id,),
        )
