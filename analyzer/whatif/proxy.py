"""kube-proxy's reaction to a change: each node's captured state, with the difference of the two expected states entered.

What the capture holds beyond the expected state (a stale server, a firewall's rule) stays: the change alone is simulated,
as if kube-proxy followed it. Inputs that were not captured need nothing, the expected state stands in for them.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from analyzer.forwarding.addresses import family_of
from analyzer.forwarding.standin import HOOKS, member_of
from analyzer.kubeproxy import Expected, ExpectedServer, ProxyNode, expected, families, proxy_node, shared_of
from analyzer.kubeproxy.iptables_mode import iptables_rules
from analyzer.kubeproxy.model import ServerKey
from analyzer.parsers.iptables_save import rule_fields
from analyzer.snapshot.model import Snapshot
from analyzer.snapshot.objects import columns, number, text
from analyzer.whatif.tableset import TableSet

if TYPE_CHECKING:
    import pandas as pd

ChainKey = tuple[int, str, str]
"""(family, table, chain)"""
DUMMY = "kube-ipvs0"
_COMMENT = re.compile(r'-m comment --comment (?:"[^"]*"|\S+) ?')


@dataclass
class Programmed:
    """What kube-proxy has on one node, whatever its mode: the part that captures show."""

    vips: dict[str, str] = field(default_factory=dict)
    """address -> "" (an ordered set)"""
    servers: dict[ServerKey, ExpectedServer] = field(default_factory=dict)
    sets: dict[str, tuple[str, tuple[str, ...]]] = field(default_factory=dict)
    chains: dict[ChainKey, tuple[str, ...]] = field(default_factory=dict)
    placeholders: set[tuple[str, int]] = field(default_factory=set)
    """(protocol, port) of nodePorts on which kube-proxy holds a socket"""


def programmed(snapshot: Snapshot, node: str, mode: str, proxy: ProxyNode) -> Programmed:
    """What kube-proxy in that mode programs from the snapshot's objects; nothing for a mode that is not walked."""
    found = Programmed()
    for family in families(snapshot, node) if mode in ("ipvs", "iptables") else ():
        if mode == "ipvs":
            services, shared = snapshot.objects.services, shared_of(snapshot)
            _add_ipvs(found, expected(services, proxy, family=family, shared=shared), family)
        else:
            made = iptables_rules(snapshot.objects.services, proxy, family=family)
            _add_chains(found, family, made.chains, made.rules)
    return found


def _add_ipvs(found: Programmed, state: Expected, family: int) -> None:
    found.vips.update(dict.fromkeys(state.vips, ""))
    found.servers.update(state.servers.items())
    found.sets.update(state.sets)
    found.placeholders |= {(one.protocol, one.port) for one in state.sockets if one.purpose == "node-port"}
    _add_chains(found, family, state.chains, state.rules)


def _add_chains(
    found: Programmed, family: int, chains: Iterable[tuple[str, str]], rules: Iterable[tuple[str, str, str]]
) -> None:
    grouped: dict[ChainKey, list[str]] = {(family, table, chain): [] for table, chain in chains}
    for table, chain, rule in rules:
        grouped.setdefault((family, table, chain), []).append(rule)
    found.chains.update({key: tuple(texts) for key, texts in grouped.items()})


def reprogram(
    before: Snapshot,
    after: Snapshot,
    change: Callable[[str, ProxyNode], ProxyNode],
    modes: Mapping[str, tuple[str, str]],
) -> Snapshot:
    """`after` (whose objects are changed) with the node captures that kube-proxy would have made of it.

    Args:
        change: what else is different about a node's kube-proxy (its version), by node name.
        modes: node -> (proxy mode before, after).
    """
    changes = TableSet(after)
    for node in after.node_names:
        old_mode, new_mode = modes[node]
        if not before.captured.get(node):
            continue
        was = programmed(before, node, old_mode, proxy_node(before, node))
        will = programmed(after, node, new_mode, change(node, proxy_node(after, node)))
        _Node(changes, after, node).enter(was, will)
    return changes.apply()


def resync(snapshot: Snapshot, node: str, mode: str) -> Snapshot:
    """The node with exactly what kube-proxy should have programmed there, whatever the capture holds."""
    changes = TableSet(snapshot)
    will = programmed(snapshot, node, mode, proxy_node(snapshot, node))
    one = _Node(changes, snapshot, node)
    one.enter(one.captured(will), will)
    return changes.apply()


