"""The iptables rules of the IPVS proxier, as iptables-save prints them (writeIptablesRules, createAndLinkKubeChain)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from analyzer.kubeproxy.expected import ProxyNode

Rule = tuple[str, str, str]


def rules(node: ProxyNode, sets: Mapping[str, tuple[str, tuple[str, ...]]], family: int) -> tuple[Rule, ...]:
    """(table, chain, rule) in order. kube-proxy leaves out most rules whose set is empty."""
    version = node.version or (1, 30)
    mark = hex(1 << node.masquerade_bit)
    filled = {name for name, (_, members) in sets.items() if members}
    prefix = "KUBE-6-" if family == 6 else "KUBE-"

    def match(name: str, directions: str) -> str:
        real = (prefix + name.removeprefix("KUBE-"))[:31]
        return f"-m set --match-set {real} {directions}"

    nat: list[tuple[str, str]] = [
        ("PREROUTING", "-j KUBE-SERVICES"),
        ("OUTPUT", "-j KUBE-SERVICES"),
        ("POSTROUTING", "-j KUBE-POSTROUTING"),
        ("KUBE-MARK-MASQ", f"-j MARK --set-xmark {mark}/{mark}"),
    ]
    if version >= (1, 26):
        nat.append(("KUBE-SERVICES", f"-s {'::1/128' if family == 6 else '127.0.0.0/8'} -j RETURN"))
    if "KUBE-LOAD-BALANCER" in filled:
        nat.append(("KUBE-SERVICES", f"{match('KUBE-LOAD-BALANCER', 'dst,dst')} -j KUBE-LOAD-BALANCER"))
        if version <= (1, 24) and "KUBE-LOAD-BALANCER-FW" in filled:
            nat.append(("KUBE-LOAD-BALANCER", f"{match('KUBE-LOAD-BALANCER-FW', 'dst,dst')} -j KUBE-FIREWALL"))
        if "KUBE-LOAD-BALANCER-LOCAL" in filled:
            nat.append(("KUBE-LOAD-BALANCER", f"{match('KUBE-LOAD-BALANCER-LOCAL', 'dst,dst')} -j RETURN"))
        nat.append(("KUBE-LOAD-BALANCER", "-j KUBE-MARK-MASQ"))
    if "KUBE-CLUSTER-IP" in filled:
        nat.append(("KUBE-SERVICES", _cluster_ip(node, match)))
    for name, marked in (("KUBE-EXTERNAL-IP", True), ("KUBE-EXTERNAL-IP-LOCAL", False)):
        if name in filled:
            if marked:
                nat.append(("KUBE-SERVICES", f"{match(name, 'dst,dst')} -j KUBE-MARK-MASQ"))
            out = "-m addrtype ! --src-type LOCAL -m physdev ! --physdev-is-in"
            nat.append(("KUBE-SERVICES", f"{match(name, 'dst,dst')} {out} -j ACCEPT"))
            nat.append(("KUBE-SERVICES", f"{match(name, 'dst,dst')} -m addrtype --dst-type LOCAL -j ACCEPT"))
    nat.append(("KUBE-SERVICES", "-m addrtype --dst-type LOCAL -j KUBE-NODE-PORT"))
    nat.extend(_node_ports(version, filled, match))
    for name in ("KUBE-CLUSTER-IP", "KUBE-LOAD-BALANCER"):
        if name in filled:
            nat.append(("KUBE-SERVICES", f"{match(name, 'dst,dst')} -j ACCEPT"))
    if version <= (1, 24) and "KUBE-LOAD-BALANCER-FW" in filled:
        for name, directions in (
            ("KUBE-LOAD-BALANCER-SOURCE-CIDR", "dst,dst,src"),
            ("KUBE-LOAD-BALANCER-SOURCE-IP", "dst,dst,src"),
        ):
            if name in filled:
                nat.append(("KUBE-FIREWALL", f"{match(name, directions)} -j RETURN"))
        nat.append(("KUBE-FIREWALL", "-j KUBE-MARK-DROP"))
        nat.append(("KUBE-MARK-DROP", "-j MARK --set-xmark 0x8000/0x8000"))
    if "KUBE-LOOP-BACK" in filled:
        nat.append(("KUBE-POSTROUTING", f"{match('KUBE-LOOP-BACK', 'dst,dst,src')} -j MASQUERADE"))
    nat.append(("KUBE-POSTROUTING", f"-m mark ! --mark {mark}/{mark} -j RETURN"))
    nat.append(("KUBE-POSTROUTING", f"-j MARK --set-xmark {mark}/0x0"))
    nat.append(("KUBE-POSTROUTING", "-j MASQUERADE --random-fully"))
    return tuple(("nat", chain, rule) for chain, rule in nat) + tuple(
        ("filter", chain, rule)
        for chain, rule in [*_filter(version, filled, mark, match), *_own_ranges(version, sets, family)]
    )


def _cluster_ip(node: ProxyNode, match: object) -> str:
    """M18 to M18c: masqueradeAll, a local-traffic detector, or only what comes from the VIP itself."""
    assert callable(match)
    if node.masquerade_all:
        return f"{match('KUBE-CLUSTER-IP', 'dst,dst')} -j KUBE-MARK-MASQ"
    if node.cluster_cidr:
        return f"! -s {node.cluster_cidr} {match('KUBE-CLUSTER-IP', 'dst,dst')} -j KUBE-MARK-MASQ"
    return f"{match('KUBE-CLUSTER-IP', 'src,dst')} -j KUBE-MARK-MASQ"


def _own_ranges(
    version: tuple[int, int], sets: Mapping[str, tuple[str, tuple[str, ...]]], family: int
) -> list[tuple[str, str]]:
    """M21, from 1.29: the node's own connections to an address whose source ranges do not name the node."""
    if version < (1, 29):
        return []
    allowed = sets["KUBE-LOAD-BALANCER-SOURCE-IP"][1]
    out: list[tuple[str, str]] = []
    for entry in sets["KUBE-LOAD-BALANCER-FW"][1]:
        vip, _, rest = entry.partition(",")
        protocol, _, port = rest.partition(":")
        if f"{entry},{vip}" not in allowed:
            source = f"{vip}/{128 if family == 6 else 32}"
            number = {"tcp": 6, "udp": 17, "sctp": 132}.get(protocol, protocol)
            rule = f"-s {source} -m ipvs --vproto {number} --vaddr {vip} --vport {port} -j DROP"
            out.append(("KUBE-IPVS-OUT-FILTER", rule))
    return out


