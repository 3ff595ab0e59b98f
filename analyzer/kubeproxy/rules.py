"""The iptables rules of the IPVS proxier, as iptables-save prints them (writeIptablesRules, createAndLinkKubeChain).

Table nat here, table filter in `filter_rules`. The kubelet's chains KUBE-FIREWALL (filter) and KUBE-MARK-DROP are listed
too, because kube-proxy's source ranges depended on them up to 1.24 (pkg/kubelet/kubelet_network_linux.go).
"""

from __future__ import annotations

from ipaddress import ip_network

from analyzer.kubeproxy.filter_rules import filter_rules
from analyzer.kubeproxy.frame import Fixes, Frame, Rule, Sets
from analyzer.kubeproxy.model import ProxyNode, Version


def chains(version: Version, family: int) -> tuple[tuple[str, str], ...]:
    """(table, chain) of kube-proxy and of the kubelet's firewall, whether they hold rules or not."""
    nat = ["KUBE-LOAD-BALANCER", "KUBE-MARK-MASQ", "KUBE-NODE-PORT", "KUBE-POSTROUTING", "KUBE-SERVICES"]
    if version <= (1, 24):
        nat.append("KUBE-FIREWALL")
    if version <= (1, 26):
        nat.append("KUBE-MARK-DROP")
    own = ["KUBE-FORWARD"]
    if version <= (1, 26) or family == 4:
        own.append("KUBE-FIREWALL")
    if version >= (1, 21):
        own.append("KUBE-NODE-PORT")
    if version >= (1, 25):
        own += ["KUBE-PROXY-FIREWALL", "KUBE-SOURCE-RANGES-FIREWALL"]
    if version >= (1, 26):
        own.append("KUBE-IPVS-FILTER")
    if version >= (1, 29):
        own.append("KUBE-IPVS-OUT-FILTER")
    return (*(("nat", name) for name in sorted(nat)), *(("filter", name) for name in sorted(own)))


def rules(node: ProxyNode, version: Version, sets: Sets, family: int, fixes: Fixes) -> tuple[Rule, ...]:
    """(table, chain, rule) in order. kube-proxy leaves out most rules whose set is empty; names in `sets` are IPv4's."""
    filled = frozenset(name for name, (_, members) in sets.items() if members)
    frame = Frame(version, family, hex(1 << node.masquerade_bit), filled)
    nat = [
        ("PREROUTING", "-j KUBE-SERVICES"),
        ("OUTPUT", "-j KUBE-SERVICES"),
        ("POSTROUTING", "-j KUBE-POSTROUTING"),
        ("KUBE-MARK-MASQ", f"-j MARK --set-xmark {frame.mark}/{frame.mark}"),
        *_services(node, frame),
        *_load_balancer(frame),
        *_node_ports(frame),
        *_postrouting(frame),
    ]
    return (
        *(("nat", chain, rule) for chain, rule in nat),
        *(("filter", chain, rule) for chain, rule in filter_rules(frame, sets, fixes)),
    )


def _services(node: ProxyNode, frame: Frame) -> list[tuple[str, str]]:
    out = []
    if frame.version >= (1, 26):
        out.append(f"-s {'::1/128' if frame.family == 6 else '127.0.0.0/8'} -j RETURN")
    if "KUBE-LOAD-BALANCER" in frame.filled:
        out.append(f"{frame.match('KUBE-LOAD-BALANCER', 'dst,dst')} -j KUBE-LOAD-BALANCER")
    if "KUBE-CLUSTER-IP" in frame.filled:
        out.append(_cluster_ip(node, frame))
    for name, marked in (("KUBE-EXTERNAL-IP", True), ("KUBE-EXTERNAL-IP-LOCAL", False)):
        if name in frame.filled:
            match = frame.match(name, "dst,dst")
            if marked:
                out.append(f"{match} -j KUBE-MARK-MASQ")
            out.append(f"{match} -m physdev ! --physdev-is-in -m addrtype ! --src-type LOCAL -j ACCEPT")
            out.append(f"{match} -m addrtype --dst-type LOCAL -j ACCEPT")
    out.append("-m addrtype --dst-type LOCAL -j KUBE-NODE-PORT")
    for name in ("KUBE-CLUSTER-IP", "KUBE-LOAD-BALANCER"):
        if name in frame.filled:
            out.append(f"{frame.match(name, 'dst,dst')} -j ACCEPT")
    return [("KUBE-SERVICES", rule) for rule in out]


