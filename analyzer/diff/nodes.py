"""Node states of two snapshots: addresses on kube-ipvs0, virtual and real servers, sets, rules, sockets, sysctls, regime.

The same difference on many nodes is one difference. A capture that one side lacks is not compared.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING

from analyzer.diff.model import Difference
from analyzer.diff.objects import shown
from analyzer.forwarding.state import is_read_sysctl
from analyzer.snapshot.model import REGIME_KEYS, Snapshot
from analyzer.snapshot.objects import columns

if TYPE_CHECKING:
    import pandas as pd

Entries = Mapping[str, str]
"""Entry -> what may change of it"""


def node_differences(old: Snapshot, new: Snapshot) -> Iterator[Difference]:
    """What nodes of both sides hold differently."""
    grouped: dict[tuple[str, str, str, str, str], list[str]] = defaultdict(list)
    for node in old.node_names:
        if node not in new.node_names:
            continue
        for key in REGIME_KEYS:
            was, will = old.regime(node).value(key), new.regime(node).value(key)
            if was != will and "unknown" not in (was, will):
                grouped[("regime", "changed", key, was, will)].append(node)
        for kind, (capture, read) in READERS.items():
            if old.has(node, capture) and new.has(node, capture):
                before, after = read(old.by_node.get(node, {})), read(new.by_node.get(node, {}))
                for subject in {*before, *after}:
                    one, other = before.get(subject), after.get(subject)
                    if one != other:
                        how = "removed" if other is None else "added" if one is None else "changed"
                        grouped[(kind, how, subject, one or "", other or "")].append(node)
    order = {kind: position for position, kind in enumerate(("regime", *READERS))}
    for (kind, how, subject, was, will), nodes in sorted(
        grouped.items(), key=lambda item: (order[item[0][0]], item[0])
    ):
        yield Difference("node", kind, how, subject, old=was, new=will, nodes=tuple(nodes))  # type: ignore[arg-type]


def not_compared(old: Snapshot, new: Snapshot) -> dict[str, tuple[str, ...]]:
    """Capture -> the nodes on which only one side has it; nodes that only one side has count for all their captures."""
    found: dict[str, list[str]] = defaultdict(list)
    for node in sorted({*old.node_names, *new.node_names}):
        for capture in sorted({capture for capture, _ in READERS.values()}):
            if old.has(node, capture) != new.has(node, capture):
                found[capture].append(node)
    return {capture: tuple(nodes) for capture, nodes in found.items()}


def _frame(own: Mapping[str, pd.DataFrame], table: str, *names: str) -> Iterator[tuple[str, ...]]:
    frame = own.get(table)
    for row in columns(frame, *names) if frame is not None else ():
        yield tuple(shown(value) for value in row)


def _bound(own: Mapping[str, pd.DataFrame]) -> Entries:
    return {
        address: ""
        for interface, address in _frame(own, "addresses", "interface", "address")
        if interface == "kube-ipvs0"
    }


def _own_addresses(own: Mapping[str, pd.DataFrame]) -> Entries:
    return {
        f"{address} on {interface}": ""
        for interface, address in _frame(own, "addresses", "interface", "address")
        if interface not in ("kube-ipvs0", "lo") and not address.startswith("fe80:")
    }


def _virtual(own: Mapping[str, pd.DataFrame]) -> Entries:
    rows = _frame(own, "virtual_servers", "protocol", "address", "port", "fwmark", "scheduler", "persistence_s")
    return {
        f"{protocol}/{address}:{port}" if address else f"fwmark {mark}": scheduler
        + (f", persistent {last} s" if last else "")
        for protocol, address, port, mark, scheduler, last in rows
    }


def _real(own: Mapping[str, pd.DataFrame]) -> Entries:
    rows = _frame(
        own, "real_servers", "vs_protocol", "vs_address", "vs_port", "address", "port", "forwarding", "weight"
    )
    return {
        f"{proto}/{vip}:{vport} -> {ip}:{port}": f"{way}, weight {weight}"
        for proto, vip, vport, ip, port, way, weight in rows
    }


def _sets(own: Mapping[str, pd.DataFrame]) -> Entries:
    return {f"{name} {member}": "" for name, member in _frame(own, "ipset_members", "set", "member")}


def _rules(own: Mapping[str, pd.DataFrame]) -> Entries:
    """Rules of each chain in order; a chain is one entry, so that a moved rule shows."""
    chains: dict[str, list[str]] = defaultdict(list)
    rows = sorted(_frame(own, "iptables_rules", "family", "table", "chain", "position", "rule"),
                  key=lambda row: (row[0], row[1], row[2], int(row[3] or 0)))  # fmt: skip
    for family, table, chain, _, rule in rows:
        chains[f"{'ip6tables ' if family == '6' else ''}{table} {chain}"].append(rule)
    return {name: "\n".join(rules) for name, rules in chains.items()}


def _policies(own: Mapping[str, pd.DataFrame]) -> Entries:
    rows = _frame(own, "iptables_chains", "family", "table", "chain", "policy")
    return {
        f"{'ip6tables ' if family == '6' else ''}{table} {chain}": policy
        for family, table, chain, policy in rows
        if policy
    }


def _sysctls(own: Mapping[str, pd.DataFrame]) -> Entries:
    rows = _frame(own, "sysctls", "key", "value")
    return {key: value for key, value in rows if is_read_sysctl(key) or key.startswith("net.ipv4.vs.")}


def _sockets(own: Mapping[str, pd.DataFrame]) -> Entries:
    """Listening ports that stay: below the range from which ephemeral ports are taken."""
    rows = _frame(own, "listeners", "protocol", "address", "port", "process")
    return {
        f"{proto} {address}:{port}": process for proto, address, port, process in rows if port and int(port) < 32768
    }


READERS: Mapping[str, tuple[str, Callable[[Mapping[str, pd.DataFrame]], Entries]]] = {
    "bound": ("ip-addr", _bound),
    "address": ("ip-addr", _own_addresses),
    "virtual-server": ("ipvsadm", _virtual),
    "real-server": ("ipvsadm", _real),
    "set-member": ("ipset", _sets),
    "chain": ("iptables", _rules),
    "policy": ("iptables", _policies),
    "sysctl": ("sysctl", _sysctls),
    "socket": ("sockets", _sockets),
}
"""Kind of difference -> the capture it is read from, and how."""
