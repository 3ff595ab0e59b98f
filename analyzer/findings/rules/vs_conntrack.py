"""SYS-001: net.ipv4.vs.conntrack=0 disables every masquerade for IPVS connections."""

from __future__ import annotations

from collections.abc import Iterator

from analyzer.findings.context import Context, keys, names
from analyzer.findings.model import Finding, few
from analyzer.findings.registry import rule


@rule("SYS-001", needs=("sysctl",), order=-1, severities=("critical",), fixes=("F17",))
def vs_conntrack(context: Context) -> Iterator[Finding]:
    """kube-proxy sets it to 1 when it starts; who resets it breaks all traffic that needs source translation."""
    off = [node for node in context.snapshot.node_names if context.snapshot.regime(node).value("vs_conntrack") == "0"]
    off = [node for node in off if context.snapshot.regime(node).value("proxy_mode") in ("ipvs", "unknown")]
    if not off:
        return
    cells = [
        cell
        for cell in context.cells
        if cell.bad and (cell.vantage.node in off or cell.row.node in off or "mixed" in cell.verdict.outcome)
    ]
    example = context.trace(cells[0]) if cells else None
    facts = [place for node in off for place in context.snapshot.regime(node)["vs_conntrack"].evidence]
    yield Finding(
        rule="SYS-001",
        about="cluster",
        severity="critical",
        values={"nodes": few(off), "count": str(len(off)), "cells": str(len(cells))},
        evidence=context.evidence(example, *facts),
        nodes=tuple(off),
        vantages=names(cells),
        targets=tuple(dict.fromkeys(str(cell.row.target) for cell in cells)),
        fixes=("F17",),
        example=example,
        cells=keys(cells),
    )
