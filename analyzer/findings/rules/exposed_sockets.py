"""REACH-012: without KUBE-IPVS-FILTER the node's own wildcard sockets answer on every VIP."""

from __future__ import annotations

from collections.abc import Iterator

from analyzer.evidence import Evidence
from analyzer.findings.context import Context
from analyzer.findings.model import Finding
from analyzer.findings.registry import rule


@rule("REACH-012", needs=("sockets", "ip-addr", "services"), severities=("info",), fixes=("F11",))
def exposed_sockets(context: Context) -> Iterator[Finding]:
    """kubernetes#72236: sshd of the node answers on a ClusterIP's port 22, from pods too. Fixed in 1.26."""
    affected: list[str] = []
    sockets: dict[str, object] = {}
    evidence: list[Evidence] = []
    vips = sorted(context.world.service_addresses)
    for node in context.snapshot.node_names:
        if context.snapshot.regime(node).value("ipvs_filter") != "absent":
            continue
        if context.snapshot.regime(node).value("proxy_mode") != "ipvs":
            continue
        state = context.world.state(node)
        bound = [vip for vip in vips if state.is_local(vip) and vip not in context.world.node_by_address]
        for one in state.listeners:
            if one.address not in ("*", "0.0.0.0", "::") or "kube-proxy" in one.process or not bound:  # noqa: S104
                continue
            open_vips = [vip for vip in bound if (one.protocol, one.port) not in context.world.service_ports[vip]]
            if open_vips and (one.protocol, one.port) not in context.world.node_ports:
                sockets[f"{one.process or '?'} ({one.protocol}/{one.port})"] = None
                if len(evidence) < 4:
                    evidence.append(one.evidence)
                if node not in affected:
                    affected.append(node)
    if affected:
        yield Finding(
            rule="REACH-012",
            about="cluster",
            severity="info",
            values={"sockets": ", ".join(list(sockets)[:6]), "count": str(len(affected)), "vips": str(len(vips))},
            evidence=context.evidence(None, *evidence),
            nodes=tuple(affected),
            situation="S2",
            fixes=("F11",),
        )
