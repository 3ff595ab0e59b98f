"""kube-proxy's IPVS proxier as a pure function: objects, a node, a version -> the programmed state.

Follows syncProxyRules of pkg/proxy/ipvs/proxier.go, releases 1.20 to 1.33; where releases differ, the row of the version
matrix in docs/kube-proxy-versions.md is named beside the branch (M1 ...). IPv4 and IPv6 are two proxiers in kube-proxy;
here `family` selects one of them for the sets and rules, virtual servers of both families are listed.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network

from analyzer.evidence import Evidence
from analyzer.kubeproxy.model import Expected, ExpectedServer, ServerKey
from analyzer.kubeproxy.rules import rules
from analyzer.snapshot.objects import EndpointAddress, Service, ServicePort

Version = tuple[int, int]

SETS: dict[str, str] = {
    "KUBE-LOOP-BACK": "hash:ip,port,ip",
    "KUBE-CLUSTER-IP": "hash:ip,port",
    "KUBE-EXTERNAL-IP": "hash:ip,port",
    "KUBE-EXTERNAL-IP-LOCAL": "hash:ip,port",
    "KUBE-LOAD-BALANCER": "hash:ip,port",
    "KUBE-LOAD-BALANCER-LOCAL": "hash:ip,port",
    "KUBE-LOAD-BALANCER-FW": "hash:ip,port",
    "KUBE-LOAD-BALANCER-SOURCE-IP": "hash:ip,port,ip",
    "KUBE-LOAD-BALANCER-SOURCE-CIDR": "hash:ip,port,net",
    "KUBE-NODE-PORT-TCP": "bitmap:port",
    "KUBE-NODE-PORT-LOCAL-TCP": "bitmap:port",
    "KUBE-NODE-PORT-UDP": "bitmap:port",
    "KUBE-NODE-PORT-LOCAL-UDP": "bitmap:port",
    "KUBE-NODE-PORT-SCTP-HASH": "hash:ip,port",
    "KUBE-NODE-PORT-LOCAL-SCTP-HASH": "hash:ip,port",
    "KUBE-HEALTH-CHECK-NODE-PORT": "bitmap:port",
}


@dataclass(frozen=True)
class ProxyNode:
    """What the model needs to know of a node.

    `addresses` are its local addresses without kube-ipvs0's and loopback; `local_fallback` overrides the version where the
    node's own tables show it (all, none).
    """

    name: str
    addresses: tuple[str, ...]
    version: Version | None
    zone: str = ""
    local_fallback: str = ""
    cluster_cidr: str = ""
    masquerade_all: bool = False
    masquerade_bit: int = 14
    scheduler: str = "rr"
    node_port_addresses: tuple[str, ...] = ()
    node_ip: str = ""


@dataclass
class _Builder:
    node: ProxyNode
    vips: dict[str, tuple[Evidence, ...]] = field(default_factory=dict)
    servers: dict[ServerKey, ExpectedServer] = field(default_factory=dict)
    sets: dict[str, dict[str, None]] = field(default_factory=dict)
    undecided: list[str] = field(default_factory=list)

    def since(self, minor: int, *, about: str) -> bool:
        """Whether the node's kube-proxy is at least 1.`minor`; an unknown version is noted and read as current."""
        if self.node.version is None:
            if about not in self.undecided:
                self.undecided.append(about)
            return True
        return self.node.version >= (1, minor)

    def bind(self, address: str, evidence: Iterable[Evidence], *, cluster_ip: bool = False) -> None:
        # M9: from 1.28 an LB or external address that another interface holds is not bound.
        if not cluster_ip and address in self.node.addresses and self.since(28, about="binding of a NIC address"):
            return
        self.vips[address] = (*self.vips.get(address, ()), *evidence)

    def member(self, name: str, entry: str) -> None:
        self.sets.setdefault(name, {})[entry] = None

    def server(self, kind: str, service: Service, port: ServicePort, address: str, number: int, *, local: bool) -> None:
        family = ip_address(address).version
        chosen = endpoints_for(self, service, port, family, local_only=local)
        self.servers[(port.protocol, address, number)] = ExpectedServer(
            port.protocol, address, number, kind, service.id, self.node.scheduler, service.affinity_s,
            tuple(dict.fromkeys((one.address, one.port) for one in chosen if one.port is not None)),
            (service.evidence, *(one.evidence for one in chosen)),
        )  # fmt: skip


