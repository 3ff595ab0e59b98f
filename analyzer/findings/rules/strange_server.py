"""REACH-015: pods answer for a Service that does not list them.

A hostPort rule of the CNI that stands before kube-proxy's chains takes the port of every local address, VIPs included; or a virtual
server holds an address that is a pod of something else now. Sources: kubernetes#66103, #72522, siderolabs/talos#9223.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from analyzer.findings.context import Cell, Context, keys, names, nodes
from analyzer.findings.model import Finding
from analyzer.findings.registry import rule


@rule("REACH-015", needs=("services", "endpoints"), order=40, severities=("critical",), fixes=("F16", "F1"))
def strange_server(context: Context) -> Iterator[Finding]:
    """The connection works, and somebody else's application answers."""
    grouped: dict[str, list[Cell]] = defaultdict(list)
    strangers: dict[str, set[str]] = defaultdict(set)
    for cell in context.cells:
        service = context.services.get(cell.row.service)
        if service is None or not service.endpoints_known or "ok" not in cell.verdict.outcomes:
            continue
        known = {one.pod for one in service.endpoints if one.pod}
        if not known or cell.row.kind == "load-balancer-listener":
            continue
        strange = {name for name in cell.verdict.servers if name.startswith("pod:") and name not in known}
        if strange:
            grouped[service.id].append(cell)
            strangers[service.id] |= strange
    for service_id, cells in sorted(grouped.items()):
        example = context.trace(cells[0])
        yield Finding(
            rule="REACH-015",
            about=service_id,
            severity="critical",
            values={
                "service": service_id,
                "servers": ", ".join(sorted(strangers[service_id])[:4]),
                "cells": str(len(cells)),
            },
            evidence=context.evidence(example, context.services[service_id].evidence),
            nodes=nodes(cells),
            services=(service_id,),
            vantages=names(cells),
            targets=tuple(dict.fromkeys(str(cell.row.target) for cell in cells)),
            fixes=("F16", "F1"),
            example=example,
            cells=keys(cells),
        )
