"""Captured against expected: what kube-proxy should hold on a node and what the node holds."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from analyzer.evidence import Evidence
from analyzer.findings.capture_times import CaptureTimes
from analyzer.findings.drift_model import Drift, Kind
from analyzer.findings.drift_servers import excluded, server_drift
from analyzer.findings.drift_sets import set_drift
from analyzer.kubeproxy import Expected, expected_on
from analyzer.snapshot import Snapshot
from analyzer.snapshot.arrow_columns import arrow
from analyzer.snapshot.objects import columns
from analyzer.snapshot.pick import pick

if TYPE_CHECKING:
    import pandas as pd

_FOUND: WeakKeyDictionary[Snapshot, tuple[Drift, ...]] = WeakKeyDictionary()
"""A snapshot never changes; rules, the report and its tables ask for the same."""

__all__ = ["Drift", "Kind", "comparable", "drift", "drift_on"]


def drift(snapshot: Snapshot) -> tuple[Drift, ...]:
    """Differences on every node that runs kube-proxy in IPVS mode and whose captures are whole; told once per snapshot."""
    found = _FOUND.get(snapshot)
    if found is None:
        times = CaptureTimes(snapshot)
        every = (one for node in snapshot.node_names for one in drift_on(snapshot, node, times))
        found = _FOUND[snapshot] = tuple(every)
    return found


def drift_on(snapshot: Snapshot, node: str, times: CaptureTimes | None = None) -> Iterator[Drift]:
    """Differences on one node; none where nothing can be compared (see `comparable`)."""
    compared = comparable(snapshot, node)
    if not compared:
        return
    times = times or CaptureTimes(snapshot)
    expected = expected_on(snapshot, node)
    parts = {"ipvsadm": server_drift, "ip-addr": _vips}
    for capture in compared:
        skew = times.skewed(node, capture)
        found = parts[capture](snapshot, node, expected) if capture in parts else set_drift(snapshot, node, expected)
        yield from (replace(one, skew=True) for one in found) if skew else found


def comparable(snapshot: Snapshot, node: str) -> tuple[str, ...]:
    """Captures of the node that can be held against the objects: whole ones, in IPVS mode, with Services and endpoints."""
    cluster = snapshot.captured.get("", {})
    if "services" not in cluster or "endpoints" not in cluster or snapshot.regime(node).value("proxy_mode") != "ipvs":
        return ()
    return tuple(capture for capture in ("ipvsadm", "ip-addr", "ipset") if snapshot.complete(node, capture))


def _vips(snapshot: Snapshot, node: str, expected: Expected) -> Iterator[Drift]:
    own = snapshot.by_node.get(node, {})
    held = pick(own, "addresses", ("interface", "address"))
    if held is not None and _all_bound(held, expected):
        return
    held = own.get("addresses")
    bound: dict[str, tuple[str, int]] = {}
    anywhere: set[str] = set()
    for interface, address, file, line in (
        columns(held, "interface", "address", "file", "line") if held is not None else ()
    ):
        if address:
            anywhere.add(address)
            if interface == "kube-ipvs0":
                bound[address] = (file or "", line or 0)
    services: dict[str, str] = {}
    for vip, where in expected.vips.items():
        if vip not in anywhere:
            services = services or {server.address: server.service for server in expected.servers.values()}
            yield Drift("vip-missing", node, services.get(vip, ""), "", vip, where[:1])
    for address, place in bound.items():
        if address not in expected.vips and not excluded(expected, address):
            yield Drift("vip-left-over", node, "", "", address, (Evidence(*place, "", node),))


def _all_bound(held: pd.DataFrame, expected: Expected) -> bool:
    """Whether a node has all VIPs, and nothing else on kube-ipvs0: so it is on nearly all nodes."""
    import pyarrow.compute as pc

    addresses = arrow(held["address"])
    bound = addresses.filter(pc.equal(arrow(held["interface"]), "kube-ipvs0")).to_pylist()
    return expected.vips.keys() >= {one for one in bound if one} and expected.vips.keys() <= set(addresses.to_pylist())
