"""What stands in for a missing capture: kube-proxy's expected state, the CNI's usual routes and masquerade rules.

Every stand-in is entered in `layers` as "expected" (computed from objects and version) or "assumed" (a plain default), and
lowers the confidence of each verdict that uses it. Nothing stands in for sockets and sysctls.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Any
from weakref import WeakKeyDictionary

from analyzer.evidence import Evidence
from analyzer.forwarding.addresses import family_of, network
from analyzer.forwarding.state import (
    Chain,
    ChainRule,
    InterfaceAddress,
    IpSet,
    Member,
    NodeState,
    RealServer,
    Route,
    VirtualServer,
)
from analyzer.kubeproxy import Expected, expected_on, families, proxy_node
from analyzer.kubeproxy.iptables_mode import iptables_rules
from analyzer.kubeproxy.nftables_mode import nftables_rules
from analyzer.kubeproxy.servers import NodeServers
from analyzer.parsers.iptables_rule import parse_rule
from analyzer.snapshot.model import Snapshot
from analyzer.snapshot.objects import flag, parts, records, text

UPLINK = "eth0"
NETFILTER_MODES = ("iptables", "nftables")
HOOKS = ("PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING")
NOWHERE = Evidence("", 0)
_SETS: WeakKeyDictionary[Snapshot, dict[tuple[str, tuple[str, ...]], IpSet]] = WeakKeyDictionary()
"""Expected sets by name and members: most are the same on all nodes."""
_NETFILTER: WeakKeyDictionary[Snapshot, tuple[dict[str, Netfilter], dict[tuple[Any, ...], tuple[Any, ...]]]] = (
    WeakKeyDictionary()
)
"""For each node what it should have of netfilter; equal members and rules are kept once."""
_CHAINS: WeakKeyDictionary[Snapshot, dict[tuple[Any, ...], Mapping[tuple[int, str, str], Chain]]] = WeakKeyDictionary()
"""Chains by the rules of kube-proxy and of the CNI: few are a node's own."""
_NETWORKS: WeakKeyDictionary[Snapshot, tuple[str, Mapping[str, str]]] = WeakKeyDictionary()
"""What `flannel_networks` found: one look at all nodes serves every one of them."""


def beside(snapshot: Snapshot, node: str) -> frozenset[str]:
    """Captures that play no part in the node's proxy mode.

    Without IPVS nobody asks for its tables; a rule that matches a set which was not captured says so itself.
    """
    with_ipvs = snapshot.regime(node).value("proxy_mode") in ("ipvs", "unknown")
    return frozenset() if with_ipvs else frozenset({"ipvsadm", "ipset"})


def stand_in(snapshot: Snapshot, state: NodeState) -> None:
    """Fill each input that was not captured, as far as objects allow; without Services nothing is expected."""
    missing = {"ip-addr", "ip-route", "ipvsadm", "ipset", "iptables"} - state.layers.keys()
    mode = snapshot.regime(state.name).value("proxy_mode")
    state.opaque = "" if _walkable(snapshot, state, mode) else mode
    state.beside = beside(snapshot, state.name)
    missing -= state.beside
    if "services" not in snapshot.captured.get("", {}):
        return
    if mode in NETFILTER_MODES and not state.opaque:
        state.proxied = frozenset(families(snapshot, state.name))
        _netfilter(snapshot, state, mode)
        missing -= {"iptables"}
    elif mode not in ("ipvs", "unknown"):
        missing -= {"iptables"}
    if not missing:
        return
    expected = _expected(snapshot, state.name, missing)
    if not snapshot.complete("", "services"):
        # A Service that was not collected has its virtual server all the same. Its members of sets need no such care:
        # they matter to packets for its addresses only, and those are undecided at IPVS.
        state.incomplete |= missing & {"ip-addr", "ipvsadm"}
        state.services_partial = "ipvsadm" in missing
        if state.services_partial:
            state.vague_addresses, state.vague_node_ports = _without_policy(snapshot)
    if "ip-addr" in missing and isinstance(expected, Expected):
        _addresses(snapshot, state, expected, vips=mode in ("ipvs", "unknown"))
    if "ip-route" in missing:
        _routes(snapshot, state)
    if "ipvsadm" in missing and isinstance(expected, Expected):
        _servers(state, expected)
    if "ipset" in missing:
        _sets(snapshot, state, expected)
    if "iptables" in missing:
        _chains(snapshot, state, expected)