def expected(services: Sequence[Service], node: ProxyNode, *, family: int = 4) -> Expected:
    """The state kube-proxy in IPVS mode should have programmed on `node`.

    Sets and rules are those of one address family. An unknown version is read as current wherever it matters, and
    `undecided` says where.
    """
    builder = _Builder(node)
    for service in services:
        if not service.headless:
            for port in service.ports:
                _service_port(builder, service, port, family)
    if builder.since(26, about="KUBE-IPVS-FILTER"):
        for vip in builder.vips:
            if _family(vip) == family:
                builder.member("KUBE-IPVS-IPS", vip)
    kinds = {**SETS, "KUBE-IPVS-IPS": "hash:ip"}
    names = [name for name in kinds if name != "KUBE-IPVS-IPS" or node.version is None or node.version >= (1, 26)]
    sets = {name: (kinds[name], tuple(builder.sets.get(name, {}))) for name in names}
    return Expected(node.name, builder.vips, builder.servers, sets, rules(node, sets, family), tuple(builder.undecided))


def _family(address: str) -> int:
    try:
        return ip_address(address).version
    except ValueError:
        return 0


def _entry(address: str, port: ServicePort, number: int | None = None) -> str:
    return f"{address},{port.protocol}:{port.port if number is None else number}"


def _service_port(builder: _Builder, service: Service, port: ServicePort, family: int) -> None:
    node = builder.node
    where = (service.evidence,)
    for endpoint in service.endpoints_of(port, family):
        # M19: every local endpoint, also one that is not ready (the loop over endpointsMap asks for IsLocal only).
        if endpoint.node == node.name and endpoint.port is not None:
            member = f"{endpoint.address},{port.protocol}:{endpoint.port},{endpoint.address}"
            builder.member("KUBE-LOOP-BACK", member)
    for address in service.cluster_ips:
        if not _family(address):
            continue
        builder.bind(address, where, cluster_ip=True)
        # internalTrafficPolicy: gate off up to 1.21.
        local = service.internal_policy == "Local" and builder.since(22, about="internalTrafficPolicy")
        builder.server("cluster-ip", service, port, address, port.port, local=local)
        if _family(address) == family:
            builder.member("KUBE-CLUSTER-IP", _entry(address, port))
    for address in service.external_ips:
        if not _family(address):
            continue
        builder.bind(address, where)
        builder.server("external-ip", service, port, address, port.port, local=service.external_local)
        if _family(address) == family:
            suffix = "-LOCAL" if service.external_local else ""
            builder.member(f"KUBE-EXTERNAL-IP{suffix}", _entry(address, port))
    for address, mode in service.ingress:
        if not _family(address) or (mode == "Proxy" and builder.since(30, about="ipMode: Proxy")):  # M8
            continue
        builder.bind(address, where)
        builder.server("load-balancer", service, port, address, port.port, local=service.external_local)
        if _family(address) == family:
            _load_balancer_sets(builder, service, port, address)
    if port.node_port:
        _node_port(builder, service, port, family)


def _load_balancer_sets(builder: _Builder, service: Service, port: ServicePort, address: str) -> None:
    entry = _entry(address, port)
    builder.member("KUBE-LOAD-BALANCER", entry)
    if service.external_local:
        builder.member("KUBE-LOAD-BALANCER-LOCAL", entry)
    if not service.source_ranges:
        return
    builder.member("KUBE-LOAD-BALANCER-FW", entry)
    allowed = False
    for text in service.source_ranges:
        try:
            cidr = ip_network(text.strip(), strict=False)
        except ValueError:
            continue
        # ipset prints a net of full length without its length.
        printed = cidr.network_address if cidr.prefixlen == cidr.max_prefixlen else cidr
        builder.member("KUBE-LOAD-BALANCER-SOURCE-CIDR", f"{entry},{printed}")
        node_ip = builder.node.node_ip
        allowed = allowed or (bool(node_ip) and ip_address(node_ip) in cidr)
    if allowed:
        # The node's own connections come from the VIP; let them pass when the node's address is allowed.
        builder.member("KUBE-LOAD-BALANCER-SOURCE-IP", f"{entry},{address}")


