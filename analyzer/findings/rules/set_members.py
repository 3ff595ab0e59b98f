"""DRIFT-009: kube-proxy's ipsets do not hold what its virtual servers need."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from analyzer.findings.context import Context
from analyzer.findings.drift import Drift
from analyzer.findings.model import Finding
from analyzer.findings.registry import rule
from analyzer.findings.rules.drift_rules import finding_of

_BEHIND = ("virtual-server-missing", "real-server-missing", "real-server-stale", "vip-missing")


@rule("DRIFT-009", needs=("ipset", "services", "endpoints"), severities=("warning", "notice"), fixes=("F16",))
def set_members(context: Context) -> Iterator[Finding]:
    """Missing members change what rules do with a Service: no masquerade, or refused; extra ones let packets through.

    What stands in other drift findings of the same node is not repeated: a node that does not know a Service has no members
    for it either.
    """
    behind = {(one.node, one.service) for one in context.drift if one.kind in _BEHIND}
    extra = {(one.node, one.server) for one in context.drift if one.kind == "virtual-server-extra"}
    left = {(one.node, one.detail) for one in context.drift if one.kind == "vip-left-over"}
    groups: dict[str, list[Drift]] = defaultdict(list)
    for one in context.drift:
        if one.kind not in ("set-member-missing", "set-member-extra") or (one.node, one.service) in behind:
            continue
        address, _, port = one.detail.partition(" ")[2].partition(",")
        protocol, _, number = port.partition(",")[0].partition(":")
        if (one.node, f"{protocol}/{address}:{number}") not in extra and (one.node, address) not in left:
            groups[one.service or one.server].append(one)
    for about, group in sorted(groups.items()):
        missing = any(one.kind == "set-member-missing" for one in group)
        yield finding_of(context, "DRIFT-009", about, group, "warning" if missing else "notice", ("F16",))
