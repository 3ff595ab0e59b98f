"""kube-proxy's IPVS proxier as a pure function: objects, a node, a version -> the programmed state.

Follows syncProxyRules of pkg/proxy/ipvs/proxier.go, releases 1.20 to 1.33; where releases differ, the row of the version
matrix in docs/kube-proxy-versions.md is named beside the branch (M1 ...). IPv4 and IPv6 are two proxiers in kube-proxy;
here `family` selects one of them for the sets and rules, virtual servers of both families are listed.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Any

from analyzer.evidence import Evidence
from analyzer.kubeproxy.endpoints import endpoints_for
from analyzer.kubeproxy.frame import Fixes, set_name
from analyzer.kubeproxy.host import sockets, sysctls
from analyzer.kubeproxy.model import Expected, ExpectedServer, ProxyNode, ServerKey
from analyzer.kubeproxy.rules import chains, rules
from analyzer.kubeproxy.versions import INTERNAL_POLICY, IP_MODE, Versions, family_of
from analyzer.snapshot.objects import Service, ServicePort

__all__ = ["SETS", "ProxyNode", "expected", "node_port_addresses"]

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
    "KUBE-IPVS-IPS": "hash:ip",
}
# Fixes that went into patch releases: minor -> (last patch without, first patch with it, null when not known).
_NIC_ADDRESS: dict[int, tuple[int, int | None]] = {27: (1, 2)}  # kubernetes#115019, k3s#7183
_HEALTH_CHECK_RETURN: dict[int, tuple[int, int | None]] = {26: (0, None), 27: (1, None)}  # kubernetes#117755, #117759
_LOCAL_RETURN: dict[int, tuple[int, int | None]] = {28: (3, None), 29: (0, None)}  # kubernetes#121928, #122323


Call = tuple[str, tuple[Any, ...]]
"""A step of the builder: its method and the arguments"""
Choice = tuple[tuple[tuple[str, int], ...], tuple[Evidence, ...]]
"""Real servers, and the objects behind them"""
Choices = dict[Hashable, tuple[tuple[tuple[str, int], ...], tuple[Evidence, ...], tuple[str, ...]]]
"""Remembered choices, with the notes that were taken"""


class _Builder(Versions):
    """One run over all Services: first what is bound and served on VIPs, then nodePorts, which depend on what is bound."""

    def __init__(self, node: ProxyNode, family: int) -> None:
        super().__init__(node)
        self.family = family
        self.vips: dict[str, tuple[Evidence, ...]] = {}
        self.servers: dict[ServerKey, ExpectedServer] = {}
        self.contested: set[ServerKey] = set()
        self.sets: dict[str, dict[str, tuple[str, tuple[Evidence, ...]]]] = {}
        self.choices: tuple[Choices, Hashable] | None = None
        self.flags = ("mh-port",) if node.scheduler == "mh" and self.since(27, "M15 flags of mh") else ()

    def bind(self, address: str, evidence: Iterable[Evidence], *, cluster_ip: bool = False) -> None:
        # M9: from 1.28 an LB or external address that another interface holds is not bound.
        if not cluster_ip and address in self.node.addresses and self.fixed(28, _NIC_ADDRESS, "M9 NIC address", None):
            return
        self.bound(address, tuple(evidence))

    def member(self, name: str, entry: str, service: Service, *evidence: Evidence) -> None:
        self.entered(name, entry, (service.id, (service.evidence, *evidence)))

    def bound(self, address: str, evidence: tuple[Evidence, ...]) -> None:
        before = self.vips.get(address)
        self.vips[address] = evidence if before is None else (*before, *evidence)

    def entered(self, name: str, entry: str, why: tuple[str, tuple[Evidence, ...]]) -> None:
        self.sets.setdefault(name, {}).setdefault(entry, why)

    def server(self, kind: str, service: Service, port: ServicePort, address: str, number: int, *, local: bool) -> None:
        real, evidence = self.choose(service, port, family_of(address), local=local)
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
            asking = _Recorder(self.node, self.family)
            chosen = endpoints_for(asking, service, port, family, local_only=local)
            real = tuple(dict.fromkeys((one.address, one.port) for one in chosen if one.port))
            notes = tuple(str(values[0]) for name, values in asking.calls if name == "note")
            found = known[key] = (real, (service.evidence, *(one.evidence for one in chosen)), notes)
        for about in found[2]:
            self.note(about)
        return found[:2]

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


class Shared:
    """What nodes have in common: the steps for one Service, recorded once for all nodes that it looks the same to.

    One instance serves one list of Services.
    """

    def __init__(self) -> None:
        self.steps: dict[Hashable, tuple[Call, ...]] = {}
        self.chosen: Choices = {}
        self._nodes: dict[int, frozenset[str]] = {}

    def own(self, index: int, service: Service, node: ProxyNode) -> Hashable:
        """What of the node itself a Service's steps depend on."""
        nodes = self._nodes.get(index)
        if nodes is None:
            nodes = self._nodes[index] = frozenset(one.node for one in service.endpoints)
        held = [*service.cluster_ips, *service.external_ips, *service.published]
        return (
            index,
            node.name if node.name in nodes else "",
            tuple(address for address in held if address in node.addresses),
            (node.node_ip, node.node_ip6) if service.source_ranges else (),
        )