def _cluster_ip(node: ProxyNode, frame: Frame) -> str:
    """M18 to M18c: masqueradeAll, a local-traffic detector, or only what comes from the VIP itself."""
    detector = local_traffic(node, frame.family)
    if node.masquerade_all:
        return f"{frame.match('KUBE-CLUSTER-IP', 'dst,dst')} -j KUBE-MARK-MASQ"
    if detector:
        return f"! {detector} {frame.match('KUBE-CLUSTER-IP', 'dst,dst')} -j KUBE-MARK-MASQ"
    return f"{frame.match('KUBE-CLUSTER-IP', 'src,dst')} -j KUBE-MARK-MASQ"


def local_traffic(node: ProxyNode, family: int) -> str:
    """M18b: how local traffic is told, ``-s 198.51.100.0/24`` or ``-i cni0``; empty without a detector of that family."""
    if node.local_interface:
        return f"-i {node.local_interface}"
    for text in node.cluster_cidr.split(","):
        try:
            cidr = ip_network(text.strip(), strict=False)
        except ValueError:
            continue
        if cidr.version == family:
            return f"-s {cidr}"
    return ""


def _load_balancer(frame: Frame) -> list[tuple[str, str]]:
    out = []
    ranges = "KUBE-LOAD-BALANCER-FW" in frame.filled
    if "KUBE-LOAD-BALANCER-FW" in frame.filled and frame.version <= (1, 24):
        out.append(("KUBE-LOAD-BALANCER", f"{frame.match('KUBE-LOAD-BALANCER-FW', 'dst,dst')} -j KUBE-FIREWALL"))
    if "KUBE-LOAD-BALANCER-LOCAL" in frame.filled:
        out.append(("KUBE-LOAD-BALANCER", f"{frame.match('KUBE-LOAD-BALANCER-LOCAL', 'dst,dst')} -j RETURN"))
    out.append(("KUBE-LOAD-BALANCER", "-j KUBE-MARK-MASQ"))
    if frame.version <= (1, 24):
        for name in ("KUBE-LOAD-BALANCER-SOURCE-CIDR", "KUBE-LOAD-BALANCER-SOURCE-IP"):
            if ranges and name in frame.filled:
                out.append(("KUBE-FIREWALL", f"{frame.match(name, 'dst,dst,src')} -j RETURN"))
        out.append(("KUBE-FIREWALL", "-j KUBE-MARK-DROP"))
    if frame.version <= (1, 26):  # the kubelet's
        out.append(("KUBE-MARK-DROP", "-j MARK --set-xmark 0x8000/0x8000"))
    return out


def _node_ports(frame: Frame) -> list[tuple[str, str]]:
    out: list[tuple[str, str]] = []
    for protocol, suffix, directions in (
        ("tcp", "TCP", "dst"),
        ("udp", "UDP", "dst"),
        ("sctp", "SCTP-HASH", "dst,dst"),
    ):
        pair: list[tuple[str, str]] = []
        if f"KUBE-NODE-PORT-LOCAL-{suffix}" in frame.filled:
            local = frame.match(f"KUBE-NODE-PORT-LOCAL-{suffix}", directions)
            pair.append(("KUBE-NODE-PORT", f"-p {protocol} {local} -j RETURN"))
        if f"KUBE-NODE-PORT-{suffix}" in frame.filled:
            every = frame.match(f"KUBE-NODE-PORT-{suffix}", directions)
            pair.append(("KUBE-NODE-PORT", f"-p {protocol} {every} -j KUBE-MARK-MASQ"))
        # M17c: up to 1.22 the SCTP rules stood the other way round, so Local was marked (kubernetes#104756).
        out.extend(reversed(pair) if protocol == "sctp" and frame.version <= (1, 22) else pair)
    return out


def _postrouting(frame: Frame) -> list[tuple[str, str]]:
    out = []
    if "KUBE-LOOP-BACK" in frame.filled:
        out.append(f"{frame.match('KUBE-LOOP-BACK', 'dst,dst,src')} -j MASQUERADE")
    out.append(f"-m mark ! --mark {frame.mark}/{frame.mark} -j RETURN")
    out.append(f"-j MARK --set-xmark {frame.mark}/0x0")
    out.append("-j MASQUERADE --random-fully")
    return [("KUBE-POSTROUTING", rule) for rule in out]
