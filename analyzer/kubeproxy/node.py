"""The model's view of one node of a snapshot: addresses, version, configuration."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping, Sequence
from typing import Any
from weakref import WeakKeyDictionary

import msgspec

from analyzer.kubeproxy.expected import Shared, expected
from analyzer.kubeproxy.frame import set_name
from analyzer.kubeproxy.model import Expected, ProxyNode, Version
from analyzer.kubeproxy.servers import NodeServers
from analyzer.kubeproxy.template import VARYING
from analyzer.kubeproxy.versions import family_of
from analyzer.snapshot.arrow_columns import arrow
from analyzer.snapshot.model import Snapshot
from analyzer.snapshot.objects import Service, flag, number, parts, records, text
from analyzer.snapshot.pick import pick
from analyzer.snapshot.regime import minor_version

_NEEDED: WeakKeyDictionary[Snapshot, frozenset[int]] = WeakKeyDictionary()
"""Families of the ClusterIPs, told once for all nodes."""
_PATCH = re.compile(r"v?\d{1,3}\.\d{1,3}\.(\d{1,3})")
_INTERFACE = re.compile(r"! -i (\S{1,16})")
_RETURNS = re.compile(r"--match-set (\S+) dst\S* -j RETURN$")
_MASK = re.compile(r"0x[0-9a-f]{1,8}")


def proxy_node(snapshot: Snapshot, node: str) -> ProxyNode:
    """What kube-proxy on `node` works with. Captured addresses and rules win over objects and configuration."""
    regime = snapshot.regime(node)
    objects = [snapshot.node_rows[node]] if node in snapshot.node_rows else []
    internal = [one for one in parts(objects[0]["internal_ips"]) if family_of(one)] if objects else []
    config, unclear = _config(snapshot)
    fallback = regime["local_fallback"]
    rules = _rules(snapshot, node)
    cidr, interface, everything = _local_traffic(snapshot, node, config, rules)
    release = regime.value("kube_proxy_version")
    version = minor_version(release)
    patch = _PATCH.match(release)
    open_ = list(unclear)
    if version is None:
        version = fingerprint(rules)
        if version is not None:
            open_.append("version")
    return ProxyNode(
        name=node,
        addresses=_addresses(snapshot, node) or tuple(internal),
        version=version,
        zone=text(objects[0]["zone"]) if objects else "",
        local_fallback=fallback.value if fallback.how == "state" else "",
        cluster_cidr=cidr,
        masquerade_all=everything,
        masquerade_bit=_masquerade_bit(regime.value("masquerade_mark"), number(config.get("masquerade_bit"))),
        scheduler=text(config.get("scheduler")) or "rr",
        node_port_addresses=parts(config.get("node_port_addresses")),
        node_ip=next((one for one in internal if family_of(one) == 4), ""),
        patch=int(patch[1]) if patch else None,
        node_ip6=next((one for one in internal if family_of(one) == 6), ""),
        local_interface=interface,
        exclude_cidrs=parts(config.get("exclude_cidrs")),
        strict_arp=flag(config.get("strict_arp"), False),
        kernel=minor_version(regime.value("kernel")),
        feature_gates=_gates(text(config.get("feature_gates"))),
        filter_returns=_filter_returns(rules),
        open=tuple(open_),
    )


def families(snapshot: Snapshot, node: str) -> tuple[int, ...]:
    """The proxiers of the node: those whose sets were captured, and those that a Service needs."""
    sets = snapshot.by_node.get(node, {}).get("ipsets")
    names = {str(name) for name in sets["set"]} if sets is not None else set()
    needed = _NEEDED.get(snapshot)
    if needed is None:
        asked = (family_of(ip) for service in snapshot.objects.services for ip in service.cluster_ips)
        needed = _NEEDED[snapshot] = frozenset(asked)
    six = 6 in needed or any(name.startswith("KUBE-6-") for name in names)
    four = 4 in needed or any(name.startswith("KUBE-") and not name.startswith("KUBE-6-") for name in names) or not six
    return (*((4,) if four else ()), *((6,) if six else ()))


def _config(snapshot: Snapshot) -> tuple[Mapping[str, Any], list[str]]:
    """The configuration, and what is not sure about it: there is none, or several that differ."""
    configs = [row for row in records(snapshot["proxy_configs"]) if text(row["mode"]) or row["mode"] == ""]
    if not configs:
        return {}, ["configuration"]
    ignored = {"name", "file", "line"}
    shapes = {tuple(str(value) for key, value in row.items() if key not in ignored) for row in configs}
    return configs[0], ["configuration"] if len(shapes) > 1 else []


def _rules(snapshot: Snapshot, node: str) -> list[dict[str, Any]]:
    """Rules of chains that show what version and detector are at work."""
    frame = pick(snapshot.by_node.get(node, {}), "iptables_rules", ("chain", "target", "rule"))
    if frame is None:
        return []
    chosen = frame["chain"].isin(("INPUT", "OUTPUT", "KUBE-SERVICES", "KUBE-IPVS-FILTER", "KUBE-LOAD-BALANCER"))
    return records(frame[chosen])


def fingerprint(rules: list[dict[str, Any]]) -> Version | None:
    """A release that writes such rules, where no version was captured; null below 1.25, where they say too little."""
    targets = {(text(row["chain"]), text(row["target"])) for row in rules}
    returns = _filter_returns(rules) or frozenset()
    if ("OUTPUT", "KUBE-IPVS-OUT-FILTER") in targets:
        return (1, 30) if "KUBE-EXTERNAL-IP-LOCAL" in returns else (1, 29)
    if ("INPUT", "KUBE-IPVS-FILTER") in targets:
        return (1, 28) if "KUBE-HEALTH-CHECK-NODE-PORT" in returns else (1, 26)
    return (1, 25) if ("INPUT", "KUBE-PROXY-FIREWALL") in targets else None


def _filter_returns(rules: list[dict[str, Any]]) -> frozenset[str] | None:
    own = [text(row["rule"]) for row in rules if text(row["chain"]) == "KUBE-IPVS-FILTER"]
    return frozenset(hit[1] for rule in own if (hit := _RETURNS.search(rule))) if own else None


def _local_traffic(
    snapshot: Snapshot, node: str, config: Mapping[str, Any], rules: list[dict[str, Any]]
) -> tuple[str, str, bool]:
    """M18b: (CIDRs, interface, mark everything), read off KUBE-SERVICES, else from the configuration."""
    seen = snapshot.regime(node).value("masquerade")
    if seen.startswith("cluster-cidr "):
        return seen.removeprefix("cluster-cidr "), "", False
    if seen == "interface":
        marked = [row for row in rules if text(row["target"]) == "KUBE-MARK-MASQ"]
        hits = (_INTERFACE.search(text(row["rule"])) for row in marked if "CLUSTER-IP" in text(row["rule"]))
        return "", next((hit[1] for hit in hits if hit), ""), False
    if seen != "unknown":
        return "", "", seen == "all"
    everything = flag(config.get("masquerade_all"), False)
    match text(config.get("detect_local_mode")):
        case "NodeCIDR":
            own = snapshot.node_rows.get(node)
            return ",".join(parts(own["pod_cidrs"])) if own else "", "", everything
        case "BridgeInterface":
            return "", text(config.get("bridge_interface")), everything
        case "InterfaceNamePrefix":
            prefix = text(config.get("interface_name_prefix"))
            return "", f"{prefix}+" if prefix else "", everything
    return text(config.get("cluster_cidr")), "", everything


def _masquerade_bit(mark: str, configured: int | None) -> int:
    """The bit of the captured mark, else the configured one, else 14."""
    if _MASK.fullmatch(mark) and int(mark, 16).bit_count() == 1:
        return int(mark, 16).bit_length() - 1
    return configured if configured is not None and 0 <= configured <= 31 else 14


def _gates(written: str) -> dict[str, bool]:
    try:
        loaded = msgspec.json.decode(written) if written else {}
    except (msgspec.DecodeError, ValueError):
        return {}
    return (
        {str(key): value for key, value in loaded.items() if isinstance(value, bool)}
        if isinstance(loaded, dict)
        else {}
    )


def _addresses(snapshot: Snapshot, node: str) -> tuple[str, ...]:
    import pyarrow.compute as pc

    frame = pick(snapshot.by_node.get(node, {}), "addresses", ("interface", "address"))
    if frame is None:
        return ()
    at_dummy = pc.fill_null(pc.equal(arrow(frame["interface"]), "kube-ipvs0"), False)
    elsewhere = arrow(frame["address"]).filter(pc.invert(at_dummy)).to_pylist()
    valid = [one for one in dict.fromkeys(elsewhere) if one and family_of(one)]
    return tuple(one for one in valid if not ipaddress.ip_address(one).is_loopback)


KEPT = 300_000
"""Virtual servers and set members of the expected states that are kept; older ones are computed again."""
SMALL = 20
"""What a state that has nothing of its own weighs beside them."""


class _Kept:
    """The latest expected states of a snapshot, and what they share."""

    def __init__(self, services: Sequence[Service]) -> None:
        self.shared = Shared(services)
        self.states: dict[tuple[str, int], Expected] = {}
        self.size = 0

    def add(self, key: tuple[str, int], state: Expected) -> None:
        self.states[key] = state
        self.size += _weight(state, key[1])
        while self.size > KEPT and len(self.states) > 1:
            oldest = next(iter(self.states))
            self.size -= _weight(self.states.pop(oldest), oldest[1])


def _weight(state: Expected, family: int) -> int:
    """What it does not share with other nodes, in virtual servers and set members."""
    if isinstance(state.servers, NodeServers):
        own = (state.asked.get(set_name(name, family), ()) for name in VARYING)
        return SMALL + len(state.servers.own) + len(state.servers.own_lines) + sum(map(len, own))
    return len(state.servers) + sum(map(len, state.asked.values()))


_EXPECTED: WeakKeyDictionary[Snapshot, _Kept] = WeakKeyDictionary()
"""The walk's stand-ins and the drift ask for the same state; a snapshot never changes."""


def _kept(snapshot: Snapshot) -> _Kept:
    kept = _EXPECTED.get(snapshot)
    if kept is None:
        kept = _EXPECTED[snapshot] = _Kept(snapshot.objects.services)
    return kept


def shared_of(snapshot: Snapshot) -> Shared:
    """What the nodes of the snapshot have in common: for states that are asked for once."""
    return _kept(snapshot).shared


def expected_on(snapshot: Snapshot, node: str, *, family: int = 4) -> Expected:
    """kube-proxy's expected state on one node of the snapshot; what nodes have in common is computed once."""
    kept = _kept(snapshot)
    found = kept.states.get((node, family))
    if found is None:
        services = snapshot.objects.services
        found = expected(services, proxy_node(snapshot, node), family=family, shared=kept.shared)
        kept.add((node, family), found)
    return found