def _kind(node: ProxyNode, family: int) -> Hashable:
    """Everything about a node but its own name, addresses and networks: nodes of one kind read Services alike."""
    gates = tuple(sorted(node.feature_gates.items()))
    return (family, node.version, node.patch, node.zone, node.local_fallback, node.scheduler, gates)


class _Recorder(_Builder):
    """Notes the steps instead of taking them."""

    def __init__(self, node: ProxyNode, family: int) -> None:
        self.calls: list[Call] = []
        super().__init__(node, family)
        self.calls.clear()  # what the version leaves open for all Services is the builder's own

    def note(self, about: str) -> None:
        self.calls.append(("note", (about,)))

    def bound(self, address: str, evidence: tuple[Evidence, ...]) -> None:
        self.calls.append(("bound", (address, evidence)))

    def member(self, name: str, entry: str, service: Service, *evidence: Evidence) -> None:
        self.calls.append(("entered", (name, entry, (service.id, (service.evidence, *evidence)))))

    def serve(self, made: ExpectedServer) -> None:
        self.calls.append(("serve", (made,)))


def expected(
    services: Sequence[Service], node: ProxyNode, *, family: int = 4, shared: Shared | None = None
) -> Expected:
    """The state kube-proxy in IPVS mode should have programmed on `node`.

    Sets, chains and rules are those of one address family. An unknown version is read as current wherever it matters, and
    `undecided` says where.
    """
    shared = shared or Shared()
    builder = _Builder(node, family)
    served = [service for service in services if not service.headless]
    kind = _kind(node, family)
    own = [shared.own(index, service, node) for index, service in enumerate(served)]
    for index, service in enumerate(served):
        steps = shared.steps.get((kind, own[index]))
        if steps is None:
            recorder = _Recorder(node, family)
            _service(recorder, service)
            steps = shared.steps[(kind, own[index])] = tuple(recorder.calls)
        builder.take(steps)
    opened = node_port_addresses(builder) if any(port.node_port for one in served for port in one.ports) else ()
    for index, service in enumerate(served):
        builder.choices = shared.chosen, (kind, own[index])
        for port in service.ports:
            if port.node_port:
                _node_port(builder, service, port, opened)
    if builder.since(26, "M22a KUBE-IPVS-FILTER"):
        owners = {one.address: one.service for one in reversed(builder.servers.values())}
        bound = {vip: (owners.get(vip, ""), where) for vip, where in builder.vips.items() if family_of(vip) == family}
        builder.sets["KUBE-IPVS-IPS"] = bound
    return _assembled(builder, served, opened)


def _service(builder: _Builder, service: Service) -> None:
    """All of a Service that stands before nodePorts."""
    families = _families(service)
    for port in service.ports:
        _service_port(builder, service, port, families)
    if service.health_check_node_port and builder.family in families and builder.since(21, "M24 health-check set"):
        builder.member("KUBE-HEALTH-CHECK-NODE-PORT", str(service.health_check_node_port), service)


def _assembled(builder: _Builder, served: Sequence[Service], opened: Sequence[str]) -> Expected:
    node, family, version = builder.node, builder.family, builder.version
    since = {"KUBE-IPVS-IPS": 26, "KUBE-HEALTH-CHECK-NODE-PORT": 21}
    plain = {
        name: (kind, tuple(builder.sets.get(name, {})))
        for name, kind in SETS.items()
        if version >= (1, since.get(name, 0))
    }
    fixes = _fixes(builder, plain)
    held = opened if _limited(node.node_port_addresses) else ()
    return Expected(
        node.name,
        builder.vips,
        builder.servers,
        {set_name(name, family): content for name, content in plain.items()},
        rules(node, version, plain, family, fixes),
        chains=chains(version, family),
        asked={
            (set_name(name, family), entry): why
            for name, entries in builder.sets.items()
            for entry, why in entries.items()
        },
        contested=frozenset(builder.contested),
        excluded=node.exclude_cidrs,
        sysctls=sysctls(builder),
        sockets=sockets(builder, served, held),
        undecided=tuple(builder.undecided),
    )


