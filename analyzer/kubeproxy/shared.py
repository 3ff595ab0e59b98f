"""What nodes have in common: the steps for one Service, recorded once for all nodes that it looks the same to."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from analyzer.kubeproxy.builder import Call, Choices, Ranges, Recorder, admits
from analyzer.kubeproxy.model import ProxyNode
from analyzer.kubeproxy.passes import service_steps, source_ranges
from analyzer.snapshot.objects import EndpointAddress, Service

if TYPE_CHECKING:
    from analyzer.kubeproxy.template import Template


class Own(NamedTuple):
    """What of the node itself a Service's steps depend on.

    `service` is its index, `node` the node's name where it has endpoints, `held` those of the Service's addresses that the
    node has, `admitted` whether the source ranges hold its address (empty text without source ranges).
    """

    service: int
    node: str = ""
    held: tuple[str, ...] = ()
    admitted: bool | str | None = ""


def kind_of(node: ProxyNode, family: int) -> Hashable:
    """Everything about a node but its own name, addresses and networks: nodes of one kind read Services alike."""
    gates = tuple(sorted(node.feature_gates.items()))
    return (family, node.version, node.patch, node.zone, node.local_fallback, node.scheduler, gates)


class Shared:
    """The Services that kube-proxy serves, and what was recorded for them; one instance serves one list of Services."""

    def __init__(self, services: Sequence[Service]) -> None:
        self.served = tuple(service for service in services if not service.headless)
        self.steps: dict[tuple[Hashable, Own], tuple[Call, ...]] = {}
        self.chosen: Choices = {}
        self.templates: dict[Hashable, Template] = {}

    @cached_property
    def here(self) -> Mapping[str, Mapping[int, Sequence[EndpointAddress]]]:
        """Node -> the endpoints on it, by the index of their Service."""
        found: dict[str, dict[int, list[EndpointAddress]]] = defaultdict(dict)
        for index, service in enumerate(self.served):
            for one in service.endpoints:
                found[one.node].setdefault(index, []).append(one)
        return found

    @cached_property
    def nobody(self) -> str:
        """The name of a node that has no endpoint."""
        name = "nobody"
        while name in self.here:
            name += "-"
        return name

    @cached_property
    def addresses(self) -> frozenset[str]:
        """All addresses that a node may hold for a Service."""
        return frozenset(address for service in self.served for address in _held(service))

    @cached_property
    def ranges(self) -> Mapping[int, Mapping[int, Ranges]]:
        """Services with source ranges, by their index: address family -> ranges."""
        return {
            index: {family: source_ranges(service, family) for family in (4, 6)}
            for index, service in enumerate(self.served)
            if service.source_ranges
        }

    def own(self, index: int, node: ProxyNode, family: int) -> Own:
        held = () if self.addresses.isdisjoint(node.addresses) else _held(self.served[index])
        ranges = self.ranges[index][family] if index in self.ranges else ()
        return Own(
            index,
            node.name if index in self.here.get(node.name, ()) else "",
            tuple(address for address in held if address in node.addresses),
            admits(ranges, node.node_ip if family == 4 else node.node_ip6) if ranges else "",
        )

    def recorded(self, recorder: Recorder, kind: Hashable, own: Own) -> tuple[Call, ...]:
        """The steps for a Service on a node of which it sees `own`; the recorder takes them where nobody has before."""
        found = self.steps.get((kind, own))
        if found is None:
            recorder.calls.clear()
            recorder.choices = self.choices(kind, own)
            service_steps(recorder, self.served[own.service])
            found = tuple(recorder.calls)
            if not own.node:
                self.steps[kind, own] = found
        return found

    def choices(self, kind: Hashable, own: Own) -> tuple[Choices, Hashable]:
        """Where to remember real servers; those that one node alone has are not kept for others."""
        return ({} if own.node else self.chosen, (kind, own))


def _held(service: Service) -> tuple[str, ...]:
    return (*service.cluster_ips, *service.external_ips, *service.published)
