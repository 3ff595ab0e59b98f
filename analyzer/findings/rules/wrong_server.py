"""REACH-002: a process of the node answers in the place of the load balancer's backend."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from analyzer.findings.context import Cell, Context, keys, names, nodes
from analyzer.findings.lb import balancer_values, sharers
from analyzer.findings.model import Finding
from analyzer.findings.registry import rule
from analyzer.forwarding import MatrixTarget


@rule("REACH-002", needs=("services",), severities=("critical",), fixes=("F1", "F2", "F3", "F3b", "F4", "F11", "F10"))
def wrong_server(context: Context) -> Iterator[Finding]:
    """Up to 1.25, or past KUBE-IPVS-FILTER: a wildcard socket takes the port of a bound address. A 200 is no success."""
    wrong: dict[MatrixTarget, list[Cell]] = defaultdict(list)
    for cell in context.cells:
        if cell.verdict.outcome == "wrong-server":
            wrong[cell.row].append(cell)
    for row, bad in wrong.items():
        example = context.trace(bad[0])
        path = next(path for path in example.paths if path.outcome == "wrong-server")
        owners = sharers(context, row.target.address)
        listener, where = balancer_values(context, row.target)
        yield Finding(
            rule="REACH-002",
            about=str(row.target),
            severity="critical",
            values={
                **listener,
                "process": path.values.get("process", "?"),
                "owners": ", ".join(owners) or "?",
                "count": str(len(bad)),
            },  # fmt: skip
            evidence=context.evidence(example, *where),
            nodes=nodes(bad),
            services=owners,
            vantages=names(bad),
            targets=(str(row.target),),
            situation="S2",
            confidence=example.verdict.confidence,
            fixes=("F1", "F2", "F3b" if len(owners) > 1 else "F3", "F4", "F11", "F10"),
            example=example,
            cells=keys(bad),
        )
