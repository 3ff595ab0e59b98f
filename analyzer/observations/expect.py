"""What a walk predicts that conntrack of each visited node records: one leg per node, in the order of the request.

conntrack keeps the first packet's tuple and the tuple of the answer it expects, so a leg is the packet as it came in and the
packet as it left (`analyzer.forwarding.journey.Session` says the same of a walk in progress; here it is read off the steps).
"""

from __future__ import annotations

from dataclasses import dataclass

from analyzer.forwarding import Outcome, Packet, Path, Trace, World
from analyzer.forwarding.addresses import family_of

Server = tuple[str, int]
Key = tuple[str, str, str, int]
"""(node, protocol, original destination, original destination port)"""


@dataclass(frozen=True, slots=True)
class Leg:
    """One node's part: `first` came in; it left towards one of `servers` with the source address `source`."""

    node: str
    first: Packet
    servers: frozenset[Server]
    source: str

    @property
    def key(self) -> Key:
        return (self.node, self.first.protocol, self.first.dst, self.first.dport)


@dataclass(frozen=True, slots=True)
class Expected:
    """One path as conntrack would show it: the leg at the first node, the one that follows directly, and the outcome."""

    outcome: Outcome
    first: Leg
    second: Leg | None


def expected(world: World, trace: Trace) -> tuple[Expected, ...]:
    """The paths of a trace that leave an entry at their first node."""
    found = (_path(world, path) for path in trace.paths)
    return tuple(dict.fromkeys(one for one in found if one is not None))


def _path(world: World, path: Path) -> Expected | None:
    legs: list[Leg] = []
    places: list[int] = []
    for place, hop in enumerate(path.hops):
        if hop.direction != "request" or not hop.place.startswith("node:") or not hop.steps:
            continue
        if any(step.slug == "ipvs-untracked" for step in hop.steps):
            break  # vs.conntrack=0: netfilter does not know the connection from here on
        first, last = hop.steps[0].packet, hop.steps[-1].packet
        servers = {(last.dst, last.dport)}
        if (first.dst, first.dport) != (last.dst, last.dport):
            servers |= {(address, last.dport) for address in _also(world, path, last.dst)}
        legs.append(Leg(hop.place.removeprefix("node:"), first, frozenset(servers), last.src))
        places.append(place)
    if not legs:
        return None
    direct = len(legs) > 1 and places[1] == places[0] + 1  # no load balancer in between
    return Expected(path.outcome, legs[0], legs[1] if direct else None)


def _also(world: World, path: Path, address: str) -> set[str]:
    """Addresses of the real servers that share this path's walk, in the family of the one that was walked."""
    pods = (world.pods.get(name.removeprefix("pod:")) for name in path.also)
    return {pod.ip(family_of(address)) for pod in pods if pod is not None} - {""}
