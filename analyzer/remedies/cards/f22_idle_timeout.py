"""F22: keep idle connections alive, or let IPVS remember them longer.

**Helps** against resets after silence. The application's own keepalive is the smaller change: it holds on the way through load balancers
and gateways as well. In a pod the sysctl is that of the pod's own network namespace.
"""

from __future__ import annotations

from analyzer.remedies.case import Case
from analyzer.remedies.effects import Effects
from analyzer.remedies.model import Change, Remedy
from analyzer.remedies.plan import Plan
from analyzer.remedies.words import document, kubectl, lines, listed

HALF = 2


def build(case: Case) -> Remedy | None:
    """For the timeout the finding names."""
    limit = int(case.finding.values.get("limit", "900"))
    alive = max(limit // HALF, 60)
    sysctls = [
        {"name": "net.ipv4.tcp_keepalive_time", "value": str(alive)},
        {"name": "net.ipv4.tcp_keepalive_intvl", "value": "30"},
    ]
    maps = list(case.cluster.proxy_configs) or ["kube-proxy"]
    return Remedy(
        "F22", {"limit": str(limit), "keepalive": str(alive), "nodes": listed(case.nodes)},
        (
            Change("text", f"SO_KEEPALIVE, TCP_KEEPIDLE={alive}", "change.application-keepalive"),
            document({"spec": {"securityContext": {"sysctls": sysctls}}}, title="change.pod-sysctl"),
            lines(*(kubectl("kube-system", "edit", f"configmap/{name}") for name in maps), title="change.edit-proxy-config"),
            document({"ipvs": {"tcpTimeout": "7300s"}}, title="change.ipvs-timeout"),
        ),
        (), tuple(Effects().add("keepalive-only-when-asked").slugs), (lines("ipvsadm -L --timeout", title="change.look-at-node"),),
    )  # fmt: skip


def plan(case: Case) -> Plan:
    """A timeout is nothing that a walk of one packet meets."""
    return Plan()


CARDS = {"F22": build}
PLANS = {"F22": plan}
