"""Verdicts of many connections by few walks: alike ways (`ways.py`) share one, with the names exchanged.

The verdict is that of `verdict.trace`, which stays the reference: the choices a walk would make are told beforehand, one way of
each kind is walked with these choices made for it, and the paths are combined as those of one walk. Where a way turns out to
meet something its key did not name (another address, another choice), nobody shares it and the connection is walked alone.
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence, Set
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import lru_cache
from types import MappingProxyType

from analyzer.forwarding.entry_classes import EntryClasses
from analyzer.forwarding.journey import LB_PROXY_ADDRESS, Crossing
from analyzer.forwarding.model import CLIENT_PORT, Choice, Outcome, Packet, Path, Source, Target, Verdict
from analyzer.forwarding.node_facts import Unlike
from analyzer.forwarding.state import RealServer, ServerKey, VirtualServer
from analyzer.forwarding.verdict import combine, explore, trace
from analyzer.forwarding.walk import Walk
from analyzer.forwarding.ways import Way, Ways
from analyzer.forwarding.world import Backend, LoadBalancer, World

Role = tuple[str, int, int]
"""What a name is in a way: (node | own | address | pod | hosted | port, which, which of its own addresses)."""
MANY = 100_000
"""Verdict patterns kept; beyond, the oldest are made again."""
WAYS = 150_000
"""Ways told together, node by node (1 KB each)."""


Cell = tuple[Source, Target]
Text = tuple[str | Role, ...]
"""A text in which names are roles."""
Pattern = tuple[Verdict, tuple[tuple[int, Role], ...], tuple[tuple[int, Role], ...], tuple[tuple[int, Text], ...]]
"""A verdict, and its servers, sources and missing inputs as (kind of way, role)."""


@dataclass(frozen=True, slots=True)
class Bunch:
    """A way, and the other backends (of `live`) over which there is one that a walk cannot tell from it."""

    way: Way
    alike: Sequence[int] = ()
    live: Sequence[Backend] = ()


class PinnedWalk(Walk):
    """A walk whose backend and real server are those of a way; the choice is noted as any other, with one option."""

    def __init__(self, world: World, way: Way, script: tuple[int, ...]) -> None:
        super().__init__(world, way.source, way.target, script)
        self.way = way
        self.picked = False

    def pick(self, server: VirtualServer, name: str, crossing: Crossing) -> RealServer:
        way = self.way
        if (
            self.picked
            or way.real is None
            or way.server != (crossing.node, (server.protocol, server.address, server.port))
        ):
            raise Unlike(f"a real server of {name} on {crossing.node}")
        self.picked = True
        self.choices.append(Choice("real-server", "", 1, 0))
        self.also = ()
        return way.real

    def pick_backend(self, balancer: LoadBalancer, port: int, live: Sequence[Backend]) -> Backend:
        if self.way.backend is None or balancer.address != self.way.target.address:
            raise Unlike(f"a backend of {balancer.address}")
        self.choices.append(Choice("backend", "", 1, 0))
        return self.way.backend

    def pick_endpoint(self, places: object, what: str) -> int:
        raise Unlike(what)

    def vip_outside(self, packet: object, from_node: str) -> object:  # type: ignore[override]
        raise Unlike("where the network sends an external IP is not known")


@dataclass(frozen=True, slots=True)
class Stage:
    """One node's part of a request: the packet as it came in and as it left."""

    node: str
    first: Packet
    last: Packet


@dataclass(frozen=True, slots=True)
class Stages:
    """The nodes a request passes up to where netfilter loses sight of it; `direct` tells that the second follows the first."""

    outcome: Outcome
    nodes: tuple[Stage, ...]
    direct: bool


RolePacket = tuple[str, Role | None, int | None, Role | None, int | None, int]
"""protocol, source role, place of the source port among the way's (null: the client's), destination, its port, mark"""
RoleStage = tuple[Role, RolePacket, RolePacket]


@dataclass(frozen=True, slots=True)
class Kind:
    """What alike ways have in common: their paths, in which servers, sources and inputs are roles."""

    paths: tuple[Path, ...]
    missing: Mapping[str, Text]
    """Input as the paths name it -> its text with roles for names."""
    stages: tuple[tuple[Outcome, tuple[RoleStage, ...], bool], ...] | None = None
    """For each path the nodes its request passes; null where a packet cannot be told by roles."""