@dataclass(frozen=True, slots=True)
class Netfilter:
    """What kube-proxy should have programmed for netfilter: all that most nodes need of the expected state, in little room."""

    sets: Mapping[str, tuple[str, tuple[str, ...]]]
    rules: tuple[tuple[str, str, str], ...]


def _expected(snapshot: Snapshot, node: str, missing: AbstractSet[str]) -> Expected | Netfilter:
    """The expected state, or the part that is asked for again whenever the node's state is built."""
    if missing & {"ip-addr", "ipvsadm"}:
        return expected_on(snapshot, node)
    kept = _NETFILTER.setdefault(snapshot, ({}, {}))
    found = kept[0].get(node)
    if found is None:
        whole = expected_on(snapshot, node)
        if isinstance(whole.servers, NodeServers):  # takes little room and is kept: it shares most with other nodes
            return whole
        equal = kept[1]
        sets = {name: (kind, equal.setdefault(members, members)) for name, (kind, members) in whole.sets.items()}
        found = kept[0][node] = Netfilter(sets, equal.setdefault(whole.rules, whole.rules))
    return found


def _without_policy(snapshot: Snapshot) -> tuple[frozenset[str], frozenset[int]]:
    """Addresses and nodePorts of published Services whose traffic policy was not collected (tables do not print it)."""
    addresses: set[str] = set()
    ports: set[int] = set()
    services = snapshot["services"]
    published = services["type"].isin(["NodePort", "LoadBalancer"]) & services["external_policy"].isna()
    vague = {(text(row["namespace"]), text(row["name"])) for row in records(services[published])}
    for service in snapshot.objects.services:
        if (service.namespace, service.name) in vague:
            addresses.update((*service.cluster_ips, *service.external_ips, *service.published))
            ports.update(port.node_port for port in service.ports if port.node_port)
    return frozenset(addresses), frozenset(ports)


def _walkable(snapshot: Snapshot, state: NodeState, mode: str) -> bool:
    """Whether this node's handling of Services can be followed with what was captured and what objects allow to compute.

    A node whose mode is not known is not taken for one in IPVS mode unless its virtual servers were captured; captured rules
    of a node in iptables mode that lack kube-proxy's chains are somebody else's (the other variant of iptables).
    """
    objects = {"services", "endpoints"} <= snapshot.captured.get("", {}).keys()
    match mode:
        case "ipvs":
            return True
        case "iptables":
            return (
                (4, "nat", "KUBE-SERVICES") in state.chains
                or (6, "nat", "KUBE-SERVICES") in state.chains
                or (objects and not state.has("iptables"))
            )
        case "nftables":
            return objects or bool(state.nft_families)
    return mode == "unknown" and state.has("ipvsadm")


def _netfilter(snapshot: Snapshot, state: NodeState, mode: str) -> None:
    """kube-proxy's rules of a mode without IPVS: computed where iptables-save was not taken, always for nftables.

    In nftables mode they stand beside whatever iptables holds, unless `nft list ruleset` was taken.
    """
    captured = state.has("iptables")
    if mode == "iptables" and captured:
        return
    make = iptables_rules if mode == "iptables" else nftables_rules
    node = proxy_node(snapshot, state.name)
    if mode == "nftables":
        state.rule_inputs = ("iptables", "nft")
    computed = [
        family for family in families(snapshot, state.name) if mode != "nftables" or family not in state.nft_families
    ]
    if not computed:
        if not captured:
            state.layers["iptables"] = "expected"
            _add_rules(state, {}, _cni_rules(snapshot, state))
        state.iptables_tables = frozenset((family, table) for family, table, _ in state.chains)
        return
    for family in computed:
        made = make(snapshot.objects.services, node, family=family)
        foreign = [] if captured or family == 6 else _cni_rules(snapshot, state)
        if mode == "iptables" and (family, "nat", "KUBE-SERVICES") in state.chains:
            continue  # the other family's rules were not captured, these were
        grouped: dict[tuple[int, str, str], list[ChainRule]] = {(family, *chain): [] for chain in made.chains}
        _add_rules(state, grouped, (*made.rules, *foreign), family)
    state.iptables_tables = frozenset((family, table) for family, table, _ in state.chains)
    state.computed_rules = mode
    if mode == "nftables":
        state.layers["nft"] = "expected"
    if not captured:
        state.layers["iptables"] = "expected"


def _add_rules(
    state: NodeState,
    grouped: dict[tuple[int, str, str], list[ChainRule]],
    rules: Sequence[tuple[str, str, str]],
    family: int = 4,
) -> None:
    for table, chain, rule in rules:
        grouped.setdefault((family, table, chain), []).append(ChainRule(parse_rule(rule), NOWHERE))
    for key, made in grouped.items():
        held = state.chains.get(key)
        policy = held.policy if held else "ACCEPT" if key[2] in HOOKS else ""
        state.chains[key] = Chain(policy, (*made, *(held.rules if held else ())))


