"""The virtual servers of one node: those that all nodes of its kind have, its own, and nodePorts on its addresses.

Thousands of nodes have tens of thousands of virtual servers each that differ by the node's addresses only; those of nodePorts
are made when they are asked for.
"""

from __future__ import annotations

from collections.abc import Hashable, ItemsView, Iterator, Mapping, ValuesView
from dataclasses import dataclass, field

from analyzer.kubeproxy.builder import Choice
from analyzer.kubeproxy.model import ExpectedServer, ServerKey
from analyzer.kubeproxy.versions import family_of


@dataclass(frozen=True)
class Line:
    """A nodePort of a Service: all that its virtual servers on the addresses of a node have in common.

    `choices` are its real servers by address family.
    """

    protocol: str
    port: int
    service: str
    scheduler: str
    persistence_s: int | None
    flags: tuple[str, ...]
    choices: Mapping[int, Choice]

    def server(self, address: str) -> ExpectedServer:
        real, evidence, _ = self.choices[family_of(address)]
        return ExpectedServer(
            self.protocol, address, self.port, "node-port", self.service, self.scheduler, self.persistence_s, real,
            evidence, self.flags,
        )  # fmt: skip


@dataclass(frozen=True, eq=False)
class Common:
    """What the nodes of a kind share: virtual servers of VIPs, and nodePorts with their (protocol, port) -> position."""

    servers: Mapping[ServerKey, ExpectedServer]
    lines: tuple[Line, ...]
    places: Mapping[tuple[str, int], int] = field(init=False)

    def __post_init__(self) -> None:
        places = {(line.protocol, line.port): place for place, line in enumerate(self.lines)}
        object.__setattr__(self, "places", places)


@dataclass(frozen=True, eq=False)
class NodeServers(Mapping[ServerKey, ExpectedServer]):
    """`own` and `own_lines` (by position) stand for those of the same key; `opened` are the addresses nodePorts are on.

    No address of `opened` is that of another virtual server, and no two lines have one protocol and port.
    """

    common: Common
    own: Mapping[ServerKey, ExpectedServer]
    own_lines: Mapping[int, Line]
    opened: tuple[str, ...]

    def __getitem__(self, key: ServerKey) -> ExpectedServer:
        found = self.own.get(key) or self.common.servers.get(key)
        if found is not None:
            return found
        protocol, address, port = key
        line = self.line(self.common.places[protocol, port])
        if address not in self.opened or family_of(address) not in line.choices:
            raise KeyError(key)
        return line.server(address)

    def line(self, place: int) -> Line:
        return self.own_lines.get(place) or self.common.lines[place]

    def __contains__(self, key: object) -> bool:
        if key in self.common.servers:
            return True
        if not isinstance(key, tuple) or len(key) != 3 or key[1] not in self.opened:
            return False
        place = self.common.places.get((key[0], key[2]))
        return place is not None and family_of(key[1]) in self.common.lines[place].choices

    def items(self) -> ItemsView[ServerKey, ExpectedServer]:
        return dict(self._pairs()).items()

    def values(self) -> ValuesView[ExpectedServer]:
        return dict(self._pairs()).values()

    def _pairs(self) -> Iterator[tuple[ServerKey, ExpectedServer]]:
        own = self.own
        for key, server in self.common.servers.items():
            yield key, own.get(key, server)
        for place, address in self.node_ports():
            server = self.line(place).server(address)
            yield server.key, server

    def node_ports(self) -> Iterator[tuple[int, str]]:
        """(position of a line, address) in order."""
        by_families: dict[Hashable, tuple[str, ...]] = {}
        for place, line in enumerate(self.common.lines):
            families = frozenset(line.choices)
            if families not in by_families:
                by_families[families] = tuple(one for one in self.opened if family_of(one) in families)
            for address in by_families[families]:
                yield place, address

    def __iter__(self) -> Iterator[ServerKey]:
        yield from self.common.servers
        for place, address in self.node_ports():
            line = self.common.lines[place]
            yield line.protocol, address, line.port

    def __len__(self) -> int:
        return len(self.common.servers) + sum(1 for _ in self.node_ports())
