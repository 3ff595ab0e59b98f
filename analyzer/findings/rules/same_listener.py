"""SVC-003: two Services claim one address, port and protocol.

IPVS has one virtual server for them. kube-proxy writes it for each of them in turn, in the order of a map: whose endpoints are
in it may differ after every sync, and between nodes.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from analyzer.findings.context import Context
from analyzer.findings.model import Finding
from analyzer.findings.registry import rule


@rule("SVC-003", needs=("services",), severities=("warning",), fixes=("F2",))
def same_listener(context: Context) -> Iterator[Finding]:
    """The wrong backend answers, at random after each sync."""
    claimed: dict[tuple[str, int, str], list[str]] = defaultdict(list)
    for service in context.services.values():
        for address in dict.fromkeys((*service.external_ips, *service.published)):
            for port in service.ports:
                claimed[(address, port.port, port.protocol)].append(service.id)
    for (address, number, protocol), owners in sorted(claimed.items()):
        unique = tuple(dict.fromkeys(owners))
        if len(unique) < 2:
            continue
        target = f"{f'[{address}]' if ':' in address else address}:{number}/{protocol}"
        yield Finding(
            rule="SVC-003",
            about=target,
            severity="warning",
            values={"target": target, "services": ", ".join(unique)},
            evidence=context.evidence(None, *(context.services[one].evidence for one in unique)),
            services=unique,
            targets=(target,),
            situation="S17",
            fixes=("F2",),
        )
