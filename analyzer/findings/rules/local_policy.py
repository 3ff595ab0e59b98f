"""REACH-003 to REACH-010: externalTrafficPolicy Local and nodes without an endpoint.

One module because all of them are one distinction: who dials, what, on which node, and how it ends.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from analyzer.findings.context import Cell, Context, keys, names, nodes, targets
from analyzer.findings.model import Finding, Severity, few
from analyzer.findings.registry import rule
from analyzer.snapshot.objects import Service

EMPTY = frozenset({"ipvs-no-destination", "ipvs-only-drained"})
NO_ANSWER = frozenset({"timeout", "unreachable", "mixed"})


def _services(context: Context) -> Iterator[tuple[Service, frozenset[str]]]:
    """Services whose external policy is Local while some node in IPVS mode has no endpoint of theirs.

    In the other modes such a node drops by a rule (REACH-014) and serves its own clients by design.
    """
    for service in context.snapshot.objects.services:
        if service.external_local:
            lacking = frozenset(
                node
                for node in context.without_endpoint(service)
                if context.snapshot.regime(node).value("proxy_mode") in ("ipvs", "unknown")
            )
            if lacking:
                yield service, lacking


def _finding(
    context: Context,
    rule_id: str,
    service: Service,
    cells: Sequence[Cell],
    *,
    severity: Severity,
    situation: str,
    fixes: tuple[str, ...],
    lacking: frozenset[str],
) -> Finding:
    # A client outside shows the mechanism without the special ways of the backend's own node.
    cells = sorted(cells, key=lambda cell: cell.vantage.kind != "external")
    example = context.trace(cells[0])
    having = sorted(context.endpoint_nodes(service))
    first = cells[0]
    version = context.snapshot.regime(first.vantage.node or first.row.node or having[0]).value("kube_proxy_version")
    seen = sorted({address for cell in cells for address in cell.verdict.seen_source_ips})
    place = first.row.node or first.vantage.node
    return Finding(
        rule=rule_id,
        about=service.id,
        severity=severity,
        values={
            "service": service.id,
            "targets": few(targets(cells)),
            "lacking": few(sorted(lacking)),
            "having": few(having),
            "version": version,
            "cni": context.snapshot.regime(place).value("cni"),
            "seen": few(seen),
            "count": str(len(cells)),
        },
        evidence=context.evidence(
            example, service.evidence, *context.flows(place, first.row.target.address, first.row.target.port)
        ),
        nodes=tuple(sorted(set(nodes(cells)) | {cell.row.node for cell in cells if cell.row.node})),
        services=(service.id,),
        vantages=names(cells),
        targets=targets(cells),
        situation=situation,
        confidence=example.verdict.confidence,
        fixes=fixes,
        example=example,
        cells=keys(cells),
    )


def _of(context: Context, service: Service, kinds: frozenset[str]) -> list[Cell]:
    return [cell for cell in context.by_service.get(service.id, ()) if cell.row.kind in kinds]


VIPS = frozenset({"load-balancer", "external-ip"})
NODE_PORT = frozenset({"node-port"})


@rule(
    "REACH-003", needs=("services", "endpoints"), severities=("warning",), fixes=("F1", "F6", "F5", "F7", "F3", "F11")
)
def vip_refused(context: Context) -> Iterator[Finding]:
    """S3: up to 1.23 the virtual server of a node without endpoint is empty, and IPVS refuses."""
    for service, lacking in _services(context):
        bad = [
            cell
            for cell in _of(context, service, VIPS)
            if cell.vantage.node in lacking and cell.verdict.outcome != "ok" and cell.verdict.mechanism in EMPTY
        ]
        if bad:
            yield _finding(
                context, "REACH-003", service, bad, severity="warning", situation="S3",
                fixes=("F1", "F6", "F5", "F7", "F3", "F11"), lacking=lacking,
            )  # fmt: skip


@rule(
    "REACH-004",
    needs=("services", "endpoints"),
    severities=("warning",),
    fixes=("F1", "F6", "F5", "F7", "F3", "F4", "F10"),
)
def vip_times_out_from_host(context: Context) -> Iterator[Finding]:
    """S4: from 1.24 all endpoints are listed, but the host's packet keeps the VIP as its source and dies on the way."""
    for service, lacking in _services(context):
        bad = [
            cell
            for cell in _of(context, service, VIPS)
            if cell.vantage.kind == "node"
            and cell.vantage.node in lacking
            and cell.verdict.outcome in NO_ANSWER
            and cell.verdict.mechanism not in EMPTY
        ]
        if bad:
            yield _finding(
                context, "REACH-004", service, bad, severity="warning", situation="S4",
                fixes=("F1", "F6", "F5", "F7", "F3", "F4", "F10"), lacking=lacking,
            )  # fmt: skip