def _addresses(snapshot: Snapshot, state: NodeState, expected: Expected, *, vips: bool) -> None:
    state.layers["ip-addr"] = "expected"
    found = [InterfaceAddress("lo", 1, "127.0.0.1", 8, "host", False, NOWHERE)]
    row = snapshot.node_rows.get(state.name)
    if row is not None:
        for address in parts(row["internal_ips"]):
            length = 24 if family_of(address) == 4 else 64
            found.append(InterfaceAddress(UPLINK, 2, address, length, "global", False, NOWHERE))
        if snapshot.regime(state.name).value("data_path") == "bridge":
            for cidr in parts(row["pod_cidrs"]):
                family, first, _, length = network(cidr)
                if family == 4:
                    gateway = ".".join(str((first + 1) >> shift & 255) for shift in (24, 16, 8, 0))
                    found.append(InterfaceAddress("cni0", 3, gateway, length, "global", False, NOWHERE))
    for vip, evidence in expected.vips.items() if vips else ():
        length = 32 if family_of(vip) == 4 else 128
        found.append(
            InterfaceAddress("kube-ipvs0", 99, vip, length, "global", False, evidence[0] if evidence else NOWHERE)
        )
    state.addresses = tuple(found)


def _routes(snapshot: Snapshot, state: NodeState) -> None:
    """A default route by the uplink, on-link pods: enough for an ordinary flat cluster."""
    state.layers["ip-route"] = "assumed"
    internal = _internal_ips(snapshot, state.name)
    held = [a for a in state.addresses if a.address in internal]
    others = [a for a in state.addresses if a.interface not in ("lo", "kube-ipvs0", "cni0") and a.scope == "global"]
    uplink = (held or others)[0].interface if held or others else UPLINK
    for family, default, gateway in ((4, "0.0.0.0/0", "0.0.0.0"), (6, "::/0", "::")):  # noqa: S104 - a route, not a socket
        main = state.routes.setdefault((family, "main"), [])
        main.append(Route("unicast", default, gateway, uplink, "", 0, NOWHERE))
        for entry in state.addresses:
            if entry.interface == "cni0" and family_of(entry.address) == family:
                own = f"{entry.address}/{entry.prefix_len}"
                main.append(Route("unicast", own, "", "cni0", entry.address, 0, NOWHERE))
    for row in snapshot.pods_by_node.get(state.name, ()):
        if not flag(row["host_network"], False):
            for address in parts(row["ips"]):
                if snapshot.regime(state.name).value("data_path") != "bridge":
                    family = family_of(address)
                    prefix = f"{address}/{32 if family == 4 else 128}"
                    state.routes.setdefault((family, "main"), []).append(
                        Route("unicast", prefix, "", "cali-assumed", "", 0, NOWHERE)
                    )


def _servers(state: NodeState, expected: Expected) -> None:
    state.layers["ipvsadm"] = "expected"
    for key, server in expected.servers.items():
        where = server.evidence[0] if server.evidence else NOWHERE
        real = tuple(
            RealServer(address, port, 1, "Masq", server.evidence[min(position + 1, len(server.evidence) - 1)])
            for position, (address, port) in enumerate(server.real_servers)
        )
        state.virtual_servers.add(VirtualServer(*key, server.scheduler, server.persistence_s is not None, real, where))


def _sets(snapshot: Snapshot, state: NodeState, expected: Expected | Netfilter) -> None:
    state.layers["ipset"] = "expected"
    known = _SETS.get(snapshot)
    if known is None:
        known = _SETS[snapshot] = {}
    for name, (kind, members) in expected.sets.items():
        found = known.get((name, members))
        if found is None:
            found = known[(name, members)] = IpSet(name, kind, tuple(member_of(kind, one) for one in members), NOWHERE)
        state.sets[name] = found


def member_of(kind: str, member: str) -> Member:
    if kind == "bitmap:port":
        return Member("", "", int(member), int(member), "", False, NOWHERE)
    fields = member.split(",")
    protocol, port = "", None
    if len(fields) > 1:
        protocol, _, digits = fields[1].partition(":")
        port = int(digits)
    return Member(fields[0], protocol, port, port, fields[2] if len(fields) > 2 else "", False, NOWHERE)