def verdict_of(world: World, source: Source, target: Target) -> Verdict:
    """What a client at `source` sees when it dials `target`: the verdict of `trace`, by as few walks as possible."""
    return shared_walks(world).verdict(source, target)


def shared_walks(world: World) -> SharedWalks:
    """The walks made for a world so far."""
    if not isinstance(world.walks, SharedWalks):
        world.walks = SharedWalks(world)
    return world.walks


class SharedWalks:
    """Verdicts for one world."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.ways = Ways(world)
        self.kinds: dict[Hashable, tuple[int, Kind | None]] = {}
        self.walked = 0
        self.alone = 0
        self._known: dict[tuple[Source, Target], Verdict] = {}
        self._patterns = lru_cache(MANY)(self._combined)
        self._by_number: list[Kind | None] = []
        self._captures: dict[str, frozenset[str]] = {}
        self.classes = EntryClasses(self.ways)

    def verdict(self, source: Source, target: Target) -> Verdict:
        """The same as ``trace(world, source, target).verdict``."""
        key = (source, target)
        known = self._known.get(key)
        if known is None:
            try:
                known = self._shared(source, target)
            except Unlike:
                self.alone += 1
                known = trace(self.world, source, target).verdict
            self._known[key] = known
        return known

    def prepare(
        self,
        cells: Iterable[Cell],
        entries: Mapping[Cell, Set[str] | None] = MappingProxyType({}),
        *,
        verdicts: bool = True,
    ) -> None:
        """Tell the ways of many connections, where not all node states can be kept: each node is asked everything at once.

        Args:
            entries: of a connection over a load balancer only the ways over these nodes.
            verdicts: whether verdicts will be asked for, which takes one of all backends that are alike.
        """
        asked = self.classes.tell(cells) if verdicts else list(cells)
        places: dict[str, dict[ServerKey, None]] = {}
        for cell in asked:
            only = entries.get(cell)
            with suppress(Unlike):
                for node, key in self.ways.entries(*cell):
                    if only is None or node in only:
                        places.setdefault(node, {})[key] = None
        for node, keys in places.items():
            for key in keys:
                self.ways.served(node, key)
            with suppress(Unlike):
                self.ways.facts(node)
        ways: list[Way] = []
        for cell in asked:
            with suppress(Unlike):
                ways += self.ways.of(*cell, entries.get(cell))
            if len(ways) > WAYS:
                self._tell(ways)
                ways = []
        for cell, classes in self.classes.of.items() if verdicts else ():
            with suppress(Unlike):
                ways += (bunch.way for bunch in self._bunches(*cell, classes))
        self._tell(ways)

    def _bunches(self, source: Source, target: Target, classes: Sequence[Sequence[int]]) -> Iterator[Bunch]:
        """The ways over one backend of each class."""
        start, live = self.ways.balanced(source, target) or ("", ())
        for indexes in classes:
            for way in self.ways.over(source, target, start, indexes[0], live[indexes[0]]):
                yield Bunch(way, indexes[1:], live)

    def _tell(self, ways: Sequence[Way]) -> None:
        """Find the kinds of some ways: first what their keys ask, node by node, then the keys."""
        questions: dict[str, dict[tuple[str, str, int, tuple[int, ...]], None]] = {}
        pairs: dict[str, dict[str, None]] = {}
        for way in ways:
            with suppress(Unlike):
                asked = dict.fromkeys(self.ways.questions(way))
                for node in way.nodes:
                    questions.setdefault(node, {}).update(asked)
                    pairs.setdefault(node, {}).update(dict.fromkeys(way.nodes))
        later: list[tuple[str, str]] = []
        for node, own in questions.items():
            with suppress(Unlike):
                facts = self.ways.facts(node)
                for question in own:
                    with suppress(Unlike):
                        facts.spot(*question)
                for other in pairs[node]:
                    if not self.ways.is_known(other):
                        later.append((node, other))
                    elif other != node:
                        with suppress(Unlike):
                            facts.neighbour(self.ways.facts(other))
        for node, other in later:
            with suppress(Unlike):
                self.ways.facts(node).neighbour(self.ways.facts(other))
        for way in ways:
            with suppress(Unlike):
                self._kind(way)

    def stages(self, source: Source, target: Target, entries: Set[str] | None = None) -> tuple[Stages, ...]:
        """What each path of the connection does on the nodes of its request, as conntrack there would record it.

        Args:
            entries: of a connection over a load balancer only the paths over these nodes need be told.
        """
        try:
            found = []
            for way in self.ways.of(source, target, entries):
                kind = self._by_number[self._kind(way)]
                if kind is None or kind.stages is None:
                    raise Unlike("packets that cannot be told by roles")
                for outcome, stages, direct in kind.stages:
                    nodes = tuple(
                        Stage(self._name(way, node), self._packet(way, first), self._packet(way, last))
                        for node, first, last in stages
                    )
                    found.append(Stages(outcome, nodes, direct))
            return tuple(dict.fromkeys(found))
        except Unlike:
            return tuple(dict.fromkeys(stages_of(path) for path in trace(self.world, source, target).paths))

    def _packet(self, way: Way, packet: RolePacket) -> Packet:
        protocol, src, sport, dst, dport, mark = packet
        return Packet(
            protocol, self._name(way, src) if src else "", CLIENT_PORT if sport is None else way.ports[sport],
            self._name(way, dst) if dst else "", CLIENT_PORT if dport is None else way.ports[dport], mark,
        )  # fmt: skip

    def _stages(
        self, way: Way, paths: tuple[Path, ...], names: Mapping[Role, str]
    ) -> tuple[tuple[Outcome, tuple[RoleStage, ...], bool], ...] | None:
        """The stages of some paths in roles."""

        def role(packet: Packet) -> RolePacket:
            ports = [None if port == CLIENT_PORT else way.ports.index(port) for port in (packet.sport, packet.dport)]
            addresses = (self._address(packet.src, names), self._address(packet.dst, names))
            return (packet.protocol, addresses[0], ports[0], addresses[1], ports[1], packet.mark)

        found = []
        try:
            for path in paths:
                told = stages_of(path)
                nodes = tuple(
                    (("node", way.nodes.index(stage.node), 0), role(stage.first), role(stage.last))
                    for stage in told.nodes
                )
                found.append((told.outcome, nodes, told.direct))
        except (ValueError, Unlike):
            return None
        return tuple(found)

    def _shared(self, source: Source, target: Target) -> Verdict:
        groups: dict[int, list[Bunch]] = {}
        classes = self.classes.of.get((source, target))
        bunches = (
            map(Bunch, self.ways.of(source, target)) if classes is None else self._bunches(source, target, classes)
        )
        for bunch in bunches:
            groups.setdefault(self._kind(bunch.way), []).append(bunch)
        verdict, servers, seen, missing = self._patterns(
            tuple((number, ways[0].way.backend_index, ways[0].way.real_index) for number, ways in groups.items())
        )
        inputs: set[str] = set()
        for number, pieces in missing:
            roles = tuple(piece for piece in pieces if not isinstance(piece, str))
            for named in self._named(groups[number], roles):
                left = iter(named)
                inputs.add("".join([piece if isinstance(piece, str) else next(left) for piece in pieces]))
        return Verdict(
            verdict.outcome,
            verdict.outcomes,
            tuple(sorted({one for number, role in servers for (one,) in self._named(groups[number], (role,))})),
            tuple(sorted({one for number, role in seen for (one,) in self._named(groups[number], (role,))})),
            verdict.mechanism,
            verdict.mechanisms,
            verdict.confidence,
            tuple(sorted(inputs)) if missing else verdict.missing,
            verdict.layer,
        )

    def _named(self, bunches: Sequence[Bunch], roles: tuple[Role, ...]) -> set[tuple[str, ...]]:
        """The names that some roles have in all ways of these bunches."""
        found = {tuple([self._name(bunch.way, role) for role in roles]) for bunch in bunches}
        for bunch in bunches:
            if bunch.alike and any(_of_entry(bunch.way, role) for role in roles):
                found.update(tuple([self._name(way, role) for role in roles]) for way in self._members(bunch))
        return found

    def _members(self, bunch: Bunch) -> Iterator[Way]:
        """The ways that the one of a bunch stands for, by what their names are made of."""
        way = bunch.way
        for index in bunch.alike:
            backend = bunch.live[index]
            entry = self.ways.owner(backend.address)
            end = entry if way.end == way.entry else way.end
            yield Way(way.source, way.target, way.start, entry, end, backend, index, way.real, way.real_index)

    def _combined(self, ways: tuple[tuple[int, int, int], ...]) -> Pattern:
        """One verdict over the kinds of ways a connection has; its names are roles in ways of a kind."""
        paths: list[Path] = []
        missing: list[tuple[int, Text]] = []
        for number, backend, real in ways:
            kind = self._by_number[number]
            assert kind is not None
            taken = {"backend": backend, "real-server": real}
            for path in kind.paths:
                choices = tuple(replace(one, taken=taken.get(one.kind, one.taken)) for one in path.choices)
                paths.append(
                    replace(
                        path,
                        choices=choices,
                        server=path.server and f"{number}|{path.server}",
                        seen_source=path.seen_source and f"{number}|{path.seen_source}",
                    )
                )
            missing += [(number, pieces) for pieces in kind.missing.values()]
        verdict = combine(paths)
        return verdict, _read(verdict.servers), _read(verdict.seen_source_ips), tuple(missing)

    # ------------------------------------------------------------------ one kind of way

    def _kind(self, way: Way) -> int:
        key = self.ways.key(way)
        found = self.kinds.get(key)
        if found is None:
            found = self.kinds[key] = self._add(way)
        if found[1] is None:
            raise Unlike("met something its key does not name")
        return found[0]

    def _add(self, way: Way) -> tuple[int, Kind | None]:
        self.walked += 1
        try:
            kind: Kind | None = self._walk(way)
        except Unlike:
            kind = None
        self._by_number.append(kind)
        return len(self._by_number) - 1, kind

    def _walk(self, way: Way) -> Kind:
        paths, cut = explore(lambda script: PinnedWalk(self.world, way, script))
        if cut:
            raise Unlike("too many paths")
        names = self._names(way)
        roles: dict[str, Role] = {}
        for role, name in names.items():
            if role[0] != "port":
                roles.setdefault(name, role)
        allowed = {name for role, name in names.items() if role[0] in ("own", "address", "client", "proxy")}
        places = {str(way.source), "network", f"lb:{way.target.address}"}
        places |= {f"node:{name}" for role, name in names.items() if role[0] == "node"}
        places |= {f"external:{name}" for role, name in names.items() if role[0] == "address"}
        places |= {name for role, name in names.items() if role[0] in ("pod", "source")}
        kept = []
        missing: dict[str, Text] = {}
        for path in paths:
            for hop in path.hops:
                if hop.place not in places:
                    raise Unlike(f"passes {hop.place}")
                for step in hop.steps:
                    if {step.packet.src, step.packet.dst} - allowed - {""}:
                        raise Unlike(f"an address in {step.packet}")
            for text in path.missing:
                missing[text] = self._template(way, text, roles, names)
            kept.append(
                replace(
                    path,
                    hops=(),
                    server=_told(self._server(path.server, roles)),
                    seen_source=_told(self._address(path.seen_source, names)),
                    choices=tuple(replace(one, what="") for one in path.choices),
                    values={},
                )
            )
        return Kind(tuple(kept), missing, self._stages(way, paths, names))

    def _server(self, server: str, roles: Mapping[str, Role]) -> Role | None:
        if not server:
            return None
        kind, _, name = server.partition(":")
        role = roles.get(server if kind == "pod" else name)
        if role is None:
            raise Unlike(f"answered by {server}")
        what, which, position = role
        return (f"{kind}.{what}" if kind != "pod" else what, which, position)

    def _address(self, address: str, names: Mapping[Role, str]) -> Role | None:
        if not address:
            return None
        for role, name in names.items():
            if name == address and role[0] in ("address", "client", "own", "proxy"):
                return role
        raise Unlike(f"seen from {address}")

    def _name(self, way: Way, role: Role) -> str:
        """The name that a role has in a way."""
        what, which, position = role
        match what:
            case "pod":
                if position:
                    return self.ways.hosted(way.target.protocol, way.addresses[which], way.ports[which])
                return self.world.pod_by_ip[way.addresses[which]].id
            case "address":
                return way.addresses[which]
            case "own":
                return self.ways.facts(way.nodes[which]).own[position]
            case "node":
                return way.nodes[which]
            case "node.node":
                return f"node:{way.nodes[which]}"
            case "client":
                return self.ways.client(way.source, way.target)
            case "external.address":
                return f"external:{way.addresses[which]}"
            case "proxy":
                return LB_PROXY_ADDRESS
            case "source":
                return f"pod:{way.source.name}"
        return str(way.ports[which])

    def _names(self, way: Way) -> dict[Role, str]:
        """Every name in a way by its role, the more telling one first; `node.` and `external.` ones are servers' names."""
        roles: list[Role] = []
        if self.ways.client(way.source, way.target):
            roles.append(("client", 0, 0))
        if way.source.kind == "pod":
            roles.append(("source", 0, 0))
        for index, (address, port) in enumerate(zip(way.addresses, way.ports, strict=True)):
            roles += [("address", index, 0), ("external.address", index, 0), ("port", index, 0)]
            if address in self.world.pod_by_ip:
                roles.append(("pod", index, 0))
            if self.ways.hosted(way.target.protocol, address, port):
                roles.append(("pod", index, 1))
        for index, node in enumerate(way.nodes):
            roles += [("node", index, 0), ("node.node", index, 0)]
            roles += [("own", index, position) for position in range(len(self.ways.facts(node).own))]
        roles.append(("proxy", 0, 0))
        return {role: self._name(way, role) for role in roles}

    def _template(self, way: Way, text: str, roles: Mapping[str, Role], names: Mapping[Role, str]) -> Text:
        """A missing input with roles for the names in it.

        Raises:
            Unlike: it quotes a line of a node's own capture.
        """
        for node in way.nodes:
            if any(file and file in text for file in self._files(node)):
                raise Unlike(f"a line of a capture of {node}")
        ports = {name: role for role, name in reversed(list(names.items())) if role[0] == "port"}
        words = sorted((name for role, name in names.items() if role[0] in ("node", "pod", "own", "address", "client", "source")),
                       key=len, reverse=True)  # fmt: skip
        pattern = "|".join(map(re.escape, dict.fromkeys(words)))
        whole = rf"(?<![\w.:/-])(?:{pattern})(?![\w-]|\.\w|:\w{{1,4}}:)" if pattern else r"(?!)"
        whole += rf"|(?<=[/:])(?:{'|'.join(ports)})(?!\d)"
        pieces: list[str | Role] = []
        last = 0
        for found in re.finditer(whole, text):
            pieces += [text[last : found.start()], roles.get(found.group()) or ports[found.group()]]
            last = found.end()
        return tuple(piece for piece in (*pieces, text[last:]) if piece)

    def _files(self, node: str) -> frozenset[str]:
        found = self._captures.get(node)
        if found is None:
            captures = self.world.snapshot["captures"]
            found = self._captures[node] = frozenset(captures[captures["node"] == node]["file"].astype(str))
        return found


