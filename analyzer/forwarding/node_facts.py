"""What one node's state says of an address or a port, written so that nodes which treat them alike say the same.

A walk asks a node only: is this address local, which route, which rules and sets match, which virtual server, which socket.
`NodeFacts` answers these for one address at a time as a small integer. Own addresses become positions, prefixes in rules
become numbers, interfaces of pods become what rules and sysctls say of them; so equal integers on two nodes mean that a walk
cannot tell the two apart. What cannot be written so (a `nomatch` member, a list of sets) makes the node like no other.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Iterator, Mapping
from functools import cached_property

from analyzer.forwarding.addresses import contains, family_of, network, number
from analyzer.forwarding.chain_index import nat_place
from analyzer.forwarding.model import CLIENT_PORT
from analyzer.forwarding.netfilter import in_ports, in_range
from analyzer.forwarding.state import Chain, ChainRule, Held, NodeState, PolicyRule, Route, is_read_sysctl, uplink

HOOKS = ("PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING")
POD_SIDE = re.compile(r"(cali|veth|lxc|eni|vethcni|tap)")
"""Interfaces that exist once per pod: their names carry nothing but their beginning."""
ADDRESS_OPTIONS = frozenset([("ip", "-s"), ("ip", "-d"), ("conntrack", "--ctorigdst"), ("ipvs", "--vaddr")])
RANGE_OPTIONS = frozenset([("iprange", "--src-range"), ("iprange", "--dst-range")])
PORT_OPTIONS = frozenset(["--dport", "--sport", "--dports", "--sports", "--ports", "--ctorigdstport", "--vport"])
INTERFACE_OPTIONS = frozenset(["-i", "-o", "--physdev-in", "--physdev-out"])
PLAIN_SETS = re.compile(r"(hash:(ip|net)(,port)?(,(ip|net))?|bitmap:port)")

MOST_SPOTS = 20_000
"""Answers of one node that are remembered; beyond, they are asked again."""
Interned = dict[Hashable, int]


class Unlike(Exception):
    """This walk has no likeness that others could share; it is walked for itself."""


def interned(table: Interned, value: Hashable) -> int:
    return table.setdefault(value, len(table))


class Prefixes:
    """Numbered prefixes, and which of them hold an address."""

    def __init__(self) -> None:
        self.numbers: dict[str, int] = {}
        self._masks: dict[tuple[int, int], dict[int, list[int]]] = {}

    def number_of(self, prefix: str) -> int:
        known = self.numbers.get(prefix)
        if known is None:
            known = self.numbers[prefix] = len(self.numbers)
            family, first, mask, _ = network(prefix)
            self._masks.setdefault((family, mask), {}).setdefault(first, []).append(known)
        return known

    def holding(self, address: str) -> tuple[int, ...]:
        family, value = number(address)
        found: list[int] = []
        for (version, mask), firsts in self._masks.items():
            if version == family:
                found.extend(firsts.get(value & mask, ()))
        return tuple(sorted(found))


class NodeFacts:
    """The facts of one node. `table` interns over all nodes of a world, so integers compare between nodes."""

    def __init__(self, state: NodeState, table: Interned) -> None:
        self.state = state
        self.table = table
        self.prefixes = Prefixes()
        self.ranges: dict[str, int] = {}
        self.port_texts: dict[str, int] = {}
        self.patterns: set[str] = set()
        self.sets: set[str] = set()
        held = (
            entry.address for entry in state.addresses if entry.interface not in ("lo", "kube-ipvs0")
        )  # fmt: skip
        self.own = tuple(dict.fromkeys(held))
        self.position = {address: index for index, address in enumerate(self.own)}
        self._addresses: dict[str, int] = {}
        self._members: dict[tuple[str, str, tuple[int, ...]], int] = {}
        self._ports: dict[int, int] = {}
        self.held_by_port: dict[int, list[str]] = {}
        self._held: dict[str, list[Held]] = {}
        self._single: list[Mapping[str, tuple[Held, ...]]] = []
        self.core = self._core()

    # ------------------------------------------------------------------ the node itself

    def _core(self) -> int:
        state = self.state
        chains = self._chains()
        sets = self._sets()
        generic, self._placed = self._policy()
        own = tuple(
            (self.interface(entry.interface), entry.prefix_len, entry.scope, entry.secondary, self.prefixes.number_of(
                f"{entry.address}/{entry.prefix_len}"), self.position[entry.address])
            for entry in state.addresses if entry.address in self.position and entry.interface not in ("lo", "kube-ipvs0")
        )  # fmt: skip
        borrowed = tuple(self._named(state.select_source("", any_)) for any_ in ("192.0.2.1", "2001:db8::1"))
        whole = (
            tuple(sorted(state.layers.items())), tuple(sorted(state.incomplete & state.layers.keys())), state.opaque,
            state.services_partial,
            state.computed_rules, state.rule_inputs, state.beside, state.proxied, state.masquerade_unknown,
            state.node_port_sockets, state.fwmark_servers, state.served_families, state.iptables_tables,
            state.connmark_families, tuple(sorted(state.bases.items())), chains, sets, generic, own, borrowed,
            tuple(sorted((self.interface(name), self.interface(master)) for name, master in state.masters.items()
                         if not POD_SIDE.match(name))),
            tuple(sorted(name for name in state.pod_bridges)), tuple(sorted(state.routes)),
            tuple(sorted((key, value) for key, value in state.sysctls.items()
                         if is_read_sysctl(key) and not self._of_pod_interface(key))),
            self.interface(uplink(state, "")), bool(state.sysctls),
        )  # fmt: skip
        return interned(self.table, whole)

    def _of_pod_interface(self, key: str) -> bool:
        parts = key.split(".")
        return len(parts) > 3 and parts[2] == "conf" and bool(POD_SIDE.match(parts[3]))

    def interface(self, name: str) -> Hashable:
        """An interface as rules see it."""
        if not POD_SIDE.match(name):
            return name
        state = self.state
        kind = POD_SIDE.match(name)
        sysctls = tuple(
            state.sysctls.get(f"net.ipv4.conf.{name}.{key}", "") for key in ("rp_filter", "accept_local", "route_localnet")
        )  # fmt: skip
        matching = tuple(sorted(
            one for one in self.patterns if name == one or (one.endswith("+") and name.startswith(one[:-1]))
        ))  # fmt: skip
        return (kind.group() if kind else "", sysctls, matching, state.masters.get(name, ""), name in state.pod_bridges)

    def _named(self, address: str) -> Hashable:
        return self.position.get(address, address)

    def _chains(self) -> Hashable:
        """All rules a packet can meet, with addresses and ports as numbers."""
        state = self.state
        todo = [key for key in state.chains if key[2] in HOOKS]
        todo += [(family, table, name) for (family, table, _), names in state.bases.items() for name in names]
        seen = set(todo)
        while todo:
            family, table, _ = key = todo.pop()
            for one in state.chains[key].rules:
                called = (family, table, one.rule.target or "")
                if called in state.chains and called not in seen:
                    seen.add(called)
                    todo.append(called)
        for key in seen:
            for one in state.chains[key].rules:
                for match in one.rule.matches:
                    if match.option in INTERFACE_OPTIONS:
                        self.patterns.update(match.values)
        return tuple((key, self._chain(state.chains[key])) for key in sorted(seen))

    def _chain(self, chain: Chain) -> Hashable:
        return (chain.policy, tuple(self._rule(one) for one in chain.rules))

    def _rule(self, one: ChainRule) -> Hashable:
        rule = one.rule
        matches = []
        for match in rule.matches:
            if match.module == "comment":
                continue
            values: Hashable = match.values
            first = match.values[0] if match.values else ""
            if (match.module, match.option) in ADDRESS_OPTIONS:
                values = tuple(self.prefixes.number_of(prefix) for prefix in first.split(","))
            elif (match.module, match.option) in RANGE_OPTIONS:
                values = self.ranges.setdefault(first, len(self.ranges))
            elif match.option in PORT_OPTIONS:
                self.port_texts.setdefault(first, len(self.port_texts))
            elif match.option == "--match-set":
                self.sets.add(first)
            matches.append((match.module, match.option, match.inverted, match.known, values))
        options = []
        for option, values_ in rule.target_options:
            place: Hashable = values_
            if option in ("--to-source", "--to-destination") and values_:
                addresses, port = nat_place(values_[0])
                place = (tuple(self._named(address) for address in addresses), port)
            options.append((option, place))
        return (tuple(matches), rule.target, tuple(options), rule.goto, rule.unknown)

    def _sets(self) -> Hashable:
        """The sets that rules ask for: their kinds, and members that are no single address; single ones are indexed."""
        state = self.state
        wide: list[tuple[Hashable, ...]] = []
        for name in sorted(self.sets):
            found = state.sets.get(name)
            if found is None:
                wide.append((name, None))
                continue
            if not PLAIN_SETS.fullmatch(found.type) or any(member.nomatch for member in found.prefixes):
                wide.append((name, state.name))
                continue
            wide.append((name, found.type))
            if not found.prefixes and not found.type.startswith("bitmap"):
                self._single.append(found.single)
                continue
            # ipset lists members in the order of its hash, which differs between nodes.
            members = (
                sorted(found.members, key=lambda one: (one.address2, one.address)) if found.prefixes else found.members
            )
            for member in members:
                second = -1
                if member.address2 and network(member.address2)[3] not in (32, 128):
                    second = self.prefixes.number_of(member.address2)
                if not member.address:
                    first, last = member.port or 0, member.port_end or member.port or 0
                    if first == last:
                        self.held_by_port.setdefault(first, []).append(name)
                    else:
                        text = f"{first}:{last}"
                        wide.append((name, self.port_texts.setdefault(text, len(self.port_texts))))
                elif "/" in member.address and not member.address.endswith(("/32", "/128")):
                    ports = ""
                    if member.port is not None:
                        ports = f"{member.port}:{member.port_end if member.port_end is not None else member.port}"
                        self.port_texts.setdefault(ports, len(self.port_texts))
                    wide.append((name, self.prefixes.number_of(member.address), member.protocol, ports, second))
                else:
                    address = member.address.partition("/")[0]
                    self._held.setdefault(address, []).append(
                        (name, member.protocol, member.port, member.port_end, member.address2, second)
                    )
        return tuple(wide)

    def _policy(self) -> tuple[Hashable, list[tuple[PolicyRule, Hashable]]]:
        """Policy rules: those for any address as they are, those for one prefix beside it (see `_ruled`)."""
        generic: list[Hashable] = []
        placed: list[tuple[PolicyRule, Hashable]] = []
        for family, rules in sorted(self.state.rules.items()):
            kinds: dict[int, set[str]] = {}
            for rule in rules:
                kind = ("s" if rule.src else "") + ("d" if rule.dst else "")
                kinds.setdefault(rule.priority, set()).add(kind)
            for index, rule in enumerate(rules):
                what = (family, rule.priority, rule.inverted, self._from(rule), self.interface(rule.oif), rule.fwmark,
                        rule.fwmask, rule.action, rule.table)  # fmt: skip
                exact = rule.inverted or (rule.src and rule.dst) or len(kinds[rule.priority]) > 1
                if not rule.src and not rule.dst:
                    generic.append((what, index if exact else -1))
                else:
                    placed.append((rule, (what, index) if exact else what))
                    if exact:
                        generic.append((what, index, bool(rule.src), bool(rule.dst)))
        return tuple(generic), placed

    def _from(self, rule: PolicyRule) -> Hashable:
        """The input interface a rule wants; Terway asks for the one that leads to the very pod the rule is for."""
        if rule.src and POD_SIDE.match(rule.iif):
            there = self.state.lookup(rule.src.partition("/")[0])
            return "its own" if there is not None and there.interface == rule.iif else rule.iif
        return rule.iif

    @cached_property
    def _single_rules(self) -> dict[str, list[tuple[str, Hashable, int]]]:
        found: dict[str, list[tuple[str, Hashable, int]]] = {}
        for index, (rule, what) in enumerate(self._placed):
            for side, prefix in (("s", rule.src), ("d", rule.dst)):
                if prefix and network(prefix)[3] == (32 if network(prefix)[0] == 4 else 128):
                    found.setdefault(prefix.partition("/")[0], []).append((side, what, index))
        return found

    @cached_property
    def _prefix_rules(self) -> list[tuple[str, str, Hashable, int]]:
        return [
            (side, prefix, what, index)
            for index, (rule, what) in enumerate(self._placed)
            for side, prefix in (("s", rule.src), ("d", rule.dst))
            if prefix and network(prefix)[3] != (32 if network(prefix)[0] == 4 else 128)
        ]

    def _ruled(self, address: str) -> Hashable:
        hits = [(index, side, what) for side, what, index in self._single_rules.get(address, ())]
        hits += [(index, side, what) for side, prefix, what, index in self._prefix_rules if contains(prefix, address)]
        return tuple((side, what) for _, side, what in sorted(hits, key=lambda one: one[:2]))

    # ------------------------------------------------------------------ addresses and ports

    def address(self, address: str) -> int:
        """Everything about an address that does not depend on a port."""
        known = self._addresses.get(address)
        if known is None:
            state = self.state
            held = state.local.get(address)
            known = self._addresses[address] = interned(
                self.table,
                (
                    self.position.get(address), held and (self.interface(held[0]), self._source(held[1], address)),
                    state.is_local(address), state.address_type(address),
                    self.interface(state.holders.get(address, "")), self.interface(uplink(state, address)),
                    self.prefixes.holding(address),
                    tuple(index for text, index in self.ranges.items() if in_range(text, address)),
                    tuple(self._routes(address)), self._ruled(address),
                ),
            )  # fmt: skip
        return known

    def _routes(self, address: str) -> Iterator[Hashable]:
        """What each table says of the address; which interfaces are the same one is kept, their names are not."""
        family = family_of(address)
        names: dict[str, int] = {}
        for version, table in sorted(self.state.routes):
            found = self.state.lookup_table(family, table, address) if version == family else None
            if found is not None:
                same = names.setdefault(found.interface, len(names))
                yield (table, same, *self._route(found, address))

    def _route(self, route: Route, address: str) -> tuple[Hashable, ...]:
        via = self.prefixes.holding(route.gateway) if route.gateway else None
        return (route.type, via, self.interface(route.interface), self._source(route.prefsrc, address))

    def _source(self, prefsrc: str, address: str) -> Hashable:
        if not prefsrc:
            return ""
        return "itself" if prefsrc == address else self._named(prefsrc)

    def held(self, address: str) -> list[Held]:
        """The members of sets that are this single address, alone or with a port."""
        found = list(self._held.get(address, ()))
        for single in self._single:
            found += single.get(address, ())
        return found

    def members(self, protocol: str, address: str, ports: tuple[int, ...]) -> int:
        """The sets that hold the address, alone or with one of `ports` (told by its place in them).

        Raises:
            Unlike: a member pairs it with another single address: which one would have to be told too.
        """
        entries = self.held(address)
        if not entries:
            return -1
        key = (protocol, address, ports)
        known = self._members.get(key)
        if known is None:
            found = []
            for name, kind, port, last, second, number_ in entries:
                if kind and kind != protocol:
                    continue
                if port is None:
                    places: tuple[int, ...] = ()
                else:
                    end = port if last is None else last
                    places = tuple(i for i, one in enumerate((*ports, CLIENT_PORT)) if port <= one <= end)
                    if not places:
                        continue
                if second and second != address and network(second)[3] in (32, 128):
                    raise Unlike(f"{name} pairs {address} with {second}")
                found.append((name, bool(kind), port is None, places, "self" if second == address else number_))
            known = self._members[key] = interned(self.table, tuple(sorted(found, key=repr)))
        return known

    def spot(self, protocol: str, address: str, port: int, ports: tuple[int, ...]) -> int:
        """Everything about an address and port: rules, routes, sets (also with the other `ports`), virtual server, socket.

        Raises:
            Unlike: a set pairs the address with another one.
        """
        state = self.state
        one = state.listener(protocol, address, port)
        return interned(
            self.table,
            (
                self.address(address), self.members(protocol, address, ports), self._port(port),
                state.virtual_servers.filled((protocol, address, port)),
                one and ("kube-proxy" in one.process, not one.process),
            ),
        )  # fmt: skip

    def _port(self, port: int) -> Hashable:
        """The rules and port sets that name the port."""
        known = self._ports.get(port)
        if known is None:
            texts = tuple(index for text, index in self.port_texts.items() if in_ports(text, port))
            held = tuple(sorted(self.held_by_port.get(port, ())))
            known = self._ports[port] = interned(self.table, (texts, held, port == CLIENT_PORT))
        return known

    def neighbour(self, own: tuple[str, ...]) -> int:
        """What this node says of another one's own addresses; -1 when a set holds one of them."""
        if any(self.held(address) for address in own):
            return -1
        return interned(self.table, tuple(self.address(address) for address in own))


