"""Pods that come and go: their endpoints, and what the CNI enters for them on their node."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, Any

from analyzer.errors import UsageError
from analyzer.snapshot.model import Snapshot
from analyzer.snapshot.objects import flag, parts, records, text
from analyzer.whatif.manifests import split
from analyzer.whatif.tableset import TableSet

if TYPE_CHECKING:
    import pandas as pd

NODE_TABLES = {"routes": ("dst", "interface"), "rules": ("src", "iif"), "neighbours": ("address", "interface")}
"""Tables in which a CNI has entries per pod: the column with its address and the one with its interface."""


def add_pod(snapshot: Snapshot, service: str, node: str) -> tuple[Snapshot, str]:
    """(the snapshot with one more ready pod of a Service on the node, the pod's name).

    The pod is like the one that is an endpoint now; its address is a free one beside the other pods of the node, and routes
    and rules are those of one of them with the new address.

    Raises:
        UsageError: no such Service, it has no endpoint to copy, or no pod of the node shows how it is wired.
    """
    namespace, name = split(service)
    found = snapshot.objects.by_id.get(f"{namespace}/{name}")
    if found is None or not found.endpoints:
        raise UsageError(f"no endpoint of {namespace}/{name} to copy")
    frame = snapshot["endpoints"]
    own = frame[(frame["namespace"] == namespace) & (frame["service"] == name)]
    model = next((one for one in found.endpoints if one.ready), found.endpoints[0])
    pods = snapshot["pods"]
    changes = TableSet(snapshot)
    made = f"{name}-on-{node}"[:200]
    original = [row for row in records(pods) if f"pod:{text(row['namespace'])}/{text(row['name'])}" == model.pod]
    if original and flag(original[0]["host_network"], False):
        address = next(iter(_node_ips(snapshot, node)), "")
    else:
        address = _wired(changes, snapshot, node)
    if not address:
        raise UsageError(f"no address for a pod on {node} can be told from this bundle")
    if original:
        row = {key: value for key, value in original[0].items() if value is not None and key not in ("file", "line")}
        changes.add("pods", {**row, "name": made, "node_name": node, "ips": address})
    for end in records(own[own["address"] == model.address]):
        row = {
            key: value
            for key, value in end.items()
            if value is not None and key not in ("file", "line", "hint_zones", "zone")
        }
        target = f"Pod/{namespace}/{made}" if original else None
        changes.add("endpoints", {**row, "address": address, "node_name": node, "ready": True, "target": target})
    return changes.apply(), made


def _node_ips(snapshot: Snapshot, node: str) -> tuple[str, ...]:
    return next((parts(row["internal_ips"]) for row in records(snapshot["nodes"]) if text(row["name"]) == node), ())


def _wired(changes: TableSet, snapshot: Snapshot, node: str) -> str:
    """A free address beside a pod of the node, entered where that pod's is."""
    mine = [
        ip
        for row in records(snapshot["pods"])
        if text(row["node_name"]) == node and not flag(row["host_network"], False)
        for ip in parts(row["ips"])
    ]
    used = {ip for row in records(snapshot["pods"]) for ip in parts(row["ips"])}
    used |= {str(ip) for frame in snapshot.chunks("addresses") for ip in frame["address"].dropna()}
    used |= {ip for row in records(snapshot["nodes"]) for ip in parts(row["internal_ips"])}
    cidr = next((parts(row["pod_cidrs"]) for row in records(snapshot["nodes"]) if text(row["name"]) == node), ())
    if not mine:
        return _free(cidr[0], used) if cidr else ""
    model = mine[0]
    address = _free(cidr[0] if cidr else f"{model}/24", used)
    own = snapshot.by_node.get(node, {})
    length = 32 if ":" not in model else 128
    for table, (column, interface) in NODE_TABLES.items():
        part: pd.DataFrame | None = own.get(table)
        for row in records(part) if part is not None else []:
            copied: dict[str, Any] = {k: v for k, v in row.items() if v is not None and k not in ("file", "line")}
            if text(row[column]) in (model, f"{model}/{length}"):
                changes.add(
                    table, {**copied, column: text(row[column]).replace(model, address), **_own_link(copied, interface)}
                )
            elif table == "rules" and text(row["dst"]) == f"{model}/{length}":
                changes.add(table, {**copied, "dst": f"{address}/{length}"})
    return address


def _own_link(row: dict[str, Any], interface: str) -> dict[str, Any]:
    """A pod has a link of its own unless it hangs on a bridge."""
    name = text(row.get(interface))
    return {interface: "caliwhatif00"} if name.startswith("cali") else {}


def _free(network: str, used: set[str]) -> str:
    hosts = ipaddress.ip_network(network, strict=False)
    for offset in range(min(hosts.num_addresses - 2, 65_000), 1, -1):
        candidate = str(hosts[offset])
        if candidate not in used:
            return candidate
    return ""


def remove_pods(snapshot: Snapshot, pods: set[str], addresses: set[str], service: str) -> Snapshot:
    """Without these pods (``namespace/name``) and the endpoints with their addresses; with a Service only its endpoints."""
    changes = TableSet(snapshot)
    frame = snapshot["endpoints"]
    gone = frame["address"].isin(addresses)
    if service:
        namespace, name = split(service)
        mine = (frame["namespace"] == namespace) & (frame["service"] == name)
        shared = set(frame.loc[gone & ~mine, "address"])
        changes.drop("endpoints", frame[gone & mine].index)
        if shared:
            return changes.apply()  # the pod serves another Service as well: it only left this one
    else:
        changes.drop("endpoints", frame[gone].index)
    table = snapshot["pods"]
    names = table["namespace"].astype(object).astype(str) + "/" + table["name"].astype(object).astype(str)
    changes.drop("pods", table[names.isin(pods)].index)
    return changes.apply()
