"""OBS-001: conntrack shows a connection that went otherwise than the walk says."""

from __future__ import annotations

from collections.abc import Iterator

from analyzer.findings.context import ENOUGH_EVIDENCE, Context
from analyzer.findings.model import Finding
from analyzer.findings.registry import rule


@rule("OBS-001", needs=("conntrack",), severities=("notice",), fixes=())
def contradicted(context: Context) -> Iterator[Finding]:
    """The captures do not fit together (taken at different times), an application is silent, or the model lacks something."""
    seen = context.observations
    if not seen.contradictions:
        return
    first = seen.contradictions[0]
    listed = [place for cell in seen.contradictions for place in cell.evidence[:1]] + list(first.evidence[1:])
    names = {"outcome": 0, "server": 0, "source": 0}
    for cell in seen.contradictions:
        if cell.differs:
            names[cell.differs] += 1
    yield Finding(
        rule="OBS-001",
        about="cluster",
        severity="notice",
        values={
            "count": str(len(seen.contradictions)),
            "decided": str(seen.decided),
            "confirmed": str(seen.confirmed),
            "source": str(first.source),
            "target": str(first.target),
            "predicted": first.predicted,
            "observed": first.observed,
            "outcomes": str(names["outcome"]),
            "servers": str(names["server"]),
            "sources": str(names["source"]),
        },
        evidence=tuple(context.snapshot.quote(place) for place in listed[:ENOUGH_EVIDENCE]),
        nodes=tuple(sorted({place.node for place in listed if place.node})),
        services=_services(context),
        vantages=tuple(dict.fromkeys(str(cell.source) for cell in seen.contradictions)),
        targets=tuple(dict.fromkeys(str(cell.target) for cell in seen.contradictions)),
        confidence="medium",
    )


def _services(context: Context) -> tuple[str, ...]:
    wanted = {cell.target for cell in context.observations.contradictions}
    return tuple(sorted({row.service for row in context.matrix.targets if row.service and row.target in wanted}))
