"""LB-008: an internet-facing load balancer whose address is kept off the nodes.

Clients inside then leave the cluster for a public address: that takes an EIP or a NAT gateway, is billed, arrives with the gateway's
address, and an access list may refuse it. Whether the VPC has that way out is not in a bundle.
"""

from __future__ import annotations

from collections.abc import Iterator

from analyzer.findings.context import Context
from analyzer.findings.model import Finding
from analyzer.findings.registry import rule
from analyzer.forwarding.balancers import LABEL as LABEL_LB_ID
from analyzer.snapshot.objects import Service, evidence_of, records, text


@rule("LB-008", needs=("services",), severities=("notice",), fixes=("F1", "F2"))
def internet_hairpin(context: Context) -> Iterator[Finding]:
    """Reaching the own Service from inside depends on the way to the internet."""
    balancers = {text(row["id"]): row for row in records(context.snapshot["load_balancers"]) if text(row["id"])}
    for service in context.snapshot.objects.services:
        off_nodes = service.type == "LoadBalancer" and (
            (
                bool(service.hostnames)
                and not service.ingress
                and service.annotation("loadbalancer-hostname") is not None
            )
            or (bool(service.ingress) and all(mode == "Proxy" for _, mode in service.ingress))
        )
        if not off_nodes:
            continue
        lb = service.labels.get(LABEL_LB_ID) or service.annotation("loadbalancer-id") or ""
        row = balancers.get(lb)
        if not _internet(service, text(row["address_type"]) if row else ""):
            continue
        address = text(row["address"]) if row else next(iter(service.published), "")
        yield Finding(
            rule="LB-008",
            about=service.id,
            severity="notice",
            values={
                "service": service.id, "lb": lb or "?", "address": address or "?",
                "how": "ipMode: Proxy" if service.ingress else "hostname",
            },
            evidence=context.evidence(None, service.evidence, *((evidence_of(row),) if row else ())),
            services=(service.id,),
            targets=tuple(f"{address}:{port.port}/{port.protocol}" for port in service.ports) if address else (),
            situation="S21",
            confidence="medium",
            fixes=("F1", "F2"),
        )  # fmt: skip


def _internet(service: Service, described: str) -> bool:
    """The cloud's own description, else the annotation; nothing is assumed without either."""
    kind = described or service.annotation("loadbalancer-address-type") or ""
    return kind.lower() == "internet"