def _fixes(builder: _Builder, sets: dict[str, tuple[str, tuple[str, ...]]]) -> Fixes:
    """Which returns KUBE-IPVS-FILTER has (M22b, M22c); open questions are noted only where a member depends on them."""
    shown = builder.node.filter_returns
    answers = []
    for name, minor, backports, row in (
        ("KUBE-HEALTH-CHECK-NODE-PORT", 28, _HEALTH_CHECK_RETURN, "M22b health-check return"),
        ("KUBE-EXTERNAL-IP-LOCAL", 30, _LOCAL_RETURN, "M22c external-local return"),
    ):
        noted = list(builder.undecided)
        real = set_name(name, builder.family)
        answers.append(builder.fixed(minor, backports, row, real in shown if shown is not None else None))
        if not sets.get(name, ("", ()))[1]:
            builder.undecided = noted
    return Fixes(*answers)


def _families(service: Service) -> frozenset[int]:
    """A proxier knows a Service by the ClusterIP of its own family, and takes only addresses of that family."""
    return frozenset(family_of(address) for address in service.cluster_ips) - {0}


def _entry(address: str, port: ServicePort, number: int | None = None) -> str:
    return f"{address},{port.protocol}:{port.port if number is None else number}"


def _service_port(builder: _Builder, service: Service, port: ServicePort, families: frozenset[int]) -> None:
    node, family = builder.node, builder.family
    where = (service.evidence,)
    for endpoint in service.endpoints_of(port, family) if family in families else ():
        # M19: every local endpoint, also one that is not ready (the loop over endpointsMap asks for IsLocal only).
        if endpoint.node == node.name and endpoint.port:
            member = f"{endpoint.address},{port.protocol}:{endpoint.port},{endpoint.address}"
            builder.member("KUBE-LOOP-BACK", member, service, endpoint.evidence)
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


def _load_balancer_sets(builder: _Builder, service: Service, port: ServicePort, address: str) -> None:
    entry = _entry(address, port)
    builder.member("KUBE-LOAD-BALANCER", entry, service)
    if service.external_local:
        builder.member("KUBE-LOAD-BALANCER-LOCAL", entry, service)
    ranges = [cidr for cidr in _networks(service.source_ranges) if cidr.version == builder.family]
    if not ranges:
        return
    builder.member("KUBE-LOAD-BALANCER-FW", entry, service)
    node_ip = builder.node.node_ip if builder.family == 4 else builder.node.node_ip6
    for cidr in ranges:
        if not cidr.prefixlen:
            builder.note("M21 range of length 0")  # hash:ip,port,net takes no /0: the entry cannot be added
            continue
        # ipset prints a net of full length without its length.
        printed = cidr.network_address if cidr.prefixlen == cidr.max_prefixlen else cidr
        builder.member("KUBE-LOAD-BALANCER-SOURCE-CIDR", f"{entry},{printed}", service)
    if not node_ip:
        builder.note("M21 address of the node")
    elif any(ip_address(node_ip) in cidr for cidr in ranges):
        # The node's own connections come from the VIP; let them pass when the node's address is allowed.
        builder.member("KUBE-LOAD-BALANCER-SOURCE-IP", f"{entry},{address}", service)


def _node_port(builder: _Builder, service: Service, port: ServicePort, opened: Sequence[str]) -> None:
    node_port, local, family = port.node_port or 0, service.external_local, builder.family
    families = _families(service)
    names = [
        f"KUBE-NODE-PORT-{port.protocol.upper()}",
        *([f"KUBE-NODE-PORT-LOCAL-{port.protocol.upper()}"] if local else []),
    ]
    mine = [address for address in opened if family_of(address) in families]
    for address in mine:
        builder.server("node-port", service, port, address, node_port, local=local)
    if port.protocol in ("tcp", "udp") and any(family_of(address) == family for address in mine):
        for name in names:
            builder.member(name, str(node_port), service)
    for address in mine if port.protocol == "sctp" else ():
        for name in names if family_of(address) == family else ():
            builder.member(f"{name}-HASH", _entry(address, port, node_port), service)


def _networks(texts: Iterable[str]) -> list[IPv4Network | IPv6Network]:
    found = []
    for text in texts:
        try:
            found.append(ip_network(text.strip(), strict=False))
        except ValueError:
            continue
    return found


def _limited(node_port_addresses: Iterable[str]) -> bool:
    """Whether nodePortAddresses says anything but "all addresses"."""
    cidrs = _networks(node_port_addresses)
    return bool(cidrs) and all(cidr.prefixlen for cidr in cidrs)


def node_port_addresses(builder: _Builder) -> tuple[str, ...]:
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
        cidrs = [cidr for cidr in _networks(configured) if cidr.version == family]
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
            if lost and not builder.fixed(28, _NIC_ADDRESS, "M11b NIC address", None):
                continue
            found.append(address)
    return tuple(found)
