"""A changed cluster: edits to the objects, then what the controllers and kube-proxy make of them.

The order is that of a real cluster: the API server takes the object and fills it in, the endpoint controller lists pods, the
cloud controller writes status and load balancer, kube-proxy of every node programs what follows. The result is a snapshot
like any other: it is walked, judged and reported with the same code.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from analyzer.errors import UsageError
from analyzer.kubeproxy import ProxyNode
from analyzer.snapshot.model import Fact, Snapshot
from analyzer.snapshot.objects import flag, mapping, parts, records, text
from analyzer.whatif import controller, manifests
from analyzer.whatif.configuration import configured
from analyzer.whatif.edits import (
    AddEndpoint,
    DeleteService,
    DrainNode,
    Edit,
    PatchService,
    ProxyConfig,
    ProxyMode,
    PutObjects,
    PutService,
    ReadyPods,
    RemoveEndpoint,
    Resync,
    SetListener,
    Sysctl,
    Version,
)
from analyzer.whatif.pods import add_pod, remove_pods
from analyzer.whatif.proxy import changed_proxy, reprogram, resync
from analyzer.whatif.tableset import TableSet

MODES = ("ipvs", "iptables", "nftables")
MAX_MINOR = 40


@dataclass
class Outcome:
    """The changed snapshot, and what had to be assumed (``assumed.<slug>`` with values)."""

    snapshot: Snapshot
    assumed: list[tuple[str, dict[str, str]]] = field(default_factory=list)


def apply(snapshot: Snapshot, edits: Sequence[Edit]) -> Outcome:
    """Apply the edits in order; the one behind sees what the one before made.

    Raises:
        UsageError: an edit names what the bundle does not hold, or is no valid change.
    """
    outcome = Outcome(snapshot)
    for edit in edits:
        _HANDLERS[type(edit)](outcome, edit)
    return outcome


def _objects_changed(outcome: Outcome, after: Snapshot) -> None:
    """The controllers' and kube-proxy's turn after a change of objects."""
    before = outcome.snapshot
    after = controller.follow(before, after)
    modes = {node: (before.regime(node).value("proxy_mode"),) * 2 for node in after.node_names}
    outcome.snapshot = reprogram(before, after, lambda _, proxy: proxy, modes)


def _put(outcome: Outcome, manifest: manifests.Manifest, before: manifests.Manifest | None, *, said: bool) -> None:
    """One Service as it shall be; `said` tells that its status was given and is not the controller's to write."""
    snapshot = outcome.snapshot
    whole = controller.allocated(snapshot, manifest)
    made = ""
    if not said:
        ingress, made = controller.published(snapshot, whole, before)
        whole["status"] = {"loadBalancer": {"ingress": ingress} if ingress else {}}
    if made:
        outcome.assumed.append(("new-address", {"address": made, "service": _id(whole)}))
    changes = TableSet(snapshot)
    manifests.replace_service(changes, snapshot, whole)
    _endpoints(changes, snapshot, whole, before)
    _objects_changed(outcome, changes.apply())


def _endpoints(
    changes: TableSet, snapshot: Snapshot, manifest: manifests.Manifest, before: manifests.Manifest | None
) -> None:
    """Endpoints of a new Service, or of one whose selector or ports changed; others keep theirs."""

    def asks(one: manifests.Manifest) -> Any:
        spec = one.get("spec") or {}
        ports = [
            (p.get("name", ""), str(p.get("protocol", "TCP")), p.get("targetPort") or p.get("port"))
            for p in spec.get("ports") or []
        ]
        return (spec.get("selector"), sorted(map(repr, ports)))

    if before is not None and asks(before) == asks(manifest) and len(snapshot["endpoints"]):
        return
    service = _id(manifest)
    namespace, name = manifests.split(service)
    frame = snapshot["endpoints"]
    own = frame[(frame["namespace"] == namespace) & (frame["service"] == name)]
    rows = controller.selected(snapshot, manifest)
    if not (manifest.get("spec") or {}).get("selector"):
        return
    if not rows and not len(own):
        rows = _copied(snapshot, manifest)
    if rows:
        changes.drop("endpoints", own.index)
        for row in rows:
            filled = {key: value for key, value in row.items() if value not in (None, "")}
            changes.add("endpoints", {**filled, "port_name": row["port_name"]})