def _chains(snapshot: Snapshot, state: NodeState, expected: Expected | Netfilter) -> None:
    """kube-proxy's rules and the CNI's masquerade rules; host firewalls are invisible."""
    state.layers["iptables"] = "expected"
    rules = (expected.rules, tuple(_cni_rules(snapshot, state)))
    known = _CHAINS.setdefault(snapshot, {})
    if rules not in known:
        known[rules] = _grouped((*rules[0], *rules[1]))
    state.chains.update(known[rules])
    state.iptables_tables = frozenset((family, table) for family, table, _ in state.chains)


def _grouped(rules: Sequence[tuple[str, str, str]]) -> Mapping[tuple[int, str, str], Chain]:
    grouped: dict[tuple[int, str, str], list[ChainRule]] = {}
    for table, chain, rule in rules:
        grouped.setdefault((4, table, chain), []).append(ChainRule(parse_rule(rule), NOWHERE))
    for name in ("KUBE-NODE-PORT", "KUBE-PROXY-FIREWALL", "KUBE-IPVS-OUT-FILTER", "KUBE-LOAD-BALANCER"):
        for table in ("nat", "filter"):
            grouped.setdefault((4, table, name), [])
    return {
        key: Chain("ACCEPT" if key[2].isupper() and "-" not in key[2] else "", tuple(made))
        for key, made in grouped.items()
    }


def _cni_rules(snapshot: Snapshot, state: NodeState) -> list[tuple[str, str, str]]:
    """flannel's ip-masq rules (pkg/ip-masq, iptables.go): the only CNI here whose rules repair Local traffic."""
    cni = snapshot.regime(state.name).value("cni_masquerade")
    if cni == "unknown":
        state.masquerade_unknown = True
    if cni != "flannel":
        return []
    podnet, own = flannel_networks(snapshot, state.name)
    if not podnet or not own:
        state.masquerade_unknown = True
        return []
    return [
        ("nat", "POSTROUTING", f"-s {podnet} -d {podnet} -j RETURN"),
        ("nat", "POSTROUTING", f"-s {podnet} ! -d 224.0.0.0/4 -j MASQUERADE --random-fully"),
        ("nat", "POSTROUTING", f"! -s {podnet} -d {own} -j RETURN"),
        ("nat", "POSTROUTING", f"! -s {podnet} -d {podnet} -j MASQUERADE --random-fully"),
    ]


def flannel_networks(snapshot: Snapshot, node: str) -> tuple[str, str]:
    """(pod network of the cluster, pod prefix of the node), empty where unknown."""
    known = _NETWORKS.get(snapshot)
    if known is None:
        known = _NETWORKS[snapshot] = _flannel(snapshot)
    return known[0], known[1].get(node, "")


def _flannel(snapshot: Snapshot) -> tuple[str, Mapping[str, str]]:
    """The pod network and the prefix of each node.

    The network is flannel's own configuration, else the smallest prefix over the nodes' pod prefixes (Node objects, else
    the addresses of cni0).
    """
    prefixes = {
        text(row["name"]): parts(row["pod_cidrs"])[0] for row in records(snapshot["nodes"]) if parts(row["pod_cidrs"])
    }
    if not prefixes:
        for frame in snapshot.chunks("addresses"):
            bridges = frame[(frame["interface"] == "cni0") & (frame["family"] == 4)]
            for name, address, length in zip(bridges["node"], bridges["address"], bridges["prefix_len"], strict=True):
                prefixes[str(name)] = str(ip_network(f"{address}/{length}", strict=False))
    configured = _configured_network(snapshot)
    if not configured and prefixes:
        configured = str(_cover([ip_network(prefix, strict=False) for prefix in prefixes.values()]))
    return configured, prefixes


def _cover(networks: Sequence[IPv4Network | IPv6Network]) -> IPv4Network | IPv6Network:
    whole = networks[0]
    for one in networks[1:]:
        while one.version == whole.version and not (
            int(whole.network_address) <= int(one.network_address)
            and int(one.broadcast_address) <= int(whole.broadcast_address)
        ):
            whole = whole.supernet()
    return whole


def _configured_network(snapshot: Snapshot) -> str:
    for row in records(snapshot["configmaps"]):
        if text(row["key"]) == "net-conf.json":
            try:
                loaded = json.loads(text(row["value"]))
            except ValueError:
                continue
            if isinstance(loaded, dict) and isinstance(loaded.get("Network"), str):
                return str(loaded["Network"])
    return ""


def _internal_ips(snapshot: Snapshot, node: str) -> set[str]:
    row = snapshot.node_rows.get(node)
    return set(parts(row["internal_ips"])) if row is not None else set()
