"""Each cell of the matrix against conntrack of the node where its connections begin (or enter the cluster)."""

from __future__ import annotations

from collections.abc import Iterator

from analyzer.evidence import Evidence
from analyzer.forwarding import Matrix, Source, Target, World
from analyzer.forwarding.shared import shared_walks
from analyzer.observations.counters import signs
from analyzer.observations.expect import Expected, Key, Server, expected
from analyzer.observations.flows import EVIDENCE, OUTSIDE, Flow, Flows, flows
from analyzer.observations.judge import NOTHING, Judgement, judge
from analyzer.observations.model import Observations, Seen
from analyzer.snapshot import Snapshot
from analyzer.snapshot.spill import SpilledTables

MAX_WALKS = 8_000
"""Walks of one comparison: as many as a matrix has cells."""


def observe(snapshot: Snapshot, world: World, matrix: Matrix) -> Observations:
    """Compare every cell with the conntrack entries it would leave; what says nothing counts as not seen."""
    nodes = tuple(node for node in snapshot.node_names if snapshot.has(node, "conntrack"))
    return _Comparison(snapshot, world, matrix).run(nodes)


class _Comparison:
    """The flows, found once, and the walks made so far."""

    def __init__(self, snapshot: Snapshot, world: World, matrix: Matrix) -> None:
        self.snapshot, self.world, self.matrix = snapshot, world, matrix
        self.walks = 0
        self.not_compared = 0
        wanted = {key for row in matrix.targets for key in self.entrances(row.target)}
        self.flows: Flows = flows(snapshot, world, wanted)
        self.nodes_of: dict[tuple[str, str, int], list[str]] = {}
        for node, protocol, address, port in self.flows:
            self.nodes_of.setdefault((protocol, address, port), []).append(node)

    def run(self, nodes: tuple[str, ...]) -> Observations:
        every = [
            (vantage.source, row.target)
            for row in self.matrix.targets
            for vantage in self.matrix.vantages
            if (vantage.source, row.target) in self.matrix.cells
        ]
        if isinstance(self.snapshot.tables, SpilledTables):
            seen = [one for one in every if any(True for _ in self.candidates(*one))]
            shared_walks(self.world).prepare(seen, {one: self.entered(*one) for one in seen}, verdicts=False)
        cells = tuple(self.cell(source, target) for source, target in every)
        return Observations(cells, tuple(signs(self.snapshot, self.world)), nodes, self.not_compared)

    def entrances(self, target: Target) -> Iterator[tuple[str, str, int]]:
        """The address itself, and the NodePorts to which a load balancer sends what it gets for it."""
        yield (target.protocol, target.address, target.port)
        balancer = self.world.load_balancers.get(target.address)
        listener = balancer.listener(target.protocol, target.port) if balancer else None
        for backend in (listener.backends or ()) if listener else ():
            if backend.node:
                yield (target.protocol, backend.address, backend.port)

    def cell(self, source: Source, target: Target) -> Seen:
        unseen = Seen(source, target, "not-seen")
        if not any(True for _ in self.candidates(source, target)):
            return unseen
        if self.walks >= MAX_WALKS:
            self.not_compared += 1
            return unseen
        self.walks += 1
        paths = expected(self.world, source, target, self.entered(source, target))
        judged = list(self.judged(source, target, paths))
        against = [(flow, one) for flow, one in judged if one.opinion == "contradicts"]
        agreeing = [(flow, one) for flow, one in judged if one.opinion == "agrees"]
        if not against and not agreeing:
            against = [(flow, one) for flow, one in judged if one.opinion == "unanswered"]
        chosen = against or agreeing
        if not chosen:
            return unseen
        first = chosen[0][1]
        return Seen(
            source,
            target,
            "contradicted" if against else "confirmed",
            sum(flow.entries for flow, _ in chosen),
            _evidence(flow for flow, _ in chosen),
            first.differs,
            first.predicted,
            first.observed,
        )

    def candidates(self, source: Source, target: Target) -> Iterator[tuple[Key, str]]:
        """The flows that could be this cell's, before anything is walked: (key, original source)."""
        outside = source.kind == "external"
        home = self.home(source)
        for entrance in self.entrances(target) if outside else ((target.protocol, target.address, target.port),):
            for node in self.nodes_of.get(entrance, ()):
                if not outside and node != home:
                    continue
                key = (node, *entrance)
                for address in self.flows[key]:
                    if outside == (address == OUTSIDE):
                        yield key, address

    def entered(self, source: Source, target: Target) -> frozenset[str] | None:
        """Of a client outside the nodes with flows that could be this cell's; null inside, where they begin elsewhere."""
        outside = source.kind == "external"
        return frozenset(key[0] for key, _ in self.candidates(source, target)) if outside else None

    def home(self, source: Source) -> str:
        """The node whose conntrack sees a connection begin; empty for a client outside."""
        if source.kind == "node":
            return source.name
        pod = self.world.pods.get(source.name) if source.kind == "pod" else None
        return pod.node if pod is not None else ""

    def judged(self, source: Source, target: Target, paths: tuple[Expected, ...]) -> Iterator[tuple[Flow, Judgement]]:
        """The flows with exactly the tuple some path begins with, and what each says."""
        for key, address in self.candidates(source, target):
            begun = tuple(
                path for path in paths if path.first.key == key and address in (OUTSIDE, path.first.first.src)
            )
            for flow in self.flows[key][address] if begun else ():
                verdict = judge(flow, begun, self.exists)
                if address == OUTSIDE and verdict.opinion in ("contradicts", "unanswered"):
                    verdict = self.by_client(flow, key, target, verdict)
                yield flow, verdict

    def by_client(self, flow: Flow, key: Key, target: Target, verdict: Judgement) -> Judgement:
        """The column stands for all outside clients; a contradiction must hold for each client that left the entries.

        Rules may match its address (source ranges, a CNI's masquerade), and a load balancer's own checks look like clients.
        """
        if isinstance(self.snapshot.tables, SpilledTables):
            cells = {(Source("external", client), target): {key[0]} for client in flow.clients}
            shared_walks(self.world).prepare(cells, cells, verdicts=False)
        for client in flow.clients:
            if self.walks >= MAX_WALKS:
                return NOTHING
            self.walks += 1
            exact = expected(self.world, Source("external", client), target, {key[0]})
            begun = tuple(path for path in exact if path.first.key == key)
            if judge(flow, begun, self.exists).opinion != verdict.opinion:
                return NOTHING
        return verdict

    def exists(self, server: Server) -> bool:
        """Whether a pod or node of this cluster, or an endpoint elsewhere, has the address now."""
        address = server[0]
        world = self.world
        return (
            address in world.pod_by_ip
            or address in world.node_by_address
            or address in world.service_addresses
            or any(found == address for _, found, _ in world.endpoints)
        )


def _evidence(found: Iterator[Flow]) -> tuple[Evidence, ...]:
    return tuple(place for flow in found for place in flow.evidence)[:EVIDENCE]
