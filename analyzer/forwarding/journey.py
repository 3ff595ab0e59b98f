"""The book of one walk: choices, hops, sessions, what was missing; and the values its parts hand to each other."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from analyzer.evidence import Evidence
from analyzer.forwarding.model import CLIENT_PORT, Choice, Confidence, Outcome, Packet, Source, Step, Target, weakest
from analyzer.forwarding.netfilter import REFUSING_REJECTS, Meta, Ruling
from analyzer.forwarding.state import NodeState, VirtualServer
from analyzer.forwarding.world import Pod, World

MAX_PATHS = 4096
MAX_HOPS = 24
FEW_REAL_SERVERS = 6
"""Up to so many real servers each one is walked; beyond, alike ones share a walk."""

LB_PROXY_ADDRESS = "100.64.0.1"
"""Stands for the load balancer's own range 100.64.0.0/10 as the source of layer-7 connections."""


class Stop(Exception):
    """The packet (or its answer) ends here; `evidence` are lines that prove it and that no step has quoted yet."""

    def __init__(
        self,
        outcome: Outcome,
        mechanism: str,
        values: Mapping[str, str] | None = None,
        missing: Sequence[str] = (),
        evidence: Sequence[Evidence] = (),
    ) -> None:
        super().__init__(mechanism)
        self.outcome: Outcome = outcome
        self.mechanism = mechanism
        self.values = dict(values or {})
        self.missing = tuple(missing)
        self.evidence = tuple(evidence)


@dataclass(frozen=True, slots=True)
class Arrival:
    """Where the request ended: a socket that answers, or a place that refuses."""

    kind: Literal["answer", "refuse", "unreachable"]
    place: str
    packet: Packet
    server: str = ""
    mechanism: str = ""
    values: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Session:
    """A conntrack entry (or a load balancer's session): the tuple it began with and the tuple it left with."""

    place: str
    first: Packet
    last: Packet
    ipvs: bool = False

    def answers(self, packet: Packet) -> bool:
        last = self.last
        return (packet.protocol, packet.src, packet.sport, packet.dst, packet.dport) == (
            last.protocol, last.dst, last.dport, last.src, last.sport,
        )  # fmt: skip


@dataclass
class Crossing:
    """A packet's visit to one node's stack."""

    node: str
    state: NodeState
    first: Packet
    packet: Packet
    iif: str = ""
    physdev_in: str = ""
    from_host: bool = False
    dnat: bool = False
    snat: bool = False
    ipvs: VirtualServer | None = None
    tracked: bool = True

    def meta(self, oif: str = "", *, state: str = "NEW", physdev_out: str = "") -> Meta:
        return Meta(
            iif=self.iif,
            oif=oif,
            state=state if self.tracked else "UNTRACKED",
            dnat=self.dnat,
            snat=self.snat,
            orig_dst=self.first.dst,
            orig_dport=self.first.dport,
            ipvs_vaddr=self.ipvs.address if self.ipvs else "",
            ipvs_vport=self.ipvs.port if self.ipvs else 0,
            physdev_in=self.physdev_in,
            physdev_out=physdev_out,
            from_host=self.from_host,
        )


class Rejected(Exception):
    """A REJECT rule answered; turned into an Arrival by `run_request`."""

    def __init__(self, crossing: Crossing, ruling: Ruling, slug: str) -> None:
        super().__init__(slug)
        self.crossing, self.ruling, self.slug = crossing, ruling, slug

    def arrival(self) -> Arrival:
        kind: Literal["refuse", "unreachable"] = "refuse" if self.ruling.with_ in REFUSING_REJECTS else "unreachable"
        values = {
            "node": self.crossing.node, "chain": self.ruling.chain, "address": self.crossing.packet.dst,
            "port": str(self.crossing.packet.dport),
        }  # fmt: skip
        return Arrival(kind, f"node:{self.crossing.node}", self.crossing.packet, "", self.slug, values)


class Journey(ABC):
    """What every part of a walk shares. The parts call each other through the abstract methods below."""

    def __init__(self, world: World, source: Source, target: Target, script: Sequence[int]) -> None:
        self.world = world
        self.source = source
        self.target = target
        self.script = tuple(script)
        self.choices: list[Choice] = []
        self.answers: dict[str, int] = {}
        self.hops: list[tuple[str, Literal["request", "reply"], list[Step]]] = []
        self.sessions: list[Session] = []
        self.direction: Literal["request", "reply"] = "request"
        self.confidence: Confidence = "high"
        self.missing: list[str] = []
        self.inferred = False
        self.also: tuple[str, ...] = ()
        self.dialled = Packet(target.protocol, "", CLIENT_PORT, target.address, target.port)

    def choose(self, kind: str, what: str, options: int, shares: Sequence[float] | None = None) -> int:
        """Take the option the script says (the first one beyond its end); an undecidable rule is answered once per walk."""
        if kind == "unknown":
            known = self.answers.get(what)
            if known is not None:
                return known
            self.miss(what)
        position = len(self.choices)
        taken = self.script[position] if position < len(self.script) else 0
        if kind.startswith("random:"):
            chance = float(kind.partition(":")[2])
            shares = (chance, 1 - chance)
        self.choices.append(
            Choice(kind.partition(":")[0], what, options, taken, shares[taken] if shares else 1 / options)
        )
        if kind == "unknown":
            self.answers[what] = taken
        return taken

    def miss(self, what: str) -> None:
        if what not in self.missing:
            self.missing.append(what)

    def lower(self, level: Confidence) -> None:
        self.confidence = weakest(self.confidence, level)

    def visit(self, place: str) -> None:
        if len(self.hops) > MAX_HOPS:
            raise Stop("timeout", "loop", {"place": place})
        self.hops.append((place, self.direction, []))

    def step(
        self, slug: str, hook: str, packet: Packet, evidence: Sequence[Evidence] = (), /, **values: object
    ) -> None:
        self.hops[-1][2].append(
            Step(slug, hook, {key: str(value) for key, value in values.items()}, packet, tuple(evidence))
        )

    def needs(self, state: NodeState, *inputs: str) -> None:
        """Note the layer of the inputs a decision used: a stand-in or an absent one lowers the confidence."""
        for name in inputs:
            if name in state.beside:
                continue
            layer = state.layers.get(name)
            if layer == "captured":
                if name in state.incomplete:
                    self.lower("low")
                    self.miss(f"all of {name} of {state.name}")
                continue
            self.inferred = self.inferred or layer == "expected"
            self.lower("medium" if layer == "expected" else "low")
            self.miss(f"{name} of {state.name}")

    # ------------------------------------------------------------------ the parts

    @abstractmethod
    def receive(self, node: str, packet: Packet, iif: str) -> Arrival:
        """A packet enters a node's stack from a pod or from the network."""

    @abstractmethod
    def network(self, packet: Packet, from_node: str, *, on_link: bool = False) -> Arrival:
        """A packet is between the hosts."""

    @abstractmethod
    def pod_in(self, pod: Pod, packet: Packet, *, own: bool = False) -> Arrival:
        """A packet reaches a pod."""

    @abstractmethod
    def socket(self, state: NodeState, crossing: Crossing) -> Arrival:
        """A packet reaches the sockets of a node's host namespace."""