def _node_ports(version: tuple[int, int], filled: set[str], match: object) -> list[tuple[str, str]]:
    assert callable(match)
    out: list[tuple[str, str]] = []
    for protocol, suffix, directions in (
        ("tcp", "TCP", "dst"),
        ("udp", "UDP", "dst"),
        ("sctp", "SCTP-HASH", "dst,dst"),
    ):
        pair: list[tuple[str, str]] = []
        if f"KUBE-NODE-PORT-LOCAL-{suffix}" in filled:
            local = match(f"KUBE-NODE-PORT-LOCAL-{suffix}", directions)
            pair.append(("KUBE-NODE-PORT", f"-p {protocol} {local} -j RETURN"))
        if f"KUBE-NODE-PORT-{suffix}" in filled:
            every = match(f"KUBE-NODE-PORT-{suffix}", directions)
            pair.append(("KUBE-NODE-PORT", f"-p {protocol} {every} -j KUBE-MARK-MASQ"))
        # M17c: up to 1.22 the SCTP rules stood the other way round, so Local was marked (kubernetes#104756).
        out.extend(reversed(pair) if protocol == "sctp" and version <= (1, 22) else pair)
    return out


def _filter(version: tuple[int, int], filled: set[str], mark: str, match: object) -> list[tuple[str, str]]:
    assert callable(match)
    out: list[tuple[str, str]] = []
    if version >= (1, 26):
        out.append(("INPUT", "-j KUBE-IPVS-FILTER"))
    if version >= (1, 25):
        out.append(("INPUT", "-j KUBE-PROXY-FIREWALL"))
    if version >= (1, 21):
        out.append(("INPUT", "-j KUBE-NODE-PORT"))
    if version >= (1, 25):
        out.append(("FORWARD", "-j KUBE-PROXY-FIREWALL"))
    out.append(("FORWARD", "-j KUBE-FORWARD"))
    if version >= (1, 29):
        out.append(("OUTPUT", "-j KUBE-IPVS-OUT-FILTER"))
    out.append(("KUBE-FORWARD", f"-m mark --mark {mark}/{mark} -j ACCEPT"))
    out.append(("KUBE-FORWARD", "-m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT"))
    if version >= (1, 21):
        out.append(("KUBE-NODE-PORT", f"{match('KUBE-HEALTH-CHECK-NODE-PORT', 'dst')} -j ACCEPT"))
    if version >= (1, 25) and "KUBE-LOAD-BALANCER-FW" in filled:
        out.append(
            ("KUBE-PROXY-FIREWALL", f"{match('KUBE-LOAD-BALANCER-FW', 'dst,dst')} -j KUBE-SOURCE-RANGES-FIREWALL")
        )
        for name in ("KUBE-LOAD-BALANCER-SOURCE-CIDR", "KUBE-LOAD-BALANCER-SOURCE-IP"):
            if name in filled:
                out.append(("KUBE-SOURCE-RANGES-FIREWALL", f"{match(name, 'dst,dst,src')} -j RETURN"))
        out.append(("KUBE-SOURCE-RANGES-FIREWALL", "-j DROP"))
    if version <= (1, 24):
        out.extend((hook, "-j KUBE-FIREWALL") for hook in ("INPUT", "OUTPUT"))
        out.append(("KUBE-FIREWALL", "-m mark --mark 0x8000/0x8000 -j DROP"))
    if version >= (1, 26):
        returns = ["KUBE-LOAD-BALANCER", "KUBE-CLUSTER-IP", "KUBE-EXTERNAL-IP"]
        if version >= (1, 30):
            returns.append("KUBE-EXTERNAL-IP-LOCAL")  # M22c
        out.extend(("KUBE-IPVS-FILTER", f"{match(name, 'dst,dst')} -j RETURN") for name in returns)
        if version >= (1, 28):
            out.append(("KUBE-IPVS-FILTER", f"{match('KUBE-HEALTH-CHECK-NODE-PORT', 'dst')} -j RETURN"))  # M22b
        out.append(
            (
                "KUBE-IPVS-FILTER",
                f"-m conntrack --ctstate NEW {match('KUBE-IPVS-IPS', 'dst')} -j REJECT --reject-with icmp-port-unreachable",
            )
        )
    return out
