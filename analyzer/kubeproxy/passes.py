"""What kube-proxy does for one Service: a virtual server per address and port, the sets that name them, then nodePorts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network

from analyzer.kubeproxy.builder import NIC_ADDRESS, Builder
from analyzer.kubeproxy.versions import INTERNAL_POLICY, IP_MODE, family_of
from analyzer.snapshot.objects import EndpointAddress, Service, ServicePort


def service_steps(builder: Builder, service: Service) -> None:
    """All of a Service that stands before nodePorts."""
    families = families_of(service)
    here = [one for one in service.endpoints if one.node == builder.node.name]
    for port in service.ports:
        loop_back(builder, service, here, port)
        _service_port(builder, service, port, families)
    if service.health_check_node_port and builder.family in families and builder.since(21, "M24 health-check set"):
        builder.member("KUBE-HEALTH-CHECK-NODE-PORT", str(service.health_check_node_port), service)


def families_of(service: Service) -> frozenset[int]:
    """A proxier knows a Service by the ClusterIP of its own family, and takes only addresses of that family."""
    return frozenset(family_of(address) for address in service.cluster_ips) - {0}


def _entry(address: str, port: ServicePort, number: int | None = None) -> str:
    return f"{address},{port.protocol}:{port.port if number is None else number}"


def loop_back(builder: Builder, service: Service, here: Sequence[EndpointAddress], port: ServicePort) -> None:
    """M19: every endpoint `here` on the node, also one that is not ready (the loop over endpointsMap asks for IsLocal only)."""
    for one in here if builder.family in families_of(service) else ():
        if (one.family, one.protocol, one.port_name) == (builder.family, port.protocol, port.name) and one.port:
            member = f"{one.address},{port.protocol}:{one.port},{one.address}"
            builder.member("KUBE-LOOP-BACK", member, service, one.evidence)


def _service_port(builder: Builder, service: Service, port: ServicePort, families: frozenset[int]) -> None:
    family = builder.family
    where = (service.evidence,)
    for address in service.cluster_ips:
        if not family_of(address):
            continue
        builder.bind(address, where, cluster_ip=True)
        local = service.internal_policy == "Local" and builder.gate(INTERNAL_POLICY, "M5 internalTrafficPolicy")
        builder.server("cluster-ip", service, port, address, port.port, local=local)
        if family_of(address) == family:
            builder.member("KUBE-CLUSTER-IP", _entry(address, port), service)
    for address in service.external_ips:
        if family_of(address) not in families:
            continue
        builder.bind(address, where)
        builder.server("external-ip", service, port, address, port.port, local=service.external_local)
        if family_of(address) == family:
            suffix = "-LOCAL" if service.external_local else ""
            builder.member(f"KUBE-EXTERNAL-IP{suffix}", _entry(address, port), service)
    for address, mode in service.ingress:
        if family_of(address) not in families or (mode == "Proxy" and builder.gate(IP_MODE, "M8 ipMode: Proxy")):
            continue
        builder.bind(address, where)
        builder.server("load-balancer", service, port, address, port.port, local=service.external_local)
        if family_of(address) == family:
            _load_balancer_sets(builder, service, port, address)


def _load_balancer_sets(builder: Builder, service: Service, port: ServicePort, address: str) -> None:
    entry = _entry(address, port)
    builder.member("KUBE-LOAD-BALANCER", entry, service)
    if service.external_local:
        builder.member("KUBE-LOAD-BALANCER-LOCAL", entry, service)
    ranges = source_ranges(service, builder.family)
    if not ranges:
        return
    builder.member("KUBE-LOAD-BALANCER-FW", entry, service)
    for cidr in ranges:
        if not cidr.prefixlen:
            builder.note("M21 range of length 0")  # hash:ip,port,net takes no /0: the entry cannot be added
            continue
        # ipset prints a net of full length without its length.
        printed = cidr.network_address if cidr.prefixlen == cidr.max_prefixlen else cidr
        builder.member("KUBE-LOAD-BALANCER-SOURCE-CIDR", f"{entry},{printed}", service)
    admitted = builder.admitted(ranges)
    if admitted is None:
        builder.note("M21 address of the node")
    elif admitted:
        # The node's own connections come from the VIP; let them pass when the node's address is allowed.
        builder.member("KUBE-LOAD-BALANCER-SOURCE-IP", f"{entry},{address}", service)


def node_port(builder: Builder, service: Service, port: ServicePort, opened: Sequence[str]) -> None:
    """The virtual servers of a nodePort on the addresses it is open on, and its entries."""
    families = families_of(service)
    mine = [address for address in opened if family_of(address) in families]
    for address in mine:
        builder.server("node-port", service, port, address, port.node_port or 0, local=service.external_local)
    node_port_members(builder, service, port, [one for one in mine if family_of(one) == builder.family])


def node_port_members(builder: Builder, service: Service, port: ServicePort, mine: Sequence[str]) -> None:
    """Set entries of a nodePort that is open on the addresses `mine` of the builder's family."""
    name = f"KUBE-NODE-PORT-{port.protocol.upper()}"
    local = f"KUBE-NODE-PORT-LOCAL-{port.protocol.upper()}"
    names = [name, local] if service.external_local else [name]
    if port.protocol in ("tcp", "udp") and mine:
        for one in names:
            builder.member(one, str(port.node_port), service)
    for address in mine if port.protocol == "sctp" else ():
        for one in names:
            builder.member(f"{one}-HASH", _entry(address, port, port.node_port), service)


