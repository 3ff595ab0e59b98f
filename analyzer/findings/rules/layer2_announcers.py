"""NODE-003: a layer-2 announcer (MetalLB, kube-vip, PureLB ...) beside kube-proxy without strictARP.

Every node binds the address to kube-ipvs0 and answers ARP for it, not only the elected speaker: a random node gets the
traffic. Source: metallb/metallb#153, the installation guide of MetalLB.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from analyzer.findings.context import Context
from analyzer.findings.model import Finding
from analyzer.findings.registry import rule
from analyzer.snapshot.objects import evidence_of, records, text

ANNOUNCER = re.compile(r"metallb|kube-vip|purelb|openelb|porter-speaker", re.IGNORECASE)


@rule("NODE-003", needs=("daemonsets", "services"), severities=("warning",), fixes=("F28",))
def layer2_announcers(context: Context) -> Iterator[Finding]:
    """The address is answered by every node; with policy Local most of them have no endpoint."""
    speakers = [
        row
        for row in records(context.snapshot["daemonsets"])
        if ANNOUNCER.search(f"{text(row['name'])} {text(row['images'])}")
    ]
    loose = [row for row in records(context.snapshot["proxy_configs"]) if str(row["strict_arp"]) == "False"]
    frame = context.snapshot["sysctls"]
    ignoring = frame[(frame["key"] == "net.ipv4.conf.all.arp_ignore") & (frame["value"] == "0")]
    members = [
        str(node)
        for node in ignoring["node"].dropna()
        if context.snapshot.regime(str(node)).value("proxy_mode") == "ipvs"
    ]
    published = [ip for service in context.services.values() for ip in service.published]
    if not speakers or not published or not (members or loose):
        return
    yield Finding(
        rule="NODE-003",
        about="cluster",
        severity="warning",
        fixes=("F28",),
        values={"announcer": text(speakers[0]["name"]), "count": str(len(members) or len(context.snapshot.node_names))},
        evidence=context.evidence(
            None,
            *(evidence_of(row) for row in (*speakers, *loose)),
            *(evidence_of(row, str(row["node"])) for row in records(ignoring)[:2]),
        ),
        nodes=tuple(members),
    )
