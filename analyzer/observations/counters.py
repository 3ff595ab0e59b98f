"""IPVS' own tables: half-open connections piling up on a real server, templates that lead nowhere.

A real server that does not answer shows ``ActiveConn`` growing (SYN_RECV counts as active) while ``InActConn`` stays 0; the
live ones beside it have finished connections. ``ipvsadm -Lnc`` lists the same connections one by one.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from analyzer.evidence import Evidence
from analyzer.forwarding import World
from analyzer.forwarding.model import end_point
from analyzer.observations.model import Sign
from analyzer.snapshot import Snapshot
from analyzer.snapshot.objects import columns

if TYPE_CHECKING:
    import pandas as pd

Virtual = tuple[str, str, str, int]
"""(node, protocol, address, port)"""
Real = tuple[str, int]

EVIDENCE = 3
HALF_OPEN = ("SYN_RECV", "SYN_SENT")


@dataclass(frozen=True, slots=True)
class _Load:
    active: int
    inactive: int
    evidence: Evidence


Servers = dict[Virtual, dict[Real, _Load]]
_COUNTED = (
    "node", "vs_protocol", "vs_address", "vs_port", "address", "port", "active", "inactive", "file", "line",
)  # fmt: skip


def signs(snapshot: Snapshot, world: World) -> Iterator[Sign]:
    """All signs, in the order of nodes and servers. Without endpoints nothing tells which real server is stale."""
    connections = snapshot["ipvs_connections"]
    endpoints_known = "endpoints" in snapshot.captured.get("", {})

    def stale(virtual: Virtual, real: Real) -> bool:
        return endpoints_known and not world.endpoint(*real, virtual[1])

    # Connections are held against all servers; else only those with a half-open looking stale real server can give a sign.
    servers = _servers(snapshot) if len(connections) else _suspected(snapshot, world) if endpoints_known else {}
    for virtual, loads in sorted(servers.items()):
        busy = any(load.inactive > 0 for load in loads.values())
        for real, load in sorted(loads.items()):
            if busy and load.active > 0 and load.inactive == 0 and stale(virtual, real):
                yield _sign("half-open", virtual, real, load.active, (load.evidence,))
    if not len(connections):
        return
    template = connections["template"].astype("boolean").fillna(False).astype(bool)
    for (virtual, real), group in _by_server(connections[~template]):
        if set(group["state"].astype("str")) <= set(HALF_OPEN) and stale(virtual, real):
            yield _sign("syn-recv", virtual, real, len(group), _lines(group))
    for (virtual, real), group in _by_server(connections[template]):
        if virtual in servers and snapshot.complete(virtual[0], "ipvsadm") and real not in servers[virtual]:
            yield _sign("stale-template", virtual, real, len(group), _lines(group))


def _servers(snapshot: Snapshot) -> Servers:
    """The real servers of each virtual server."""
    found: Servers = defaultdict(dict)
    for virtual in snapshot.chunks("virtual_servers", "node", "protocol", "address", "port"):
        for node, protocol, address, port in columns(virtual, "node", "protocol", "address", "port"):
            if address and port:
                found[node or "", protocol or "", address, port] = {}
    for real in snapshot.chunks("real_servers", *_COUNTED):
        _add_loads(found, real)
    return found


def _suspected(snapshot: Snapshot, world: World) -> Servers:
    """The same of the addresses below which a real server looks half-open and is no endpoint."""
    found: Servers = defaultdict(dict)
    for read in snapshot.readers("real_servers"):
        counts = read("active", "inactive")
        half_open = (counts["active"] > 0) & (counts["inactive"].fillna(0) == 0)
        hits = half_open.fillna(False).astype(bool).to_numpy()
        if not hits.any():
            continue
        ends = read("vs_address", "vs_protocol", "address", "port")[hits].drop_duplicates()
        suspects = {
            vip
            for vip, protocol, address, port in columns(ends, *ends.columns)
            if vip and address and port is not None and not world.endpoint(address, port, protocol or "")
        }
        if suspects:
            real = read(*_COUNTED)
            _add_loads(found, real[real["vs_address"].isin(suspects)])
    return found


def _add_loads(found: Servers, real: pd.DataFrame) -> None:
    for node, protocol, vip, port, address, real_port, active, inactive, file, line in columns(real, *_COUNTED):
        if not vip or not port or not address or real_port is None:
            continue
        load = _Load(active or 0, inactive or 0, Evidence(file or "", line or 0, "", node or ""))
        found[node or "", protocol or "", vip, port][address, real_port] = load


def _by_server(frame: pd.DataFrame) -> Iterator[tuple[tuple[Virtual, Real], pd.DataFrame]]:
    names = ["node", "protocol", "virtual_address", "virtual_port", "real_address", "real_port"]
    whole = frame.dropna(subset=names)
    if not len(whole):
        return
    for _, group in whole.groupby(names, observed=True, sort=True):
        first = group.iloc[0]
        virtual = (
            str(first["node"]),
            str(first["protocol"]),
            str(first["virtual_address"]),
            int(first["virtual_port"]),
        )
        if virtual[3]:
            yield (virtual, (str(first["real_address"]), int(first["real_port"]))), group


def _lines(group: pd.DataFrame) -> tuple[Evidence, ...]:
    first = group.head(EVIDENCE)
    return tuple(
        Evidence(str(file), int(line), "", str(node))
        for file, line, node in zip(first["file"], first["line"].fillna(0), first["node"], strict=True)
    )


def _sign(kind: str, virtual: Virtual, real: Real, count: int, evidence: tuple[Evidence, ...]) -> Sign:
    node, protocol, address, port = virtual
    return Sign(kind, node, f"{protocol}/{end_point(address, port)}", end_point(*real), count, evidence)  # type: ignore[arg-type]
