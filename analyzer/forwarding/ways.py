"""The ways a connection can take, told before they are walked, and what makes two of them alike.

A way is one backend of a load balancer (if one is passed) and one real server. Two ways are alike when a walk cannot tell
them apart: equal facts of the nodes about the addresses and ports that occur, the same of them equal to each other. Then one
walk stands for both, with the names exchanged (`shared.py`).
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence, Set
from dataclasses import dataclass, field
from functools import partial

from analyzer.evidence import Evidence
from analyzer.forwarding.addresses import family_of, is_loopback, is_multicast
from analyzer.forwarding.journey import LB_PROXY_ADDRESS
from analyzer.forwarding.model import Source, Target
from analyzer.forwarding.node_facts import Interned, NodeFacts, Remembered, Unlike, interned
from analyzer.forwarding.state import LiveServer, RealServer, ServerKey
from analyzer.forwarding.world import HOST_STACK, Backend, LbListener, World

NOWHERE = Evidence("", 0)


@dataclass(slots=True)
class Way:
    """What is picked on the way: `backend` and `real` with their place among the candidates, and the node that picks `real`."""

    source: Source
    target: Target
    start: str
    entry: str
    end: str
    backend: Backend | None = None
    backend_index: int = 0
    real: RealServer | None = None
    real_index: int = 0
    server: tuple[str, ServerKey] | None = None

    nodes: tuple[str, ...] = field(init=False)
    addresses: tuple[str, ...] = field(init=False)
    """What is dialled, the backend's and the real server's address; `ports` goes with it."""
    ports: tuple[int, ...] = field(init=False)

    def __post_init__(self) -> None:
        found = [self.start] if self.start else []
        for node in (self.entry, self.end):
            if node and node not in found:
                found.append(node)
        self.nodes = tuple(found)
        addresses, ports = [self.target.address], [self.target.port]
        for one in (self.backend, self.real):
            if one is not None:
                addresses.append(one.address)
                ports.append(one.port or ports[-1])
        self.addresses, self.ports = tuple(addresses), tuple(ports)


class Ways:
    """All ways of a connection, and the key of each: alike ways have equal keys."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.table: Interned = {}
        self._facts: dict[str, Remembered] = {}
        self._owners: dict[str, str] = {}
        self._served: dict[tuple[str, ServerKey], tuple[RealServer, ...]] = {}
        self._lists: dict[tuple[LiveServer, ...], tuple[RealServer, ...]] = {}
        self._spots: dict[tuple[str, str, int], tuple[int, str]] = {}
        self._joint: dict[tuple[str, ...], tuple[tuple[Remembered, ...], int]] = {}

    def facts(self, node: str) -> Remembered:
        found = self._facts.get(node)
        if found is None:
            state = self.world.state(node)
            if state.opaque or state.proxied or state.computed_rules:
                raise Unlike(f"{node} does not forward by IPVS")
            found = self._facts[node] = Remembered(node, partial(self._read, node))
        return found

    def is_known(self, node: str) -> bool:
        """Whether the node was asked before, so that its core and own addresses are at hand."""
        return node in self._facts

    def _read(self, node: str) -> NodeFacts:
        """The facts themselves, which live as long as the state they are read off."""
        state = self.world.state(node)
        if not isinstance(state.facts, NodeFacts):
            state.facts = NodeFacts(state, self.table)
        return state.facts

    # ------------------------------------------------------------------ which ways there are

    def of(self, source: Source, target: Target, entries: Set[str] | None = None) -> Iterator[Way]:
        """Every way, in the order in which a walk would try them.

        Args:
            entries: of a load balancer's backends only those at these nodes.

        Raises:
            Unlike: the walk asks something else first (which node gets an external IP).
        """
        world, address = self.world, target.address
        if is_loopback(address) or is_multicast(address):
            raise Unlike("an address that means another thing on each host")
        over = self.balanced(source, target)
        if over is not None:
            start, live = over
            if not live:
                yield Way(source, target, start, "", "")
            for index, backend in enumerate(live):
                if entries is None or self.owner(backend.address) in entries:
                    yield from self.over(source, target, start, index, backend)
            return
        start = self._start(source)
        if start:
            local = world.state(start).is_local(address)
            if self._is_host(source) or local:
                served = world.state(start).virtual_servers.get((target.protocol, address, target.port))
                if served is not None:
                    yield from self._picks(Way(source, target, start, start, ""), address, target.port)
                    return
            if local:
                yield Way(source, target, start, start, "")
                return
        owner = self.owner(address)
        if not owner and any(kind != "cluster-ip" for _, kind in world.service_addresses.get(address, ())):
            raise Unlike("where the network sends an external IP is not known")
        yield from self._picks(Way(source, target, start, owner, ""), address, target.port)

    def over(self, source: Source, target: Target, start: str, index: int, backend: Backend) -> Iterator[Way]:
        """The ways over one backend of a load balancer."""
        entry = self.owner(backend.address)
        yield from self._picks(Way(source, target, start, entry, "", backend, index), backend.address, backend.port)

    def balanced(self, source: Source, target: Target) -> tuple[str, Sequence[Backend]] | None:
        """The client's node, and the backends that a load balancer may give the connection to; null where none is asked.

        Raises:
            Unlike: see `of`.
        """
        world, address = self.world, target.address
        balancer = world.load_balancers.get(address)
        if balancer is None or self._holder(address) or is_loopback(address) or is_multicast(address):
            return None
        start = self._start(source)
        if start:
            state = world.state(start)
            if state.is_local(address):
                return None
            if self._is_host(source) and (target.protocol, address, target.port) in state.virtual_servers:
                return None
        listener = balancer.listener(target.protocol, target.port)
        return start, world.eligible(listener) if listener is not None else ()

    def _picks(self, way: Way, address: str, port: int) -> Iterator[Way]:
        """The way with each real server of the virtual server at address:port of its entry node."""
        key = (way.target.protocol, address, port)
        live = self.served(way.entry, key) if way.entry else ()
        if not live:
            yield way
        for index, real in enumerate(live):
            end = self.owner(real.address)
            yield Way(way.source, way.target, way.start, way.entry, end, way.backend, way.backend_index, real, index,
                      (way.entry, key))  # fmt: skip

    def served(self, node: str, key: ServerKey) -> tuple[RealServer, ...]:
        """The real servers that a node's virtual server gives connections to, without the lines they stand on."""
        known = self._served.get((node, key))
        if known is None:
            known = self._served[(node, key)] = self.live(node, key)
        return known

    def live(self, node: str, key: ServerKey) -> tuple[RealServer, ...]:
        """The same, not remembered for the node."""
        live = self.world.state(node).virtual_servers.live(key)
        found = self._lists.get(live)
        if found is None:  # nodes list the same ones: equal lists are kept once
            found = self._lists[live] = tuple(RealServer(*one, NOWHERE) for one in live)
        return found

    def entries(self, source: Source, target: Target) -> Iterator[tuple[str, ServerKey]]:
        """The nodes that a load balancer may send the connection to, and what is dialled there; none without one."""
        found = self.balanced(source, target)
        for backend in found[1] if found is not None else ():
            entry = self.owner(backend.address)
            if entry:
                yield entry, (target.protocol, backend.address, backend.port)

    def questions(self, way: Way) -> tuple[tuple[str, str, int, tuple[int, ...]], ...]:
        """What the key of a way asks of each of its nodes."""
        protocol = way.target.protocol
        return tuple((protocol, address, port, way.ports) for address, port in self._places(way)[0])

    def _start(self, source: Source) -> str:
        if source.kind == "node":
            return source.name
        if source.kind == "pod":
            pod = self.world.pods[source.name]
            if not pod.node or pod.data_path not in (*HOST_STACK, "host"):
                raise Unlike("a pod that does not use its node's stack")
            return pod.node
        return ""

    def _is_host(self, source: Source) -> bool:
        return source.kind == "node" or (source.kind == "pod" and self.world.pods[source.name].host_network)

    def _holder(self, address: str) -> str:
        node = self.world.node_by_address.get(address)
        if node is not None:
            return node
        pod = self.world.pod_by_ip.get(address)
        return pod.node if pod is not None else ""

    def owner(self, address: str) -> str:
        """The node that packets for the address go to, empty if no known one."""
        known = self._owners.get(address)
        if known is None:
            known = self._owners[address] = self._holder(address) or self.world.node_for_pod_address(address)
        return known

    # ------------------------------------------------------------------ what makes them alike

    def client(self, source: Source, target: Target) -> str:
        """The address a client starts with; a process of a node takes one of the node's."""
        if source.kind == "external":
            return source.name
        return "" if self._is_host(source) else self.world.pods[source.name].ip(family_of(target.address))

    def key(self, way: Way) -> Hashable:
        """Equal for ways that a walk cannot tell apart.

        Raises:
            Unlike: something about the way cannot be written down so.
        """
        protocol = way.target.protocol
        ports, nodes = way.ports, way.nodes
        places, client, proxied = self._places(way)
        spots: list[int] = []
        for address, port in places:
            fact, owner = self.spot(protocol, address, port)
            spots += (fact, nodes.index(owner) if owner in nodes else -1)
        facts, joint = self._together(nodes)
        for one in facts:
            for address, port in places:
                spots.append(one.spot(protocol, address, port, ports))
        real, server = way.real, way.server
        return (
            way.source.kind, bool(client), protocol, joint, _equal(tuple(address for address, _ in places)), _equal(ports),
            nodes.index(way.start) if way.start else -1, nodes.index(way.entry) if way.entry else -1,
            nodes.index(way.end) if way.end else -1, way.backend is not None, real and real.forwarding,
            server and nodes.index(server[0]), proxied, tuple(spots),
        )  # fmt: skip

    def _places(self, way: Way) -> tuple[tuple[tuple[str, int], ...], str, Hashable]:
        """The addresses and ports that occur, the client's address, and what a load balancer on the way is like."""
        client = self.client(way.source, way.target)
        places: tuple[tuple[str, int], ...] = tuple(zip(way.addresses, way.ports, strict=True))
        if client:
            places = (*places, (client, 0))
        proxied: Hashable = None
        if way.backend is not None or not way.entry:
            listener = self._listener(way)
            proxied = listener and self._balanced(listener)
            if listener is not None and listener.layer7:
                places = (*places, (LB_PROXY_ADDRESS, 0))
        return places, client, proxied

    def _together(self, nodes: tuple[str, ...]) -> tuple[tuple[Remembered, ...], int]:
        """The facts of some nodes, and what they are to each other."""
        known = self._joint.get(nodes)
        if known is None:
            facts = tuple(self.facts(node) for node in nodes)
            between = tuple(one.neighbour(other) for one in facts for other in facts if one is not other)
            known = self._joint[nodes] = (facts, interned(self.table, (*(one.core for one in facts), None, *between)))
        return known

    def _balanced(self, listener: LbListener) -> Hashable:
        live = self.world.eligible(listener)
        weighted = any(one.weight > 0 for one in listener.backends or ())
        return (listener.layer7, listener.acl, listener.backends is None, listener.inferred, bool(live), weighted)

    def _listener(self, way: Way) -> LbListener | None:
        balancer = self.world.load_balancers.get(way.target.address)
        if balancer is None or (way.backend is None and way.entry):
            return None
        return balancer.listener(way.target.protocol, way.target.port)

    def spot(self, protocol: str, address: str, port: int) -> tuple[int, str]:
        """What the world knows of an address and port (0 for a client's own), and the node the address leads to."""
        key = (protocol, address, port)
        known = self._spots.get(key)
        if known is None:
            world = self.world
            pod = world.pod_by_ip.get(address)
            balancer = world.load_balancers.get(address)
            if pod is not None and len({family_of(ip) for ip in pod.ips}) < len(pod.ips):
                raise Unlike(f"{pod.id} has several addresses of one family")
            fact = interned(
                self.table,
                (
                    family_of(address), pod and (pod.data_path, bool(pod.node)), address in world.node_by_address,
                    frozenset(kind for _, kind in world.service_addresses.get(address, ())), balancer and balancer.complete,
                    is_loopback(address), address == LB_PROXY_ADDRESS, bool(world.endpoint(address, port, protocol)),
                    pod and port and world.listens(pod, protocol, address, port),
                    bool(self.hosted(protocol, address, port)), (protocol, port) in world.node_ports,
                ),
            )  # fmt: skip
            known = self._spots[key] = (fact, self.owner(address))
        return known

    def hosted(self, protocol: str, address: str, port: int) -> str:
        """The hostNetwork pod that serves there, empty if none is known."""
        pod = self.world.hosted(protocol, address, port)
        return pod.id if pod is not None else ""


def _equal(items: tuple[Hashable, ...]) -> tuple[int, ...]:
    """Which of the items are the same: the place of each one's first occurrence."""
    return tuple(map(items.index, items))