class Remembered:
    """What was asked of a node's facts: small, and there when the node's state is not any more.

    `read` gives the facts; it may have to build the state again.
    """

    def __init__(self, name: str, read: Callable[[], NodeFacts]) -> None:
        facts = read()
        self.name, self.own, self.core = name, facts.own, facts.core
        self._read = read
        self._spots: dict[tuple[str, str, int, tuple[int, ...]], int] = {}
        self._pairs: dict[str, int] = {}

    def spot(self, protocol: str, address: str, port: int, ports: tuple[int, ...]) -> int:
        """`NodeFacts.spot`, asked once."""
        key = (protocol, address, port, ports)
        known = self._spots.get(key)
        if known is None:
            if len(self._spots) > MOST_SPOTS:
                self._spots.clear()
            known = self._spots[key] = self._read().spot(*key)
        return known

    def spot_now(self, protocol: str, address: str, port: int, ports: tuple[int, ...]) -> int:
        """`NodeFacts.spot`, not remembered: for what is asked of thousands of nodes once."""
        return self._read().spot(protocol, address, port, ports)

    def neighbour_now(self, other: Remembered) -> int:
        """`NodeFacts.neighbour`, not remembered."""
        return self._read().neighbour(other.own)

    def neighbour(self, other: Remembered) -> int:
        """What this node says of another one's own addresses.

        Raises:
            Unlike: a set holds one of them.
        """
        known = self._pairs.get(other.name)
        if known is None:
            known = self._pairs[other.name] = self._read().neighbour(other.own)
        if known < 0:
            raise Unlike(f"a set of {self.name} holds an address of {other.name}")
        return known
