"""cilium sysdump: the cluster's objects in YAML, ``k8s-<kind>-<time>.yaml``. Read from an older copy of its source.

A cluster in which Cilium serves the Services has no IPVS; the node archives (``cilium-bugtool``) inside hold eBPF maps, and
sockets with names instead of numbers, so only addresses, rules and iptables are taken from them.
"""

from __future__ import annotations

from analyzer.bundle.places import Layout, Rule

_KINDS = ("nodes", "services", "endpoints", "endpointslices", "pods", "configmaps", "daemonsets")

LAYOUT = Layout(
    "cilium-sysdump",
    title="cilium sysdump",
    markers=(frozenset({"k8s-nodes-*.yaml", "cilium-*"}), frozenset({"k8s-nodes-*.yaml", "cilium-*/"})),
    rules=(
        *(Rule(f"k8s-{kind}-*.yaml", "cluster") for kind in _KINDS),
        *(Rule(f"k8s-{kind}.yaml", "cluster") for kind in _KINDS),
        Rule("cilium-configmap-*.yaml", "cluster"),
        Rule("cilium-daemonset-*.yaml", "cluster"),
    ),
    lacks=("ipvsadm", "conntrack", "ipset", "sockets"),
)
