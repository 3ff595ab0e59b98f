"""F30: delete the conntrack entries of UDP flows whose endpoint is gone.

**Helps** at once; the next packet is sent to a live endpoint. kube-proxy does the same when it sees the endpoint go, so a flow that comes
back points at an older release or at a kube-proxy that was not running then.
"""

from __future__ import annotations

from analyzer.remedies.case import Case
from analyzer.remedies.effects import Effects
from analyzer.remedies.model import Remedy
from analyzer.remedies.plan import Plan
from analyzer.remedies.words import command, lines, listed


def build(case: Case) -> Remedy | None:
    """One command for each address and server of the finding, on the nodes it names."""
    gone = [one.strip() for one in case.finding.values.get("servers", "").split(",") if one.strip()]
    commands = [
        command(
            "conntrack",
            "-D",
            "-p",
            "udp",
            "--orig-dst",
            target.address,
            "--dport",
            str(target.port),
            "--reply-src",
            server,
        )
        for target in case.targets
        for server in gone
    ]
    if not commands:
        return None
    looks = [command("conntrack", "-L", "-p", "udp", "--orig-dst", target.address) for target in case.targets]
    return Remedy(
        "F30", {"nodes": listed(case.nodes), "servers": listed(gone)}, (lines(*commands, title="change.delete-flows"),), (),
        tuple(Effects().add("flows-restart").slugs), (lines(*looks, title="change.look-at-node"),),
    )  # fmt: skip


def plan(case: Case) -> Plan:
    """A flow that exists is nothing that a new connection meets."""
    return Plan()


CARDS = {"F30": build}
PLANS = {"F30": plan}
