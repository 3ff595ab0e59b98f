"""MODE-001, MODE-002: nodes whose proxy mode is not IPVS, or cannot be told."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from analyzer.findings.context import Context
from analyzer.findings.model import Finding, few
from analyzer.findings.registry import rule
from analyzer.forwarding.state import NodeState


@rule("MODE-001", severities=("warning", "info"), fixes=("F16",))
def proxy_mode(context: Context) -> Iterator[Finding]:
    """kube-ipvs0 reasoning does not apply to such nodes; left-over state there is a fault of its own."""
    by_mode: dict[str, list[str]] = defaultdict(list)
    for node in context.snapshot.node_names:
        by_mode[context.snapshot.regime(node).value("proxy_mode")].append(node)
    for mode, members in sorted(by_mode.items()):
        if mode == "ipvs":
            continue
        left_over = [
            node
            for node in members
            if mode != "unknown" and context.snapshot.has(node, "ip-addr") and _holds_vips(context.world.state(node))
        ]  # fmt: skip
        fact = context.snapshot.regime(members[0])["proxy_mode"]
        yield Finding(
            rule="MODE-002" if mode == "unknown" else "MODE-001",
            about=mode,
            severity="notice" if mode == "unknown" else ("warning" if left_over else "info"),
            values={
                "mode": mode,
                "nodes": ", ".join(members[:6]),
                "count": str(len(members)),
                "left_over": few(left_over) or "-",
            },  # fmt: skip
            evidence=context.evidence(None, *fact.evidence),
            nodes=tuple(members),
            situation="S22" if left_over else "",
            fixes=("F16",) if left_over else (),
        )


def _holds_vips(state: NodeState) -> bool:
    return bool(state.vips) or any(entry.interface == "kube-ipvs0" for entry in state.addresses)