class _Node:
    """The captures of one node, changed from one programmed state to another."""

    def __init__(self, changes: TableSet, snapshot: Snapshot, node: str) -> None:
        self.changes, self.snapshot, self.node = changes, snapshot, node
        self.own = snapshot.by_node.get(node, {})

    def enter(self, was: Programmed, will: Programmed) -> None:
        has = self.snapshot.has
        if has(self.node, "ipvsadm"):
            self.servers(was.servers, will.servers)
        if has(self.node, "ip-addr"):
            self.addresses(was.vips, will.vips)
        if has(self.node, "ip-route"):
            self.local_routes(was.vips, will.vips)
        if has(self.node, "ipset"):
            self.sets(was.sets, will.sets)
        if has(self.node, "iptables") or has(self.node, "ip6tables"):
            self.chains(was.chains, will.chains)
        if has(self.node, "sockets"):
            self.sockets(was.placeholders, will.placeholders)

    def rows(self, table: str, *names: str) -> Iterable[tuple[Any, tuple[Any, ...]]]:
        """(label, values) of the node's rows."""
        frame: pd.DataFrame | None = self.own.get(table)
        return zip(frame.index, columns(frame, *names), strict=True) if frame is not None else ()

    def add(self, name: str, /, **row: Any) -> None:
        self.changes.add(name, {"node": self.node, **row})

    def captured(self, wanted: Programmed) -> Programmed:
        """The node's captures as if kube-proxy had meant them: the state that a new start replaces."""
        found = Programmed(placeholders=set(wanted.placeholders))
        for _, (interface, address) in self.rows("addresses", "interface", "address"):
            if interface == DUMMY and address:
                found.vips[address] = ""
        reals: dict[ServerKey, list[tuple[str, int]]] = {}
        for _, (protocol, address, port, real, real_port, weight) in self.rows(
            "real_servers", "vs_protocol", "vs_address", "vs_port", "address", "port", "weight"
        ):
            if weight != 0 and address and port is not None:
                reals.setdefault((protocol or "", address, port), []).append((real or "", real_port or 0))
        names = ("protocol", "address", "port", "scheduler", "persistence_s")
        for _, (protocol, address, port, scheduler, persistence) in self.rows("virtual_servers", *names):
            if address and port is not None:
                key = (protocol or "", address, port)
                found.servers[key] = ExpectedServer(
                    *key, "", "", scheduler or "", persistence, tuple(reals.get(key, ())), ()
                )
        members: dict[str, list[str]] = {}
        for _, (name, member) in self.rows("ipset_members", "set", "member"):
            members.setdefault(name or "", []).append(member or "")
        for _, (name, kind) in self.rows("ipsets", "set", "type"):
            if (name or "").startswith("KUBE-"):
                found.sets[name] = (kind or "", tuple(members.get(name, ())))
        chains: dict[ChainKey, list[tuple[int, str]]] = {}
        columns_ = ("family", "table", "chain", "position", "rule", "target")
        for _, (family, table, chain, position, rule, target) in self.rows("iptables_rules", *columns_):
            key_ = (family or 4, table or "", chain or "")
            kube = (chain or "").startswith("KUBE-") or (target or "").startswith("KUBE-")
            if kube and key_ in wanted.chains:
                chains.setdefault(key_, []).append((position or 0, rule or ""))
        found.chains = {key: tuple(rule for _, rule in sorted(chains.get(key, ()))) for key in wanted.chains}
        return found

    # ------------------------------------------------------------------ IPVS

    def servers(self, was: Mapping[ServerKey, ExpectedServer], will: Mapping[ServerKey, ExpectedServer]) -> None:
        different = {key for key in {*was, *will} if was.get(key) != will.get(key)}
        gone = {key for key in different if key not in will}
        anew = {
            key
            for key in different & was.keys() & will.keys()
            if (was[key].scheduler, was[key].persistence_s) != (will[key].scheduler, will[key].persistence_s)
        }
        held: set[ServerKey] = set()
        stale = []
        for label, (protocol, address, port) in self.rows("virtual_servers", "protocol", "address", "port"):
            key = (protocol or "", address or "", port if port is not None else -1)
            held.add(key)
            if key in gone or key in anew:
                stale.append(label)
        self.changes.drop("virtual_servers", stale)
        for key in (different - gone - held) | (anew & held):
            one = will[key]
            self.add("virtual_servers", protocol=one.protocol, address=one.address, port=one.port, family=family_of(one.address),
                     scheduler=one.scheduler, persistence_s=one.persistence_s)  # fmt: skip
        self.real_servers(was, will, different)

    def real_servers(
        self,
        was: Mapping[ServerKey, ExpectedServer],
        will: Mapping[ServerKey, ExpectedServer],
        different: set[ServerKey],
    ) -> None:
        """A real server that is no longer wanted is drained and then removed: the end of that is simulated."""
        names = ("vs_protocol", "vs_address", "vs_port", "address", "port")
        held: set[tuple[ServerKey, tuple[str, int]]] = set()
        stale = []
        for label, (protocol, address, port, real, real_port) in self.rows("real_servers", *names):
            key = (protocol or "", address or "", port if port is not None else -1)
            if key not in different:
                continue
            place = (real or "", real_port or 0)
            before = was[key].real_servers if key in was else ()
            after = will[key].real_servers if key in will else ()
            if key not in will or (place in before and place not in after):
                stale.append(label)
            else:
                held.add((key, place))
        self.changes.drop("real_servers", stale)
        for key in different & will.keys():
            for place in will[key].real_servers:
                if (key, place) not in held:
                    self.add("real_servers", vs_protocol=key[0], vs_address=key[1], vs_port=key[2], address=place[0],
                             port=place[1], forwarding="Masq", weight=1)  # fmt: skip

    def addresses(self, was: Mapping[str, str], will: Mapping[str, str]) -> None:
        held: set[str] = set()
        stale = []
        index = 0
        for label, (interface, address, ifindex) in self.rows("addresses", "interface", "address", "ifindex"):
            if interface == DUMMY:
                index = ifindex or index
                held.add(address or "")
                if address in was and address not in will:
                    stale.append(label)
        self.changes.drop("addresses", stale)
        for vip in will:
            if vip not in held and vip not in was:
                self.add("addresses", interface=DUMMY, ifindex=index or 99, family=family_of(vip), address=vip,
                         prefix_len=32 if family_of(vip) == 4 else 128, scope="global", label=DUMMY)  # fmt: skip

    def local_routes(self, was: Mapping[str, str], will: Mapping[str, str]) -> None:
        """The kernel's own entries in table local, where that table was captured."""
        seen: set[int] = set()
        held: set[str] = set()
        stale = []
        for label, (table, kind, dst, interface) in self.rows("routes", "table", "type", "dst", "interface"):
            if table != "local" or kind != "local":
                continue
            address = (dst or "").partition("/")[0]
            seen.add(family_of(address))
            if interface == DUMMY:
                held.add(address)
                if address in was and address not in will:
                    stale.append(label)
        self.changes.drop("routes", stale)
        for vip in will:
            if family_of(vip) in seen and vip not in held and vip not in was:
                length = 32 if family_of(vip) == 4 else 128
                self.add("routes", family=family_of(vip), type="local", dst=f"{vip}/{length}", interface=DUMMY, table="local",
                         protocol="kernel", scope="host", prefsrc=vip if family_of(vip) == 4 else None)  # fmt: skip

    def sets(
        self, was: Mapping[str, tuple[str, tuple[str, ...]]], will: Mapping[str, tuple[str, tuple[str, ...]]]
    ) -> None:
        gone = {name: {one.lower() for one in members} - {one.lower() for one in will.get(name, ("", ()))[1]}
                for name, (_, members) in was.items()}  # fmt: skip
        held: dict[str, set[str]] = {}
        stale = []
        for label, (name, member) in self.rows("ipset_members", "set", "member"):
            held.setdefault(name or "", set()).add((member or "").lower())
            if (member or "").lower() in gone.get(name or "", ()):
                stale.append(label)
        self.changes.drop("ipset_members", stale)
        named = {name for _, (name,) in self.rows("ipsets", "set")}
        self.changes.drop(
            "ipsets", [label for label, (name,) in self.rows("ipsets", "set") if name in was and name not in will]
        )
        for name, (kind, members) in will.items():
            if name not in named and name not in was:
                self.add("ipsets", set=name, type=kind, family=6 if "KUBE-6-" in name else 4)
            before = {one.lower() for one in was.get(name, ("", ()))[1]}
            for member in members:
                if member.lower() not in before and member.lower() not in held.get(name, ()):
                    read = member_of(kind, member)
                    self.add("ipset_members", set=name, member=member, address=read.address or None,
                             protocol=read.protocol or None, port=read.port, port_end=read.port_end,
                             address2=read.address2 or None)  # fmt: skip

    # ------------------------------------------------------------------ rules and sockets

    def chains(self, was: Mapping[ChainKey, tuple[str, ...]], will: Mapping[ChainKey, tuple[str, ...]]) -> None:
        """Each chain that changes is written anew: its captured rules with the difference entered."""
        names = ("family", "table", "chain", "position", "rule")
        captured: dict[ChainKey, list[tuple[int, str, Any]]] = {}
        for label, (family, table, chain, position, rule) in self.rows("iptables_rules", *names):
            captured.setdefault((family or 4, table or "", chain or ""), []).append((position or 0, rule or "", label))
        have = {
            (number(family) or 4, text(table), text(chain))
            for _, (family, table, chain) in self.rows("iptables_chains", "family", "table", "chain")
        }
        families_captured = {key[0] for key in have}
        gone = {key for key in was if key not in will and key[2] not in HOOKS}
        self.changes.drop(
            "iptables_chains",
            [
                label
                for label, (family, table, chain) in self.rows("iptables_chains", "family", "table", "chain")
                if (family or 4, table or "", chain or "") in gone
            ],
        )
        frame = self.own.get("iptables_rules")
        for key in {*was, *will}:
            old, new = was.get(key, ()), will.get(key, ())
            if key[0] not in families_captured:
                continue
            if key in will and key not in have:
                self.add("iptables_chains", family=key[0], table=key[1], chain=key[2])
            if old == new:
                continue
            rows = sorted(captured.get(key, ()), key=lambda one: one[0])
            labels = {rule: label for _, rule, label in rows}
            wanted = entered([rule for _, rule, _ in rows], old, new)
            self.changes.drop("iptables_rules", [label for _, _, label in rows])
            for position, rule in enumerate(wanted, 1):
                where: dict[str, Any] = {}
                if rule in labels and frame is not None:
                    where = {
                        "file": str(frame.at[labels[rule], "file"]),
                        "line": number(frame.at[labels[rule], "line"]),
                    }
                self.add("iptables_rules", family=key[0], table=key[1], chain=key[2], position=position,
                         **rule_fields(rule), **where)  # fmt: skip

    def sockets(self, was: set[tuple[str, int]], will: set[tuple[str, int]]) -> None:
        gone = was - will
        stale = [
            label
            for label, (protocol, port, process) in self.rows("listeners", "protocol", "port", "process")
            if (protocol, port) in gone and (not process or "kube-proxy" in process)
        ]
        self.changes.drop("listeners", stale)
        for protocol, port in sorted(will - was):
            self.add("listeners", protocol=protocol, address="*", port=port, state="LISTEN", process="kube-proxy")


