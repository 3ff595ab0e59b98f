"""Load balancers with thousands of nodes behind them: nodes whose ways are alike, told before any way is made.

A connection over such a balancer has as many ways as nodes times real servers. What the key of a way (`Ways.key`) says of the
node it enters is read off here node by node, and becomes one number for each backend; backends with equal numbers have equal
keys, real server by real server. Then the ways of one backend of each class stand for those of all.
"""

from __future__ import annotations

from array import array
from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from analyzer.forwarding.journey import LB_PROXY_ADDRESS
from analyzer.forwarding.model import Source, Target
from analyzer.forwarding.node_facts import Remembered, Unlike, interned
from analyzer.forwarding.state import RealServer
from analyzer.forwarding.ways import Ways
from analyzer.forwarding.world import Backend, NodeBackends

WIDE = 64
"""Backends from which on classes are told first."""
Places = tuple[tuple[str, int], ...]


@dataclass(slots=True)
class Cell:
    """A connection over a load balancer, and the number of each of its backends."""

    source: Source
    target: Target
    start: str
    client: str
    proxied: bool
    live: Sequence[Backend]
    at: dict[str, list[int]]
    """Node -> its backends."""
    numbers: array[int] = field(init=False)
    lists: array[int] = field(init=False)
    """The list of real servers of each backend."""

    def __post_init__(self) -> None:
        self.numbers = array("q", [-1]) * len(self.live)
        self.lists = array("q", [-1]) * len(self.live)

    def classes(self) -> list[list[int]]:
        """Backends in classes, in the order of the first of each."""
        found: dict[int, list[int]] = {}
        for index, number in enumerate(self.numbers):
            found.setdefault(number, []).append(index)
        return list(found.values())


