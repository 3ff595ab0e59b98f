"""SVC-004: the CIDR that kube-proxy takes for pods covers ClusterIPs.

A process of a node that dials a ClusterIP has that very address as source; taken for a pod, it is not masqueraded, and a
remote endpoint answers to an address that is everybody's own. Usually the Service range was entered as clusterCIDR.
"""

from __future__ import annotations

from collections.abc import Iterator

from analyzer.findings.context import Context, keys, names
from analyzer.findings.model import Finding
from analyzer.findings.registry import rule
from analyzer.forwarding.addresses import contains


@rule("SVC-004", needs=("services",), severities=("critical", "warning"), fixes=("F26", "F1"))
def detector_covers_services(context: Context) -> Iterator[Finding]:
    """Node processes time out on ClusterIPs whenever the endpoint is on another node."""
    addresses = [ip for service in context.services.values() for ip in service.cluster_ips]
    by_cidr: dict[str, list[str]] = {}
    for node in context.snapshot.node_names:
        said = context.snapshot.regime(node).value("masquerade")
        for cidr in said.removeprefix("cluster-cidr ").split(",") if said.startswith("cluster-cidr ") else ():
            if any(contains(cidr, ip) for ip in addresses):
                by_cidr.setdefault(cidr, []).append(node)
    for cidr, members in sorted(by_cidr.items()):
        covered = [ip for ip in addresses if contains(cidr, ip)]
        cells = [
            cell
            for cell in context.cells
            if cell.bad
            and cell.vantage.kind == "node"
            and cell.vantage.node in members
            and cell.row.target.address in covered
        ]
        example = context.trace(cells[0]) if cells else None
        facts = [place for node in members for place in context.snapshot.regime(node)["masquerade"].evidence]
        yield Finding(
            rule="SVC-004",
            about=cidr,
            severity="critical" if cells else "warning",
            values={
                "cidr": cidr,
                "nodes": ", ".join(members[:6]),
                "count": str(len(covered)),
                "cells": str(len(cells)),
            },
            evidence=context.evidence(example, *facts),
            nodes=tuple(members),
            vantages=names(cells),
            targets=tuple(dict.fromkeys(str(cell.row.target) for cell in cells)),
            fixes=("F26", "F1"),
            example=example,
            cells=keys(cells),
        )
