"""LB-007: the Service publishes the EIP of its load balancer, not the load balancer's own address.

`loadbalancer-external-ip-type: eip` puts the EIP into status.loadBalancer. The nodes bind the EIP; the private address stays off them, so
clients inside have two addresses of one load balancer that behave differently: through the EIP they never reach it, through the
private address they do and meet the loop-back limit. Source: CCM, annotation loadbalancer-external-ip-type.
"""

from __future__ import annotations

from collections.abc import Iterator

from analyzer.findings.context import Context
from analyzer.findings.lb import bound_on
from analyzer.findings.model import Finding
from analyzer.findings.registry import rule
from analyzer.forwarding.balancers import LABEL as LABEL_LB_ID
from analyzer.snapshot.objects import evidence_of, records, text


@rule("LB-007", needs=("services",), severities=("notice",), fixes=("F1", "F3"))
def eip_bound(context: Context) -> Iterator[Finding]:
    """What works on one address of the load balancer fails on the other."""
    for service in context.snapshot.objects.services:
        if service.annotation("loadbalancer-external-ip-type") != "eip":
            continue
        lb = service.labels.get(LABEL_LB_ID) or service.annotation("loadbalancer-id") or ""
        rows = [row for row in records(context.snapshot["load_balancers"]) if lb and text(row["id"]) == lb]
        private = next((text(row["address"]) for row in rows if text(row["address"])), "")
        for address in service.published:
            held = bound_on(context, address)
            if address == private or not held:
                continue
            yield Finding(
                rule="LB-007",
                about=f"{service.id}:{address}",
                severity="notice",
                values={
                    "service": service.id, "address": address, "private": private or "?", "lb": lb or "?", "count": str(len(held)),
                },
                evidence=context.evidence(
                    None, service.evidence, *(place for node in held[:1] for place in context.world.state(node).local_evidence(address)),
                    *(evidence_of(row) for row in rows),
                ),
                nodes=held,
                services=(service.id,),
                targets=tuple(f"{address}:{port.port}/{port.protocol}" for port in service.ports),
                situation="S19",
                fixes=("F1", "F3"),
            )  # fmt: skip
