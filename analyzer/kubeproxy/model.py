"""What kube-proxy in IPVS mode should have programmed on one node."""

from __future__ import annotations

from dataclasses import dataclass, field

from analyzer.evidence import Evidence

ServerKey = tuple[str, str, int]
"""(protocol, address, port)"""


@dataclass(frozen=True, slots=True)
class ExpectedServer:
    """A virtual server and its real servers (address, port), each with the objects that ask for it."""

    protocol: str
    address: str
    port: int
    kind: str
    service: str
    scheduler: str
    persistence_s: int | None
    real_servers: tuple[tuple[str, int], ...]
    evidence: tuple[Evidence, ...]

    @property
    def key(self) -> ServerKey:
        return (self.protocol, self.address, self.port)


@dataclass(frozen=True)
class Expected:
    """Everything expected on `node`. `undecided` lists what the version or a missing object leaves open."""

    node: str
    vips: dict[str, tuple[Evidence, ...]] = field(default_factory=dict)
    servers: dict[ServerKey, ExpectedServer] = field(default_factory=dict)
    sets: dict[str, tuple[str, tuple[str, ...]]] = field(default_factory=dict)
    """name -> (type, members as ipset prints them)"""
    rules: tuple[tuple[str, str, str], ...] = ()
    """(table, chain, rule text as iptables-save prints it), in order, built-in chains included"""
    undecided: tuple[str, ...] = ()