def bare(rule: str) -> str:
    """Without comment, and without the option that depends on what iptables can do: what the model writes.

    >>> bare('-m comment --comment "a b" -j MASQUERADE --random-fully')
    '-j MASQUERADE'
    """
    return _COMMENT.sub("", rule).replace(" --random-fully", "").strip()


def entered(captured: Sequence[str], old: Sequence[str], new: Sequence[str]) -> list[str]:
    """The captured rules without those that only `old` has, and with those that only `new` has, each behind its forerunner.

    >>> entered(["a", "mine", "b", "c"], ["a", "b", "c"], ["a", "x", "c"])
    ['a', 'x', 'mine', 'c']
    """
    was, will = [bare(rule) for rule in old], [bare(rule) for rule in new]
    surplus = Counter(was) - Counter(will)
    kept: list[str] = []
    for rule in reversed(captured):
        if surplus[bare(rule)] > 0:
            surplus[bare(rule)] -= 1
        else:
            kept.insert(0, rule)
    names = [bare(rule) for rule in kept]
    held = {bare(rule) for rule in captured}
    place = 0
    for rule, name in zip(new, will, strict=True):
        if name in names[place:]:
            place = names.index(name, place) + 1
        elif name in was and name not in held:
            continue  # the capture lacked it before, the change does not bring it
        else:
            kept.insert(place, rule)
            names.insert(place, name)
            place += 1
    return kept


def changed_proxy(proxy: ProxyNode, version: str) -> ProxyNode:
    """The same kube-proxy in another release: what was read off the tables of the old one says nothing of it."""
    release, _, patch = version.removeprefix("v").partition("-")[0].partition(".")
    minor, _, last = patch.partition(".")
    return replace(
        proxy, version=(int(release), int(minor)), patch=int(last) if last.isdecimal() else None, local_fallback="",
        filter_returns=None, open=tuple(one for one in proxy.open if one != "version"),
    )  # fmt: skip
