"""What a line of JSON or YAML says: an object quoted in one line instead of its opening brace."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from analyzer.snapshot.objects import number, parts, records, text

Row = Mapping[str, Any]


def _service(row: Row) -> str:
    said = [f"Service {text(row['namespace'])}/{text(row['name'])}", f"type {text(row['type']) or '?'}"]
    for label, key in (
        ("clusterIP", "cluster_ips"), ("externalIPs", "external_ips"), ("ingress ip", "ingress_ips"),
        ("ipMode", "ingress_ip_modes"), ("ingress hostname", "ingress_hostnames"),
        ("externalTrafficPolicy", "external_policy"), ("internalTrafficPolicy", "internal_policy"),
        ("loadBalancerSourceRanges", "source_ranges"),
    ):  # fmt: skip
        if text(row[key]).strip(","):
            said.append(f"{label} {text(row[key])}")
    return ", ".join(said)


def _port(row: Row) -> str:
    node_port = number(row["node_port"])
    tail = f", nodePort {node_port}" if node_port else ""
    port = f"{number(row['port'])}/{text(row['protocol'])}"
    return f"Service {text(row['namespace'])}/{text(row['service'])} port {port} to {text(row['target_port'])}{tail}"


def _endpoint(row: Row) -> str:
    ready = "not ready" if str(row["ready"]) == "False" else "ready"
    where = f" on {text(row['node_name'])}" if text(row["node_name"]) else ""
    kind = text(row["source"]) or "Endpoints"
    address = f"{text(row['address'])}:{number(row['port'])}"
    said = f"{kind} {text(row['namespace'])}/{text(row['object'])}: {address} {ready}{where}, {text(row['target'])}"
    return said.rstrip(", ")


def _pod(row: Row) -> str:
    network = ", hostNetwork" if str(row["host_network"]) == "True" else ""
    return (
        f"Pod {text(row['namespace'])}/{text(row['name'])}, "
        f"{', '.join(parts(row['ips'])) or 'no address'}, on {text(row['node_name']) or '?'}{network}"
    )


def _node(row: Row) -> str:
    return (
        f"Node {text(row['name'])}, {', '.join(parts(row['internal_ips']))}, "
        f"kubelet {text(row['kubelet_version']) or '?'}, podCIDR {text(row['pod_cidrs']) or '-'}"
    )


def _daemonset(row: Row) -> str:
    return f"DaemonSet {text(row['namespace'])}/{text(row['name'])}, images {text(row['images'])}"


def _config(row: Row) -> str:
    return (
        f"ConfigMap {text(row['name'])}: kube-proxy mode {text(row['mode']) or '(default)'}, "
        f"clusterCIDR {text(row['cluster_cidr']) or '-'}"
    )


def _configmap(row: Row) -> str:
    return f"ConfigMap {text(row['namespace'])}/{text(row['name'])}, key {text(row['key'])}"


def _balancer(row: Row) -> str:
    return (
        f"load balancer {text(row['id'])}, address {text(row['address']) or text(row['dns_name'])}, "
        f"{text(row['address_type'])}"
    )


def _listener(row: Row) -> str:
    group = text(row["server_group"])
    return (
        f"listener {text(row['protocol'])}:{number(row['port'])} of {text(row['lb_id'])}{f', server group {group}' if group else ''}, "
        f"description {text(row['description'])!r}"
    )


def _backend(row: Row) -> str:
    address = f"{text(row['server_ip'])}:{number(row['port'])}"
    return f"backend {text(row['server_id'])} {address} weight {number(row['weight'])} of {text(row['server_group'])}"


def _version(row: Row) -> str:
    return f"{text(row['component'])} version {text(row['version'])}"


SAYINGS: Mapping[str, Callable[[Row], str]] = {
    "services": _service, "service_ports": _port, "endpoints": _endpoint, "pods": _pod, "nodes": _node,
    "daemonsets": _daemonset, "proxy_configs": _config, "configmaps": _configmap, "load_balancers": _balancer,
    "lb_listeners": _listener, "lb_backends": _backend, "versions": _version,
}  # fmt: skip


def sayings(tables: Mapping[str, Any]) -> dict[tuple[str, int], str]:
    """(file, line) of each object -> what it says; the first table that describes a line counts."""
    found: dict[tuple[str, int], str] = {}
    for table, say in SAYINGS.items():
        for row in records(tables[table]):
            line = number(row["line"])
            if line is not None:
                found.setdefault((str(row["file"]), line), say(row))
    return found
