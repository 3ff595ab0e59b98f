"""Long chains: the rules that can concern a destination, and the rules that spread over many endpoints.

kube-proxy in iptables mode writes one dispatch rule per Service port and one balancing rule per endpoint; neither has to be
tried one by one.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence

from analyzer.forwarding.addresses import network, number
from analyzer.forwarding.state import Chain, ChainRule, NodeState, Spread

FEW_ENDPOINTS = 6
"""Beyond so many endpoints of one chain, alike ones share a walk."""
LONG_CHAIN = 48
"""From so many rules on a chain is searched by destination."""
MAX_RANGE = 16
"""Longest NAT address range that is walked address by address."""

Key = tuple[int, str, str]
"""(family, table, chain)"""


def candidates(state: NodeState, key: Key, chain: Chain, dst: str) -> Sequence[ChainRule]:
    """The rules of a chain without those for another single destination: kube-proxy's dispatch chains are long."""
    if len(chain.rules) < LONG_CHAIN:
        return chain.rules
    known = state.dispatch.get(key)
    if known is None:
        by_destination: dict[tuple[int, int], list[int]] = {}
        rest: list[int] = []
        for position, one in enumerate(chain.rules):
            address = _single_destination(one)
            (by_destination.setdefault(address, []) if address else rest).append(position)
        known = state.dispatch[key] = (by_destination, tuple(rest))
    hits = known[0].get(number(dst), ())
    return [chain.rules[position] for position in sorted((*hits, *known[1]))]


def _single_destination(one: ChainRule) -> tuple[int, int] | None:
    """The one address a rule is for, as (family, integer)."""
    for match in one.rule.matches:
        if match.module == "ip" and match.option == "-d" and not match.inverted and match.values:
            family, first, _, length = network(match.values[0])
            return (family, first) if family and length == (32 if family == 4 else 128) else None
    return None


def spread_of(state: NodeState, key: Key, chain: Chain) -> Spread:
    """The rules by which kube-proxy spreads over many endpoints, if the chain ends in such rules."""
    found = state.spreads.get(key)
    if found is None:
        found = state.spreads[key] = _read_spread(state, key, chain)
    return found


def _read_spread(state: NodeState, key: Key, chain: Chain) -> Spread:
    found: list[tuple[ChainRule, tuple[str, int]]] = []
    for one in reversed(chain.rules):
        chance = any(match.module == "statistic" for match in one.rule.matches)
        called = state.chains.get((key[0], key[1], one.rule.target or ""))
        if called is None or any(match.module not in ("comment", "statistic") for match in one.rule.matches):
            break
        if any(name != one.rule.target for name in one.rule.unknown):
            break
        if chance != bool(found):
            break
        last = called.rules[-1].rule if called.rules else None
        where = dict(last.target_options).get("--to-destination", ("",))[0] if last and last.target == "DNAT" else ""
        addresses, port = nat_place(where)
        if len(addresses) != 1 or not addresses[0] or not port:
            break
        found.append((one, (addresses[0], port)))
    return tuple(reversed(found)) if len(found) > FEW_ENDPOINTS else ()


def nat_place(text: str) -> tuple[tuple[str, ...], int | None]:
    """Addresses and port of ``10.0.0.1:80``, ``:80``, ``10.0.0.1-10.0.0.3:80``, ``[2001:db8::1]:80``; of a port range the first.

    No address at all for text that is none of these; an empty address keeps the packet's own.
    """
    if text.startswith("["):
        addresses, _, rest = text[1:].partition("]")
        ports = rest.removeprefix(":")
    elif text.count(":") > 1:
        addresses, ports = text, ""
    else:
        addresses, _, ports = text.partition(":")
    port = nat_port(ports)
    if not addresses:
        return ((), None) if port is None else (("",), port)
    low, _, high = addresses.partition("-")
    family, first = number(low)
    last_family, last = number(high or low)
    if not family or family != last_family or not first <= last < first + MAX_RANGE:
        return (), None
    make = ipaddress.IPv4Address if family == 4 else ipaddress.IPv6Address
    return tuple(str(make(value)) for value in range(first, last + 1)), port


def nat_port(text: str) -> int | None:
    digits = text.partition("-")[0]
    return int(digits) if digits.isdigit() and int(digits) else None
