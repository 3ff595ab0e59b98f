"""The model's view of one node of a snapshot: addresses, version, configuration."""

from __future__ import annotations

import ipaddress

from analyzer.kubeproxy.expected import ProxyNode, expected
from analyzer.kubeproxy.model import Expected
from analyzer.snapshot.model import Snapshot
from analyzer.snapshot.objects import flag, number, parts, records, text
from analyzer.snapshot.regime import minor_version


def proxy_node(snapshot: Snapshot, node: str) -> ProxyNode:
    """What kube-proxy on `node` works with. Captured addresses and rules win over objects and configuration."""
    regime = snapshot.regime(node)
    objects = [row for row in records(snapshot["nodes"]) if text(row["name"]) == node]
    internal = parts(objects[0]["internal_ips"]) if objects else ()
    configs = [row for row in records(snapshot["proxy_configs"]) if text(row["mode"]) or row["mode"] == ""]
    config = configs[0] if configs else {}
    masquerade = regime.value("masquerade")
    cidr = masquerade.removeprefix("cluster-cidr ") if masquerade.startswith("cluster-cidr ") else ""
    if masquerade == "unknown":
        cidr = text(config.get("cluster_cidr"))
    fallback = regime["local_fallback"]
    return ProxyNode(
        name=node,
        addresses=_addresses(snapshot, node) or internal,
        version=minor_version(regime.value("kube_proxy_version")),
        zone=text(objects[0]["zone"]) if objects else "",
        local_fallback=fallback.value if fallback.how == "state" else "",
        cluster_cidr=cidr.partition(",")[0],
        masquerade_all=masquerade == "all" if masquerade != "unknown" else flag(config.get("masquerade_all"), False),
        masquerade_bit=number(config.get("masquerade_bit")) or 14,
        scheduler=text(config.get("scheduler")) or "rr",
        node_port_addresses=parts(config.get("node_port_addresses")),
        node_ip=internal[0] if internal else "",
    )


def _addresses(snapshot: Snapshot, node: str) -> tuple[str, ...]:
    frame = snapshot.by_node.get(node, {}).get("addresses")
    if frame is None:
        return ()
    found = []
    for interface, address in zip(frame["interface"], frame["address"], strict=True):
        if interface == "kube-ipvs0" or not isinstance(address, str):
            continue
        if not ipaddress.ip_address(address).is_loopback:
            found.append(address)
    return tuple(dict.fromkeys(found))


def expected_on(snapshot: Snapshot, node: str, *, family: int = 4) -> Expected:
    """kube-proxy's expected state on one node of the snapshot."""
    return expected(snapshot.objects.services, proxy_node(snapshot, node), family=family)
