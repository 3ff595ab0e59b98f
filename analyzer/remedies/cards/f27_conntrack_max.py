"""F27: room for more connections in conntrack.

**Helps** when the table is nearly full and new connections are dropped. kube-proxy sets the limit when it starts (conntrack.maxPerCore), so
it is changed there as well. Each entry takes about 320 bytes of kernel memory.
"""

from __future__ import annotations

from analyzer.remedies.case import Case
from analyzer.remedies.effects import Effects
from analyzer.remedies.model import Remedy
from analyzer.remedies.plan import Plan
from analyzer.remedies.words import command, document, kubectl, lines, listed
from analyzer.snapshot.objects import records
from analyzer.whatif.edits import Sysctl

KEY = "net.netfilter.nf_conntrack_max"


def _limits(case: Case) -> dict[str, int]:
    frame = case.snapshot["sysctls"]
    rows = records(frame[frame["node"].isin(case.nodes) & frame["key"].isin([KEY, "net.nf_conntrack_max"])])
    return {str(row["node"]): 2 * int(row["value"]) for row in rows if str(row["value"]).isdigit()}


def build(case: Case) -> Remedy | None:
    """Twice what the fullest of the nodes has."""
    limits = _limits(case)
    if not limits:
        return None
    wanted = max(limits.values())
    maps = list(case.cluster.proxy_configs) or ["kube-proxy"]
    return Remedy(
        "F27", {"nodes": listed(limits), "limit": str(wanted)},
        (
            lines(command("sysctl", "-w", f"{KEY}={wanted}"), title="change.set-sysctl"),
            lines(*(kubectl("kube-system", "edit", f"configmap/{name}") for name in maps), title="change.edit-proxy-config"),
            document({"conntrack": {"min": wanted}}, title="change.proxy-conntrack"),
        ),
        (), tuple(Effects().add("kernel-memory").slugs),
        (lines("conntrack -C", command("sysctl", KEY, "net.netfilter.nf_conntrack_count"), title="change.look-at-node"),),
    )  # fmt: skip


def plan(case: Case) -> Plan:
    return Plan(tuple(Sysctl(KEY, str(value), node) for node, value in _limits(case).items()))


CARDS = {"F27": build}
PLANS = {"F27": plan}
