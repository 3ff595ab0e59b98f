"""MODE-004: the configuration asks for one proxy mode, nodes run another.

Up to 1.25 kube-proxy falls back to iptables without a word when kernel modules for IPVS are missing; an edit of the configuration has
no effect before kube-proxy is started again. Sources: kubernetes#111806, CHANGELOG-1.26.
"""

from __future__ import annotations

from collections.abc import Iterator

from analyzer.findings.context import Context
from analyzer.findings.model import Finding
from analyzer.findings.registry import rule
from analyzer.snapshot.objects import evidence_of, records, text

MODES = ("ipvs", "iptables", "nftables")


@rule("MODE-004", needs=("proxy_configs",), severities=("warning",), fixes=("F16",))
def fallen_back(context: Context) -> Iterator[Finding]:
    """What the configuration says is not what the nodes do."""
    rows = [row for row in records(context.snapshot["proxy_configs"]) if isinstance(row["mode"], str)]
    wanted = {text(row["mode"]) or "iptables" for row in rows}
    if len(wanted) != 1:
        return
    mode = wanted.pop()
    for running in MODES:
        members = [
            node
            for node in context.snapshot.node_names
            if context.snapshot.regime(node).value("proxy_mode") == running != mode
            and context.snapshot.regime(node)["proxy_mode"].how == "state"
        ]
        if not members:
            continue
        facts = [place for node in members for place in context.snapshot.regime(node)["proxy_mode"].evidence]
        yield Finding(
            rule="MODE-004",
            about=running,
            severity="warning",
            values={"wanted": mode, "mode": running, "nodes": ", ".join(members[:6]), "count": str(len(members))},
            evidence=context.evidence(None, *(evidence_of(row) for row in rows), *facts),
            nodes=tuple(members),
            fixes=("F16",),
        )
