"""REACH-017: a pod that reaches itself through its own Service, without an entry in KUBE-LOOP-BACK.

IPVS sends the packet back to the pod it came from; only masquerading (KUBE-LOOP-BACK) keeps source and destination apart. kube-proxy
makes the entry for endpoints of its own node when it syncs. Source: pkg/proxy/ipvs/proxier.go, kubeLoopBackIPSet.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from analyzer.findings.context import Cell, Context, keys, names, nodes, targets
from analyzer.findings.model import Finding
from analyzer.findings.registry import rule

SLUG = "hairpin-without-masquerade"


@rule("REACH-017", needs=("services",), severities=("warning",), fixes=("F16", "F1"), order=40)
def own_hairpin(context: Context) -> Iterator[Finding]:
    """One try in as many as there are endpoints times out, from the endpoints themselves."""
    groups: dict[str, list[Cell]] = defaultdict(list)
    for cell in context.cells:
        if cell.bad and cell.row.service and SLUG in cell.verdict.mechanisms and cell.key not in context.explained:
            paths = [path for path in context.trace(cell).paths if path.mechanism == SLUG]
            if paths and not any(hop.place.startswith("lb:") for path in paths for hop in path.hops):
                groups[cell.row.service].append(cell)
    for service, bad in sorted(groups.items()):
        example = context.trace(bad[0])
        yield Finding(
            rule="REACH-017",
            about=service,
            severity="warning",
            values={
                "service": service, "targets": ", ".join(targets(bad)[:6]), "count": str(len(bad)),
                "nodes": ", ".join(nodes(bad)[:6]), "pods": ", ".join(names(bad)[:4]),
            },
            evidence=context.evidence(example, context.services[service].evidence),
            nodes=nodes(bad),
            services=(service,),
            vantages=names(bad),
            targets=targets(bad),
            fixes=("F16", "F1"),
            example=example,
            cells=keys(bad),
        )  # fmt: skip
