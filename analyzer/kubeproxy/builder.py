"""What one kube-proxy programs while it goes over its Services: virtual servers, bound addresses, set members.

A `Builder` takes each step at once, a `Recorder` notes it, for nodes to which a Service looks the same.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from ipaddress import IPv4Network, IPv6Network, ip_address
from typing import Any

from analyzer.evidence import Evidence
from analyzer.kubeproxy.endpoints import endpoints_for
from analyzer.kubeproxy.model import Asked, ExpectedServer, ProxyNode, ServerKey
from analyzer.kubeproxy.versions import Versions, family_of
from analyzer.snapshot.objects import Service, ServicePort

# Fixes that went into patch releases: minor -> (last patch without, first patch with it, null when not known).
NIC_ADDRESS: dict[int, tuple[int, int | None]] = {27: (1, 2)}  # kubernetes#115019, k3s#7183

Call = tuple[str, tuple[Any, ...]]
"""A step of the builder: its method and the arguments"""
Choice = tuple[tuple[tuple[str, int], ...], tuple[Evidence, ...], tuple[str, ...]]
"""Real servers, the objects behind them, and the notes that were taken on the way"""
Choices = dict[Hashable, Choice]
Ranges = Sequence[IPv4Network | IPv6Network]


def reads_nodes(service: Service) -> bool:
    """Whether the real servers of a Service depend on which node its endpoints are on."""
    return service.external_local or service.internal_policy == "Local"


def admits(ranges: Ranges, address: str) -> bool | None:
    """Whether source ranges of one family hold the node's own address; null when it has none (that is known)."""
    if not address:
        return None
    own = ip_address(address)
    return any(own in cidr for cidr in ranges)


class Builder(Versions):
    """One run over all Services: first what is bound and served on VIPs, then nodePorts, which depend on what is bound."""

    def __init__(self, node: ProxyNode, family: int) -> None:
        super().__init__(node)
        self.family = family
        self.vips: dict[str, tuple[Evidence, ...]] = {}
        self.servers: dict[ServerKey, ExpectedServer] = {}
        self.contested: set[ServerKey] = set()
        self.sets: dict[str, dict[str, Asked]] = {}
        self.choices: tuple[Choices, Hashable] | None = None
        self.flags = ("mh-port",) if node.scheduler == "mh" and self.since(27, "M15 flags of mh") else ()

    def bind(self, address: str, evidence: Iterable[Evidence], *, cluster_ip: bool = False) -> None:
        # M9: from 1.28 an LB or external address that another interface holds is not bound.
        if not cluster_ip and address in self.node.addresses and self.fixed(28, NIC_ADDRESS, "M9 NIC address", None):
            return
        self.bound(address, tuple(evidence))

    def member(self, name: str, entry: str, service: Service, *evidence: Evidence) -> None:
        self.entered(name, entry, (service.id, (service.evidence, *evidence)))

    def bound(self, address: str, evidence: tuple[Evidence, ...]) -> None:
        before = self.vips.get(address)
        self.vips[address] = evidence if before is None else (*before, *evidence)

    def entered(self, name: str, entry: str, why: Asked) -> None:
        self.sets.setdefault(name, {}).setdefault(entry, why)

    def admitted(self, ranges: Ranges) -> bool | None:
        """Whether source ranges of the builder's family hold the node's own address; null when that is not known."""
        return admits(ranges, self.node.node_ip if self.family == 4 else self.node.node_ip6)

    def server(self, kind: str, service: Service, port: ServicePort, address: str, number: int, *, local: bool) -> None:
        real, evidence, notes = self.choose(service, port, family_of(address), local=local)
        for about in notes:
            self.note(about)
        self.serve(
            ExpectedServer(
                port.protocol, address, number, kind, service.id, self.node.scheduler, service.affinity_s, real, evidence,
                self.flags,
            )
        )  # fmt: skip

    def choose(self, service: Service, port: ServicePort, family: int, *, local: bool) -> Choice:
        """The real servers and the objects they stand for; remembered where `choices` says for which nodes they are."""
        known, own = self.choices if self.choices is not None else ({}, None)
        key = (own, port.name, port.protocol, family, local)
        found = known.get(key)
        if found is None:
            asking = Recorder(self.node, self.family)
            chosen = endpoints_for(asking, service, port, family, local_only=local)
            real = tuple(dict.fromkeys((one.address, one.port) for one in chosen if one.port))
            notes = tuple(str(values[0]) for name, values in asking.calls if name == "note")
            found = known[key] = (real, (service.evidence, *(one.evidence for one in chosen)), notes)
        return found

    def serve(self, made: ExpectedServer) -> None:
        before = self.servers.get(made.key)
        if before is not None and set(before.real_servers) != set(made.real_servers):
            self.contested.add(made.key)
            self.note(f"F9 {made.protocol}/{made.address}:{made.port}")
        self.servers[made.key] = made

    def take(self, steps: Iterable[Call]) -> None:
        """Steps that were recorded for a node to which the Service looks the same."""
        for name, values in steps:
            if name == "entered":
                self.entered(*values)
            elif name == "serve":
                self.serve(*values)
            elif name == "bound":
                self.bound(*values)
            else:
                self.note(*values)


class Recorder(Builder):
    """Notes the steps instead of taking them."""

    def __init__(self, node: ProxyNode, family: int) -> None:
        self.calls: list[Call] = []
        super().__init__(node, family)
        self.calls.clear()  # what the version leaves open for all Services is the builder's own

    def note(self, about: str) -> None:
        self.calls.append(("note", (about,)))

    def bound(self, address: str, evidence: tuple[Evidence, ...]) -> None:
        self.calls.append(("bound", (address, evidence)))

    def entered(self, name: str, entry: str, why: Asked) -> None:
        self.calls.append(("entered", (name, entry, why)))

    def serve(self, made: ExpectedServer) -> None:
        self.calls.append(("serve", (made,)))
