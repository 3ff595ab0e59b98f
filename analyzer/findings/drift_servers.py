"""Virtual and real servers that a node holds against those it should hold.

Thousands of nodes hold tens of thousands of rows each, and nearly all are as expected. So each virtual server's real servers
are first compared as a whole, by a sum over their numbers; rows become values only where the sums differ.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping
from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING, Any, NamedTuple
from weakref import WeakKeyDictionary

from analyzer.evidence import Evidence
from analyzer.findings.drift_model import Drift, Kind
from analyzer.kubeproxy import Expected, ExpectedServer
from analyzer.kubeproxy.printed import endpoint, flags
from analyzer.snapshot import Snapshot
from analyzer.snapshot.objects import columns

if TYPE_CHECKING:
    import pandas as pd

Key = tuple[str, str, int]
Reals = Mapping[tuple[str, int], tuple[int | None, str, int]]
"""(address, port) -> weight, file, line"""
_REAL = ("vs_protocol", "vs_address", "vs_port", "address", "port", "weight", "file", "line")
_M1, _M2 = 0xBF58476D1CE4E5B9, 0x94D049BB133111EB
_WORD = (1 << 64) - 1
_SALT = secrets.randbits(64)
"""Of this process: nobody can make a bundle whose different sets have one sum. No result depends on it."""


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
    names = ("protocol", "address", "port", "scheduler", "scheduler_flags", "persistence_s", "file", "line")
    return {
        (protocol or "", address, port): Row(scheduler or "", marks or "", persistence, file or "", line or 0)
        for protocol, address, port, scheduler, marks, persistence, file, line in columns(virtual, *names)
        if address and port is not None
    }


class Sums:
    """A number for each set of real servers: the sum of mixed numbers of (address, port), equal for equal sets.

    Addresses are numbered by the endpoints of the cluster. Two different sets have one sum by chance once in 2^64.
    """

    def __init__(self, snapshot: Snapshot) -> None:
        import pyarrow as pa

        listed = dict.fromkeys(one.address for service in snapshot.objects.services for one in service.endpoints)
        self._numbers = {address: number for number, address in enumerate(listed)}
        self._addresses = pa.array(list(listed), pa.large_string())
        self._known: dict[tuple[tuple[str, int], ...], tuple[int, int]] = {}

    def of(self, servers: tuple[tuple[str, int], ...]) -> tuple[int, int]:
        """How many, and their sum."""
        found = self._known.get(servers)
        if found is None:
            distinct = set(servers)
            numbers = [self._numbers.get(address, -1) << 16 | port for address, port in distinct]
            found = self._known[servers] = (len(distinct), sum(map(_mixed, numbers)) & _WORD)
        return found

    def captured(self, real: pd.DataFrame | None) -> dict[Key, tuple[int, int]]:
        """The same of each captured virtual server; (-1, 0) where rows have to be looked at: weight 0, unknown addresses."""
        import numpy as np
        import pyarrow as pa
        import pyarrow.compute as pc

        from analyzer.forwarding.captured_servers import runs

        if real is None or not len(real):
            return {}
        numbers = pc.index_in(pa.array(real["address"].array).cast(pa.large_string()), value_set=self._addresses)
        numbers = np.asarray(pc.fill_null(numbers, -1)).astype(np.int64)
        ports = real["port"].fillna(-1).to_numpy(dtype=np.int64)
        odd = (numbers < 0) | (ports < 0) | (real["weight"] == 0).fillna(False).to_numpy(dtype=np.bool_)
        sums = np.zeros(len(real) + 1, dtype=np.uint64)
        sums[1:] = np.cumsum(_mixed_all((numbers << 16 | ports).astype(np.uint64)), dtype=np.uint64)
        odds = np.concatenate(([0], np.cumsum(odd)))
        found = {}
        for key, places in runs(real).items():
            (begin, end), *others = places
            if others or odds[end] != odds[begin]:
                found[key] = (-1, 0)
            else:
                found[key] = (end - begin, (int(sums[end]) - int(sums[begin])) & _WORD)
        return found


def _mixed(number: int) -> int:
    """splitmix64's finalizer: every bit of the number changes half of the bits."""
    number = (number ^ _SALT) & _WORD
    number = (number ^ number >> 30) * _M1 & _WORD
    number = (number ^ number >> 27) * _M2 & _WORD
    return number ^ number >> 31


def _mixed_all(numbers: Any) -> Any:
    import numpy as np

    numbers = numbers ^ np.uint64(_SALT)
    numbers = (numbers ^ numbers >> np.uint64(30)) * np.uint64(_M1)
    numbers = (numbers ^ numbers >> np.uint64(27)) * np.uint64(_M2)
    return numbers ^ numbers >> np.uint64(31)


_SUMS: WeakKeyDictionary[Snapshot, Sums] = WeakKeyDictionary()


def server_drift(snapshot: Snapshot, node: str, expected: Expected) -> Iterator[Drift]:
    """In the order of the expected servers; what is captured beside them last."""
    own = snapshot.by_node.get(node, {})
    captured = captured_servers(own.get("virtual_servers"))
    sums = _SUMS.get(snapshot)
    if sums is None:
        sums = _SUMS[snapshot] = Sums(snapshot)
    held = sums.captured(own.get("real_servers"))
    captures = own.get("captures", snapshot["captures"])
    plain = set(captures.loc[captures["form"] == "ipvs-proc", "file"].dropna())
    below: dict[Key, dict[tuple[str, int], tuple[int | None, str, int]]] | None = None
    for key, server in expected.servers.items():
        row = captured.get(key)
        if row is None:
            yield Drift("virtual-server-missing", node, server.service, name_of(key), "", server.evidence[:1])
            continue
        yield from _flags(node, expected, server, row, plain=row.file in plain)
        if key in expected.contested:  # any of the Services may have won (F9)
            continue
        if held.get(key, (0, 0)) == sums.of(server.real_servers):
            continue
        if below is None:
            below = _below(own.get("real_servers"))
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
    """Scheduler, its flags and the persistence, as far as the capture prints them and the configuration is known.

    `plain`: /proc/net/ip_vs, which prints no scheduler flags, and the persistence in other units on old kernels.
    """
    scheduler, persistence = row.scheduler, row.persistence_s
    if not scheduler:
        return
    known = "configuration" not in expected.undecided
    named = [one.strip() for one in row.flags.split(",") if one.strip()] if row.flags else []
    if scheduler in ("sh", "mh"):  # as ipvsadm before 1.30 names them
        named = [{"flag-2": f"{scheduler}-port", "flag-1": f"{scheduler}-fallback"}.get(one, one) for one in named]
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
        evidence = (row.evidence(node), *server.evidence[:1])
        yield Drift("flags-differ", node, server.service, name_of(server.key), f"{held} ≠ {said}", evidence, said, held)