@rule("REACH-005", needs=("services", "endpoints"), severities=("info",), fixes=())
def vip_source_lost(context: Context) -> Iterator[Finding]:
    """S5: the CNI masquerades, so it works, and the server sees the node's address instead of the client's."""
    for service, lacking in _services(context):
        lost = [
            cell
            for cell in _of(context, service, VIPS)
            if cell.vantage.kind == "node" and cell.vantage.node in lacking and cell.verdict.outcome == "ok"
        ]
        if lost:
            yield _finding(
                context, "REACH-005", service, lost, severity="info", situation="S5", fixes=(), lacking=lacking
            )


@rule("REACH-006", needs=("services", "endpoints"), severities=("info",), fixes=())
def vip_works_from_pods(context: Context) -> Iterator[Finding]:
    """S6: ordinary pods on the same node get through: their answers come back through that node."""
    for service, lacking in _services(context):
        fine = [
            cell
            for cell in _of(context, service, VIPS)
            if cell.vantage.kind in ("pod", "backend-pod")
            and cell.vantage.node in lacking
            and cell.verdict.outcome == "ok"
        ]
        if fine:
            yield _finding(
                context, "REACH-006", service, fine, severity="info", situation="S6", fixes=(), lacking=lacking
            )


def _to_other(context: Context, service: Service, lacking: frozenset[str]) -> list[Cell]:
    """NodePort of a node without endpoint, dialled from outside or from another node."""
    return [
        cell
        for cell in _of(context, service, NODE_PORT)
        if cell.row.node in lacking and cell.vantage.node != cell.row.node
    ]


@rule("REACH-007", needs=("services", "endpoints"), severities=("warning",), fixes=("F8", "F5", "F7", "F12"))
def node_port_refused(context: Context) -> Iterator[Finding]:
    """S7: NodePort of a node without endpoint, up to 1.23, from outside or another node."""
    for service, lacking in _services(context):
        bad = [
            cell
            for cell in _to_other(context, service, lacking)
            if cell.verdict.outcome != "ok" and cell.verdict.mechanism in EMPTY
        ]
        if bad:
            yield _finding(
                context, "REACH-007", service, bad, severity="warning", situation="S7",
                fixes=("F8", "F5", "F7", "F12"), lacking=lacking,
            )  # fmt: skip


@rule("REACH-008", needs=("services", "endpoints"), severities=("warning",), fixes=("F8", "F5", "F7", "F12"))
def node_port_times_out(context: Context) -> Iterator[Finding]:
    """S8: from 1.24 without masquerade the backend answers the client directly, and the client does not know it."""
    for service, lacking in _services(context):
        bad = [
            cell
            for cell in _to_other(context, service, lacking)
            if cell.verdict.outcome in NO_ANSWER and cell.verdict.mechanism not in EMPTY
        ]
        if bad:
            yield _finding(
                context, "REACH-008", service, bad, severity="warning", situation="S8",
                fixes=("F8", "F5", "F7", "F12"), lacking=lacking,
            )  # fmt: skip


@rule("REACH-009", needs=("services", "endpoints"), severities=("info",), fixes=())
def node_port_source_lost(context: Context) -> Iterator[Finding]:
    """S9: flannel's masquerade makes it work; the server sees the entry node."""
    for service, lacking in _services(context):
        lost = [cell for cell in _to_other(context, service, lacking) if cell.verdict.outcome == "ok"]
        if lost:
            yield _finding(
                context, "REACH-009", service, lost, severity="info", situation="S9", fixes=(), lacking=lacking
            )


@rule("REACH-010", needs=("services", "endpoints"), severities=("warning",), fixes=("F5", "F7", "F11"))
def own_node_port(context: Context) -> Iterator[Finding]:
    """S10: a node (or its pods) to its own NodePort without an endpoint."""
    for service, lacking in _services(context):
        bad = [
            cell
            for cell in _of(context, service, NODE_PORT)
            if cell.row.node in lacking and cell.vantage.node == cell.row.node and cell.verdict.outcome != "ok"
        ]
        if bad:
            yield _finding(
                context, "REACH-010", service, bad, severity="warning", situation="S10",
                fixes=("F5", "F7", "F11"), lacking=lacking,
            )  # fmt: skip
