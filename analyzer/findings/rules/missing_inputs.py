"""INPUT-001, INPUT-002: what the bundle lacks, and captures that hold an error instead of data."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from analyzer.evidence import Evidence
from analyzer.findings.context import Context
from analyzer.findings.model import Finding
from analyzer.findings.registry import rule
from analyzer.forwarding import beside

EXPECTED = ("ipvsadm", "ip-addr", "ip-route", "ip-rule", "iptables", "ipset", "sockets", "sysctl", "conntrack")
OBJECTS = ("nodes", "services", "endpoints", "pods")
ESSENTIAL = frozenset({"ipvsadm", "ip-addr", "iptables", "services", "endpoints"})


@rule("INPUT-001", severities=("notice", "info"), fixes=("F18",))
def missing_inputs(context: Context) -> Iterator[Finding]:
    """A capture that was not taken proves nothing; what stands in for it lowers the confidence of each verdict."""
    lacking: dict[str, list[str]] = defaultdict(list)
    for node in context.snapshot.node_names:
        for capture in EXPECTED:
            if not context.snapshot.has(node, capture) and capture not in beside(context.snapshot, node):
                lacking[capture].append(node)
    for kind in OBJECTS:
        if kind not in context.snapshot.captured.get("", {}):
            lacking[kind].append("cluster")
    described = any(one.complete for one in context.world.load_balancers.values())
    wanted = any(service.published or service.hostnames for service in context.snapshot.objects.services)
    if wanted and not described:
        lacking["cloud"].append("cluster")
    if not lacking:
        return
    unknown = sum(1 for cell in context.cells if cell.verdict.outcome == "unknown")
    inferred = sum(1 for cell in context.cells if cell.verdict.layer == "inferred")
    listed = "; ".join(
        f"{capture}: {', '.join(where[:4])}{f' (+{len(where) - 4})' if len(where) > 4 else ''}"
        for capture, where in lacking.items()
    )
    yield Finding(
        rule="INPUT-001",
        about="bundle",
        severity="notice" if ESSENTIAL & lacking.keys() else "info",
        values={
            "missing": listed,
            "unknown": str(unknown),
            "inferred": str(inferred),
            "cells": str(len(context.cells)),
        },
        nodes=tuple(sorted({node for where in lacking.values() for node in where if node != "cluster"})),
        fixes=("F18",),
    )


@rule("INPUT-002", severities=("notice",), fixes=("F18",))
def failed_captures(context: Context) -> Iterator[Finding]:
    """Error text instead of output is not an empty table."""
    captures = context.snapshot["captures"]
    failed = captures[captures["state"].isin(["failed", "refused"])]
    if not len(failed):
        return
    places = [
        Evidence(str(file), 0, str(detail) if isinstance(detail, str) else "")
        for file, detail in zip(failed["file"], failed["detail"], strict=True)
    ]
    yield Finding(
        rule="INPUT-002",
        about="bundle",
        severity="notice",
        values={"count": str(len(failed)), "files": ", ".join(place.file for place in places[:6])},
        evidence=tuple(places[:12]),
        fixes=("F18",),
    )
