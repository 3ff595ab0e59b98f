"""CONN-002: idle TCP connections through IPVS that will be reset at their next packet.

IPVS forgets an established connection after its own timeout (`ipvsadm -L --timeout`, 900 seconds unless set), and its conntrack entry
with it. A packet that comes later meets no entry and is answered with a reset. Linux sends its first TCP keepalive after 7200
seconds. Shown only where connections are seen that have been idle for more than half of the timeout. Sources: kubernetes#80298,
#84041; net/netfilter/ipvs/ip_vs_proto_tcp.c.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from analyzer.evidence import Evidence
from analyzer.findings.context import Context
from analyzer.findings.model import Finding
from analyzer.findings.registry import rule
from analyzer.snapshot.objects import columns, evidence_of, number, records

DEFAULT_S = 900
"""TCP, established: ip_vs_proto_tcp.c, tcp_timeouts."""
SYSCTL = "net.ipv4.tcp_keepalive_time"


@rule("CONN-002", needs=("services", "ipvs-connections"), severities=("notice",), fixes=("F22",))
def idle_connections(context: Context) -> Iterator[Finding]:
    """Clients that keep connections open and silent get `connection reset by peer`."""
    timeouts = {str(row["node"]): row for row in records(context.snapshot["ipvs_timeouts"])}
    settings = context.snapshot["sysctls"]
    keepalive = {str(row["node"]): row for row in records(settings[settings["key"] == SYSCTL])}
    grouped: dict[str, list[tuple[str, int, Evidence]]] = defaultdict(list)
    frame = context.snapshot["ipvs_connections"]
    names = ("node", "expires_s", "state", "virtual_address", "virtual_port", "template", "file", "line")
    for node, left, state, address, port, template, file, line in columns(frame, *names):
        if state != "ESTABLISHED" or template or left is None:
            continue
        limit = _limit(timeouts.get(str(node)))
        kept = keepalive.get(str(node))
        if kept is not None and str(kept["value"]).isdigit() and int(kept["value"]) < limit:
            continue
        if left < limit / 2 and ("tcp", port) in context.world.service_ports.get(address, frozenset()):
            grouped[f"{address}:{port}/tcp"].append(
                (str(node), limit - int(left), Evidence(str(file), int(line or 0), "", str(node)))
            )
    for target, rows in sorted(grouped.items()):
        members = tuple(dict.fromkeys(node for node, _, _ in rows))
        owners = tuple(owner for owner, _ in context.world.service_addresses.get(target.rpartition(":")[0], ()))
        first = members[0]
        facts = [evidence_of(row, first) for row in (timeouts.get(first), keepalive.get(first)) if row is not None]
        yield Finding(
            rule="CONN-002",
            about=target,
            severity="notice",
            values={
                "target": target, "count": str(len(rows)), "limit": str(_limit(timeouts.get(first))),
                "idle": str(max(idle for _, idle, _ in rows)), "nodes": ", ".join(members[:6]),
                "keepalive": str(keepalive[first]["value"]) if first in keepalive else "7200",
            },
            evidence=context.evidence(None, *(place for _, _, place in rows[:4]), *facts),
            nodes=members,
            services=tuple(dict.fromkeys(owners)),
            targets=(target,),
            fixes=("F22",),
        )  # fmt: skip


def _limit(row: object) -> int:
    return (number(row["tcp_s"]) or DEFAULT_S) if isinstance(row, dict) else DEFAULT_S
