"""MODE-003: IPVS mode on a release in which it is deprecated.

Deprecated in 1.35 with a warning at start (KEP-5495, kubernetes#134539); by plan off by default from 1.40, removed in 1.43. nftables
mode is generally available from 1.33.
"""

from __future__ import annotations

from collections.abc import Iterator

from analyzer.findings.context import Context
from analyzer.findings.model import Finding
from analyzer.findings.registry import rule
from analyzer.snapshot.regime import minor_version


@rule("MODE-003", severities=("notice",), fixes=("F10",))
def deprecated_mode(context: Context) -> Iterator[Finding]:
    """Nothing is broken; the next upgrades need a plan."""
    members = []
    for node in context.snapshot.node_names:
        regime = context.snapshot.regime(node)
        version = minor_version(regime.value("kube_proxy_version"))
        if regime.value("proxy_mode") == "ipvs" and version is not None and version >= (1, 35):
            members.append(node)
    if members:
        fact = context.snapshot.regime(members[0])["kube_proxy_version"]
        yield Finding(
            rule="MODE-003",
            about="cluster",
            severity="notice",
            values={"version": fact.value, "nodes": ", ".join(members[:6]), "count": str(len(members))},
            evidence=context.evidence(None, *fact.evidence),
            nodes=tuple(members),
            fixes=("F10",),
        )
