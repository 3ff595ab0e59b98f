"""Small bundles for the peers' regression cases: the two-node cluster of `tests.forwarding.cases`, changed in one place.

Node-a has no endpoint unless a case says so. Addresses are documentation addresses.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

from analyzer.findings import Finding, Findings, find
from analyzer.forwarding import Matrix, Source, Target, World, build_world, matrix, trace
from analyzer.forwarding.model import Trace, Verdict
from analyzer.snapshot import Snapshot
from tests.forwarding import cases
from tests.forwarding.cases import VIP, A, B, Cluster, pod_object

LB = "lb-case0001"
LISTENERS = f"cloud/aliyun/DescribeLoadBalancerListeners-{LB}.json"
ATTRIBUTE = f"cloud/aliyun/DescribeLoadBalancerAttribute-{LB}.json"
SERVER_IP = "192.0.2.99"
"""A machine of the same network that is no node."""

NODE_A, NODE_B = Source("node", A), Source("node", B)
POD_A, POD_B = Source("pod", f"default/client-{A}"), Source("pod", f"default/client-{B}")
WEB_POD = Source("pod", "default/web")
OUTSIDE = Source("external", cases.OUTSIDE)


@dataclass
class Case:
    """One bundle and every answer to it, each computed once."""

    files: Mapping[str, str]

    @cached_property
    def world(self) -> World:
        return _world(tuple(self.files.items()))

    @property
    def snapshot(self) -> Snapshot:
        return self.world.snapshot

    @cached_property
    def matrix(self) -> Matrix:
        return matrix(self.world)

    @cached_property
    def findings(self) -> Findings:
        return find(self.snapshot, self.world, self.matrix)

    def trace(self, source: Source, address: str = VIP, port: int = cases.PORT, protocol: str = "tcp") -> Trace:
        return trace(self.world, source, Target(address, port, protocol))

    def dial(self, source: Source, address: str = VIP, port: int = cases.PORT, protocol: str = "tcp") -> Verdict:
        return self.trace(source, address, port, protocol).verdict

    def found(self, rule: str) -> tuple[Finding, ...]:
        return tuple(one for one in self.findings.findings if one.rule == rule)

    @property
    def rules(self) -> set[str]:
        return {one.rule for one in self.findings.findings}

    def line(self, file: str, number: int) -> str:
        return self.files[file].splitlines()[number - 1]


@lru_cache(maxsize=128)
def _world(files: tuple[tuple[str, str], ...]) -> World:
    """Several tests look at the same bundle."""
    return build_world(cases.snapshot(dict(files)))


def case(**fields: Any) -> Case:
    """The plain cluster, with the fields of `Cluster` a case varies."""
    return Case(Cluster(**fields).files())


def edited(files: Mapping[str, str], *changes: tuple[str, str, str]) -> dict[str, str]:
    """Files after replacements (path, old, new); an old text that is not there is a mistake of the test."""
    result = dict(files)
    for path, old, new in changes:
        assert old in result[path], f"{old!r} is not in {path}"
        result[path] = result[path].replace(old, new)
    return result


def on_both(name: str, old: str, new: str) -> tuple[tuple[str, str, str], ...]:
    """The same replacement in a capture of both nodes."""
    return tuple((f"nodes/{node}/{name}", old, new) for node in (A, B))


def without(files: Mapping[str, str], *names: str) -> dict[str, str]:
    """Files without captures of these names."""
    return {path: text for path, text in files.items() if path.rpartition("/")[2] not in names}


def objects(files: Mapping[str, str], path: str) -> list[Any]:
    found: list[Any] = json.loads(files[path])["items"]
    return found


def with_objects(files: Mapping[str, str], path: str, items: list[Any]) -> dict[str, str]:
    whole = json.loads(files[path]) if path in files else {"apiVersion": "v1", "kind": "List", "metadata": {}}
    return {**files, path: json.dumps({**whole, "items": items}, indent=1)}


def rule(files: Mapping[str, str], table: str, *lines: str, node: str = A, first: bool = False) -> dict[str, str]:
    """Rules (and chain declarations) put at the end, or before the first rule, of a table of a node's iptables-save."""
    path = f"nodes/{node}/iptables-save.txt"
    text = files[path] if f"*{table}\n" in files[path] else files[path] + empty_table(table)
    before, start, rest = text.partition(f"*{table}\n")
    body, commit, after = rest.partition("COMMIT\n")
    declared = [line for line in body.splitlines() if line.startswith(":")]
    kept = [line for line in body.splitlines() if not line.startswith(":")]
    chains = [line for line in lines if line.startswith(":")]
    rules = [line for line in lines if not line.startswith(":")]
    ordered = [*declared, *chains, *(rules + kept if first else kept + rules)]
    return {**files, path: before + start + "\n".join(ordered) + "\n" + commit + after}


def empty_table(table: str) -> str:
    chains = ("PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING")
    return f"*{table}\n" + "".join(f":{chain} ACCEPT [0:0]\n" for chain in chains) + "COMMIT\n"


# ---------------------------------------------------------------------- objects


