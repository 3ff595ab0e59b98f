"""What kube-proxy in IPVS mode is told about a node, and what it should have programmed there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from analyzer.evidence import Evidence

ServerKey = tuple[str, str, int]
"""(protocol, address, port)"""
Asked = tuple[str, tuple[Evidence, ...]]
"""The Service that asks for a member of a set, and its objects"""
Version = tuple[int, int]


@dataclass(frozen=True)
class ProxyNode:
    """What the model needs to know of a node.

    `addresses` are its local addresses without kube-ipvs0's and loopback; `local_fallback` overrides the version where the
    node's own tables show it (all, none). `filter_returns` are the sets its KUBE-IPVS-FILTER lets through, null when not
    captured: they say which patches are in where the version leaves it open. `open` names what is not known of the node
    itself (version, configuration).
    """

    name: str
    addresses: tuple[str, ...]
    version: Version | None
    zone: str = ""
    local_fallback: str = ""
    cluster_cidr: str = ""
    """What counts as local traffic: cluster or node CIDRs, comma separated; empty without a detector."""
    masquerade_all: bool = False
    masquerade_bit: int = 14
    scheduler: str = "rr"
    node_port_addresses: tuple[str, ...] = ()
    node_ip: str = ""
    patch: int | None = None
    node_ip6: str = ""
    local_interface: str = ""
    """Local traffic comes in by this interface (``cni0``, or ``veth+`` for a prefix)."""
    exclude_cidrs: tuple[str, ...] = ()
    strict_arp: bool = False
    kernel: tuple[int, int] | None = None
    feature_gates: Mapping[str, bool] = field(default_factory=dict)
    filter_returns: frozenset[str] | None = None
    open: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ExpectedServer:
    """A virtual server and its real servers (address, port; weight 1), each with the objects that ask for it."""

    protocol: str
    address: str
    port: int
    kind: str
    service: str
    scheduler: str
    persistence_s: int | None
    real_servers: tuple[tuple[str, int], ...]
    evidence: tuple[Evidence, ...]
    flags: tuple[str, ...] = ()
    """Scheduler flags as ipvsadm 1.31 names them: ``mh-port``"""

    @property
    def key(self) -> ServerKey:
        return (self.protocol, self.address, self.port)


@dataclass(frozen=True, slots=True)
class Socket:
    """A socket kube-proxy holds; address empty for all. Only `health-check` ones answer."""

    protocol: str
    address: str
    port: int
    purpose: Literal["node-port", "external-ip", "health-check"]


@dataclass(frozen=True)
class Expected:
    """Everything expected on `node`. `undecided` names the matrix rows that the version or a missing object leaves open."""

    node: str
    vips: Mapping[str, tuple[Evidence, ...]] = field(default_factory=dict)
    servers: Mapping[ServerKey, ExpectedServer] = field(default_factory=dict)
    sets: dict[str, tuple[str, tuple[str, ...]]] = field(default_factory=dict)
    """name -> (type, members as ipset prints them)"""
    rules: tuple[tuple[str, str, str], ...] = ()
    """(table, chain, rule text as iptables-save prints it), in order, built-in chains included"""
    undecided: tuple[str, ...] = ()
    chains: tuple[tuple[str, str], ...] = ()
    """(table, chain) that exist, also without rules"""
    asked: Mapping[str, Mapping[str, Asked]] = field(default_factory=dict)
    """set -> member -> who asks for it"""
    contested: frozenset[ServerKey] = frozenset()
    """virtual servers that several Services claim: whose real servers are in is decided anew at each sync"""
    excluded: tuple[str, ...] = ()
    """CIDRs whose virtual servers kube-proxy leaves alone (excludeCIDRs)"""
    sysctls: dict[str, str] = field(default_factory=dict)
    """what kube-proxy sets when it starts"""
    sockets: tuple[Socket, ...] = ()
