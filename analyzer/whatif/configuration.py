"""kube-proxy's configuration, changed: the table proxy_configs, and what a node's regime says about local traffic.

Keys are those of KubeProxyConfiguration v1alpha1 (`ipvs.` may be left out). Every node gets the change; a configuration that was not
collected cannot be changed, because the rest of it is not known.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from typing import Any

from analyzer.errors import UsageError
from analyzer.snapshot.model import Fact, Snapshot
from analyzer.snapshot.objects import flag, records, text
from analyzer.whatif.tableset import TableSet

PROXY_KEYS: Mapping[str, str] = {
    "masqueradeAll": "masquerade_all", "clusterCIDR": "cluster_cidr", "nodePortAddresses": "node_port_addresses",
    "scheduler": "scheduler", "excludeCIDRs": "exclude_cidrs", "strictARP": "strict_arp",
}  # fmt: skip
"""Key -> column of proxy_configs."""
FLAGS = frozenset(["masqueradeAll", "strictARP"])
CIDRS = frozenset(["clusterCIDR", "nodePortAddresses", "excludeCIDRs"])
LOCAL_TRAFFIC = frozenset(["masqueradeAll", "clusterCIDR"])


def configured(snapshot: Snapshot, key: str, value: str) -> tuple[Snapshot, Fact | None]:
    """The snapshot with the key changed, and the regime's new fact `masquerade` where the key decides it.

    Raises:
        UsageError: no such key, no such value, or no configuration in the bundle.
    """
    key = key.removeprefix("ipvs.").removeprefix("iptables.")
    if key not in PROXY_KEYS:
        raise UsageError(f"no key {key!r} of kube-proxy that can be changed", hint=", ".join(PROXY_KEYS))
    frame = snapshot["proxy_configs"]
    if not len(frame):
        raise UsageError(
            "the configuration of kube-proxy is not in this bundle",
            hint="kubectl get configmap -n kube-system kube-proxy",
        )
    changes = TableSet(snapshot)
    changes.drop("proxy_configs", frame.index)
    rows = []
    for row in records(frame):
        kept = {name: one for name, one in row.items() if one is not None and name != PROXY_KEYS[key]}
        read = _value(key, value)
        rows.append(kept | ({PROXY_KEYS[key]: read} if read is not None else {}))
        changes.add("proxy_configs", rows[-1])
    return changes.apply(), _masquerade(rows[0]) if key in LOCAL_TRAFFIC else None


def _value(key: str, value: str) -> Any:
    if key in FLAGS:
        if value not in ("true", "false", ""):
            raise UsageError(f"{key} is true or false, not {value!r}")
        return value == "true" if value else None
    if key in CIDRS:
        parts = [one.strip() for one in value.split(",") if one.strip()]
        for one in parts:
            try:
                ipaddress.ip_network(one, strict=False)
            except ValueError:
                raise UsageError(f"not a CIDR: {one!r}", hint=f"{key}=10.0.0.0/8,192.168.0.0/16") from None
        return ",".join(parts) or None
    return value or None


def _masquerade(row: Mapping[str, Any]) -> Fact | None:
    """What KUBE-SERVICES marks afterwards (M18b); left to the configuration where the mode detects local traffic otherwise."""
    if flag(row.get("masquerade_all"), False):
        return Fact("all", "object")
    if text(row.get("detect_local_mode")) not in ("", "ClusterCIDR"):
        return Fact("unknown", "assumed")
    cidr = text(row.get("cluster_cidr"))
    return Fact(f"cluster-cidr {cidr}" if cidr else "src-dst", "object")
