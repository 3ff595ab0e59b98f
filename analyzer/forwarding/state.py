"""One node's forwarding state as the walker needs it: indexed, whichever layer (captured or expected) it came from."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

from analyzer.evidence import Evidence
from analyzer.forwarding.addresses import contains, family_of, is_multicast, network, number
from analyzer.parsers.iptables_rule import Rule

Layer = Literal["captured", "expected", "assumed"]
INDEXED = 4
"""Addresses that are only indexed take about this part of the room of one that is a value."""


@dataclass(frozen=True, slots=True)
class InterfaceAddress:
    interface: str
    ifindex: int
    address: str
    prefix_len: int
    scope: str
    secondary: bool
    evidence: Evidence


class Bound(Mapping[str, InterfaceAddress]):
    """Addresses of kube-ipvs0 that are told apart from the others (`vips.py`); none."""

    def first(self, family: int) -> InterfaceAddress | None:
        """The first one of a family."""
        return None

    def __getitem__(self, address: str) -> InterfaceAddress:
        raise KeyError(address)

    def __iter__(self) -> Iterator[str]:
        return iter(())

    def __len__(self) -> int:
        return 0


@dataclass(frozen=True, slots=True)
class Route:
    type: str
    dst: str
    gateway: str
    interface: str
    prefsrc: str
    metric: int
    evidence: Evidence

    @property
    def length(self) -> int:
        return network(self.dst)[3]


@dataclass(frozen=True, slots=True)
class PolicyRule:
    priority: int
    inverted: bool
    src: str
    dst: str
    iif: str
    oif: str
    fwmark: int | None
    fwmask: int
    action: str
    table: str
    evidence: Evidence

    def matches(self, src: str, dst: str, iif: str, oif: str, mark: int) -> bool:
        hit = (
            (not self.src or contains(self.src, src))
            and (not self.dst or contains(self.dst, dst))
            and (not self.iif or self.iif == (iif or "lo"))  # output lookups have the loopback as input interface
            and (not self.oif or self.oif == oif)
            and (self.fwmark is None or mark & self.fwmask == self.fwmark)
        )
        return hit != self.inverted


@dataclass(frozen=True, slots=True)
class RealServer:
    address: str
    port: int
    weight: int
    forwarding: str
    evidence: Evidence
    active: int | None = None


@dataclass(frozen=True, slots=True)
class VirtualServer:
    protocol: str
    address: str
    port: int
    scheduler: str
    persistent: bool
    real_servers: tuple[RealServer, ...]
    evidence: Evidence

    @property
    def live(self) -> tuple[RealServer, ...]:
        return tuple(server for server in self.real_servers if server.weight > 0)


LocalEntry = tuple[str, str, Evidence]
"""interface, preferred source, evidence"""


class Local(Mapping[str, LocalEntry]):
    """Local addresses: entries of the node's own, and in some families those of kube-ipvs0."""

    def __init__(self) -> None:
        self.own: dict[str, LocalEntry] = {}
        self.vips: Bound = Bound()
        self.families: frozenset[int] = frozenset()
        """Families in which addresses of kube-ipvs0 are local because they are bound, not because a route says so."""

    def _of_vips(self, address: object) -> bool:
        return address in self.vips and isinstance(address, str) and family_of(address) in self.families

    def __getitem__(self, address: str) -> LocalEntry:
        found = self.own.get(address)
        if found is not None:
            return found
        if not self._of_vips(address):
            raise KeyError(address)
        entry = self.vips[address]
        return (entry.interface, "", entry.evidence)

    def __contains__(self, address: object) -> bool:
        return address in self.own or self._of_vips(address)

    def __iter__(self) -> Iterator[str]:
        yield from self.own
        yield from (address for address in self.vips if family_of(address) in self.families)

    def __len__(self) -> int:
        return sum(1 for _ in self)


ServerKey = tuple[str, str, int]
"""(protocol, address, port)"""


LiveServer = tuple[str, int, int, str]
"""(address, port, weight, forwarding) of a real server"""


