"""The tables of nftables on one node, from `nft list ruleset`: base chains beside those of iptables.

Each base chain runs to its own end: an accept ends it, not the others of the hook. Tables that iptables-nft keeps are left
out, because `iptables-save` shows them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from analyzer.evidence import Evidence
from analyzer.forwarding.state import Chain, ChainRule, NodeState
from analyzer.parsers.iptables_rule import Rule
from analyzer.parsers.nft_rule import Element, Unread, elements_of, nft_rules_with_place
from analyzer.snapshot.objects import text

_BASE = re.compile(
    r"type (?P<type>\w+) hook (?P<hook>\w+)(?: device \S+)? priority (?P<priority>[^;]+);(?: policy (?P<policy>\w+);)?"
)
_PRIORITY = re.compile(r"(?P<name>[a-z]*)\s*(?P<offset>[+-]?\s*\d+)?")
PRIORITIES = {"raw": -300, "mangle": -150, "dstnat": -100, "filter": 0, "security": 50, "srcnat": 100, "": 0}
"""libnftables, std_prio_lookup of src/rule.c (families ip, ip6 and inet)."""
CONNTRACK, DESTINATION_NAT = -200, -100
OF_IPTABLES = frozenset(["filter", "nat", "mangle", "raw", "security"])
HOOKS = frozenset(["prerouting", "input", "forward", "output", "postrouting"])
KUBE_PROXY = "kube-proxy"


@dataclass
class _Table:
    family: str
    name: str
    chains: dict[str, list[tuple[str, Evidence]]] = field(default_factory=dict)
    bases: dict[str, re.Match[str]] = field(default_factory=dict)
    sets: dict[str, list[Element]] = field(default_factory=dict)
    places: dict[str, list[Evidence]] = field(default_factory=dict)
    unread: set[str] = field(default_factory=set)

    @property
    def of_iptables(self) -> bool:
        return self.name in OF_IPTABLES and all(name.isupper() for name in self.bases)


def add_nft_tables(state: NodeState, rows: Iterable[Mapping[str, Any]]) -> frozenset[int]:
    """Enter the base chains of the node's own nftables; the families in which kube-proxy's table is among them."""
    found: set[int] = set()
    for table in _tables(state.name, rows):
        if table.of_iptables or table.family not in ("ip", "ip6", "inet"):
            continue
        for family in {"ip": (4,), "ip6": (6,), "inet": (4, 6)}[table.family]:
            _enter(state, table, family)
            if table.name == KUBE_PROXY and "services" in table.chains:
                found.add(family)
    return frozenset(found)


def _tables(node: str, rows: Iterable[Mapping[str, Any]]) -> list[_Table]:
    tables: dict[tuple[str, str], _Table] = {}
    kind = name = ""
    for row in rows:
        key = (text(row["nft_family"]), text(row["nft_table"]))
        table = tables.setdefault(key, _Table(*key))
        line, what = text(row["text"]), text(row["kind"])
        where = Evidence(text(row["file"]), int(row["line"] or 0), "", node)
        if what != "rule":
            kind, name = what, text(row["name"])
            if kind == "chain":
                table.chains.setdefault(name, [])
            elif kind in ("map", "set"):
                table.sets.setdefault(name, [])
                table.places.setdefault(name, [])
        elif kind == "chain":
            base = _BASE.match(line)
            if base is not None:
                table.bases[name] = base
            elif not line.startswith("comment "):
                table.chains[name].append((line, where))
        elif kind in ("map", "set") and (line.startswith("elements = {") or table.places[name]):
            inner = line.removeprefix("elements = ").removeprefix("{").removesuffix("}")
            table.places[name].append(where)
            try:
                table.sets[name].extend(elements_of(inner, len(table.places[name]) - 1))
            except Unread:
                table.unread.add(name)
    for table in tables.values():
        for name in table.unread:
            del table.sets[name]  # a rule that asks for it is then one that is not read
    return list(tables.values())


def _enter(state: NodeState, table: _Table, family: int) -> None:
    rules = {name: tuple(_chain_rules(table, lines, family)) for name, lines in table.chains.items()}

    def bases() -> Iterable[tuple[int, str, str, str]]:
        for name, base in table.bases.items():
            priority = _priority(base["priority"])
            for place in _places(base["type"], base["hook"], priority):
                yield priority, *place, name

    for _, where, hook, name in sorted(bases()):
        key = (family, where, hook)
        state.bases[key] = (*state.bases.get(key, ()), _named(table, name))
        for reached in _reached(name, rules):
            base = table.bases.get(reached)
            policy = "DROP" if base is not None and base["policy"] == "drop" else "ACCEPT" if base is not None else ""
            renamed = tuple(_renamed(table, one, rules) for one in rules[reached])
            state.chains[(family, where, _named(table, reached))] = Chain(policy, renamed)


def _chain_rules(table: _Table, lines: Iterable[tuple[str, Evidence]], family: int) -> Iterable[ChainRule]:
    for line, where in lines:
        for rule, place in nft_rules_with_place(line, table.sets, family):
            yield ChainRule(rule, table.places[place[0]][place[1]] if place is not None else where)


def _reached(start: str, rules: Mapping[str, tuple[ChainRule, ...]]) -> list[str]:
    seen, todo = [start], [start]
    while todo:
        for one in rules[todo.pop()]:
            target = one.rule.target or ""
            if target in rules and target not in seen:
                seen.append(target)
                todo.append(target)
    return seen


def _renamed(table: _Table, one: ChainRule, rules: Mapping[str, object]) -> ChainRule:
    """Chains carry their table's name: iptables may have one of the same name."""
    target = one.rule.target or ""
    if target not in rules:
        return one
    rule: Rule = replace(one.rule, target=_named(table, target))
    return ChainRule(rule, one.evidence)


def _named(table: _Table, chain: str) -> str:
    return f"{table.name}/{chain}"


def _priority(shown: str) -> int:
    found = _PRIORITY.match(shown.strip())
    if found is None:
        return 0
    return PRIORITIES.get(found["name"], 0) + int((found["offset"] or "0").replace(" ", ""))


def _places(kind: str, hook: str, priority: int) -> tuple[tuple[str, str], ...]:
    """The tables of iptables that a packet passes at the same point: (table, hook) each."""
    upper = hook.upper()
    if hook not in HOOKS:
        return ()
    if kind == "nat":
        return (("nat", upper),)
    if hook == "prerouting":
        if priority < CONNTRACK:
            return (("raw", upper),)
        # After the destination NAT nothing of iptables runs before routing: what is dropped there is dropped next.
        return (("mangle", upper),) if priority < DESTINATION_NAT else (("mangle", "INPUT"), ("mangle", "FORWARD"))
    if hook == "output":
        return (("raw" if priority < CONNTRACK else "mangle" if priority < DESTINATION_NAT else "filter", upper),)
    return (("mangle" if hook == "postrouting" else "filter", upper),)
