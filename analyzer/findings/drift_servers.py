"""Virtual and real servers that a node holds against those it should hold, one by one where `drift_doubts` says so."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING, NamedTuple

from analyzer.evidence import Evidence
from analyzer.findings.drift_doubts import REAL_NUMBERS, VIRTUAL_NUMBERS, Captured, doubts
from analyzer.findings.drift_model import Drift, Kind
from analyzer.findings.drift_numbers import Key, Settings, settings_of
from analyzer.kubeproxy import Expected, ExpectedServer
from analyzer.kubeproxy.printed import endpoint, flags
from analyzer.snapshot import Snapshot
from analyzer.snapshot.objects import columns
from analyzer.snapshot.pick import pick

if TYPE_CHECKING:
    import pandas as pd

    from analyzer.snapshot.arrow_columns import Ints

Reals = Mapping[tuple[str, int], tuple[int | None, str, int]]
"""(address, port) -> weight, file, line"""
_VIRTUAL = ("protocol", "address", "port", "scheduler", "scheduler_flags", "persistence_s", "file", "line")
_REAL = ("vs_protocol", "vs_address", "vs_port", "address", "port", "weight", "file", "line")


class Row(NamedTuple):
    """What a captured virtual server's row says."""

    scheduler: str
    flags: str
    persistence_s: int | None
    file: str
    line: int

    def evidence(self, node: str) -> Evidence:
        return Evidence(self.file, self.line, "", node)


def captured_servers(virtual: pd.DataFrame | None) -> dict[Key, Row]:
    """The virtual servers of a node by key; of several rows the last counts."""
    if virtual is None:
        return {}
    return {
        (protocol or "", address, port): Row(scheduler or "", marks or "", persistence, file or "", line or 0)
        for protocol, address, port, scheduler, marks, persistence, file, line in columns(virtual, *_VIRTUAL)
        if address and port is not None
    }


def server_drift(snapshot: Snapshot, node: str, expected: Expected) -> Iterator[Drift]:
    """In the order of the expected servers; what is captured beside them last."""
    own = snapshot.by_node.get(node, {})
    captures = own["captures"] if "captures" in own else snapshot["captures"]
    plain = {file for form, file in columns(captures, "form", "file") if form == "ipvs-proc" and file}
    known = "configuration" not in expected.undecided

    def differs(wanted: Settings, captured: Captured) -> bool:
        return wanted != readings(wanted, *captured, known=known)

    virtual = pick(own, "virtual_servers", VIRTUAL_NUMBERS + (("file",) if plain else ()))
    real = pick(own, "real_servers", REAL_NUMBERS)
    found = doubts(snapshot, expected, virtual, real, plain, differs) if virtual is not None and len(virtual) else None
    if found is None:
        whole = pick(own, "virtual_servers", _VIRTUAL), pick(own, "real_servers", _REAL)
        return compared(node, expected, expected.servers, *whole, plain)
    rows = _rows(own, "virtual_servers", _VIRTUAL, found.virtual), _rows(own, "real_servers", _REAL, found.real)
    return compared(node, expected, found.servers, *rows, plain)


def _rows(own: Mapping[str, pd.DataFrame], table: str, names: tuple[str, ...], rows: Ints) -> pd.DataFrame | None:
    """Some rows of a table, which is read again with the columns that say where they stand."""
    frame = pick(own, table, names) if len(rows) else None
    return None if frame is None else frame.iloc[rows]


def compared(
    node: str,
    expected: Expected,
    servers: Mapping[Key, ExpectedServer],
    virtual: pd.DataFrame | None,
    real: pd.DataFrame | None,
    plain: AbstractSet[str],
) -> Iterator[Drift]:
    """Some expected servers against the captured rows about them, one by one; then what is captured beside all expected ones."""
    captured, below = captured_servers(virtual), _below(real)
    for key, server in servers.items():
        row = captured.get(key)
        if row is None:
            yield Drift("virtual-server-missing", node, server.service, name_of(key), "", server.evidence[:1])
            continue
        yield from _flags(node, expected, server, row, plain=row.file in plain)
        if key not in expected.contested:  # else any of the Services may have won (F9)
            yield from _reals(node, server, row.evidence(node), below.get(key, {}))
    for key, row in captured.items():
        if key not in expected.servers and not excluded(expected, key[1]):
            yield Drift("virtual-server-extra", node, "", name_of(key), "", (row.evidence(node),))


def excluded(expected: Expected, address: str) -> bool:
    """excludeCIDRs: virtual servers there belong to somebody else, kube-proxy leaves them."""
    for cidr in expected.excluded:
        try:
            if ip_address(address) in ip_network(cidr, strict=False):
                return True
        except ValueError:
            continue
    return False


def name_of(key: Key) -> str:
    return f"{key[0]}/{key[1]}:{key[2]}"


def _below(real: pd.DataFrame | None) -> dict[Key, dict[tuple[str, int], tuple[int | None, str, int]]]:
    found: dict[Key, dict[tuple[str, int], tuple[int | None, str, int]]] = {}
    for protocol, vip, port, address, real_port, weight, file, line in (
        columns(real, *_REAL) if real is not None else ()
    ):
        if vip and port is not None and address and real_port is not None:
            found.setdefault((protocol or "", vip, port), {})[(address, real_port)] = (weight, file or "", line or 0)
    return found


def _reals(node: str, server: ExpectedServer, here: Evidence, held: Reals) -> Iterator[Drift]:
    wanted = set(server.real_servers)
    name = name_of(server.key)
    for real, (weight, file, line) in held.items():
        if real in wanted and weight != 0:
            continue
        detail = endpoint(*real)
        where = Evidence(file, line, "", node)
        if real not in wanted:
            kind: Kind = "real-server-draining" if weight == 0 else "real-server-stale"
            yield Drift(kind, node, server.service, name, detail, (here, where, *server.evidence[:1]))
        elif weight == 0:
            evidence = (here, where, *server.evidence[:1])
            yield Drift("real-server-weight-0", node, server.service, name, detail, evidence, "1", "0")
    for real in sorted(wanted - held.keys()):
        evidence = (here, *server.evidence[:2])
        yield Drift("real-server-missing", node, server.service, name, endpoint(*real), evidence)


def _flags(node: str, expected: Expected, server: ExpectedServer, row: Row, *, plain: bool) -> Iterator[Drift]:
    wanted = settings_of(server)
    known = "configuration" not in expected.undecided
    found = readings(wanted, row.scheduler, row.flags, row.persistence_s, plain, known=known)
    if wanted != found:
        said, held = flags(*wanted), flags(*found)
        evidence = (row.evidence(node), *server.evidence[:1])
        yield Drift("flags-differ", node, server.service, name_of(server.key), f"{held} ≠ {said}", evidence, said, held)


def readings(
    wanted: Settings, scheduler: str | None, marks: str | None, persistence: int | None, plain: bool, *, known: bool
) -> Settings:
    """Scheduler, its flags and the persistence, as far as the capture prints them and the configuration is known.

    `plain`: /proc/net/ip_vs, which prints no scheduler flags, and the persistence in other units on old kernels.
    """
    if not scheduler:
        return wanted
    named = [one.strip() for one in (marks or "").split(",") if one.strip()]
    if scheduler in ("sh", "mh"):  # as ipvsadm before 1.30 names them
        named = [{"flag-2": f"{scheduler}-port", "flag-1": f"{scheduler}-fallback"}.get(one, one) for one in named]
    if plain and (persistence is None) == (wanted[2] is None):
        persistence = wanted[2]
    return (
        scheduler if known else wanted[0],
        wanted[1] if plain or not known else tuple(named),
        persistence,
    )
