"""The cluster as the walker sees it: nodes with their state, pods, load balancers, endpoints, who owns which address."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import overload

from analyzer.evidence import Evidence
from analyzer.forwarding.addresses import contains, family_of
from analyzer.forwarding.state import NodeState
from analyzer.snapshot.model import Snapshot

HOST_STACK = frozenset({"veth", "bridge", "unknown"})
"""Data paths whose packets cross the node's network stack in both directions."""
STATES_WEIGHT, STATES_LEAST = 400_000, 8
"""Rows of the node states that are kept (about 1 KB each), and how many states at least; older ones are built again."""


@dataclass(frozen=True, slots=True)
class Pod:
    namespace: str
    name: str
    node: str
    ips: tuple[str, ...]
    host_network: bool
    ports: frozenset[tuple[str, int]]
    ready: bool | None
    data_path: str
    evidence: Evidence

    @property
    def id(self) -> str:
        return f"pod:{self.namespace}/{self.name}"

    def ip(self, family: int) -> str:
        return next((ip for ip in self.ips if family_of(ip) == family), "")


@dataclass(frozen=True, slots=True)
class Endpoint:
    service: str
    address: str
    port: int
    protocol: str
    node: str
    ready: bool
    serving: bool
    terminating: bool
    pod: str
    evidence: Evidence


@dataclass(frozen=True, slots=True)
class Backend:
    """A backend of a load-balancer listener; `address` is what the packet is sent to, `node` empty outside the cluster."""

    address: str
    port: int
    weight: int
    kind: str
    node: str
    evidence: Evidence


@dataclass(frozen=True, slots=True)
class NodeBackends(Sequence[Backend]):
    """Nodes behind a listener, all with one nodePort: made when looked at, because every Service has as many as there are nodes.

    `nodes` are (address, name); listeners share it.
    """

    nodes: tuple[tuple[str, str], ...]
    port: int
    evidence: Evidence

    def _one(self, place: tuple[str, str]) -> Backend:
        return Backend(place[0], self.port, 100, "ecs", place[1], self.evidence)

    def __len__(self) -> int:
        return len(self.nodes)

    def __iter__(self) -> Iterator[Backend]:
        return map(self._one, self.nodes)

    @overload
    def __getitem__(self, at: int) -> Backend: ...

    @overload
    def __getitem__(self, at: slice) -> tuple[Backend, ...]: ...

    def __getitem__(self, at: int | slice) -> Backend | tuple[Backend, ...]:
        return tuple(map(self._one, self.nodes[at])) if isinstance(at, slice) else self._one(self.nodes[at])


@dataclass(frozen=True, slots=True)
class LbListener:
    protocol: str
    port: int
    port_end: int
    backends: Sequence[Backend] | None
    """None: the documents do not say which backends it has."""
    acl: str
    description: str
    evidence: Evidence
    inferred: bool = False

    @property
    def transport(self) -> str:
        return "udp" if self.protocol == "udp" else "tcp"

    @property
    def layer7(self) -> bool:
        return self.protocol in ("http", "https", "tcpssl")


@dataclass(frozen=True)
class LoadBalancer:
    address: str
    id: str
    listeners: tuple[LbListener, ...]
    complete: bool
    """True when the cloud's own documents list its listeners: a port that is not there has none."""
    evidence: Evidence

    def listener(self, protocol: str, port: int) -> LbListener | None:
        for one in self.listeners:
            if one.transport == protocol and one.port <= port <= one.port_end:
                return one
        return None


