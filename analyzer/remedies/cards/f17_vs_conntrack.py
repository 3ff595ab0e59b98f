"""F17: `net.ipv4.vs.conntrack = 1`, without which netfilter does not see the connections that IPVS forwards.

**Helps** where masquerading of IPVS traffic fails: kube-proxy needs the setting and makes it when it starts
(`net.ipv4.vs.conntrack`), so something else put it back.
"""

from __future__ import annotations

from analyzer.remedies.case import Case
from analyzer.remedies.effects import Effects
from analyzer.remedies.model import Remedy
from analyzer.remedies.plan import Plan
from analyzer.remedies.words import lines, listed
from analyzer.whatif.edits import Sysctl

KEY = "net.ipv4.vs.conntrack"


def build(case: Case) -> Remedy | None:
    """For the nodes of the finding where the setting was captured as 0."""
    nodes = [node for node in case.nodes if case.snapshot.regime(node).value("vs_conntrack") == "0"]
    if not nodes:
        return None
    changes = (
        lines(f"sysctl -w {KEY}=1", title="change.set-sysctl"),
        lines(f"echo '{KEY} = 1' > /etc/sysctl.d/90-ipvs-conntrack.conf", title="change.keep-sysctl"),
        lines(f"grep -rn {KEY} /etc/sysctl.conf /etc/sysctl.d /usr/lib/sysctl.d", title="change.find-sysctl"),
    )
    return Remedy(
        "F17", {"nodes": listed(nodes)}, changes, (), tuple(Effects().add("conntrack-entries").slugs),
        (lines(f"sysctl {KEY}", title="change.look-at-node"),),
    )  # fmt: skip


def plan(case: Case) -> Plan:
    nodes = [node for node in case.nodes if case.snapshot.regime(node).value("vs_conntrack") == "0"]
    return Plan(tuple(Sysctl(KEY, "1", node) for node in nodes))


CARDS = {"F17": build}
PLANS = {"F17": plan}