def _copied(snapshot: Snapshot, manifest: manifests.Manifest) -> list[dict[str, Any]]:
    """Without pods in the bundle: the endpoints of a Service with the same selector, for the target ports both have."""
    wanted = (manifest.get("spec") or {}).get("selector")
    namespace, name = manifests.split(_id(manifest))
    rows = []
    for other in snapshot.objects.services:
        if other.namespace != namespace or mapping(other.selector) != wanted or other.name == name:
            continue
        for port in (manifest.get("spec") or {}).get("ports") or []:
            target = str(port.get("targetPort") or port.get("port"))
            theirs = next((one for one in other.ports if (one.target_port or str(one.port)) == target), None)
            for end in other.endpoints if theirs is not None else ():
                if theirs is not None and end.port_name == theirs.name and end.protocol == theirs.protocol:
                    rows.append({
                        "namespace": namespace, "service": name, "address": end.address, "family": end.family,
                        "port_name": port.get("name", ""), "protocol": end.protocol, "port": end.port, "node_name": end.node,
                        "ready": end.ready, "serving": end.serving, "terminating": end.terminating, "target": end.target,
                        "zone": end.zone, "source": "EndpointSlice", "object": f"{name}-what-if",
                    })  # fmt: skip
        break
    return rows


def _id(manifest: Mapping[str, Any]) -> str:
    metadata = manifest.get("metadata") or {}
    return f"{metadata.get('namespace') or 'default'}/{metadata.get('name') or ''}"


# ---------------------------------------------------------------------- one kind of edit each


def _patch(outcome: Outcome, edit: PatchService) -> None:
    before = manifests.service_manifest(outcome.snapshot, edit.service)
    try:
        patch = json.loads(edit.patch)
    except ValueError:
        raise UsageError(f"not a patch: {edit.patch[:120]}", hint="a patch is JSON (or YAML in a file)") from None
    after = manifests.json_patched(before, edit.patch) if edit.form == "json" else manifests.merged(before, patch)
    if _id(after) != _id(before) or after.get("kind") != "Service":
        raise UsageError("a patch may not change an object's name or kind")
    _put(outcome, after, before, said=after.get("status") != before.get("status"))


def _put_service(outcome: Outcome, edit: PutService) -> None:
    manifest = json.loads(edit.manifest)
    service = _id(manifest)
    before = (
        manifests.service_manifest(outcome.snapshot, service) if service in outcome.snapshot.objects.by_id else None
    )
    said = bool((manifest.get("status") or {}).get("loadBalancer"))
    if before is not None:
        # What only the API server and the controllers write stays, as with kubectl apply.
        kept = {key: before["spec"][key] for key in ("clusterIPs", "healthCheckNodePort") if key in before["spec"]}
        manifest = {**manifest, "spec": {**kept, **(manifest.get("spec") or {})}}
        ports = {
            (p.get("port"), p.get("protocol", "TCP")): p.get("nodePort") for p in before["spec"].get("ports") or []
        }
        for port in manifest["spec"].get("ports") or []:
            known = ports.get((port.get("port"), port.get("protocol", "TCP")))
            if known and "nodePort" not in port:
                port["nodePort"] = known
        labels = {**(before["metadata"].get("labels") or {}), **((manifest.get("metadata") or {}).get("labels") or {})}
        manifest["metadata"] = {**manifest.get("metadata", {}), "labels": labels}
        if not said:
            manifest["status"] = before["status"]
    _put(outcome, manifest, before, said=said)


def _delete_service(outcome: Outcome, edit: DeleteService) -> None:
    snapshot = outcome.snapshot
    manifests.service_manifest(snapshot, edit.service)  # it has to be there
    changes = TableSet(snapshot)
    manifests.drop_service(changes, snapshot, edit.service)
    namespace, name = manifests.split(edit.service)
    frame = snapshot["endpoints"]
    changes.drop("endpoints", frame[(frame["namespace"] == namespace) & (frame["service"] == name)].index)
    _objects_changed(outcome, changes.apply())


def _put_objects(outcome: Outcome, edit: PutObjects) -> None:
    snapshot = outcome.snapshot
    items = json.loads(edit.manifests)
    changes = TableSet(snapshot)
    tables = manifests.rows_of(items)
    for item in items:
        metadata = item.get("metadata") or {}
        name, namespace = metadata.get("name"), metadata.get("namespace") or "default"
        kind = item.get("kind")
        if kind in ("EndpointSlice", "Endpoints"):
            frame = snapshot["endpoints"]
            same = (frame["namespace"] == namespace) & (frame["object"] == name) & (frame["source"] == kind)
            changes.drop("endpoints", frame[same].index)
        elif kind == "Node":
            frame = snapshot["nodes"]
            changes.drop("nodes", frame[frame["name"] == name].index)
        elif kind == "Pod":
            frame = snapshot["pods"]
            changes.drop("pods", frame[(frame["name"] == name) & (frame["namespace"] == namespace)].index)
        else:
            raise UsageError(
                f"a change of a {kind} is not simulated", hint="Service, EndpointSlice, Endpoints, Node, Pod are"
            )
    for table in ("endpoints", "nodes", "pods"):
        changes.add_frame(table, tables[table])
    _objects_changed(outcome, changes.apply())