class Servers(Mapping[ServerKey, VirtualServer]):
    """Virtual servers by key, made when first asked for."""

    def __init__(self) -> None:
        self._made: dict[ServerKey, VirtualServer] = {}

    def add(self, server: VirtualServer) -> None:
        self._made[(server.protocol, server.address, server.port)] = server

    def __getitem__(self, key: ServerKey) -> VirtualServer:
        found = self._made.get(key)
        if found is None:
            found = self._made[key] = self._make(key)
        return found

    def _make(self, key: ServerKey) -> VirtualServer:
        raise KeyError(key)

    def __contains__(self, key: object) -> bool:
        return key in self._made

    def __iter__(self) -> Iterator[ServerKey]:
        return iter(self._made)

    def __len__(self) -> int:
        return len(self._made)

    def live(self, key: ServerKey) -> tuple[LiveServer, ...]:
        """The real servers that a virtual server gives connections to; none without it."""
        server = self.get(key)
        return tuple((one.address, one.port, one.weight, one.forwarding) for one in server.live) if server else ()

    def filled(self, key: ServerKey) -> tuple[bool, bool] | None:
        """Whether a virtual server has a live real server, and any at all; null without it."""
        server = self.get(key)
        return None if server is None else (bool(server.live), bool(server.real_servers))

    def families(self) -> frozenset[int]:
        """Of the virtual addresses."""
        return frozenset(family_of(address) for _, address, _ in self)

    @property
    def weight(self) -> int:
        """Rows that are held as values, or as much room."""
        return len(self)


@dataclass(frozen=True, slots=True)
class Member:
    address: str
    protocol: str
    port: int | None
    port_end: int | None
    address2: str
    nomatch: bool
    evidence: Evidence


Held = tuple[str, str, int | None, int | None, str, int]
"""set, protocol, first and last port, second address of a member, number of the second one's prefix (-1: none)"""


@dataclass(frozen=True)
class IpSet:
    """An ipset and its members, hashed by the parts that are compared for equality."""

    name: str
    type: str
    members: tuple[Member, ...]
    evidence: Evidence
    index: dict[tuple[object, ...], Member] = field(default_factory=dict, compare=False)
    prefixes: list[Member] = field(default_factory=list, compare=False)

    def __post_init__(self) -> None:
        for member in self.members:
            prefix = "/" in member.address or "/" in member.address2
            ranged = member.port is not None and member.port_end not in (None, member.port)
            # Nets are compared as prefixes; ipset prints one of full length without its length.
            net = "net" in self.type or self.type.startswith("list:")
            if prefix or ranged or member.nomatch or net:
                self.prefixes.append(member)
            else:
                key = (member.address or None, member.protocol or None, member.port, member.address2 or None)
                self.index[key] = member

    @cached_property
    def single(self) -> Mapping[str, tuple[Held, ...]]:
        """Address -> the members with it; only for sets whose members are single addresses and ports (no `prefixes`)."""
        found: dict[str, list[Held]] = {}
        for one in self.members:
            if one.address:
                address = one.address.partition("/")[0]
                found.setdefault(address, []).append(
                    (self.name, one.protocol, one.port, one.port_end, one.address2, -1)
                )
        return {address: tuple(held) for address, held in found.items()}

    def find(self, address: str, protocol: str, port: int | None, address2: str) -> Member | None:
        """The member that matches, honouring the set's type; `nomatch` members win as in ipset."""
        kind = self.type
        has_port = "port" in kind
        key = (
            None if kind.startswith("bitmap:port") else address,
            protocol if has_port and not kind.startswith("bitmap:port") else None,
            port if has_port else None,
            address2 if kind.count(",") == 2 else None,
        )
        hit = self.index.get(key)
        best: tuple[int, Member] | None = None
        for member in self.prefixes:
            if member.address and not contains(member.address, address):
                continue
            if has_port:
                if member.protocol and member.protocol != protocol:
                    continue
                last = member.port_end if member.port_end is not None else member.port
                if port is None or member.port is None or last is None or not member.port <= port <= last:
                    continue
            if member.address2 and not contains(member.address2, address2):
                continue
            length = network(member.address)[3] + network(member.address2)[3]
            if best is None or length > best[0] or (length == best[0] and member.nomatch):
                best = (length, member)
        if best is not None and (hit is None or best[1].nomatch):
            return None if best[1].nomatch else best[1]
        return hit


@dataclass(frozen=True, slots=True)
class ChainRule:
    rule: Rule
    evidence: Evidence


Spread = tuple[tuple[ChainRule, tuple[str, int]], ...]
"""Rules and the (address, port) each one leads to."""


@dataclass(frozen=True, slots=True)
class Chain:
    policy: str
    rules: tuple[ChainRule, ...]