def stages_of(path: Path) -> Stages:
    """The nodes that a path's request passes, read off its steps."""
    nodes: list[Stage] = []
    places: list[int] = []
    for place, hop in enumerate(path.hops):
        if hop.direction != "request" or not hop.place.startswith("node:") or not hop.steps:
            continue
        if any(step.slug == "ipvs-untracked" for step in hop.steps):
            break  # vs.conntrack=0: netfilter does not know the connection from here on
        nodes.append(Stage(hop.place.removeprefix("node:"), hop.steps[0].packet, hop.steps[-1].packet))
        places.append(place)
    return Stages(path.outcome, tuple(nodes), len(nodes) > 1 and places[1] == places[0] + 1)


def _read(names: tuple[str, ...]) -> tuple[tuple[int, Role], ...]:
    found = []
    for name in names:
        number, _, role = name.partition("|")
        what, which, position = role.split(",")
        found.append((int(number), (what, int(which), int(position))))
    return tuple(found)


def _told(role: Role | None) -> str:
    return "" if role is None else ",".join(map(str, role))


def _of_entry(way: Way, role: Role) -> bool:
    """Whether the name of a role belongs to the node that a load balancer's packets enter."""
    what, which, _ = role
    if what in ("own", "node", "node.node"):
        return way.nodes[which] == way.entry
    return what in ("address", "external.address", "pod") and which == 1