def _node_port(builder: _Builder, service: Service, port: ServicePort, family: int) -> None:
    node_port, local = port.node_port or 0, service.external_local
    for address in node_port_addresses(builder):
        builder.server("node-port", service, port, address, node_port, local=local)
        if port.protocol == "sctp" and _family(address) == family:
            builder.member("KUBE-NODE-PORT-SCTP-HASH", _entry(address, port, node_port))
            if local:
                builder.member("KUBE-NODE-PORT-LOCAL-SCTP-HASH", _entry(address, port, node_port))
    if port.protocol in ("tcp", "udp"):
        builder.member(f"KUBE-NODE-PORT-{port.protocol.upper()}", str(node_port))
        if local:
            builder.member(f"KUBE-NODE-PORT-LOCAL-{port.protocol.upper()}", str(node_port))
    if service.health_check_node_port:
        builder.member("KUBE-HEALTH-CHECK-NODE-PORT", str(service.health_check_node_port))


def node_port_addresses(builder: _Builder) -> tuple[str, ...]:
    """M11: every local address but kube-ipvs0's; 127.0.0.1 too up to 1.21; IPv6 link-local never; or the configured CIDRs."""
    node = builder.node
    candidates = list(node.addresses)
    if not builder.since(22, about="127.0.0.1 nodePort servers"):
        candidates.append("127.0.0.1")
    if node.node_port_addresses:
        cidrs = []
        for text in node.node_port_addresses:
            try:
                cidrs.append(ip_network(text, strict=False))
            except ValueError:
                continue
        candidates.extend(builder.vips)  # M11c: any interface, kube-ipvs0 included
        return tuple(
            dict.fromkeys(
                a for a in candidates if any(ip_address(a) in cidr for cidr in cidrs if cidr.version == _family(a))
            )
        )
    usable = []
    for address in dict.fromkeys(candidates):
        parsed = ip_address(address)
        if parsed.version == 6 and (parsed.is_link_local or parsed.is_loopback):
            continue
        # M11b: 1.23 to 1.27 take all addresses minus kube-ipvs0's, so a NIC address that is also a VIP is lost.
        if address in builder.vips and node.version is not None and (1, 23) <= node.version <= (1, 27):
            continue
        usable.append(address)
    return tuple(usable)


def endpoints_for(
    builder: _Builder, service: Service, port: ServicePort, family: int, *, local_only: bool
) -> tuple[EndpointAddress, ...]:
    """The endpoints one virtual server gets: CategorizeEndpoints and syncEndpoint (M1 to M7)."""
    node = builder.node
    every = service.endpoints_of(port, family)
    ready = [one for one in every if one.ready]
    here = [one for one in ready if one.node == node.name]
    old = builder.since(22, about="internalTrafficPolicy") and not builder.since(24, about="internalTrafficPolicy")
    if old and service.internal_policy == "Local":
        return tuple(here)  # M6b: in 1.22 and 1.23 the policy filters all servers of the Service
    terminating = builder.since(26, about="terminating endpoints")
    fading = [one for one in every if not one.ready and one.serving and one.terminating] if terminating else []
    cluster = ready or fading  # M4
    uses_cluster = service.internal_policy != "Local" or service.externally_accessible  # UsesClusterEndpoints
    if not uses_cluster and builder.since(24, about="internalTrafficPolicy"):
        cluster = []
    elif ready and builder.since(24, about="topology hints"):
        cluster = _hinted(service, ready, node.zone)
    if not local_only:
        return tuple(cluster)
    local = here or [one for one in fading if one.node == node.name]  # M3
    if local:
        return tuple(local)
    if node.local_fallback == "none":
        return ()
    if node.local_fallback == "all" or builder.since(24, about="fallback of Local servers"):
        return tuple(cluster)  # M2, M6a: kubernetes#97081
    return ()


def _hinted(service: Service, ready: list[EndpointAddress], zone: str) -> list[EndpointAddress]:
    """M7: zone hints count when every ready endpoint has one and the node's zone has an endpoint."""
    wanted = service.annotations.get("service.kubernetes.io/topology-aware-hints") or service.annotations.get(
        "service.kubernetes.io/topology-mode"
    )
    if not zone or str(wanted).lower() != "auto" or not all(one.hint_zones for one in ready):
        return ready
    near = [one for one in ready if zone in one.hint_zones]
    return near or ready
