"""DRIFT-001 to DRIFT-007: a node does not hold what kube-proxy should have programmed.

Where the captures are so far apart that all of it may have changed in between, the confidence is medium.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from analyzer.findings.context import Cell, Context, keys, names
from analyzer.findings.drift import Drift, Kind
from analyzer.findings.model import Finding, Severity, few
from analyzer.findings.registry import rule


def grouped(context: Context, kind: Kind) -> Iterator[tuple[str, list[Drift]]]:
    """Differences of one kind by Service (by address where no Service is known)."""
    groups: dict[str, list[Drift]] = defaultdict(list)
    for one in context.drift:
        if one.kind == kind:
            groups[one.service or one.detail or one.server].append(one)
    yield from sorted(groups.items())


def _touched(context: Context, about: str, places: set[str]) -> list[Cell]:
    """Failing cells of the Service that start or enter on one of the nodes, or reach them through a load balancer."""
    found = []
    for cell in context.cells:
        if not cell.bad or cell.row.service != about:
            continue
        enters = cell.vantage.node in places or cell.row.node in places
        if enters or cell.row.kind in ("load-balancer", "load-balancer-listener"):
            found.append(cell)
    return found


def finding_of(
    context: Context,
    rule_id: str,
    about: str,
    group: list[Drift],
    severity: Severity,
    fixes: tuple[str, ...],
    situation: str = "",
) -> Finding:
    places = {one.node for one in group}
    cells = _touched(context, about, places)
    first = sorted(cells, key=lambda cell: (cell.vantage.node not in places, cell.vantage.kind == "external"))
    example = context.trace(first[0]) if first else None
    details = list(dict.fromkeys(one.detail for one in group if one.detail))
    servers = list(dict.fromkeys(one.server for one in group if one.server))
    return Finding(
        rule=rule_id,
        about=about,
        severity=severity,
        values={
            "service": about,
            "nodes": few(sorted(places)),
            "details": ", ".join(details[:6]) + (f" (+{len(details) - 6})" if len(details) > 6 else ""),
            "servers": ", ".join(servers[:6]) + (f" (+{len(servers) - 6})" if len(servers) > 6 else ""),
            "count": str(len(group)),
            "cells": str(len(cells)),
        },
        evidence=context.evidence(None, *(place for one in group for place in one.evidence)),
        nodes=tuple(sorted(places)),
        services=(about,) if about in context.services else (),
        vantages=names(cells),
        targets=tuple(dict.fromkeys(str(cell.row.target) for cell in cells)),
        situation=situation,
        fixes=fixes,
        confidence="medium" if all(one.skew for one in group) else "high",
        example=example,
        cells=keys(cells),
    )


@rule("DRIFT-001", needs=("ipvsadm", "services", "endpoints"), severities=("warning",), fixes=("F16",))
def stale(context: Context) -> Iterator[Finding]:
    """A real server that is no endpoint any more: every n-th connection goes nowhere."""
    for about, group in grouped(context, "real-server-stale"):
        yield finding_of(context, "DRIFT-001", about, group, "warning", ("F16",))


@rule("DRIFT-002", needs=("ipvsadm", "services", "endpoints"), severities=("warning",), fixes=("F16",))
def missing(context: Context) -> Iterator[Finding]:
    """A ready endpoint that the virtual server lacks."""
    for about, group in grouped(context, "real-server-missing"):
        yield finding_of(context, "DRIFT-002", about, group, "warning", ("F16",))


@rule("DRIFT-003", needs=("ip-addr", "services"), severities=("warning",), fixes=("F16",))
def vip_missing(context: Context) -> Iterator[Finding]:
    """A VIP that kube-proxy should have bound; pods of the node send its packets into the network."""
    absent = {(one.node, one.service) for one in context.drift if one.kind == "virtual-server-missing"}
    for about, group in grouped(context, "vip-missing"):
        alone = [one for one in group if (one.node, one.service) not in absent]
        if alone:
            yield finding_of(context, "DRIFT-003", about, alone, "warning", ("F16",))


@rule("DRIFT-004", needs=("ip-addr", "services"), severities=("warning",), fixes=("F16",))
def vip_left_over(context: Context) -> Iterator[Finding]:
    """An address on kube-ipvs0 that no Service publishes: it captures what is sent to its real owner."""
    for about, group in grouped(context, "vip-left-over"):
        yield finding_of(context, "DRIFT-004", about, group, "warning", ("F16",), "S22")


@rule("DRIFT-005", needs=("ipvsadm", "services", "endpoints"), severities=("critical",), fixes=("F16",))
def server_missing(context: Context) -> Iterator[Finding]:
    """A virtual server that the node lacks: kube-proxy there does not know the Service, or somebody deleted it."""
    for about, group in grouped(context, "virtual-server-missing"):
        yield finding_of(context, "DRIFT-005", about, group, "critical", ("F16",))


@rule("DRIFT-006", needs=("ipvsadm", "services", "endpoints"), severities=("notice",), fixes=("F16",))
def server_extra(context: Context) -> Iterator[Finding]:
    """A virtual server that no Service asks for: left over, or another program's."""
    for about, group in grouped(context, "virtual-server-extra"):
        yield finding_of(context, "DRIFT-006", about, group, "notice", ("F16",), "S22")


@rule("DRIFT-007", needs=("ipvsadm", "services", "endpoints"), severities=("warning",), fixes=("F16",))
def weight_zero(context: Context) -> Iterator[Finding]:
    """A ready endpoint with weight 0 gets no new connections (kubernetes#92019, #108319; reset at start from 1.26)."""
    for about, group in grouped(context, "real-server-weight-0"):
        yield finding_of(context, "DRIFT-007", about, group, "warning", ("F16",))
