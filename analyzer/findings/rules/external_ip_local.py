"""REACH-019: an external IP with policy Local is rejected by KUBE-IPVS-FILTER.

Releases from 1.26 on let packets to the known sets through before they reject everything else on the addresses of kube-ipvs0; the set of
external IPs with policy Local was forgotten in the first of them. A process of the node is not filtered and gets through.
Sources: kubernetes#121909, #124260.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from analyzer.findings.context import Cell, Context, keys, names, nodes, targets
from analyzer.findings.model import Finding
from analyzer.findings.registry import rule


@rule("REACH-019", needs=("services",), severities=("warning",), fixes=("F5", "F11"), order=40)
def external_ip_local(context: Context) -> Iterator[Finding]:
    """Refused for pods and clients outside, by kube-proxy's own rule."""
    groups: dict[str, list[Cell]] = defaultdict(list)
    for cell in context.cells:
        service = context.services.get(cell.row.service)
        if (
            service is None
            or cell.row.kind != "external-ip"
            or not service.external_local
            or cell.key in context.explained
        ):
            continue
        if cell.bad and "ipvs-filter-reject" in cell.verdict.mechanisms:
            groups[service.id].append(cell)
    for name, bad in sorted(groups.items()):
        example = context.trace(bad[0])
        versions = sorted(
            {context.snapshot.regime(node).value("kube_proxy_version") for node in nodes(bad)} - {"unknown"}
        )
        yield Finding(
            rule="REACH-019",
            about=name,
            severity="warning",
            values={
                "service": name, "targets": ", ".join(targets(bad)[:6]), "count": str(len(bad)), "version": ", ".join(versions) or "?",
            },
            evidence=context.evidence(example, context.services[name].evidence),
            nodes=nodes(bad),
            services=(name,),
            vantages=names(bad),
            targets=targets(bad),
            fixes=("F5", "F11"),
            example=example,
            cells=keys(bad),
        )  # fmt: skip
