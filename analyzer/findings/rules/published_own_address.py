"""NODE-001: an address of a node's own interface is also published by a Service (load balancer or external IP).

Which side wins depends on the release: from 1.23 to 1.27.1 the address loses its nodePort servers, from 1.26 to 1.27.1
KUBE-IPVS-IPS may hold it, and everything else on that address is rejected (ssh, the API server, the kubelet). From 1.28 on such an
address is not bound. Sources: kubernetes#114815, #117613, k3s-io/k3s#7183.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from analyzer.evidence import Evidence
from analyzer.findings.context import Context
from analyzer.findings.model import Finding, few
from analyzer.findings.registry import rule
from analyzer.snapshot.objects import columns
from analyzer.snapshot.regime import minor_version


def _holders(context: Context) -> tuple[str, ...]:
    """Nodes of which an interface of their own has some Service's address, told by the rows before any state is built."""
    found: set[str] = set()
    for frame in context.snapshot.chunks("addresses", "node", "interface", "address"):
        own = frame[(frame["interface"] != "kube-ipvs0") & (frame["interface"] != "lo")]
        found.update(
            node for node, address in columns(own, "node", "address") if address in context.world.service_addresses
        )
    return tuple(node for node in context.snapshot.node_names if node in found)


@rule("NODE-001", needs=("ip-addr", "services"), severities=("warning", "notice"), fixes=("F11",))
def published_own_address(context: Context) -> Iterator[Finding]:
    """A node whose own address is a VIP as well: releases disagree about who gets the packets."""
    held: dict[str, list[tuple[str, Evidence]]] = defaultdict(list)
    for node in _holders(context):
        for entry in context.world.state(node).addresses if context.snapshot.has(node, "ip-addr") else ():
            if entry.interface not in ("kube-ipvs0", "lo"):
                held[entry.address].append((node, entry.evidence))
    for address, uses in sorted(context.world.service_addresses.items()):
        owners = tuple(owner for owner, kind in uses if kind != "cluster-ip")
        places = held.get(address, [])
        if not owners or not places:
            continue
        nodes = tuple(dict.fromkeys(node for node, _ in places))
        versions = [minor_version(context.snapshot.regime(node).value("kube_proxy_version")) for node in nodes]
        broken = any(version is not None and (1, 23) <= version < (1, 28) for version in versions)
        yield Finding(
            rule="NODE-001",
            about=address,
            severity="warning" if broken else "notice",
            values={"address": address, "owners": ", ".join(owners), "nodes": few(nodes)},
            evidence=context.evidence(
                None, *(where for _, where in places), *(context.services[one].evidence for one in owners)
            ),
            nodes=nodes,
            services=owners,
            situation="",
            fixes=("F11",) if broken else (),
        )
