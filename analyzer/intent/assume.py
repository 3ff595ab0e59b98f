"""Rendered manifests as a cluster: nodes, pods and addresses that do not exist yet, so that statements can be checked in CI.

Nodes ``node-1`` ... have addresses of 10.255.0.0/24 and a pod prefix each; every Service with a selector gets one ready pod on
the nodes that `endpoints` names (else on every node), and each node one pod that is nobody's endpoint. Services without
address get one as from an API server. Verdicts are those of the expected state, and say so.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from analyzer.errors import UsageError
from analyzer.intent.model import Assumption
from analyzer.snapshot.model import Fact, Regime, Snapshot
from analyzer.snapshot.objects import mapping
from analyzer.whatif import apply
from analyzer.whatif.edits import Edit, ProxyMode, PutObjects, PutService, Version
from analyzer.whatif.manifests import Manifest, service_manifest

DEFAULT_VERSION = "1.30"
POD_PORT = 8080
CNIS: Mapping[str, Mapping[str, Fact]] = {
    "terway": {"cni": Fact("terway", "assumed"), "data_path": Fact("veth", "assumed"), "cni_masquerade": Fact("none", "assumed")},
    "flannel": {
        "cni": Fact("flannel", "assumed"), "data_path": Fact("bridge", "assumed"), "cni_masquerade": Fact("flannel", "assumed"),
    },
}  # fmt: skip
"""What follows from a CNI for the walk."""


def assumed_cluster(snapshot: Snapshot, assume: Assumption) -> Snapshot:
    """The snapshot with the assumed nodes, pods and addresses.

    Raises:
        UsageError: the bundle holds nodes already, or `endpoints` names what is not there.
    """
    if snapshot.node_names:
        raise UsageError("assume is for manifests alone; this bundle holds nodes")
    version = assume.kubernetes or DEFAULT_VERSION
    names = [f"node-{number}" for number in range(1, assume.nodes + 1)]
    placed = dict(assume.endpoints)
    unknown = [name for name in placed if name not in snapshot.objects.by_id]
    unknown += [node for nodes in placed.values() for node in nodes if node not in names]
    if unknown:
        raise UsageError(f"assume.endpoints names {', '.join(unknown)}, which is not there")
    items = [_node(number, version) for number in range(1, assume.nodes + 1)]
    items += [_pod("default", f"client-{node}", node, number, 5, {}, ()) for number, node in enumerate(names, 1)]
    slot = 10
    for service in snapshot.objects.services:
        selector = mapping(service.selector)
        if not selector or service.type == "ExternalName":
            continue
        ports = tuple((port.target_port, port.protocol) for port in service.ports)
        for number, node in enumerate(names, 1):
            if node in placed.get(service.id, names):
                name = f"{service.name[:40]}-{node}"
                items.append(_pod(service.namespace, name, node, number, slot, selector, ports))
        slot += 1
        if slot > 250:
            raise UsageError("too many Services for assumed addresses")
    whole = _with_nodes(snapshot, names)
    services = tuple(PutService(json.dumps(manifest)) for manifest in _services(snapshot))
    kinds: tuple[Edit, ...] = (
        PutObjects(json.dumps(items)),
        *services,
        Version(version),
        ProxyMode(assume.proxy_mode),
    )
    made = apply(whole, kinds).snapshot
    facts = CNIS.get(assume.cni, {})
    regimes = {node: Regime(node, {**made.regime(node).facts, **facts}) for node in made.node_names}
    return replace(made, regimes=regimes)


def _with_nodes(snapshot: Snapshot, names: list[str]) -> Snapshot:
    cluster = {**snapshot.captured.get("", {}), "nodes": True, "pods": True, "endpoints": True}
    return replace(snapshot, node_names=tuple(names), captured={**snapshot.captured, "": cluster})


def _services(snapshot: Snapshot) -> Iterator[Manifest]:
    for service in snapshot.objects.services:
        manifest = service_manifest(snapshot, service.id)
        if not service.published and not service.hostnames:
            manifest.pop("status", None)
        yield manifest


def _node(number: int, version: str) -> Manifest:
    return {
        "apiVersion": "v1", "kind": "Node", "metadata": {"name": f"node-{number}"},
        "spec": {"podCIDR": f"10.254.{number}.0/24"},
        "status": {
            "addresses": [{"type": "InternalIP", "address": f"10.255.0.{number}"}],
            "nodeInfo": {"kubeletVersion": f"v{version}", "kubeProxyVersion": f"v{version}"},
            "conditions": [{"type": "Ready", "status": "True"}],
        },
    }  # fmt: skip


def _pod(
    namespace: str,
    name: str,
    node: str,
    number: int,
    slot: int,
    labels: dict[str, str],
    ports: tuple[tuple[str, str], ...],
) -> Manifest:
    listed: list[dict[str, Any]] = []
    for position, (target, protocol) in enumerate(dict.fromkeys(ports)):
        named = bool(target) and not target.isdecimal()
        port = int(target) if target.isdecimal() else POD_PORT + position
        listed.append({"containerPort": port, "protocol": protocol.upper(), **({"name": target} if named else {})})
    return {
        "apiVersion": "v1", "kind": "Pod", "metadata": {"namespace": namespace, "name": name, "labels": labels},
        "spec": {"nodeName": node, "containers": [{"name": "main", "ports": listed}]},
        "status": {
            "phase": "Running", "podIPs": [{"ip": f"10.254.{number}.{slot}"}], "conditions": [{"type": "Ready", "status": "True"}],
        },
    }  # fmt: skip
