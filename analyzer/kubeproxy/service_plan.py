"""One Service port as the iptables and nftables proxiers see it on one node: addresses, usable endpoints, policies.

Source: CategorizeEndpoints (pkg/proxy/topology.go) and the head of syncProxyRules in pkg/proxy/iptables/proxier.go and
pkg/proxy/nftables/proxier.go. Unlike the IPVS proxier these two never let a Local policy fall back to all endpoints
(kubernetes#97081 is IPVS only): clients on the node take a short cut to the cluster's endpoints instead.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from ipaddress import ip_address, ip_network

from analyzer.kubeproxy.endpoints import endpoints_for
from analyzer.kubeproxy.model import ProxyNode
from analyzer.kubeproxy.versions import INTERNAL_POLICY, IP_MODE, TERMINATING, Versions, family_of
from analyzer.snapshot.objects import EndpointAddress, Service, ServicePort

Rule = tuple[str, str, str]
"""(table, chain, rule as iptables-save prints it after the chain)"""
Place = tuple[str, int]
"""(address, port)"""


@dataclass(frozen=True)
class Programmed:
    """Rules in order, the chains that exist (also empty ones), and the matrix rows that version or objects leave open."""

    rules: tuple[Rule, ...]
    chains: tuple[tuple[str, str], ...]
    undecided: tuple[str, ...] = ()


@dataclass(frozen=True)
class Plan:
    """`cluster` and `local` are the endpoints of the two policies; `anywhere` tells whether any node has a usable one."""

    service: Service
    port: ServicePort
    cluster_ips: tuple[str, ...]
    external_ips: tuple[str, ...]
    lb_ips: tuple[str, ...]
    cluster: tuple[Place, ...]
    local: tuple[Place, ...]
    anywhere: bool
    internal_local: bool

    @property
    def name(self) -> str:
        """ServicePortName.String(): ``namespace/name:port``, without the colon for a port that has no name."""
        return self.service.id + (f":{self.port.name}" if self.port.name else "")

    @property
    def accessible(self) -> bool:
        """ExternallyAccessible: any external address or nodePort."""
        return bool(self.port.node_port or self.lb_ips or self.external_ips)

    @property
    def external_local(self) -> bool:
        return self.service.external_policy == "Local" and self.accessible

    @property
    def inside(self) -> bool:
        """Whether the ClusterIP leads somewhere on this node."""
        return self.anywhere and (not self.internal_local or bool(self.local))

    @property
    def outside(self) -> bool:
        """Whether a client from elsewhere is served here."""
        return self.anywhere and (not self.external_local or bool(self.local))

    @property
    def reached(self) -> tuple[Place, ...]:
        """Endpoints that some chain of this node leads to."""
        used = self.cluster if not self.internal_local or self.accessible else ()
        own = self.local if self.internal_local or self.external_local else ()
        return tuple(dict.fromkeys((*used, *own)))


def plans(services: Sequence[Service], versions: Versions, family: int) -> Iterator[Plan]:
    """Every Service port that has an address of the family."""
    for service in services:
        if service.headless:
            continue
        own = tuple(ip for ip in service.cluster_ips if family_of(ip) == family)
        if not own:
            continue
        # ipMode Proxy: the load balancer sets its own source and destination, so kube-proxy leaves the address alone.
        published = tuple(
            ip
            for ip, mode in service.ingress
            if family_of(ip) == family and not (mode == "Proxy" and versions.gate(IP_MODE, "M8 ipMode"))
        )
        external = tuple(ip for ip in service.external_ips if family_of(ip) == family)
        for port in service.ports:
            yield _plan(versions, service, port, own, external, published)


def _plan(
    versions: Versions,
    service: Service,
    port: ServicePort,
    own: tuple[str, ...],
    external: tuple[str, ...],
    published: tuple[str, ...],
) -> Plan:
    family = family_of(own[0])
    every = [one for one in service.endpoints_of(port, family) if one.port is not None]
    internal_local = service.internal_policy == "Local" and versions.gate(INTERNAL_POLICY, "M5 internalTrafficPolicy")
    cluster = endpoints_for(versions, service, port, family, local_only=False)
    if internal_local and not versions.since(24, "M6b internalTrafficPolicy"):
        # M6b: FilterEndpoints of 1.22 and 1.23 removes foreign endpoints of the whole Service; no local policy chain.
        every, internal_local = [one for one in every if one.node == versions.node.name], False
    ready = [one for one in every if one.ready]
    fading = [one for one in every if not one.ready and one.serving and one.terminating]
    if fading and not versions.gate(TERMINATING, "M3 terminating endpoints"):
        fading = []
    local = _here(versions.node, ready) or _here(versions.node, fading)
    return Plan(
        service, port, own, external, published, _places(cluster), _places(local), bool(ready or fading), internal_local
    )


def _here(node: ProxyNode, endpoints: Sequence[EndpointAddress]) -> tuple[EndpointAddress, ...]:
    return tuple(one for one in endpoints if one.node == node.name)


def _places(endpoints: Sequence[EndpointAddress]) -> tuple[Place, ...]:
    return tuple(dict.fromkeys((one.address, one.port) for one in endpoints if one.port is not None))


def detector(node: ProxyNode, family: int) -> tuple[str, str]:
    """(matches local traffic, matches anything else) as rule text; empty without a detector (NoOpLocalDetector)."""
    if node.local_interface:
        return f"-i {node.local_interface}", f"! -i {node.local_interface}"
    for cidr in node.cluster_cidr.split(","):
        if family_of(cidr.strip().partition("/")[0]) == family:
            return f"-s {cidr.strip()}", f"! -s {cidr.strip()}"
    return "", ""


def node_port_places(node: ProxyNode, family: int) -> tuple[str, ...] | None:
    """Addresses of --nodeport-addresses (CIDRs, or `primary` from 1.30); None without it."""
    if not node.node_port_addresses:
        return None
    found: list[str] = []
    own = [a for a in (*node.addresses, "127.0.0.1") if family_of(a) == family]
    for text in node.node_port_addresses:
        if text == "primary":
            found.extend(a for a in (node.node_ip, node.node_ip6) if family_of(a) == family)
            continue
        try:
            cidr = ip_network(text, strict=False)
        except ValueError:
            continue
        if cidr.version == family and cidr.prefixlen == 0:
            return None
        found.extend(a for a in own if ip_address(a) in cidr)
    return tuple(dict.fromkeys(found))


def sources(node: ProxyNode, plan: Plan) -> tuple[str, ...]:
    """Source ranges of the family; with the node's own address among them also the VIPs, which a node that owns one uses."""
    family = 6 if ":" in plan.cluster_ips[0] else 4
    found, from_node = [], False
    own = node.node_ip6 if family == 6 else node.node_ip
    for text in plan.service.source_ranges:
        try:
            cidr = ip_network(text.strip(), strict=False)
        except ValueError:
            continue
        if cidr.version == family:
            found.append(str(cidr))
            from_node = from_node or (bool(own) and ip_address(own) in cidr)
    return (*found, *(host(ip) for ip in plan.lb_ips if from_node))


def hashed(*parts: str) -> str:
    """portProtoHash: sixteen characters of base32(sha256(...)).

    >>> hashed("default/kubernetes:https", "tcp")
    'NPX46M4PTMTKRN6Y'
    """
    return base64.b32encode(hashlib.sha256("".join(parts).encode()).digest()).decode()[:16]


def share(remaining: int) -> str:
    """1/remaining as iptables-save prints it: the kernel keeps 31 bits.

    >>> share(2), share(3)
    ('0.50000000000', '0.33333333349')
    """
    return f"{round(2**31 / remaining) / 2**31:.11f}"


def host(address: str) -> str:
    """An address as iptables-save prints it after -s and -d."""
    return f"{address}/{128 if ':' in address else 32}"


def end_point(place: Place) -> str:
    address, port = place
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
