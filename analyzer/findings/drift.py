"""Captured against expected: what kube-proxy should hold on a node and what the node holds."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from analyzer.evidence import Evidence
from analyzer.kubeproxy import Expected, expected_on
from analyzer.snapshot import Snapshot
from analyzer.snapshot.objects import evidence_of, number, records, text

Kind = Literal[
    "real-server-stale", "real-server-missing", "real-server-weight-0", "real-server-draining", "virtual-server-missing",
    "virtual-server-extra", "vip-missing", "vip-left-over",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Drift:
    """One difference on one node. `server` is ``tcp/10.0.0.1:80`` (empty for a VIP), `detail` the real server or address.

    A draining real server (weight 0, no longer an endpoint) is benign: kube-proxy removes it when its connections end.
    """

    kind: Kind
    node: str
    service: str
    server: str
    detail: str
    evidence: tuple[Evidence, ...] = ()


def drift(snapshot: Snapshot) -> Iterator[Drift]:
    """Differences on every node that runs kube-proxy in IPVS mode and whose virtual servers were captured whole."""
    cluster = snapshot.captured.get("", {})
    if "services" not in cluster or "endpoints" not in cluster:
        return
    for node in snapshot.node_names:
        if snapshot.regime(node).value("proxy_mode") != "ipvs":
            continue
        expected = expected_on(snapshot, node)
        if snapshot.complete(node, "ipvsadm"):
            yield from _servers(snapshot, node, expected)
        if snapshot.complete(node, "ip-addr"):
            yield from _vips(snapshot, node, expected)


def _name(key: tuple[str, str, int]) -> str:
    return f"{key[0]}/{key[1]}:{key[2]}"


def _servers(snapshot: Snapshot, node: str, expected: Expected) -> Iterator[Drift]:
    own = snapshot.by_node.get(node, {})
    captured: dict[tuple[str, str, int], Evidence] = {}
    for row in records(own["virtual_servers"]) if "virtual_servers" in own else []:
        port = number(row["port"])
        if text(row["address"]) and port is not None:
            captured[(text(row["protocol"]), row["address"], port)] = evidence_of(row, node)
    below: dict[tuple[str, str, int], dict[tuple[str, int], tuple[int | None, Evidence]]] = defaultdict(dict)
    for row in records(own["real_servers"]) if "real_servers" in own else []:
        port, real_port = number(row["vs_port"]), number(row["port"])
        if text(row["vs_address"]) and port is not None and text(row["address"]) and real_port is not None:
            key = (text(row["vs_protocol"]), row["vs_address"], port)
            below[key][(row["address"], real_port)] = (number(row["weight"]), evidence_of(row, node))
    for key, server in expected.servers.items():
        if key not in captured:
            yield Drift("virtual-server-missing", node, server.service, _name(key), "", server.evidence[:1])
            continue
        wanted = set(server.real_servers)
        for real, (weight, where) in below[key].items():
            detail = f"{real[0]}:{real[1]}"
            if real not in wanted:
                kind: Kind = "real-server-draining" if weight == 0 else "real-server-stale"
                yield Drift(kind, node, server.service, _name(key), detail, (captured[key], where))
            elif weight == 0:
                yield Drift("real-server-weight-0", node, server.service, _name(key), detail, (captured[key], where))
        for real in sorted(wanted - below[key].keys()):
            detail = f"{real[0]}:{real[1]}"
            yield Drift(
                "real-server-missing", node, server.service, _name(key), detail, (captured[key], *server.evidence[:2])
            )
    for key, where in captured.items():
        if key not in expected.servers:
            yield Drift("virtual-server-extra", node, "", _name(key), "", (where,))


def _vips(snapshot: Snapshot, node: str, expected: Expected) -> Iterator[Drift]:
    own = snapshot.by_node.get(node, {})
    bound: dict[str, Evidence] = {}
    for row in records(own["addresses"]) if "addresses" in own else []:
        if text(row["interface"]) == "kube-ipvs0" and text(row["address"]):
            bound[row["address"]] = evidence_of(row, node)
    elsewhere = {
        text(row["address"])
        for row in (records(own["addresses"]) if "addresses" in own else [])
        if text(row["address"])
    }
    services = {server.address: server.service for server in expected.servers.values()}
    for vip, where in expected.vips.items():
        if vip not in elsewhere:
            yield Drift("vip-missing", node, services.get(vip, ""), "", vip, where[:1])
    for address, place in bound.items():
        if address not in expected.vips:
            yield Drift("vip-left-over", node, "", "", address, (place,))
