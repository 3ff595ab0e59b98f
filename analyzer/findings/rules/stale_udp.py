"""CONN-001: a UDP flow that conntrack still sends to an endpoint that is gone.

UDP has no end: as long as the client keeps sending from one port, the entry lives and its packets go to the old address. DNS and
syslog clients are the usual victims. Sources: kubernetes#71514, #76664, #125467.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from analyzer.evidence import Evidence
from analyzer.findings.context import Context
from analyzer.findings.model import Finding, few
from analyzer.findings.registry import rule
from analyzer.snapshot.objects import columns


@rule("CONN-001", needs=("conntrack", "endpoints", "services"), severities=("warning",), fixes=("F30",))
def stale_udp(context: Context) -> Iterator[Finding]:
    """Packets of long-lived UDP clients vanish although the Service has ready endpoints."""
    world = context.world
    names = ("node", "orig_dst", "orig_dport", "reply_src", "reply_sport", "unreplied", "file", "line")
    found: dict[tuple[str, str, str], list[Evidence]] = defaultdict(list)
    rows = (
        row
        for frame in context.snapshot.chunks("connections", "protocol", *names)
        for row in columns(frame[frame["protocol"] == "udp"], *names)
        if row[1] in world.service_addresses
    )
    for node, vip, port, server, server_port, unreplied, file, line in rows:
        served = ("udp", port) in world.service_ports.get(vip, frozenset())
        translated = server and server != vip
        if served and translated and unreplied and not world.endpoints.get(("udp", server, server_port)):
            found[(f"{vip}:{port}/udp", server, str(node))].append(Evidence(str(file), int(line or 0), "", str(node)))
    by_target: dict[str, list[tuple[str, str, list[Evidence]]]] = defaultdict(list)
    for (target, server, node), places in sorted(found.items()):
        by_target[target].append((server, node, places))
    for target, stale in by_target.items():
        owners = tuple(owner for owner, _ in world.service_addresses.get(target.rpartition(":")[0], ()))
        yield Finding(
            rule="CONN-001",
            about=target,
            severity="warning",
            fixes=("F30",),
            values={
                "target": target, "servers": ", ".join(dict.fromkeys(server for server, _, _ in stale)),
                "nodes": few(dict.fromkeys(node for _, node, _ in stale)), "count": str(sum(len(p) for _, _, p in stale)),
            },
            evidence=context.evidence(None, *(place for _, _, places in stale for place in places[:2])),
            nodes=tuple(dict.fromkeys(node for _, node, _ in stale)),
            services=owners,
            targets=(target,),
        )  # fmt: skip