def _nodes(snapshot: Snapshot, node: str) -> tuple[str, ...]:
    if node and node not in snapshot.node_names:
        raise UsageError(f"no node {node!r} in this bundle", hint=f"nodes in it: {', '.join(snapshot.node_names[:5])}")
    return (node,) if node else snapshot.node_names


def _with_facts(snapshot: Snapshot, facts: Mapping[str, Mapping[str, Fact]]) -> Snapshot:
    regimes = dict(snapshot.regimes)
    for node, changed in facts.items():
        regimes[node] = replace(snapshot.regime(node), facts={**snapshot.regime(node).facts, **changed})
    return replace(snapshot, regimes=regimes)


def parse_version(value: str) -> tuple[int, int]:
    """The minor release of ``1.28``, ``v1.28.3`` or ``1.28.3-aliyun.1``.

    Raises:
        UsageError: it is none, or one that no model is known for.
    """
    pieces = value.removeprefix("v").split("-")[0].split("+")[0].split(".")
    if len(pieces) < 2 or not all(one.isdecimal() for one in pieces[:3]) or pieces[0] != "1":
        raise UsageError(f"not a Kubernetes version: {value!r}", hint="for example k8s=1.28 or k8s=1.28.3")
    minor = int(pieces[1])
    if not 20 <= minor <= MAX_MINOR:
        raise UsageError(f"Kubernetes {value} is not modelled", hint=f"1.20 to 1.{MAX_MINOR}")
    return 1, minor


def _version(outcome: Outcome, edit: Version) -> None:
    before = outcome.snapshot
    _, minor = parse_version(edit.version)
    chosen = _nodes(before, edit.node)
    by_version = {
        "kubernetes_version": edit.version, "kube_proxy_version": edit.version,
        "local_fallback": "all" if minor >= 24 else "none", "ipvs_filter": "present" if minor >= 26 else "absent",
        "node_port_sockets": "no" if minor >= 24 else "yes",
    }  # fmt: skip
    facts = {node: {key: Fact(value, "version") for key, value in by_version.items()} for node in chosen}
    modes = {node: (before.regime(node).value("proxy_mode"),) * 2 for node in before.node_names}

    def change(node: str, proxy: ProxyNode) -> ProxyNode:
        return changed_proxy(proxy, edit.version) if node in chosen else proxy

    outcome.snapshot = reprogram(before, _with_facts(before, facts), change, modes)
    outcome.assumed.append(("same-configuration", {"version": edit.version}))


def _proxy_mode(outcome: Outcome, edit: ProxyMode) -> None:
    if edit.mode not in MODES:
        raise UsageError(f"no proxy mode {edit.mode!r}", hint=f"one of {', '.join(MODES)}")
    before = outcome.snapshot
    chosen = _nodes(before, edit.node)
    after = _with_facts(before, {node: {"proxy_mode": Fact(edit.mode, "object")} for node in chosen})
    modes = {
        node: (
            before.regime(node).value("proxy_mode"),
            edit.mode if node in chosen else before.regime(node).value("proxy_mode"),
        )
        for node in before.node_names
    }
    outcome.snapshot = reprogram(before, after, lambda _, proxy: proxy, modes)
    outcome.assumed.append(("clean-mode-change", {"mode": edit.mode}))


def _add_endpoint(outcome: Outcome, edit: AddEndpoint) -> None:
    _nodes(outcome.snapshot, edit.node)
    after, pod = add_pod(outcome.snapshot, edit.service, edit.node)
    outcome.assumed.append(("new-pod", {"pod": pod, "node": edit.node}))
    _objects_changed(outcome, after)


def _remove_endpoint(outcome: Outcome, edit: RemoveEndpoint) -> None:
    snapshot = outcome.snapshot
    manifests.service_manifest(snapshot, edit.service)
    service = snapshot.objects.by_id["/".join(manifests.split(edit.service))]
    pods = {
        one.pod
        for one in service.endpoints
        if edit.which in (one.address, one.node, one.pod.rpartition("/")[2], one.pod[4:])
    }
    addresses = {
        one.address
        for one in service.endpoints
        if edit.which in (one.address, one.node) or (one.pod and one.pod in pods)
    }
    if not addresses:
        raise UsageError(f"no endpoint {edit.which!r} of {service.id}")
    _objects_changed(outcome, remove_pods(snapshot, {one[4:] for one in pods if one}, addresses, service.id))