@dataclass(frozen=True, slots=True)
class Listener:
    protocol: str
    address: str
    port: int
    process: str
    scope_interface: str
    evidence: Evidence

    def accepts(self, protocol: str, address: str, port: int) -> bool:
        """Whether a packet to address:port meets this socket; a dual-stack wildcard serves IPv4 too."""
        if self.protocol != protocol or self.port != port:
            return False
        if self.address in ("*", "::"):  # net.ipv6.bindv6only=0, the kernel's default; v6only is not shown
            return True
        if self.address == "0.0.0.0":  # noqa: S104 - compared, not bound
            return family_of(address) == 4
        return self.address == address


@dataclass
class NodeState:
    """Everything the walker reads of one node. `layers` tells for each input where it comes from; absent = no knowledge."""

    name: str
    layers: dict[str, Layer] = field(default_factory=dict)
    addresses: tuple[InterfaceAddress, ...] = ()
    """All addresses but those in `vips`."""
    vips: Bound = field(default_factory=Bound)
    masters: Mapping[str, str] = field(default_factory=dict)
    local: Local = field(default_factory=Local)
    routes: dict[tuple[int, str], list[Route]] = field(default_factory=dict)
    rules: dict[int, list[PolicyRule]] = field(default_factory=dict)
    virtual_servers: Servers = field(default_factory=Servers)
    fwmark_servers: bool = False
    sets: dict[str, IpSet] = field(default_factory=dict)
    chains: dict[tuple[int, str, str], Chain] = field(default_factory=dict)
    """(family, table, chain) -> chain."""
    bases: dict[tuple[int, str, str], tuple[str, ...]] = field(default_factory=dict)
    """(family, table, hook) -> base chains of nftables that run there before the built-in one, each to its own end."""
    listeners: tuple[Listener, ...] = ()
    sysctls: Mapping[str, str] = field(default_factory=dict)
    incomplete: frozenset[str] = frozenset()
    """Captures that were filtered or cut: absence of a row proves nothing."""
    services_partial: bool = False
    """Virtual servers were computed from Services of which not all were collected."""
    vague_addresses: frozenset[str] = frozenset()
    vague_node_ports: frozenset[int] = frozenset()
    """Where such a Service's traffic policy is not known: what its virtual servers list is not known either."""
    iptables_tables: frozenset[tuple[int, str]] = frozenset()
    trees: dict[tuple[int, str], list[tuple[int, dict[int, Route]]]] = field(default_factory=dict)
    """Route table -> (mask, first address -> route), longest prefixes first; filled when a table is first asked."""
    usable: dict[int, tuple[dict[str, list[InterfaceAddress]], str]] = field(default_factory=dict)
    idle: dict[tuple[int, str, str], bool] = field(default_factory=dict)
    dispatch: dict[tuple[int, str, str], tuple[dict[tuple[int, int], list[int]], tuple[int, ...]]] = field(
        default_factory=dict
    )
    """Chain -> positions of its rules for one destination each, and of all others; filled when a long chain is met."""
    spreads: dict[tuple[int, str, str], Spread] = field(default_factory=dict)
    """Chain -> its rules with a share for each of many endpoints; filled when the chain is met."""
    beside: frozenset[str] = frozenset()
    """Captures that play no part in the node's proxy mode: without them nothing is missing."""
    rule_inputs: tuple[str, ...] = ("iptables", "ipset")
    """What the netfilter hooks are read from; `nft` stands for kube-proxy's own table in nftables mode."""
    nft_families: frozenset[int] = frozenset()
    """Families whose kube-proxy table of nftables was captured."""
    proxied: frozenset[int] = frozenset()
    """Families whose Services kube-proxy serves by netfilter rules alone."""
    computed_rules: str = ""
    """The proxy mode whose rules stand in for a capture; empty when kube-proxy's rules were captured or in IPVS mode."""
    opaque: str = ""
    """How Services are handled here when the walk cannot follow it: the proxy mode, empty when it can."""
    masquerade_unknown: bool = False
    """iptables was not captured and the CNI's own masquerade rules cannot be told."""
    facts: object = None
    """What `ways.py` read off this state."""
    node_port_sockets: bool = False
    """kube-proxy of this version holds a socket on each nodePort (up to 1.23), seen or not in the process column."""

    @cached_property
    def pod_bridges(self) -> frozenset[str]:
        """Bridges that pods hang on: those with a veth port; by their usual names where links were not captured."""
        found = {master for interface, master in self.masters.items() if interface.startswith("veth")}
        return frozenset(found or {"cni0", "cbr0"})

    @property
    def weight(self) -> int:
        """Rows that this state alone holds."""
        members = sum(len(one.members) for one in self.sets.values()) if self.layers.get("ipset") == "captured" else 0
        chains = sum(len(one.rules) for one in self.chains.values())
        routes = sum(map(len, self.routes.values())) + sum(map(len, self.rules.values()))
        return len(self.addresses) + len(self.vips) // INDEXED + self.virtual_servers.weight + members + chains + routes

    def has(self, what: str) -> bool:
        return what in self.layers

    def sysctl(self, key: str, default: str) -> str:
        return self.sysctls.get(key, default)

    def has_sysctl(self, key: str) -> bool:
        return key in self.sysctls

    def is_local(self, address: str) -> bool:
        return address in self.local or any(contains(prefix, address) for prefix in self.local_prefixes)

    @cached_property
    def local_prefixes(self) -> tuple[str, ...]:
        """Local routes for more than one address (127.0.0.0/8): few beside those for one, of which each VIP has its own."""
        return tuple(
            route.dst
            for family in (4, 6)
            for route in self.routes.get((family, "local"), ())
            if route.type == "local" and route.length < (32 if family == 4 else 128)
        )

    def address_type(self, address: str, interface: str = "") -> str:
        """LOCAL, BROADCAST, MULTICAST or UNICAST as inet_addr_type says, by the entries of one interface if given."""
        family = family_of(address)
        if is_multicast(address):
            return "MULTICAST"
        if family == 4 and (address == "255.255.255.255" or contains("0.0.0.0/8", address)):
            return "BROADCAST"
        held = self.local.get(address)
        if held is not None:
            return "LOCAL" if interface in ("", held[0]) else "UNICAST"
        found = self.lookup_table(family, "local", address)
        if found is None or (interface and interface != found.interface):
            return "UNICAST"
        return found.type.upper()

    @cached_property
    def served_families(self) -> frozenset[int]:
        """Families of the node's virtual servers, or of the Services in a mode without them."""
        return self.proxied | self.virtual_servers.families()

    @cached_property
    def connmark_families(self) -> frozenset[int]:
        """Families whose rules give connections a mark; in the others it is always 0."""
        return frozenset(
            family
            for (family, _, _), chain in self.chains.items()
            for one in chain.rules
            if one.rule.target == "CONNMARK" and "--restore-mark" not in dict(one.rule.target_options)
        )

    def local_evidence(self, address: str) -> tuple[Evidence, ...]:
        entry = self.local.get(address)
        return (entry[2],) if entry else ()

    def lookup(
        self, dst: str, *, src: str = "", iif: str = "", oif: str = "", mark: int = 0, skip_local: bool = False
    ) -> Route | None:
        """The route the kernel picks: policy rules in order, longest prefix, lowest metric. None = no route.

        A blackhole, unreachable or prohibit route is returned as such (see its `type`); throw continues with the
        next rule (`ip-rule(8)`, fib_rules).
        """
        family = family_of(dst)
        goto = 0
        for rule in self.rules.get(family, ()):
            if rule.priority < goto or not rule.matches(src, dst, iif, oif, mark):
                continue
            if rule.action == "goto" and rule.table.isdigit():
                goto = int(rule.table)
            if rule.action in ("blackhole", "unreachable", "prohibit"):
                return Route(rule.action, dst, "", "", "", 0, rule.evidence)
            if rule.action != "lookup" or (skip_local and rule.table == "local"):
                continue
            found = self.lookup_table(family, rule.table, dst)
            if found is not None and found.type != "throw":
                return found
        return None

    def lookup_table(self, family: int, table: str, dst: str) -> Route | None:
        """The route with the longest prefix, of these the one with the lowest metric, of these the first."""
        key = (family, table)
        lengths = self.trees.get(key)
        if lengths is None:
            lengths = self.trees[key] = _by_length(self.routes.get(key, ()))
        version, value = number(dst)
        for mask, firsts in lengths:
            found = firsts.get(value & mask)
            if found is not None and version == family:
                return found
        return None

    def select_source(self, interface: str, towards: str) -> str:
        """The address MASQUERADE uses: inet_select_addr(out, next hop, universe), net/ipv4/devinet.c.

        Primary addresses of the interface with global scope, the one whose subnet holds the next hop first; an interface
        without one borrows the first global address of any interface in index order.
        """
        by_interface, first = self._usable(family_of(towards))
        if towards in self.vips and self.vips[towards].interface == interface:
            return towards
        own = by_interface.get(interface, ())
        for entry in own:
            if contains(f"{entry.address}/{entry.prefix_len}", towards):
                return entry.address
        return own[0].address if own else first

    def _usable(self, family: int) -> tuple[dict[str, list[InterfaceAddress]], str]:
        """Primary addresses of global scope by interface, and the first in index order: inet_select_addr's candidates."""
        found = self.usable.get(family)
        if found is None:
            by_interface: dict[str, list[InterfaceAddress]] = {}
            for entry in self.addresses:
                if family_of(entry.address) == family and entry.scope in ("global", "") and not entry.secondary:
                    by_interface.setdefault(entry.interface, []).append(entry)
            vip = self.vips.first(family)
            if vip is not None:
                by_interface[vip.interface] = [vip]
            every = [entry for entries in by_interface.values() for entry in entries]
            first = min(every, key=lambda entry: entry.ifindex).address if every else ""
            found = self.usable[family] = (by_interface, first)
        return found

    @cached_property
    def holders(self) -> Mapping[str, str]:
        """Address -> the interface that holds it, lo and kube-ipvs0 aside."""
        return {
            entry.address: entry.interface
            for entry in reversed(self.addresses)
            if entry.interface not in ("lo", "kube-ipvs0")
        }

    def passes(self, family: int, table: str, hook: str) -> bool:
        """Whether a built-in chain accepts everything: absent, or without a rule that could do anything."""
        key = (family, table, hook)
        known = self.idle.get(key)
        if known is None:
            known = self.idle[key] = self._idle(key, 0)
        return known

    def _idle(self, key: tuple[int, str, str], depth: int) -> bool:
        chain = self.chains.get(key)
        if chain is None:
            return True
        if chain.policy == "DROP" or depth > 8:
            return False
        return all(
            not one.rule.target
            or (
                (key[0], key[1], one.rule.target) in self.chains
                and self._idle((key[0], key[1], one.rule.target), depth + 1)
            )
            for one in chain.rules
        )

    @cached_property
    def _sockets(self) -> Mapping[tuple[str, int], list[Listener]]:
        found: dict[tuple[str, int], list[Listener]] = {}
        for one in self.listeners:
            found.setdefault((one.protocol, one.port), []).append(one)
        return found

    def listener(self, protocol: str, address: str, port: int) -> Listener | None:
        """The socket that answers: an exact address wins over a wildcard."""
        hits = [one for one in self._sockets.get((protocol, port), ()) if one.accepts(protocol, address, port)]
        hits.sort(key=lambda one: one.address != address)
        return hits[0] if hits else None