@dataclass
class World:
    """Everything outside a single node's state. Built once per snapshot; node states are built when first visited."""

    snapshot: Snapshot
    build_state: Callable[[str], NodeState]
    node_names: tuple[str, ...]
    pods: Mapping[str, Pod]
    endpoints: Mapping[tuple[str, str, int], tuple[Endpoint, ...]]
    load_balancers: Mapping[str, LoadBalancer]
    node_addresses: Mapping[str, tuple[str, ...]]
    """Addresses by which the network reaches a node, primary first."""
    node_ports: frozenset[tuple[str, int]]
    service_addresses: Mapping[str, tuple[tuple[str, str], ...]]
    """VIP -> ((service, cluster-ip | external-ip | load-balancer), ...)"""
    service_ports: Mapping[str, frozenset[tuple[str, int]]]
    """VIP -> the (protocol, port) pairs that some Service serves on it."""
    pod_networks: Mapping[str, tuple[str, ...]]
    """Node -> its pod prefixes (spec.podCIDRs); empty where pods take addresses of the VPC."""
    pods_known: bool = False
    endpoints_known: bool = False
    entries: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """External IP -> nodes whose conntrack shows that the network delivers its packets there."""
    abnormal: frozenset[tuple[int, str, int]] = frozenset()
    """(listener port, backend address, backend port) that a load balancer's health check calls abnormal: it gets no traffic."""
    answered: Mapping[tuple[str, str, int], Evidence] = field(default_factory=dict)
    """(protocol, address, port) -> a conntrack entry that shows the socket answering."""
    dialled: Mapping[str, int] = field(default_factory=dict)
    """Address of a pod -> how many different destinations conntrack saw it dial."""
    walks: object = None
    """What `shared.py` keeps of walks made so far."""
    _states: OrderedDict[str, tuple[NodeState, int]] = field(default_factory=OrderedDict)
    _weight: int = 0
    _holders: dict[str, tuple[str, ...]] = field(default_factory=dict)
    _bound: dict[str, frozenset[str]] = field(default_factory=dict)
    """Node -> the published addresses that are local there; equal sets are kept once."""
    _equal: dict[frozenset[str], frozenset[str]] = field(default_factory=dict)
    _eligible: dict[tuple[int, int], tuple[Sequence[Backend], tuple[Backend, ...]]] = field(default_factory=dict)

    def state(self, node: str) -> NodeState:
        """A node's state. The ones used last are kept; whoever goes over many nodes asks all of one before the next."""
        found = self._states.get(node)
        if found is None:
            state = self.build_state(node)
            if node not in self._bound:
                bound = frozenset(address for address in self.published if state.is_local(address))
                self._bound[node] = self._equal.setdefault(bound, bound)
            self._states[node] = found = (state, state.weight)
            self._weight += found[1]
            while self._weight > STATES_WEIGHT and len(self._states) > STATES_LEAST:
                _, (old, weight) = self._states.popitem(last=False)
                old.facts = None  # they hold the state: it is freed at once, not when cycles are next looked for
                self._weight -= weight
        else:
            self._states.move_to_end(node)
        return found[0]

    @cached_property
    def published(self) -> frozenset[str]:
        """Addresses of load balancers and external IPs: of these each state is asked once whether they are local."""
        return frozenset(self.load_balancers).union(
            ip for ip, uses in self.service_addresses.items() if any(kind != "cluster-ip" for _, kind in uses)
        )

    def holders(self, address: str) -> tuple[str, ...]:
        """Nodes on which the address is local (bound to kube-ipvs0 or another interface), in the order of their names."""
        found = self._holders.get(address)
        if found is None:
            found = self._holders[address] = tuple(node for node in self.node_names if self._holds(node, address))
        return found

    def _holds(self, node: str, address: str) -> bool:
        if address not in self.published:
            return self.state(node).is_local(address)
        if node not in self._bound:
            self.state(node)
        return address in self._bound[node]

    @cached_property
    def pod_by_ip(self) -> Mapping[str, Pod]:
        return {ip: pod for pod in self.pods.values() if not pod.host_network for ip in pod.ips}

    @cached_property
    def host_pods(self) -> Mapping[str, tuple[Pod, ...]]:
        """Address -> hostNetwork pods with that address."""
        found: dict[str, list[Pod]] = {}
        for pod in self.pods.values():
            if pod.host_network:
                for ip in pod.ips:
                    found.setdefault(ip, []).append(pod)
        return {ip: tuple(pods) for ip, pods in found.items()}

    @cached_property
    def node_by_address(self) -> Mapping[str, str]:
        owners: dict[str, str] = {}
        for node, addresses in self.node_addresses.items():
            for address in addresses:
                owners.setdefault(address, node)
        return owners

    @cached_property
    def service_of_node_port(self) -> Mapping[tuple[str, int], str]:
        """(protocol, nodePort) -> the first Service that has it."""
        found: dict[tuple[str, int], str] = {}
        for service in self.snapshot.objects.services:
            for port in service.ports:
                if port.node_port:
                    found.setdefault((port.protocol, port.node_port), service.id)
        return found

    def node_for_pod_address(self, address: str) -> str:
        """The node whose pod prefix holds the address (VPC route or overlay), empty if none."""
        for node, prefixes in self.pod_networks.items():
            if any(contains(prefix, address) for prefix in prefixes):
                return node
        return ""

    def primary(self, node: str, family: int) -> str:
        return next((ip for ip in self.node_addresses.get(node, ()) if family_of(ip) == family), "")

    def endpoint(self, address: str, port: int, protocol: str) -> tuple[Endpoint, ...]:
        return self.endpoints.get((protocol, address, port), ())

    def eligible(self, listener: LbListener) -> Sequence[Backend]:
        """The backends that get traffic: with a weight and not called abnormal; none at all if that is not known."""
        if listener.acl or listener.backends is None:
            return ()
        listed = listener.backends
        if isinstance(listed, NodeBackends) and not self.abnormal:
            return listed
        known = self._eligible.get((id(listed), listener.port))
        if known is None:
            live = tuple(
                one for one in listed if one.weight > 0 and (listener.port, one.address, one.port) not in self.abnormal
            )
            # The list itself is kept, so that nothing else gets its identity.
            known = self._eligible[(id(listed), listener.port)] = (listed, live)
        return known[1]

    def hosted(self, protocol: str, address: str, port: int) -> Pod | None:
        """The hostNetwork pod behind an endpoint at this address and port."""
        names = {one.pod for one in self.endpoint(address, port, protocol)}
        for pod in self.host_pods.get(address, ()):
            if pod.id in names or (protocol, port) in pod.ports:
                return pod
        return None

    def listens(self, pod: Pod, protocol: str, address: str, port: int) -> bool | None:
        """Whether the pod answers there.

        A ready endpoint, a declared port of a ready pod, or a connection conntrack saw answered say yes; nothing in a bundle
        says no, so everything else is open.
        """
        if any(one.ready for one in self.endpoint(address, port, protocol)):
            return True
        if (protocol, address, port) in self.answered:
            return True
        return True if pod.ready and (protocol, port) in pod.ports else None
