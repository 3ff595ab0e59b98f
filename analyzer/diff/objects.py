"""Objects of two snapshots, aligned by name: Services, endpoints, nodes, kube-proxy's configuration, load balancers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from analyzer.diff.model import Difference
from analyzer.snapshot.model import Snapshot
from analyzer.snapshot.objects import Service, mapping, records, text

Row = Mapping[str, str]
SERVICE = (
    "type", "cluster_ips", "external_ips", "ingress_ips", "ingress_ip_modes", "ingress_hostnames", "external_policy",
    "internal_policy", "session_affinity", "affinity_timeout_s", "health_check_node_port", "source_ranges",
    "load_balancer_class", "selector",
)  # fmt: skip
NODE = (
    "internal_ips",
    "pod_cidrs",
    "kubelet_version",
    "kube_proxy_version",
    "kernel",
    "ready",
    "unschedulable",
    "taints",
)
CONFIG = (
    "mode", "cluster_cidr", "scheduler", "strict_arp", "exclude_cidrs", "masquerade_all", "masquerade_bit",
    "node_port_addresses", "detect_local_mode", "feature_gates",
)  # fmt: skip
LISTENER = ("protocol", "status", "server_group", "acl_status", "acl_id", "acl_type", "scheduler", "proxy_protocol")


def object_differences(old: Snapshot, new: Snapshot) -> Iterator[Difference]:
    """What the API server and the cloud say differently; a kind that one side did not collect is left out."""
    yield from _compared("service", _services(old), _services(new), old, new, "services")
    yield from _compared("endpoint", _endpoints(old), _endpoints(new), old, new, "endpoints")
    yield from _compared(
        "node", _named(old, "nodes", "name", NODE), _named(new, "nodes", "name", NODE), old, new, "nodes"
    )
    yield from _compared("kube-proxy", _named(old, "proxy_configs", "name", CONFIG), _named(new, "proxy_configs", "name", CONFIG),
                         old, new, "configmaps")  # fmt: skip
    yield from _compared("listener", _listeners(old), _listeners(new), old, new, "cloud")
    yield from _compared("backend", _backends(old), _backends(new), old, new, "cloud")


def _compared(
    kind: str, was: Mapping[str, Row], will: Mapping[str, Row], old: Snapshot, new: Snapshot, capture: str
) -> Iterator[Difference]:
    if not (has(old, capture) and has(new, capture)):
        return
    for name in sorted({*was, *will}):
        if name not in will:
            yield Difference("object", kind, "removed", name, old=_brief(was[name]))
        elif name not in was:
            yield Difference("object", kind, "added", name, new=_brief(will[name]))
        else:
            for what in sorted({*was[name], *will[name]}):
                before, after = was[name].get(what, ""), will[name].get(what, "")
                if before != after:
                    yield Difference("object", kind, "changed", name, what, before, after)


def has(snapshot: Snapshot, capture: str) -> bool:
    """Whether objects of that kind were collected, by whatever name."""
    cluster = snapshot.captured.get("", {})
    return capture in cluster or (capture == "configmaps" and "proxy_configs" in cluster)


def _brief(row: Row) -> str:
    return ", ".join(value for value in row.values() if value)[:200]


def shown(value: Any) -> str:
    """A cell as text; null is empty."""
    return "" if value is None or str(value) in ("<NA>", "nan", "None") else str(value)


def _named(snapshot: Snapshot, table: str, key: str, columns: tuple[str, ...]) -> dict[str, Row]:
    return {shown(row[key]): {one: shown(row[one]) for one in columns} for row in records(snapshot[table])}


def _services(snapshot: Snapshot) -> dict[str, Row]:
    found: dict[str, Row] = {}
    by_id: Mapping[str, Service] = snapshot.objects.by_id
    for row in records(snapshot["services"]):
        name = f"{text(row['namespace']) or 'default'}/{text(row['name'])}"
        values = {one: shown(row[one]) for one in SERVICE}
        for key, value in mapping(row["annotations"]).items():
            if not key.startswith("kubectl.kubernetes.io/"):
                values[f"annotation {key}"] = value
        service = by_id.get(name)
        for port in service.ports if service else ():
            values[f"port {port.protocol}/{port.port}"] = (
                f"target {port.target_port or port.port}, nodePort {port.node_port or '-'}"
            )
        found[name] = values
    return found


def _endpoints(snapshot: Snapshot) -> dict[str, Row]:
    """By Service, address and port; readiness and node are what may change of one."""
    found: dict[str, Row] = {}
    for service in snapshot.objects.services:
        for one in service.endpoints:
            state = "ready" if one.ready else "serving" if one.serving else "not ready"
            found[f"{service.id} {one.address}:{one.port or '*'}/{one.protocol}"] = {
                "state": state + (", terminating" if one.terminating else ""), "node": one.node, "pod": one.pod.removeprefix("pod:"),
            }  # fmt: skip
    return found


def _keyed(
    snapshot: Snapshot, table: str, key: Callable[[Mapping[str, Any]], str], columns: tuple[str, ...]
) -> dict[str, Row]:
    return {key(row): {one: shown(row[one]) for one in columns} for row in records(snapshot[table])}


def _listeners(snapshot: Snapshot) -> dict[str, Row]:
    addresses = {shown(row["id"]): shown(row["address"]) for row in records(snapshot["load_balancers"])}

    def key(row: Mapping[str, Any]) -> str:
        lb = shown(row["lb_id"])
        transport = "udp" if shown(row["protocol"]) == "udp" else "tcp"
        return f"{addresses.get(lb) or lb}:{shown(row['port'])}/{transport}"

    return _keyed(snapshot, "lb_listeners", key, LISTENER)


def _backends(snapshot: Snapshot) -> dict[str, Row]:
    def key(row: Mapping[str, Any]) -> str:
        group = shown(row["group_name"]) or shown(row["server_group"]) or shown(row["lb_id"])
        return f"{group} {shown(row['server_ip']) or shown(row['server_id'])}:{shown(row['port'])}"

    return _keyed(snapshot, "lb_backends", key, ("weight", "type"))