def source_ranges(service: Service, family: int) -> list[IPv4Network | IPv6Network]:
    return [cidr for cidr in networks(service.source_ranges) if cidr.version == family]


def networks(texts: Iterable[str]) -> list[IPv4Network | IPv6Network]:
    found = []
    for text in texts:
        try:
            found.append(ip_network(text.strip(), strict=False))
        except ValueError:
            continue
    return found


def limited(node_port_addresses: Iterable[str]) -> bool:
    """Whether nodePortAddresses says anything but "all addresses"."""
    cidrs = networks(node_port_addresses)
    return bool(cidrs) and all(cidr.prefixlen for cidr in cidrs)


def node_port_addresses(builder: Builder) -> tuple[str, ...]:
    """M11: every local address but kube-ipvs0's; 127.0.0.1 too up to 1.21; IPv6 link-local never; or the configured CIDRs.

    CIDRs count per family; a family without one has all its addresses.
    """
    node = builder.node
    candidates = [address for address in node.addresses if family_of(address)]
    if not builder.since(22, "M11 127.0.0.1 nodePort servers"):
        candidates.append("127.0.0.1")
    found: list[str] = []
    configured = list(node.node_port_addresses)
    if "primary" in configured:  # the node's own addresses
        configured = [f"{ip}/{32 if family_of(ip) == 4 else 128}" for ip in (node.node_ip, node.node_ip6) if ip]
    for family in (4, 6):
        cidrs = [cidr for cidr in networks(configured) if cidr.version == family]
        own = [address for address in dict.fromkeys(candidates) if family_of(address) == family]
        if cidrs and all(cidr.prefixlen for cidr in cidrs):
            # M11c: any interface, kube-ipvs0 included
            own = list(dict.fromkeys([*own, *(vip for vip in builder.vips if family_of(vip) == family)]))
            found.extend(one for one in own if any(ip_address(one) in cidr for cidr in cidrs))
            continue
        for address in own:
            parsed = ip_address(address)
            if parsed.version == 6 and (parsed.is_link_local or parsed.is_loopback):
                continue
            # M11b: from 1.23 all addresses minus kube-ipvs0's were taken, so a NIC address that is also a VIP was lost.
            lost = address in builder.vips and builder.since(23, "M11b NIC address")
            if lost and not builder.fixed(28, NIC_ADDRESS, "M11b NIC address", None):
                continue
            found.append(address)
    return tuple(found)
