"""The expected virtual servers of a node as arrays, in their order: first those of VIPs, then nodePorts, each on every address.

What nodes of a kind have in common is turned into numbers once (`Numbers`); a node's own is written over it (`Wanted`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from analyzer.findings.drift_sums import Sums
from analyzer.kubeproxy import ExpectedServer
from analyzer.kubeproxy.servers import Common, Line, NodeServers
from analyzer.kubeproxy.versions import family_of
from analyzer.snapshot.arrow_columns import coded, integers

if TYPE_CHECKING:
    from analyzer.snapshot.arrow_columns import Flags, Ints

Key = tuple[str, str, int]
Settings = tuple[str, tuple[str, ...], int | None]
"""Scheduler, its flags, persistence in seconds"""
NO_KEY, NOT_EXPECTED = -2, -1
"""Instead of a position: rows that name no virtual server, and rows that name one that is not expected"""
_PORTS, _PROTOCOLS = 1 << 16, 1 << 8


def settings_of(server: ExpectedServer | Line) -> Settings:
    return server.scheduler, tuple(server.flags), server.persistence_s


class Numbers:
    """What nodes of a kind have in common. Not `sound`: keys that have no number, so that nothing can be told by numbers."""

    def __init__(self, common: Common, sums: Sums) -> None:
        import numpy as np

        self.common, self.sums = common, sums
        self.keys = list(common.servers)
        self.position = {key: place for place, key in enumerate(self.keys)}
        self.addresses = {"": NO_KEY, **_numbered(address for _, address, _ in self.keys)}
        self.protocols = _numbered([*(key[0] for key in self.keys), *(line.protocol for line in common.lines)])
        self.settings: dict[Settings, int] = {}
        ports = [*(key[2] for key in self.keys), *(line.port for line in common.lines)]
        self.sound = all(0 <= port < _PORTS for port in ports) and len(self.protocols) < _PROTOCOLS
        self.servers = self.rows([self.row(one) for one in common.servers.values()])
        self.lines = {
            family: self.rows([self.line_row(line, family) for line in common.lines]) for family in (4, 6)
        }  # fmt: skip
        if self.sound:
            packed = [self.packed(self.addresses[key[1]], self.protocols[key[0]], key[2]) for key in self.keys]
            self.sorted, self.order = _sorted(np.array(packed, dtype=np.int64))
            packed = [self.packed(0, self.protocols[line.protocol], line.port) for line in common.lines]
            self.sorted_lines, self.line_order = _sorted(np.array(packed, dtype=np.int64))

    def row(self, server: ExpectedServer) -> tuple[int, int, int]:
        """How many real servers, their sum, the settings."""
        return *self.sums.of(server.real_servers), self.setting(server)

    def line_row(self, line: Line, family: int) -> tuple[int, int, int] | None:
        """The same of a nodePort on addresses of the family, where it is open on them."""
        return (*self.sums.of(line.choices[family][0]), self.setting(line)) if family in line.choices else None

    def setting(self, server: ExpectedServer | Line) -> int:
        return self.settings.setdefault(settings_of(server), len(self.settings))

    @staticmethod
    def rows(rows: Sequence[tuple[int, int, int] | None]) -> tuple[Ints, Any, Ints, Flags]:
        """As columns, and which rows there are."""
        import numpy as np

        filled = [row or (0, 0, 0) for row in rows]
        return (
            np.array([row[0] for row in filled], dtype=np.int64),
            np.array([row[1] for row in filled], dtype=np.uint64),
            np.array([row[2] for row in filled], dtype=np.int64),
            np.array([row is not None for row in rows], dtype=np.bool_),
        )

    @staticmethod
    def packed(address: Any, protocol: Any, port: Any) -> Any:
        return (address * _PROTOCOLS + protocol) * _PORTS + port


class Wanted:
    """Those of one node: how many real servers, their sums, settings, which exist, which several Services claim."""

    def __init__(self, numbers: Numbers, servers: NodeServers, contested: Iterable[Key]) -> None:
        import numpy as np

        self.numbers, self.opened, self.first = numbers, servers.opened, len(numbers.keys)
        lines = [numbers.lines[family_of(address)] for address in servers.opened]
        self.counts, self.sums, self.settings, self.exists = (
            np.concatenate([of_vips, *([np.stack(of_lines, axis=1).ravel()] if of_lines else [])])
            for of_vips, *of_lines in zip(numbers.servers, *lines, strict=True)
        )
        self.size = len(self.counts)
        for key, server in servers.own.items():
            self._write(numbers.position[key], numbers.row(server))
        for place, line in servers.own_lines.items():
            for at, address in enumerate(servers.opened):
                self._write(self.first + place * len(self.opened) + at, numbers.line_row(line, family_of(address)))
        self.contested = np.zeros(self.size, dtype=np.bool_)
        self.contested[[numbers.position[key] for key in contested]] = True

    def _write(self, position: int, row: tuple[int, int, int] | None) -> None:
        if row is not None:
            self.counts[position], self.sums[position], self.settings[position] = row

    def key(self, position: int) -> Key:
        if position < self.first:
            return self.numbers.keys[position]
        place, at = divmod(position - self.first, len(self.opened))
        line = self.numbers.common.lines[place]
        return line.protocol, self.opened[at], line.port

    def places(self, protocol: Any, address: Any, port: Any) -> Ints:
        """The position of the virtual server that each row of Arrow columns names, `NOT_EXPECTED` or `NO_KEY`."""
        import numpy as np

        numbers = self.numbers
        vips = len(numbers.keys)
        own = {one: vips + at for at, one in enumerate(self.opened)}
        ids = coded(address, numbers.addresses, -1, NO_KEY, own)
        protocols = coded(protocol, numbers.protocols, -1, -1)
        ports, no_port = integers(port)
        found = np.where(no_port | (ids == NO_KEY), NO_KEY, NOT_EXPECTED)
        fit = (found == NOT_EXPECTED) & (ids >= 0) & (protocols >= 0) & (ports >= 0) & (ports < _PORTS)
        at = np.flatnonzero(fit & (ids < vips))
        found[at] = _find(numbers.sorted, numbers.order, numbers.packed(ids[at], protocols[at], ports[at]))
        at = np.flatnonzero(fit & (ids >= vips))
        lines = _find(numbers.sorted_lines, numbers.line_order, numbers.packed(0, protocols[at], ports[at]))
        places = self.first + lines * len(self.opened) + ids[at] - vips
        found[at] = np.where((lines >= 0) & self.exists[np.where(lines >= 0, places, 0)], places, NOT_EXPECTED)
        return found


def _numbered(values: Iterable[str]) -> dict[str, int]:
    return {value: number for number, value in enumerate(dict.fromkeys(values))}


def _sorted(packed: Ints) -> tuple[Ints, Ints]:
    import numpy as np

    order = np.argsort(packed)
    return packed[order], order


def _find(ordered: Ints, order: Ints, wanted: Ints) -> Ints:
    """Where each wanted number stands in the list that was put in order; -1 for one that does not."""
    import numpy as np

    if not len(ordered):
        return np.full(len(wanted), -1, dtype=np.int64)
    at = np.minimum(np.searchsorted(ordered, wanted), len(ordered) - 1)
    return np.where(ordered[at] == wanted, order[at], -1)