class EntryClasses:
    """The classes of the connections of one world."""

    def __init__(self, ways: Ways) -> None:
        self.ways = ways
        self.of: dict[tuple[Source, Target], list[list[int]]] = {}
        self._lists: list[tuple[tuple[RealServer, ...], tuple[str, ...]]] = []
        """Lists of real servers, and the node of each one."""
        self._list_numbers: dict[tuple[RealServer, ...], int] = {}
        self._at: dict[int, tuple[Sequence[object], dict[str, list[int]]]] = {}

    def tell(self, asked: Iterable[tuple[Source, Target]]) -> list[tuple[Source, Target]]:
        """Find the classes of those connections that have many backends; gives the other ones."""
        cells: list[Cell] = []
        others = []
        for source, target in asked:
            cell = self._cell(source, target)
            if cell is None:
                others.append((source, target))
            else:
                cells.append(cell)
        for node in dict.fromkeys(node for cell in cells for node in cell.at):
            self._entered(node, cells)
        ends: dict[str, dict[int, Cell]] = {}
        for cell in cells:
            nodes = {end for number in set(cell.lists) if number >= 0 for end in self._lists[number][1]}
            for node in sorted({*nodes, cell.start} - {""}):
                ends.setdefault(node, {})[id(cell)] = cell
        for node, own in ends.items():
            self._passed(node, own.values())
        for cell in cells:
            self.of[(cell.source, cell.target)] = cell.classes()
        return others

    def _cell(self, source: Source, target: Target) -> Cell | None:
        try:
            found = self.ways.balanced(source, target)
        except Unlike:
            return None
        if found is None or len(found[1]) < WIDE:
            return None
        start, live = found
        at = self._places(live)
        if "" in at:  # a backend that no node of the bundle is
            return None
        listener = self.ways.world.load_balancers[target.address].listener(target.protocol, target.port)
        return Cell(
            source, target, start, self.ways.client(source, target), listener is not None and listener.layer7, live, at
        )

    def _places(self, live: Sequence[Backend]) -> dict[str, list[int]]:
        """Node -> its backends; listeners over the same nodes share it."""
        shared: Sequence[object] = live.nodes if isinstance(live, NodeBackends) else live
        known = self._at.get(id(shared))
        if known is None:
            places: dict[str, list[int]] = {}
            for index, backend in enumerate(live):
                places.setdefault(self.ways.owner(backend.address), []).append(index)
            known = self._at[id(shared)] = (shared, places)
        return known[1]

    # ------------------------------------------------------------------ what the node says that is entered

    def _entered(self, node: str, cells: Sequence[Cell]) -> None:
        """One node's part of its backends' numbers."""
        try:
            facts = self.ways.facts(node)
        except Unlike:
            for cell in cells:
                for index in cell.at.get(node, ()):
                    cell.numbers[index] = interned(self.ways.table, ("no ways", node))
            return
        for cell in cells:
            for index in cell.at.get(node, ()):
                number = self._list(node, cell, cell.live[index])
                cell.lists[index] = number
                cell.numbers[index] = interned(
                    self.ways.table, tuple(self._at_entry(facts, cell, cell.live[index], number))
                )

    def _list(self, node: str, cell: Cell, backend: Backend) -> int:
        server = self.ways.live(node, (cell.target.protocol, backend.address, backend.port))
        number = self._list_numbers.get(server)
        if number is None:
            number = self._list_numbers[server] = len(self._lists)
            self._lists.append((server, tuple(self.ways.owner(real.address) for real in server)))
        return number

    def _at_entry(self, facts: Remembered, cell: Cell, backend: Backend, number: int) -> Iterator[Hashable]:
        protocol = cell.target.protocol
        reals, ends = self._lists[number]
        yield facts.core
        yield number
        yield backend.port
        yield facts.name == cell.start
        yield tuple(end == facts.name for end in ends)
        asked: dict[tuple[str, int, tuple[int, ...]], int] = {}
        for real in reals or (None,):
            places, ports = self._of(cell, backend, real)
            addresses = [address for address, _ in places]
            yield tuple(map(addresses.index, addresses))
            for address, port in places:
                fact, owner = self._world_spot(protocol, address, port)
                yield fact if address == backend.address else None
                yield owner == facts.name
                said = asked.get((address, port, ports))
                if said is None:
                    said = asked[(address, port, ports)] = _asked(facts, protocol, address, port, ports)
                yield said
        for other in sorted({*ends, cell.start} - {"", facts.name}):
            yield (other, self._neighbour(facts, other))

    def _of(self, cell: Cell, backend: Backend, real: RealServer | None) -> tuple[Places, tuple[int, ...]]:
        """The addresses and ports of a way, and its ports."""
        ports: tuple[int, ...] = (cell.target.port, backend.port or cell.target.port)
        places: Places = ((cell.target.address, ports[0]), (backend.address, ports[1]))
        if real is not None:
            ports = (*ports, real.port or ports[1])
            places = (*places, (real.address, ports[2]))
        if cell.client:
            places = (*places, (cell.client, 0))
        return ((*places, (LB_PROXY_ADDRESS, 0)) if cell.proxied else places), ports

    def _world_spot(self, protocol: str, address: str, port: int) -> tuple[int, str]:
        """`Ways.spot`, -2 where it cannot be told: the representative finds that out too."""
        try:
            return self.ways.spot(protocol, address, port)
        except Unlike:
            return -2, ""

    def _neighbour(self, facts: Remembered, other: str) -> int:
        try:
            return facts.neighbour_now(self.ways.facts(other))
        except Unlike:
            return -2

    # ------------------------------------------------------------------ what the nodes say that are passed besides

    def _passed(self, node: str, cells: Iterable[Cell]) -> None:
        """What the node of the client or of a real server says of the nodes that are entered."""
        try:
            facts = self.ways.facts(node)
        except Unlike:
            return  # no way over this node can be told: its representative finds that out
        neighbours: dict[str, int] = {}
        for cell in cells:
            for entry, indexes in cell.at.items():
                if entry == node:
                    continue
                for index in indexes:
                    said = tuple(self._said(facts, cell, cell.live[index], cell.lists[index]))
                    if said:
                        if entry not in neighbours:
                            neighbours[entry] = self._neighbour(facts, entry)
                        cell.numbers[index] = interned(
                            self.ways.table, (cell.numbers[index], node, neighbours[entry], said)
                        )

    def _said(self, facts: Remembered, cell: Cell, backend: Backend, number: int) -> Iterator[Hashable]:
        if number < 0:
            return
        reals, ends = self._lists[number]
        protocol = cell.target.protocol
        for real, end in zip(reals, ends, strict=True):
            if facts.name in (end, cell.start):
                _, ports = self._of(cell, backend, real)
                yield _asked(facts, protocol, backend.address, ports[1], ports)
        if not reals and facts.name == cell.start:
            _, ports = self._of(cell, backend, None)
            yield _asked(facts, protocol, backend.address, ports[1], ports)


def _asked(facts: Remembered, protocol: str, address: str, port: int, ports: tuple[int, ...]) -> int:
    """`NodeFacts.spot`, -2 where it cannot be told."""
    try:
        return facts.spot_now(protocol, address, port, ports)
    except Unlike:
        return -2
