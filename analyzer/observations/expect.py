"""What a walk predicts that conntrack of each visited node records: one leg per node, in the order of the request.

conntrack keeps the first packet's tuple and the tuple of the answer it expects, so a leg is the packet as it came in and the
packet as it left (`analyzer.forwarding.journey.Session` says the same of a walk in progress; here it is read off the steps).
"""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass

from analyzer.forwarding import Outcome, Packet, Source, Target, World
from analyzer.forwarding.shared import Stages, shared_walks

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


def expected(world: World, source: Source, target: Target, entries: Set[str] | None = None) -> tuple[Expected, ...]:
    """The paths of a connection that leave an entry at their first node.

    Args:
        entries: of paths over a load balancer those that enter at other nodes may be left out.
    """
    found = (_path(one) for one in shared_walks(world).stages(source, target, entries))
    return tuple(dict.fromkeys(one for one in found if one is not None))


def _path(stages: Stages) -> Expected | None:
    legs = [
        Leg(one.node, one.first, frozenset({(one.last.dst, one.last.dport)}), one.last.src) for one in stages.nodes[:2]
    ]
    if not legs:
        return None
    return Expected(stages.outcome, legs[0], legs[1] if stages.direct else None)
