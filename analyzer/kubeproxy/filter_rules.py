"""Table filter of the IPVS proxier: source ranges (M21), ports that no Service has (M22), forwarding, health checks."""

from __future__ import annotations

from analyzer.kubeproxy.frame import Fixes, Frame, Sets

_PROTOCOL_NUMBERS = {"tcp": 6, "udp": 17, "sctp": 132}


def filter_rules(frame: Frame, sets: Sets, fixes: Fixes) -> list[tuple[str, str]]:
    """(chain, rule) in order."""
    return [
        *_jumps(frame),
        *_forward(frame),
        *_kubelet(frame),
        *_ranges(frame),
        *_filter(frame, fixes),
        *_own(frame, sets),
    ]


def _jumps(frame: Frame) -> list[tuple[str, str]]:
    """kube-proxy prepends its jumps, so they stand in the reverse order of its list, above the kubelet's."""
    version, out = frame.version, []
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
    return out


def _forward(frame: Frame) -> list[tuple[str, str]]:
    established = ("KUBE-FORWARD", "-m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT")
    out = [("KUBE-FORWARD", f"-m mark --mark {frame.mark}/{frame.mark} -j ACCEPT"), established]
    if frame.version <= (1, 23):
        out.append(established)  # once for pods as source, once as destination, without saying so
    if frame.version >= (1, 21):
        out.append(("KUBE-NODE-PORT", f"{frame.match('KUBE-HEALTH-CHECK-NODE-PORT', 'dst')} -j ACCEPT"))
    return out


def _kubelet(frame: Frame) -> list[tuple[str, str]]:
    """KUBE-FIREWALL: packets to 127.0.0.0/8 from elsewhere (IPv4), and up to 1.26 what carries the drop mark."""
    out = []
    if frame.family == 4:
        state = "-m conntrack ! --ctstate RELATED,ESTABLISHED,DNAT"
        out.append(("KUBE-FIREWALL", f"! -s 127.0.0.0/8 -d 127.0.0.0/8 {state} -j DROP"))
    if frame.version <= (1, 26):
        out.append(("KUBE-FIREWALL", "-m mark --mark 0x8000/0x8000 -j DROP"))
    return [*((hook, "-j KUBE-FIREWALL") for hook in ("INPUT", "OUTPUT")), *out] if out else []


def _ranges(frame: Frame) -> list[tuple[str, str]]:
    """M21 from 1.25."""
    if frame.version <= (1, 24):
        return []
    out = []
    if "KUBE-LOAD-BALANCER-FW" in frame.filled:
        match = frame.match("KUBE-LOAD-BALANCER-FW", "dst,dst")
        out.append(("KUBE-PROXY-FIREWALL", f"{match} -j KUBE-SOURCE-RANGES-FIREWALL"))
    for name in ("KUBE-LOAD-BALANCER-SOURCE-CIDR", "KUBE-LOAD-BALANCER-SOURCE-IP"):
        if name in frame.filled:
            out.append(("KUBE-SOURCE-RANGES-FIREWALL", f"{frame.match(name, 'dst,dst,src')} -j RETURN"))
    out.append(("KUBE-SOURCE-RANGES-FIREWALL", "-j DROP"))
    return out


def _filter(frame: Frame, fixes: Fixes) -> list[tuple[str, str]]:
    """M22a to M22c; these rules stand whether their sets are empty or not."""
    if frame.version <= (1, 25):
        return []
    returns = ["KUBE-LOAD-BALANCER", "KUBE-CLUSTER-IP", "KUBE-EXTERNAL-IP"]
    if fixes.external_local:
        returns.append("KUBE-EXTERNAL-IP-LOCAL")
    out = [f"{frame.match(name, 'dst,dst')} -j RETURN" for name in returns]
    if fixes.health_check:
        out.append(f"{frame.match('KUBE-HEALTH-CHECK-NODE-PORT', 'dst')} -j RETURN")
    answer = "icmp6-port-unreachable" if frame.family == 6 else "icmp-port-unreachable"
    refused = f"-m conntrack --ctstate NEW {frame.match('KUBE-IPVS-IPS', 'dst')} -j REJECT --reject-with {answer}"
    return [("KUBE-IPVS-FILTER", rule) for rule in (*out, refused)]


def _own(frame: Frame, sets: Sets) -> list[tuple[str, str]]:
    """M21 from 1.29: the node's own connections to an address whose source ranges do not name the node."""
    if frame.version < (1, 29):
        return []
    allowed = frozenset(sets["KUBE-LOAD-BALANCER-SOURCE-IP"][1])
    out: list[tuple[str, str]] = []
    for entry in sets["KUBE-LOAD-BALANCER-FW"][1]:
        vip, _, rest = entry.partition(",")
        protocol, _, port = rest.partition(":")
        if f"{entry},{vip}" not in allowed:
            source = f"{vip}/{128 if frame.family == 6 else 32}"
            number = _PROTOCOL_NUMBERS.get(protocol, protocol)
            rule = f"-s {source} -m ipvs --vproto {number} --vaddr {vip} --vport {port} -j DROP"
            out.append(("KUBE-IPVS-OUT-FILTER", rule))
    return out
