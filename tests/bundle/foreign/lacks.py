"""What each layout does not hold, exactly: a test fails when it holds more, and when it holds less."""

from __future__ import annotations

from dataclasses import dataclass, field

COUNTERS = ("conns", "in_pkts", "out_pkts", "in_bytes", "out_bytes", "rounded")
IPVS_STATE = ("virtual_servers", "real_servers", "ipvs_connections")
SETS = ("ipsets", "ipset_members")
CONFIG = ("configmaps", "proxy_configs")
NODE_TABLES = (
    "interfaces", "addresses", "routes", "rules", *IPVS_STATE, "connections", "listeners", *SETS, "iptables_chains", "iptables_rules",
    "sysctls", "host_facts",
)  # fmt: skip
OBJECTS = ("nodes", "pods", "services", "service_ports", "endpoints", *CONFIG, "daemonsets", "versions")


@dataclass(frozen=True)
class Lacks:
    """`empty` tables have no rows; of `fewer` some rows are there; `columns` are unknown or printed in another way; rows of
    `other` tables come from another source and are tested on their own."""

    layout: str
    empty: tuple[str, ...] = ()
    fewer: tuple[str, ...] = ()
    other: tuple[str, ...] = ()
    columns: dict[str, tuple[str, ...]] = field(default_factory=dict)


LACKS = {
    "ack": Lacks(
        "ack-diagnose",
        empty=("rules", *IPVS_STATE, *SETS, *CONFIG, "versions"),
        fewer=("routes", "host_facts"),
        other=("endpoints",),
        columns={"listeners": ("process", "pid", "send_q")},
    ),
    "sos": Lacks(
        "sos",
        empty=(*SETS, "versions"),
        fewer=("host_facts", "endpoints"),
        other=("rules",),
        columns={"iptables_chains": ("packets", "bytes"), "iptables_rules": ("rule", "packets", "bytes")},
    ),
    "eks": Lacks(
        "eks",
        empty=("ipvs_connections", "nodes", "pods", "endpoints", *CONFIG, "daemonsets", "versions"),
        other=("interfaces", "rules", "host_facts"),
        columns={
            "addresses": ("node", "ifindex", "scope", "broadcast", "label"),
            "routes": ("node",), "virtual_servers": ("node", "extra"),
            "real_servers": ("node", "active", "inactive", "extra"),
            "connections": ("node", "timeout_s"), "listeners": ("node", "send_q"), "ipsets": ("node",), "ipset_members": ("node",),
            "iptables_chains": ("node",), "iptables_rules": ("node",), "sysctls": ("node",),
            "services": (
                "ingress_ip_modes", "external_policy", "internal_policy", "session_affinity", "health_check_node_port", "namespace",
                "selector", "ip_families", "labels", "annotations", "uid",
            ),
            "service_ports": ("namespace", "port_name", "target_port"),
        },
    ),
    "rancher": Lacks(
        "rancher",
        empty=("ipvs_connections", "connections", *SETS, *CONFIG, "versions"),
        fewer=("endpoints",),
        other=("host_facts",),
        columns={"virtual_servers": COUNTERS, "real_servers": COUNTERS},
    ),
    "rancher_review": Lacks(
        "rancher-review",
        empty=(*IPVS_STATE, "connections", *SETS, *CONFIG, "versions"),
        other=("host_facts", "endpoints"),
    ),
    "troubleshoot": Lacks(
        "troubleshoot",
        empty=("interfaces", "ipvs_connections", "connections", *SETS),
        fewer=("host_facts",),
        columns={
            "addresses": ("ifindex", "prefix_len", "scope", "broadcast", "label"),
            "virtual_servers": COUNTERS, "real_servers": COUNTERS, "listeners": ("send_q",),
        },
    ),
    "kubeskoop": Lacks(
        "kubeskoop",
        empty=("ipvs_connections", "connections", "host_facts", *OBJECTS),
        other=("routes", "iptables_chains"),
        columns={
            "interfaces": ("flags", "kind", "peer", "lladdr", "state"), "addresses": ("broadcast", "label", "scope"), "rules": ("family",),
            "virtual_servers": COUNTERS, "real_servers": ("active", "inactive", *COUNTERS),
            "listeners": ("recv_q", "send_q", "process", "pid"), "ipsets": ("references", "declared_entries", "extra"),
            "iptables_rules": (),
        },
    ),
    "cluster_info": Lacks(
        "cluster-info-dump",
        empty=(*NODE_TABLES[:-1], *CONFIG, "versions"),
        fewer=("host_facts",),
        other=("endpoints",),
    ),
    "must_gather": Lacks(
        "must-gather",
        empty=(
            *IPVS_STATE, "connections", "listeners", *SETS, "iptables_chains", "iptables_rules", "sysctls", "host_facts", "daemonsets",
            "versions",
        ),
        fewer=("endpoints",),
        columns={"rules": ("family",)},
    ),
    "cilium": Lacks(
        "cilium-sysdump+cilium-bugtool",
        empty=(
            "routes", *IPVS_STATE, "connections", "listeners", *SETS, "sysctls", "host_facts", *CONFIG, "daemonsets", "versions",
        ),
    ),
    "loose": Lacks("loose"),
}  # fmt: skip
