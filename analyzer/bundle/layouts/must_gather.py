"""OpenShift must-gather: lists per namespace, nodes one by one, in YAML; old ones have a few captures of control-plane nodes.

Those nodes are named by their address; the Node objects tell whose it is. Read from an older copy of its source.
"""

from __future__ import annotations

from analyzer.bundle.places import Layout, Rule

_KINDS = ("services", "endpoints", "pods", "configmaps")

LAYOUT = Layout(
    "must-gather",
    title="OpenShift must-gather",
    markers=(frozenset({"cluster-scoped-resources/", "namespaces/"}),),
    rules=(
        *(Rule(f"namespaces/*/core/{kind}.yaml", "cluster") for kind in _KINDS),
        Rule("namespaces/*/discovery.k8s.io/endpointslices.yaml", "cluster"),
        Rule("namespaces/*/discovery.k8s.io/endpointslices/*.yaml", "cluster"),
        Rule("namespaces/*/apps/daemonsets.yaml", "cluster"),
        Rule("cluster-scoped-resources/core/nodes/*.yaml", "cluster"),
        Rule("sos_info/networking/{node}-ip -d address.log", command="ip -d address"),
        Rule("sos_info/networking/{node}-ip -o addr.log", command="ip -o addr"),
        Rule("sos_info/networking/{node}-ip route show table all.log", command="ip route show table all"),
        Rule("sos_info/networking/{node}-ip -4 rule.log", command="ip -4 rule"),
        Rule("sos_info/networking/{node}-ip -6 rule.log", command="ip -6 rule"),
    ),
    lacks=("ipvsadm", "ipset", "iptables", "conntrack", "sockets", "sysctl"),
)
