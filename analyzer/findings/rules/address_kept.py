"""SVC-006: a Service that is no LoadBalancer any more still publishes a load balancer's address.

kube-proxy reads the status, not the type: the address stays bound on every node, and its packets never leave it.
"""

from __future__ import annotations

from collections.abc import Iterator

from analyzer.findings.context import Context
from analyzer.findings.model import Finding
from analyzer.findings.registry import rule


def _holding(context: Context, addresses: tuple[str, ...]) -> list[str]:
    """Nodes with one of the addresses, in the order of their names."""
    held = {node for address in addresses for node in context.world.holders(address)}
    return [node for node in context.world.node_names if node in held]


@rule("SVC-006", needs=("services",), severities=("warning",), fixes=("F29",))
def address_kept(context: Context) -> Iterator[Finding]:
    """The address is captured by the nodes for good, whoever has it now."""
    for service in context.services.values():
        if service.type == "LoadBalancer" or not service.published or service.headless:
            continue
        bound = [
            node
            for node in _holding(context, service.published)
            if any(context.world.state(node).local.get(ip, ("",))[0] == "kube-ipvs0" for ip in service.published)
        ]
        where = [
            place
            for node in bound
            for ip in service.published
            for place in context.world.state(node).local_evidence(ip)
        ]
        yield Finding(
            rule="SVC-006",
            about=service.id,
            severity="warning",
            fixes=("F29",),
            values={
                "service": service.id, "type": service.type, "addresses": ", ".join(service.published), "count": str(len(bound)),
            },
            evidence=context.evidence(None, service.evidence, *where),
            nodes=tuple(bound),
            services=(service.id,),
            situation="S22",
        )  # fmt: skip
