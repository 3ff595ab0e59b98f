"""Captured against expected: what kube-proxy should hold on a node and what the node holds."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from ipaddress import ip_address, ip_network
from typing import Any

from analyzer.evidence import Evidence
from analyzer.findings.capture_times import CaptureTimes
from analyzer.findings.drift_model import Drift, Kind
from analyzer.findings.drift_sets import set_drift
from analyzer.kubeproxy import Expected, ExpectedServer, expected_on
from analyzer.kubeproxy.printed import endpoint, flags
from analyzer.snapshot import Snapshot
from analyzer.snapshot.objects import columns, evidence_of, number, records, text

__all__ = ["Drift", "Kind", "comparable", "drift", "drift_on"]


def drift(snapshot: Snapshot) -> Iterator[Drift]:
    """Differences on every node that runs kube-proxy in IPVS mode and whose captures are whole."""
    times = CaptureTimes(snapshot)
    for node in snapshot.node_names:
        yield from drift_on(snapshot, node, times)


def drift_on(snapshot: Snapshot, node: str, times: CaptureTimes | None = None) -> Iterator[Drift]:
    """Differences on one node; none where nothing can be compared (see `comparable`)."""
    compared = comparable(snapshot, node)
    if not compared:
        return
    times = times or CaptureTimes(snapshot)
    expected = expected_on(snapshot, node)
    parts = {"ipvsadm": _servers, "ip-addr": _vips}
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


def _name(key: tuple[str, str, int]) -> str:
    return f"{key[0]}/{key[1]}:{key[2]}"


def _servers(snapshot: Snapshot, node: str, expected: Expected) -> Iterator[Drift]:
    own = snapshot.by_node.get(node, {})
    captured: dict[tuple[str, str, int], dict[str, Any]] = {}
    for row in records(own["virtual_servers"]) if "virtual_servers" in own else []:
        port = number(row["port"])
        if text(row["address"]) and port is not None:
            captured[(text(row["protocol"]), row["address"], port)] = row
    below: dict[tuple[str, str, int], dict[tuple[str, int], tuple[int | None, str, int]]] = defaultdict(dict)
    names = ("vs_protocol", "vs_address", "vs_port", "address", "port", "weight", "file", "line")
    for protocol, vip, port, address, real_port, weight, file, line in (
        columns(own["real_servers"], *names) if "real_servers" in own else ()
    ):
        if vip and port is not None and address and real_port is not None:
            below[(protocol or "", vip, port)][(address, real_port)] = (weight, file or "", line or 0)
    captures = snapshot.by_node.get(node, {}).get("captures", snapshot["captures"])
    plain = set(captures.loc[captures["form"] == "ipvs-proc", "file"].dropna())
    for key, server in expected.servers.items():
        if key not in captured:
            yield Drift("virtual-server-missing", node, server.service, _name(key), "", server.evidence[:1])
            continue
        here = evidence_of(captured[key], node)
        yield from _flags(node, expected, server, captured[key], here, plain=here.file in plain)
        if key in expected.contested:  # any of the Services may have won (F9)
            continue
        wanted = set(server.real_servers)
        for real, (weight, file, line) in below[key].items():
            if real in wanted and weight != 0:
                continue
            detail = endpoint(*real)
            where = Evidence(file, line, "", node)
            if real not in wanted:
                kind: Kind = "real-server-draining" if weight == 0 else "real-server-stale"
                yield Drift(kind, node, server.service, _name(key), detail, (here, where, *server.evidence[:1]))
            elif weight == 0:
                evidence = (here, where, *server.evidence[:1])
                yield Drift("real-server-weight-0", node, server.service, _name(key), detail, evidence, "1", "0")
        for real in sorted(wanted - below[key].keys()):
            evidence = (here, *server.evidence[:2])
            yield Drift("real-server-missing", node, server.service, _name(key), endpoint(*real), evidence)
    for key, row in captured.items():
        if key not in expected.servers and not _excluded(expected, key[1]):
            yield Drift("virtual-server-extra", node, "", _name(key), "", (evidence_of(row, node),))


def _flags(
    node: str, expected: Expected, server: ExpectedServer, row: dict[str, Any], here: Evidence, *, plain: bool
) -> Iterator[Drift]:
    """Scheduler, its flags and the persistence, as far as the capture prints them and the configuration is known.

    `plain`: /proc/net/ip_vs, which prints no scheduler flags, and the persistence in other units on old kernels.
    """
    scheduler = text(row["scheduler"])
    if not scheduler:
        return
    known = "configuration" not in expected.undecided
    named = [one.strip() for one in text(row["scheduler_flags"]).split(",") if one.strip()]
    if scheduler in ("sh", "mh"):  # as ipvsadm before 1.30 names them
        named = [{"flag-2": f"{scheduler}-port", "flag-1": f"{scheduler}-fallback"}.get(one, one) for one in named]
    persistence = number(row["persistence_s"])
    if plain and (persistence is None) == (server.persistence_s is None):
        persistence = server.persistence_s
    wanted = (server.scheduler, tuple(server.flags), server.persistence_s)
    found = (
        scheduler if known else server.scheduler,
        tuple(server.flags) if plain or not known else tuple(named),
        persistence,
    )
    if wanted != found:
        said, held = flags(*wanted), flags(*found)
        evidence = (here, *server.evidence[:1])
        yield Drift("flags-differ", node, server.service, _name(server.key), f"{held} ≠ {said}", evidence, said, held)


def _excluded(expected: Expected, address: str) -> bool:
    """excludeCIDRs: virtual servers there belong to somebody else, kube-proxy leaves them."""
    for cidr in expected.excluded:
        try:
            if ip_address(address) in ip_network(cidr, strict=False):
                return True
        except ValueError:
            continue
    return False


def _vips(snapshot: Snapshot, node: str, expected: Expected) -> Iterator[Drift]:
    own = snapshot.by_node.get(node, {})
    rows = [row for row in (records(own["addresses"]) if "addresses" in own else []) if text(row["address"])]
    bound = {row["address"]: evidence_of(row, node) for row in rows if text(row["interface"]) == "kube-ipvs0"}
    anywhere = {row["address"] for row in rows}
    services = {server.address: server.service for server in expected.servers.values()}
    for vip, where in expected.vips.items():
        if vip not in anywhere:
            yield Drift("vip-missing", node, services.get(vip, ""), "", vip, where[:1])
    for address, place in bound.items():
        if address not in expected.vips and not _excluded(expected, address):
            yield Drift("vip-left-over", node, "", "", address, (place,))
