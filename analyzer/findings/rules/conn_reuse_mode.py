"""SYS-002: net.ipv4.vs.conn_reuse_mode is 1 on a kernel before 5.9.

A client that uses a source port again within the time an old connection is remembered waits one second: the kernel drops the
SYN once to schedule it anew. kube-proxy sets 0 on such kernels. Sources: kubernetes#70747, #93297.
"""

from __future__ import annotations

from collections.abc import Iterator

from analyzer.findings.context import Context
from analyzer.findings.model import Finding
from analyzer.findings.registry import rule
from analyzer.snapshot.objects import evidence_of, records
from analyzer.snapshot.regime import minor_version

KEY = "net.ipv4.vs.conn_reuse_mode"


@rule("SYS-002", needs=("sysctl", "uname"), severities=("warning",), fixes=("F31",))
def conn_reuse_mode(context: Context) -> Iterator[Finding]:
    """One second of delay whenever a busy client uses a port again."""
    frame = context.snapshot["sysctls"]
    members, where = [], []
    for row in records(frame[(frame["key"] == KEY) & (frame["value"] == "1")]):
        node = str(row["node"])
        kernel = minor_version(context.snapshot.regime(node).value("kernel"))
        if kernel is not None and kernel < (5, 9) and context.snapshot.regime(node).value("proxy_mode") == "ipvs":
            members.append(node)
            where += [evidence_of(row, node), *context.snapshot.regime(node)["kernel"].evidence]
    if members:
        yield Finding(
            rule="SYS-002",
            about="cluster",
            severity="warning",
            fixes=("F31",),
            values={"nodes": ", ".join(members[:6]), "count": str(len(members))},
            evidence=context.evidence(None, *where),
            nodes=tuple(members),
        )
