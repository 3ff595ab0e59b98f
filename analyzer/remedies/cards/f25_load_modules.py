"""F25: load the kernel modules that IPVS mode needs.

**Helps** when kube-proxy cannot (or silently does not) run in IPVS mode because `ip_vs` is not loaded. Where the kernel does not have
them at all, another proxy mode is the way.
"""

from __future__ import annotations

from analyzer.remedies.case import Case
from analyzer.remedies.effects import Effects
from analyzer.remedies.model import Remedy
from analyzer.remedies.plan import Plan
from analyzer.remedies.words import command, kubectl, lines, listed
from analyzer.whatif.edits import ProxyMode

MODULES = ("ip_vs", "ip_vs_rr", "ip_vs_wrr", "ip_vs_sh", "nf_conntrack")


def build(case: Case) -> Remedy | None:
    """For the finding's nodes; kube-proxy has to start again to see them."""
    pods = case.cluster.kube_proxy_pods
    restarts = [kubectl(pods[node][0], "delete", f"pod/{pods[node][1]}") for node in case.nodes if node in pods]
    keep = "printf '%s\\n' " + command(*MODULES) + " > /etc/modules-load.d/ipvs.conf"
    changes = [lines(command("modprobe", "-a", *MODULES), keep, title="change.load-modules")]
    if restarts:
        changes.append(lines(*restarts, title="change.restart"))
    return Remedy(
        "F25", {"nodes": listed(case.nodes), "modules": listed(MODULES)}, tuple(changes), (),
        tuple(Effects().add("brief-sync-gap").slugs), (lines("lsmod | grep ip_vs", "ipvsadm -Ln", title="change.look-at-node"),),
    )  # fmt: skip


def plan(case: Case) -> Plan:
    return Plan(tuple(ProxyMode("ipvs", node) for node in case.nodes))


CARDS = {"F25": build}
PLANS = {"F25": plan}
