"""Services as manifests: written from the tables, patched as the API server patches, read back by the parser of bundles."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from analyzer.errors import UsageError
from analyzer.parsers.kubectl_json import parse
from analyzer.snapshot.model import Snapshot
from analyzer.snapshot.objects import flag, mapping, number, parts, records, text
from analyzer.whatif.tableset import FILE, TableSet

if TYPE_CHECKING:
    import pandas as pd

Manifest = dict[str, Any]
PORT_KEYS = ("port", "protocol")
"""Merge key of spec.ports (API reference: patchMergeKey port; kubectl compares the protocol too)."""


def split(service: str) -> tuple[str, str]:
    """``namespace/name``; without a namespace ``default``."""
    namespace, slash, name = service.partition("/")
    return (namespace, name) if slash else ("default", namespace)


def service_manifest(snapshot: Snapshot, service: str) -> Manifest:
    """A Service of the snapshot as the API server would print it, as far as the tables hold it.

    Raises:
        UsageError: there is no such Service.
    """
    namespace, name = split(service)
    rows = records(_own(snapshot["services"], "name", namespace, name))
    if not rows:
        known = ", ".join(one.id for one in snapshot.objects.services[:5])
        raise UsageError(f"no Service {namespace}/{name} in this bundle", hint=f"Services in it: {known}")
    row = rows[0]
    spec: Manifest = {
        "type": text(row["type"]) or "ClusterIP",
        "clusterIPs": list(parts(row["cluster_ips"])),
        "externalIPs": list(parts(row["external_ips"])),
        "externalTrafficPolicy": text(row["external_policy"]) or None,
        "internalTrafficPolicy": text(row["internal_policy"]) or None,
        "sessionAffinity": text(row["session_affinity"]) or None,
        "healthCheckNodePort": number(row["health_check_node_port"]),
        "loadBalancerSourceRanges": list(parts(row["source_ranges"])),
        "loadBalancerClass": text(row["load_balancer_class"]) or None,
        "loadBalancerIP": text(row["load_balancer_ip"]) or None,
        "selector": mapping(row["selector"]) or None,
        "publishNotReadyAddresses": flag(row["publish_not_ready"], False) or None,
        "ipFamilies": list(parts(row["ip_families"])),
        "trafficDistribution": text(row["traffic_distribution"]) or None,
        "ports": [_port(one) for one in records(_own(snapshot["service_ports"], "service", namespace, name))],
    }
    timeout = number(row["affinity_timeout_s"])
    if timeout is not None:
        spec["sessionAffinityConfig"] = {"clientIP": {"timeoutSeconds": timeout}}
    modes = text(row["ingress_ip_modes"]).split(",")
    ingress: list[Manifest] = []
    for position, ip in enumerate(parts(row["ingress_ips"])):
        mode = modes[position].strip() if position < len(modes) else ""
        ingress.append({"ip": ip, **({"ipMode": mode} if mode else {})})
    ingress += [{"hostname": one} for one in parts(row["ingress_hostnames"])]
    metadata = {"namespace": namespace, "name": name, "labels": mapping(row["labels"]),
                "annotations": mapping(row["annotations"]), "uid": text(row["uid"]) or None}  # fmt: skip
    return {
        "apiVersion": "v1", "kind": "Service", "metadata": _filled(metadata), "spec": _filled(spec),
        "status": {"loadBalancer": {"ingress": ingress} if ingress else {}},
    }  # fmt: skip


def _port(row: Mapping[str, Any]) -> Manifest:
    target = text(row["target_port"])
    return _filled(
        {
            "name": text(row["port_name"]), "protocol": (text(row["protocol"]) or "tcp").upper(), "port": number(row["port"]),
            "targetPort": int(target) if target.isdecimal() else target, "nodePort": number(row["node_port"]),
            "appProtocol": text(row["app_protocol"]),
        }
    )  # fmt: skip


def _filled(fields: Mapping[str, Any]) -> Manifest:
    return {key: value for key, value in fields.items() if value not in (None, "", [], {})}


def _own(frame: pd.DataFrame, column: str, namespace: str, name: str) -> pd.DataFrame:
    return frame[(frame["namespace"].fillna("default") == namespace) & (frame[column] == name)]


def merged(value: Any, patch: Any, *, ports: bool = False) -> Any:
    """A merge patch (RFC 7396); lists of Service ports are merged by port and protocol, as a strategic merge patch does.

    >>> merged({"a": 1, "b": {"c": 2}}, {"a": None, "b": {"d": 3}})
    {'b': {'c': 2, 'd': 3}}
    """
    if ports and isinstance(patch, list) and isinstance(value, list):
        return _merged_ports(value, patch)
    if not isinstance(patch, dict):
        return patch
    found = dict(value) if isinstance(value, dict) else {}
    for key, change in patch.items():
        if change is None:
            found.pop(key, None)
        else:
            found[key] = merged(found.get(key), change, ports=key == "ports")
    return found


def _merged_ports(have: list[Any], wanted: list[Any]) -> list[Any]:
    def key(port: Any) -> tuple[Any, str]:
        return (port.get("port"), str(port.get("protocol", "TCP"))) if isinstance(port, dict) else (None, "")

    found = {key(port): port for port in have}
    for port in wanted:
        if isinstance(port, dict) and port.get("$patch") == "delete":
            found.pop(key(port), None)
        else:
            found[key(port)] = merged(found.get(key(port)), port)
    return list(found.values())


def json_patched(value: Manifest, patch: str) -> Manifest:
    """A JSON patch (RFC 6902).

    Raises:
        UsageError: it is none, or does not fit the object.
    """
    import jsonpatch
    from jsonpointer import JsonPointerException

    try:
        made = jsonpatch.apply_patch(value, patch)
    except (jsonpatch.JsonPatchException, JsonPointerException, ValueError, TypeError) as error:
        raise UsageError(f"the JSON patch cannot be applied: {error}") from None
    if not isinstance(made, dict):
        raise UsageError("the JSON patch leaves no object")
    return made


def replace_service(changes: TableSet, snapshot: Snapshot, manifest: Manifest) -> None:
    """Put a Service instead of the one of its name.

    Raises:
        UsageError: the manifest is not one of a Service.
    """
    metadata = manifest.get("metadata") or {}
    namespace, name = metadata.get("namespace") or "default", metadata.get("name")
    if manifest.get("kind") != "Service" or not name:
        raise UsageError("not a manifest of a Service with a name")
    drop_service(changes, snapshot, f"{namespace}/{name}")
    tables = rows_of([{**manifest, "metadata": {**metadata, "namespace": namespace}}])
    for table in ("services", "service_ports"):
        changes.add_frame(table, tables[table])


def drop_service(changes: TableSet, snapshot: Snapshot, service: str) -> None:
    namespace, name = split(service)
    changes.drop("services", _own(snapshot["services"], "name", namespace, name).index)
    changes.drop("service_ports", _own(snapshot["service_ports"], "service", namespace, name).index)


def rows_of(manifests: Iterable[Manifest]) -> Mapping[str, pd.DataFrame]:
    """The tables of some objects, by the parser that reads bundles.

    Raises:
        UsageError: one of them cannot be read.
    """
    parsed = parse(json.dumps({"apiVersion": "v1", "kind": "List", "items": list(manifests)}).encode(), FILE)
    for note in parsed.notes:
        raise UsageError(f"the manifest cannot be taken as it is: {note.text} {note.detail}".strip())
    return {name: frame.drop(columns=["file", "line"]) for name, frame in parsed.tables.items()}