def _by_length(routes: Iterable[Route]) -> list[tuple[int, dict[int, Route]]]:
    by_length: dict[int, tuple[int, dict[int, Route]]] = {}
    for route in routes:
        family, first, mask, length = network(route.dst)
        if family:
            firsts = by_length.setdefault(length, (mask, {}))[1]
            held = firsts.get(first)
            if held is None or route.metric < held.metric:
                firsts[first] = route
    return [by_length[length] for length in sorted(by_length, reverse=True)]


def index_listeners(listeners: Iterable[Listener]) -> tuple[Listener, ...]:
    return tuple(sorted(listeners, key=lambda one: (one.protocol, one.port, one.address, one.process)))


ANY = {0: "0.0.0.0", 4: "0.0.0.0", 6: "::"}  # noqa: S104 - looked up in a route table, never bound

OVERLAYS = ("docker", "flannel", "vxlan", "tunl", "wireguard", "genev", "cilium", "nodelocaldns")
"""Devices whose addresses the network delivers through the node's uplink."""


def uplink(state: NodeState, address: str) -> str:
    """The interface a packet for `address` arrives on: its owner, else the one that leads to the pod's own table."""
    holder = state.holders.get(address, "")
    if holder and holder not in state.pod_bridges and not holder.startswith(OVERLAYS):
        return holder
    for rule in state.rules.get(family_of(address) or 4, ()):
        if rule.src and contains(rule.src, address) and rule.table not in ("main", "local", "default"):
            route = state.lookup_table(family_of(address), rule.table, ANY[family_of(address)])
            if route is not None:
                return route.interface
    default = state.lookup_table(family_of(address) or 4, "main", ANY[family_of(address)])
    return default.interface if default is not None else ""


READ_SYSCTLS = re.compile(
    r"net\.ipv4\.(ip_forward|vs\.conntrack|conf\.[^ ]+\.(rp_filter|accept_local|route_localnet))"
    r"|net\.bridge\.bridge-nf-call-iptables"
)
"""The only keys a walk may ask for: which nodes are alike is told by these."""


def is_read_sysctl(key: str) -> bool:
    return READ_SYSCTLS.fullmatch(key) is not None
