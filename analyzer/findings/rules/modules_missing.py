"""MODE-005: kube-proxy is to run in IPVS mode, and the node's kernel has not loaded IPVS.

Up to 1.25 kube-proxy falls back to iptables without a word; from 1.26 on it ends with an error and starts again and again. Sources:
CHANGELOG-1.26, kubernetes#111806.
"""

from __future__ import annotations

from collections.abc import Iterator

from analyzer.findings.context import Context
from analyzer.findings.model import Finding
from analyzer.findings.registry import rule
from analyzer.snapshot.objects import evidence_of, records, text

MODULE = "ip_vs"


@rule("MODE-005", needs=("proxy_configs", "lsmod"), severities=("critical",), fixes=("F25",))
def modules_missing(context: Context) -> Iterator[Finding]:
    """No Service works as configured on that node."""
    rows = [row for row in records(context.snapshot["proxy_configs"]) if isinstance(row["mode"], str)]
    if {text(row["mode"]) for row in rows} != {"ipvs"}:
        return
    facts = context.snapshot["host_facts"]
    modules = facts[facts["fact"] == "module"]
    members = []
    for node in context.snapshot.node_names:
        loaded = set(modules[modules["node"] == node]["value"])
        own = context.snapshot.by_node.get(node, {})
        servers = own.get("virtual_servers")
        # With IPVS built into the kernel lsmod does not list it; then it shows in use.
        in_use = servers is not None and len(servers) > 0
        if context.snapshot.has(node, "lsmod") and loaded and MODULE not in loaded and not in_use:
            members.append(node)
    if not members:
        return
    listed = [
        evidence_of(row, node) for node in members[:3] for row in records(modules[modules["node"] == node].head(1))
    ]
    yield Finding(
        rule="MODE-005",
        about="ipvs",
        severity="critical",
        values={"nodes": ", ".join(members[:6]), "count": str(len(members)), "module": MODULE},
        evidence=context.evidence(None, *(evidence_of(row) for row in rows), *listed),
        nodes=tuple(members),
        fixes=("F25",),
    )
