"""SVC-009: session affinity by client address, and nearly all connections come from one address.

sessionAffinity ClientIP makes the virtual server persistent: one source address, one endpoint. Behind a NAT, a proxy or a layer-7 listener
all clients have one address, and one endpoint gets all the load while the others idle.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from analyzer.evidence import Evidence
from analyzer.findings.context import Context
from analyzer.findings.model import Finding
from analyzer.findings.registry import rule
from analyzer.snapshot.objects import columns

ENOUGH = 20
"""Connections below which a share says nothing."""
SHARE = 0.8


@rule("SVC-009", needs=("services", "endpoints", "conntrack"), severities=("notice",), fixes=("F24",))
def affinity_skew(context: Context) -> Iterator[Finding]:
    """One endpoint carries what several should."""
    sticky = {
        service.id: service
        for service in context.snapshot.objects.services
        if service.affinity_s is not None and len({one.address for one in service.endpoints if one.ready}) > 1
    }
    if not sticky:
        return
    addresses = list(context.world.service_addresses)
    seen: dict[str, list[tuple[str, str, Evidence]]] = {name: [] for name in sticky}
    names = ("node", "protocol", "orig_src", "orig_dst", "orig_dport", "reply_src", "file", "line")
    rows = (
        row
        for frame in context.snapshot.chunks("connections")
        for row in columns(frame[frame["orig_dst"].isin(addresses)], *names)
    )
    for node, protocol, source, address, port, server, file, line in rows:
        if (protocol, port) not in context.world.service_ports.get(address, frozenset()):
            continue
        for owner, _ in context.world.service_addresses.get(address, ()):
            service = sticky.get(owner)
            if service is not None and any(one.port == port for one in service.ports):
                seen[owner].append((str(source), str(server), Evidence(str(file), int(line or 0), "", str(node))))
    for name, entries in sorted(seen.items()):
        if len(entries) < ENOUGH:
            continue
        source, by_source = Counter(one for one, _, _ in entries).most_common(1)[0]
        server, by_server = Counter(one for _, one, _ in entries).most_common(1)[0]
        if by_source < SHARE * len(entries) or by_server < SHARE * len(entries):
            continue
        service = sticky[name]
        yield Finding(
            rule="SVC-009",
            about=name,
            severity="notice",
            values={
                "service": name, "source": source, "server": server, "share": f"{100 * by_server / len(entries):.0f} %",
                "count": str(len(entries)), "endpoints": str(len({one.address for one in service.endpoints if one.ready})),
                "seconds": str(service.affinity_s),
            },
            evidence=context.evidence(None, service.evidence, *[place for one, _, place in entries if one == source][:3]),
            services=(name,),
            fixes=("F24",),
        )  # fmt: skip
