"""REACH-011: a layer-4 load balancer that picks a backend on the client's own node."""

from __future__ import annotations

from collections.abc import Iterator

from analyzer.findings.context import Context, keys, names, nodes
from analyzer.findings.lb import balancer_values, bound_on
from analyzer.findings.model import Finding
from analyzer.findings.registry import rule
from analyzer.forwarding import Path

LOOP = frozenset({"martian-source", "reply-mismatch", "reply-lost", "hairpin-without-masquerade", "reply-swallowed"})


def _loops(path: Path) -> bool:
    return (
        path.outcome == "timeout" and path.mechanism in LOOP and any(hop.place.startswith("lb:") for hop in path.hops)
    )


@rule("REACH-011", needs=("cloud",), severities=("warning", "notice"), fixes=("F1", "F3c", "F13", "F6", "F9"))
def loopback(context: Context) -> Iterator[Finding]:
    """S11: the client's address is the backend node's own, or the answer does not pass the load balancer: no connection."""
    for row in context.matrix.targets:
        if row.kind not in ("load-balancer", "load-balancer-listener"):
            continue
        if len(bound_on(context, row.target.address)) == len(context.snapshot.node_names):
            continue
        bad = [
            cell
            for cell in context.cells
            if cell.row == row
            and cell.vantage.kind != "external"
            and cell.verdict.outcome in ("timeout", "mixed")
            and LOOP & set(cell.verdict.mechanisms)
            and cell.key not in context.explained
        ]
        examples = [(cell, context.trace(cell)) for cell in bad]
        examples = [(cell, one) for cell, one in examples if any(_loops(path) for path in one.paths)]
        if not examples:
            continue
        bad = [cell for cell, _ in examples]
        shares = [sum(path.share for path in one.paths if _loops(path)) for _, one in examples]
        listener, where = balancer_values(context, row.target)
        service = context.services.get(row.service)
        claimed = service is not None and _claims(context, row.service, listener["lb"])
        yield Finding(
            rule="REACH-011",
            about=str(row.target),
            severity="warning" if claimed else "notice",
            values={
                **listener,
                "service": row.service or "?",
                "count": str(len(bad)),
                "share": f"{100 * min(shares):.0f}–{100 * max(shares):.0f} %"
                if min(shares) != max(shares)
                else f"{100 * max(shares):.0f} %",
            },  # fmt: skip
            evidence=context.evidence(examples[0][1], *where, *((service.evidence,) if service else ())),
            nodes=nodes(bad),
            services=(row.service,) if row.service else (),
            vantages=names(bad),
            targets=(str(row.target),),
            situation="S11",
            confidence="medium",
            fixes=("F1", "F3c", "F13", "F6", "F9"),
            example=examples[0][1],
            cells=keys(bad),
        )


def _claims(context: Context, service: str, lb: str) -> bool:
    """Whether the Service itself leads clients to this load balancer (label, annotation or published address)."""
    one = context.services[service]
    return lb in (one.labels.get("service.k8s.alibaba/loadbalancer-id"), one.annotation("loadbalancer-id"))
