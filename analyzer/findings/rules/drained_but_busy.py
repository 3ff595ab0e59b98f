"""SYS-003: connections are still sent to a drained real server, because conn_reuse_mode is 0.

With 0 a packet from a client port that IPVS remembers goes to the old real server, weight 0 or not, and keeps the entry alive.
A busy client never lets go of a pod that is gone. Sources: kubernetes#81775, #99162.
"""

from __future__ import annotations

from collections.abc import Iterator

from analyzer.findings.context import Context
from analyzer.findings.model import Finding
from analyzer.findings.registry import rule
from analyzer.snapshot.objects import evidence_of, number, records, text


@rule("SYS-003", needs=("sysctl", "ipvsadm", "endpoints"), severities=("notice",), fixes=("F31",))
def drained_but_busy(context: Context) -> Iterator[Finding]:
    """A pod that is gone still gets packets: connections hang, or no route to host."""
    frame = context.snapshot["sysctls"]
    modes = frame[(frame["key"] == "net.ipv4.vs.conn_reuse_mode") & (frame["value"] == "0")]
    settings = {text(row["node"]) or str(row["node"]): evidence_of(row, str(row["node"])) for row in records(modes)}
    for node, setting in sorted(settings.items()):
        own = context.snapshot.by_node.get(node, {}).get("real_servers")
        if own is None:
            continue
        busy = []
        for row in records(own[own["weight"] == 0]):
            place = (text(row["vs_protocol"]), text(row["address"]), number(row["port"]) or 0)
            waiting = (number(row["active"]) or 0) + (number(row["inactive"]) or 0)
            if waiting and not context.world.endpoints.get(place):
                busy.append((row, waiting))
        if not busy:
            continue
        yield Finding(
            rule="SYS-003",
            about=node,
            severity="notice",
            fixes=("F31",),
            values={
                "node": node, "count": str(len(busy)), "connections": str(sum(waiting for _, waiting in busy)),
                "servers": ", ".join(f"{text(row['address'])}:{number(row['port'])}" for row, _ in busy[:4]),
            },
            evidence=context.evidence(None, setting, *(evidence_of(row, node) for row, _ in busy[:4])),
            nodes=(node,),
        )  # fmt: skip