def _ready(outcome: Outcome, edit: ReadyPods) -> None:
    """Not-ready endpoints become ready; where none is listed, those of the pods that the selector matches are made."""
    snapshot = outcome.snapshot
    manifest = manifests.service_manifest(snapshot, edit.service)
    namespace, name = manifests.split(edit.service)
    frame = snapshot["endpoints"]
    own = frame[(frame["namespace"] == namespace) & (frame["service"] == name)]
    rows = records(own) if len(own) else controller.selected(snapshot, manifest)
    if not rows:
        raise UsageError(f"no pod that Service {namespace}/{name} selects is in this bundle")
    changes = TableSet(snapshot)
    changes.drop("endpoints", own.index)
    for row in rows:
        kept = {key: value for key, value in row.items() if (value is not None and value != "") or key == "port_name"}
        changes.add("endpoints", {**kept, "ready": True, "serving": True, "terminating": False})
    targets = {text(row.get("target")).removeprefix("Pod/") for row in rows}
    table = snapshot["pods"]
    for index, pod in zip(table.index, records(table), strict=True):
        if f"{text(pod['namespace'])}/{text(pod['name'])}" in targets:
            changes.drop("pods", [index])
            changes.add("pods", {key: value for key, value in pod.items() if value is not None} | {"ready": True})
    outcome.assumed.append(("pods-ready", {"service": f"{namespace}/{name}"}))
    _objects_changed(outcome, changes.apply())


def _drain(outcome: Outcome, edit: DrainNode) -> None:
    (node,) = _nodes(outcome.snapshot, edit.node)
    snapshot = outcome.snapshot
    gone: set[str] = set()
    addresses: set[str] = set()
    for pod in records(snapshot["pods"]):
        if text(pod["node_name"]) == node and not text(pod["owner"]).startswith(("DaemonSet/", "Node/")):
            gone.add(f"{text(pod['namespace'])}/{text(pod['name'])}")
            if not flag(pod["host_network"], False):
                addresses.update(parts(pod["ips"]))
    changes = TableSet(snapshot)
    frame = snapshot["nodes"]
    own = frame[frame["name"] == node]
    changes.drop("nodes", own.index)
    for row in records(own):
        changes.add("nodes", {key: value for key, value in row.items() if value is not None} | {"unschedulable": True})
    outcome.assumed.append(("not-rescheduled", {"node": node, "pods": str(len(gone))}))
    _objects_changed(outcome, remove_pods(changes.apply(), gone, addresses, ""))


def _resync(outcome: Outcome, edit: Resync) -> None:
    snapshot = outcome.snapshot
    _nodes(snapshot, edit.node)
    outcome.snapshot = resync(snapshot, edit.node, snapshot.regime(edit.node).value("proxy_mode"))


def _listener(outcome: Outcome, edit: SetListener) -> None:
    outcome.snapshot = controller.set_listener(outcome.snapshot, edit.address, edit.port, edit.protocol, edit.backends)


def _sysctl(outcome: Outcome, edit: Sysctl) -> None:
    snapshot = outcome.snapshot
    changes = TableSet(snapshot)
    frame = snapshot["sysctls"]
    for node in _nodes(snapshot, edit.node):
        if not snapshot.has(node, "sysctl"):
            continue
        changes.drop("sysctls", frame[(frame["node"] == node) & (frame["key"] == edit.key)].index)
        changes.add("sysctls", {"node": node, "key": edit.key, "value": edit.value})
    after = changes.apply()
    if edit.key == "net.ipv4.vs.conntrack":
        after = _with_facts(
            after, {node: {"vs_conntrack": Fact(edit.value, "object")} for node in _nodes(snapshot, edit.node)}
        )
    outcome.snapshot = after


def _proxy_config(outcome: Outcome, edit: ProxyConfig) -> None:
    before = outcome.snapshot
    after, fact = configured(before, edit.key, edit.value)
    if fact is not None:
        after = _with_facts(after, {node: {"masquerade": fact} for node in after.node_names})
    modes = {node: (before.regime(node).value("proxy_mode"),) * 2 for node in after.node_names}
    outcome.snapshot = reprogram(before, after, lambda _, proxy: proxy, modes)


_HANDLERS: Mapping[type, Callable[[Outcome, Any], None]] = {
    PatchService: _patch,
    PutService: _put_service,
    DeleteService: _delete_service,
    PutObjects: _put_objects,
    Version: _version,
    ProxyMode: _proxy_mode,
    AddEndpoint: _add_endpoint,
    RemoveEndpoint: _remove_endpoint,
    ReadyPods: _ready,
    DrainNode: _drain,
    Sysctl: _sysctl,
    ProxyConfig: _proxy_config,
    SetListener: _listener,
    Resync: _resync,
}
