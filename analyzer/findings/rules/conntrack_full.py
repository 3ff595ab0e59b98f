"""SYS-004: the conntrack table is nearly full.

When it is full the kernel drops the first packet of new connections, whatever they are for, and says "nf_conntrack: table full,
dropping packet" in its log.
"""

from __future__ import annotations

from collections.abc import Iterator

from analyzer.findings.context import Context
from analyzer.findings.model import Finding
from analyzer.findings.registry import rule
from analyzer.snapshot.objects import evidence_of, records, text

COUNT, MAX = "net.netfilter.nf_conntrack_count", "net.netfilter.nf_conntrack_max"
NEARLY, FULL = 0.90, 0.98


@rule("SYS-004", needs=("sysctl",), severities=("critical", "warning"), fixes=("F27",))
def conntrack_full(context: Context) -> Iterator[Finding]:
    """New connections are dropped at random, of all clients and to all addresses."""
    for node in context.snapshot.node_names:
        own = context.snapshot.by_node.get(node, {}).get("sysctls")
        rows = {text(row["key"]): row for row in records(own)} if own is not None else {}
        values = [text(rows[key]["value"]) if key in rows else "" for key in (COUNT, MAX)]
        if not all(value.isdecimal() for value in values) or int(values[1]) == 0:
            continue
        share = int(values[0]) / int(values[1])
        if share < NEARLY:
            continue
        yield Finding(
            rule="SYS-004",
            about=node,
            severity="critical" if share >= FULL else "warning",
            fixes=("F27",),
            values={"node": node, "percent": str(round(share * 100)), "entries": values[0], "limit": values[1]},
            evidence=context.evidence(None, *(evidence_of(rows[key], node) for key in (COUNT, MAX))),
            nodes=(node,),
        )