def service(name: str, port: int, **spec: Any) -> dict[str, Any]:
    """A LoadBalancer Service on the shared address."""
    return {
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": name, "namespace": "default"},
        "spec": {
            "type": "LoadBalancer", "clusterIP": "198.51.100.20", "selector": {"app": name},
            "ports": [{"name": name, "port": port, "targetPort": 8443, "nodePort": 30443, "protocol": "TCP"}], **spec,
        },
        "status": {"loadBalancer": {"ingress": [{"ip": VIP}]}},
    }  # fmt: skip


def slice_of(name: str, *endpoints: dict[str, Any], port: int = 8443, port_name: str = "") -> dict[str, Any]:
    return {
        "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
        "metadata": {"name": f"{name}-{port}", "namespace": "default", "labels": {"kubernetes.io/service-name": name}},
        "ports": [{"name": port_name or name, "port": port, "protocol": "TCP"}], "endpoints": list(endpoints),
    }  # fmt: skip


def endpoint(address: str, node: str, pod: str, **conditions: bool) -> dict[str, Any]:
    return {
        "addresses": [address], "nodeName": node, "conditions": conditions or {"ready": True},
        "targetRef": {"kind": "Pod", "namespace": "default", "name": pod},
    }  # fmt: skip


def pod(name: str, node: str, address: str, port: int, port_name: str = "") -> dict[str, Any]:
    made: Any = {"apiVersion": "v1", "kind": "Pod", **pod_object(name, node, address, ports=[port])}
    if port_name:
        made["spec"]["containers"][0]["ports"][0]["name"] = port_name
    return dict(made)


def kube_proxy(files: Mapping[str, str], *lines: str) -> dict[str, str]:
    """kube-proxy's ConfigMap with more lines of configuration."""
    body = "\n".join(
        ("apiVersion: kubeproxy.config.k8s.io/v1alpha1", "kind: KubeProxyConfiguration", "mode: ipvs", *lines)
    )
    written = {
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "kube-proxy", "namespace": "kube-system"},
        "data": {"config.conf": body + "\n"},
    }  # fmt: skip
    return {**files, "cluster/configmap-kube-proxy.json": json.dumps(written, indent=1)}


# ---------------------------------------------------------------------- the cloud


def listener(port: int, protocol: str = "tcp", **more: Any) -> dict[str, Any]:
    return {"LoadBalancerId": LB, "ListenerPort": port, "ListenerProtocol": protocol, "Status": "running", **more}


def backend(address: str, port: int, **more: Any) -> dict[str, Any]:
    return {
        "ServerId": f"i-{address.replace('.', '')}",
        "ServerIp": address,
        "Port": port,
        "Weight": 100,
        "Type": "ecs",
        **more,
    }


def cloud(
    files: Mapping[str, str], *listeners: dict[str, Any], groups: Mapping[str, list[dict[str, Any]]] | None = None,
    default: list[dict[str, Any]] | None = None,
) -> dict[str, str]:  # fmt: skip
    """The load balancer of the shared address as its provider describes it."""
    attribute = {
        "LoadBalancerId": LB, "Address": VIP, "AddressType": "internet", "LoadBalancerStatus": "active",
        "ListenerPorts": {"ListenerPort": [one["ListenerPort"] for one in listeners]},
        "ListenerPortsAndProtocol": {"ListenerPortAndProtocol": [
            {key: one[key] for key in ("ListenerPort", "ListenerProtocol")} for one in listeners
        ]},
        "BackendServers": {"BackendServer": default or []},
    }  # fmt: skip
    documents: dict[str, Any] = {ATTRIBUTE: attribute, LISTENERS: {"Listeners": list(listeners)}}
    for group, members in (groups or {}).items():
        documents[f"cloud/aliyun/DescribeVServerGroupAttribute-{group}.json"] = {
            "VServerGroupId": group, "LoadBalancerId": LB, "BackendServers": {"BackendServer": members},
        }  # fmt: skip
    return {**files, **{path: json.dumps(document, indent=1) for path, document in documents.items()}}


def both_nodes(port: int = cases.NODE_PORT) -> list[dict[str, Any]]:
    return [backend(cases.NODE_IP[node], port) for node in (A, B)]


def labelled(files: Mapping[str, str], ingress: dict[str, str], lb: str = LB) -> dict[str, str]:
    """The Service as the cloud controller leaves it: its load balancer in a label."""
    items = objects(files, "cluster/services.json")
    items[0]["metadata"]["labels"] = {"service.k8s.alibaba/loadbalancer-id": lb}
    items[0]["status"] = {"loadBalancer": {"ingress": [ingress]}}
    return with_objects(files, "cluster/services.json", items)


def hidden() -> dict[str, str]:
    """The hostname annotation: nothing of the address is left on the nodes."""
    files = labelled(Cluster(policy="Cluster", bound=False).files(), {"hostname": "web.example.com"})
    real = f"  -> {cases.POD[B]}:{cases.TARGET_PORT}           Masq    1      0          0\n"
    return edited(
        files,
        *on_both("ipset-save.txt", f"add KUBE-LOAD-BALANCER {VIP},tcp:{cases.PORT}\n", ""),
        *on_both("ipvsadm-Ln.txt", f"TCP  {VIP}:{cases.PORT} rr\n{real}", ""),
    )
