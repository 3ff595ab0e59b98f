"""SVC-001: a Service without a ready endpoint."""

from __future__ import annotations

from collections.abc import Iterator

from analyzer.findings.context import Context, keys
from analyzer.findings.model import Finding
from analyzer.findings.registry import rule


@rule("SVC-001", needs=("services", "endpoints"), severities=("warning", "notice"), fixes=("F15",))
def no_endpoint(context: Context) -> Iterator[Finding]:
    """Nothing to send a connection to: every node has an empty virtual server and refuses."""
    for service in context.snapshot.objects.services:
        if service.headless or not service.ports or any(one.ready for one in service.endpoints):
            continue
        # That a client outside cannot dial a ClusterIP has nothing to do with endpoints.
        cells = [
            cell
            for cell in context.by_service.get(service.id, ())
            if cell.verdict.outcome not in ("ok", "unknown") and cell.verdict.mechanism != "not-routed"
        ]
        inside = [cell for cell in cells if cell.vantage.kind != "external"]
        example = context.trace(inside[0]) if inside else None
        not_ready = [one for one in service.endpoints if not one.ready]
        yield Finding(
            rule="SVC-001",
            about=service.id,
            severity="warning" if service.externally_accessible else "notice",
            values={
                "service": service.id,
                "type": service.type,
                "not_ready": str(len({one.address for one in not_ready})),
                "selector": service.selector or "-",
            },  # fmt: skip
            evidence=context.evidence(example, service.evidence, *(one.evidence for one in not_ready[:3])),
            services=(service.id,),
            targets=tuple(dict.fromkeys(str(cell.row.target) for cell in cells)),
            situation="S15",
            fixes=("F15",),
            example=example,
            cells=keys(cells),
        )
