"""Flows, hops, steps, paths and verdicts: what a walk of one packet gives back.

Everything here is frozen and compares by value. Steps carry a slug and named values; their sentences live in the
message catalogue under ``step.<slug>`` and ``mechanism.<slug>``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from analyzer.evidence import Evidence

Outcome = Literal["ok", "refused", "timeout", "unreachable", "wrong-server", "mixed", "unknown"]
Confidence = Literal["high", "medium", "low"]
SourceKind = Literal["node", "pod", "external"]

CONFIDENCE_ORDER: Mapping[str, int] = {"high": 2, "medium": 1, "low": 0}


def weakest(*levels: Confidence) -> Confidence:
    """The lowest of several confidences.

    >>> weakest("high", "low", "medium")
    'low'
    """
    return min(levels, key=CONFIDENCE_ORDER.__getitem__, default="high")


@dataclass(frozen=True, slots=True)
class Source:
    """Where a connection starts: ``node:NAME``, ``pod:NAMESPACE/NAME`` or ``external:IP``."""

    kind: SourceKind
    name: str

    def __str__(self) -> str:
        return f"{self.kind}:{self.name}"


@dataclass(frozen=True, slots=True)
class Target:
    """What is dialled: an address, a port and tcp, udp or sctp."""

    address: str
    port: int
    protocol: str = "tcp"

    def __str__(self) -> str:
        host = f"[{self.address}]" if ":" in self.address else self.address
        return f"{host}:{self.port}/{self.protocol}"


CLIENT_PORT = 40000
"""Stands for the ephemeral port of the client; a masquerade may change it, which no verdict depends on."""


def end_point(address: str, port: int) -> str:
    """``address:port`` for people; the client's ephemeral port is shown as ``*``.

    >>> end_point("2001:db8::1", 443), end_point("10.0.0.1", CLIENT_PORT)
    ('[2001:db8::1]:443', '10.0.0.1:*')
    """
    shown = "*" if port == CLIENT_PORT else str(port)
    return f"[{address}]:{shown}" if ":" in address else f"{address}:{shown}"


@dataclass(frozen=True, slots=True)
class Packet:
    """The 5-tuple (and mark) of the first packet, or of its answer, at one place."""

    protocol: str
    src: str
    sport: int
    dst: str
    dport: int
    mark: int = 0

    @property
    def tuple(self) -> tuple[str, str, int, str, int]:
        return (self.protocol, self.src, self.sport, self.dst, self.dport)

    def __str__(self) -> str:
        return f"{end_point(self.src, self.sport)} -> {end_point(self.dst, self.dport)}"


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that happened to the packet. `slug` names it, `values` fill its sentence, `packet` is the state after."""

    slug: str
    hook: str
    values: Mapping[str, str]
    packet: Packet
    evidence: tuple[Evidence, ...] = ()


@dataclass(frozen=True, slots=True)
class Hop:
    """A visit to one place: ``node:NAME``, ``pod:NAMESPACE/NAME``, ``external:IP``, ``lb:ADDRESS`` or ``network``."""

    place: str
    direction: Literal["request", "reply"]
    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class Choice:
    """A point where the walk could go on in several ways: real-server, backend, random (statistic) or unknown."""

    kind: str
    what: str
    options: int
    taken: int
    share: float = 1.0


@dataclass(frozen=True, slots=True)
class Path:
    """One way the connection can go (one choice of real server and load-balancer backend).

    `share` is its part of all attempts (by weights), `also` names further servers that would be reached the same way,
    `inferred` tells that expected state stood in for a missing capture.
    """

    outcome: Outcome
    mechanism: str
    hops: tuple[Hop, ...]
    server: str = ""
    also: tuple[str, ...] = ()
    seen_source: str = ""
    share: float = 1.0
    confidence: Confidence = "high"
    missing: tuple[str, ...] = ()
    inferred: bool = False
    choices: tuple[Choice, ...] = ()
    values: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a client at `source` sees when it dials `target`.

    `outcomes` is the set over all paths, sorted, of ok, refused, timeout, unreachable, unknown; a local process that
    answers for somebody else's address counts as ok there and as wrong-server in `outcome`. `seen_source_ips` is what
    the server sees. `missing` names inputs that could change the answer; it is never empty for an unknown.
    """

    outcome: Outcome
    outcomes: tuple[str, ...]
    servers: tuple[str, ...]
    seen_source_ips: tuple[str, ...]
    mechanism: str
    mechanisms: tuple[str, ...]
    confidence: Confidence
    missing: tuple[str, ...]
    layer: Literal["captured", "inferred"] = "captured"


@dataclass(frozen=True, slots=True)
class Trace:
    """A flow, every path it can take, and the verdict over them."""

    source: Source
    target: Target
    paths: tuple[Path, ...]
    verdict: Verdict
