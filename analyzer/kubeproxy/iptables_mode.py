"""kube-proxy's iptables proxier as a pure function: objects, a node, a version -> the rules of nat and filter.

Follows syncProxyRules of pkg/proxy/iptables/proxier.go. Three forms are told apart:

* up to 1.23: KUBE-FW for every load-balancer address, KUBE-XLB for Local, KUBE-MARK-DROP for what must not pass;
* 1.24: KUBE-EXT and KUBE-SVL, still with KUBE-MARK-DROP;
* from 1.25: drops are rules of table filter (KUBE-EXTERNAL-SERVICES, KUBE-PROXY-FIREWALL; kubernetes#110290).

The text is that of iptables-save. Rules of the kubelet that these rely on (KUBE-FIREWALL, KUBE-MARK-DROP) are included.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from analyzer.kubeproxy.model import ProxyNode
from analyzer.kubeproxy.service_plan import (
    Place,
    Plan,
    Programmed,
    Rule,
    detector,
    end_point,
    hashed,
    host,
    node_port_places,
    plans,
    share,
    sources,
)
from analyzer.kubeproxy.versions import Versions
from analyzer.snapshot.objects import Service

FILTER_CHAINS = ("KUBE-EXTERNAL-SERVICES", "KUBE-FIREWALL", "KUBE-FORWARD", "KUBE-NODEPORTS", "KUBE-SERVICES")
NAT_CHAINS = ("KUBE-MARK-MASQ", "KUBE-NODEPORTS", "KUBE-POSTROUTING", "KUBE-SERVICES")
NEW = "-m conntrack --ctstate NEW "


@dataclass
class _Writer:
    """Collects rules; knows the node, the family and the form."""

    versions: Versions
    family: int
    rules: list[Rule] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.local, self.foreign = detector(self.versions.node, self.family)
        self.loopback = "::1/128" if self.family == 6 else "127.0.0.0/8"
        self.reject = f"REJECT --reject-with icmp{'6' if self.family == 6 else ''}-port-unreachable"
        bit = hex(1 << self.versions.node.masquerade_bit)
        self.mark = f"{bit}/{bit}"
        self.old = not self.versions.since(24, "KUBE-EXT chains")
        self.mark_drop = not self.versions.since(25, "KUBE-MARK-DROP")

    def nat(self, chain: str, *parts: str) -> None:
        self.rules.append(("nat", chain, " ".join(part for part in parts if part)))

    def filter(self, chain: str, *parts: str) -> None:
        self.rules.append(("filter", chain, " ".join(part for part in parts if part)))


def iptables_rules(services: Sequence[Service], node: ProxyNode, *, family: int = 4) -> Programmed:
    """Everything kube-proxy in iptables mode programs for one address family; an unknown version is read as current."""
    versions = Versions(node)
    writer = _Writer(versions, family)
    _hooks(writer)
    for plan in plans(services, versions, family):
        _service(writer, plan)
    _node_ports_last(writer)
    _forward(writer)
    chains = {("nat", name) for name in NAT_CHAINS} | {("filter", name) for name in FILTER_CHAINS}
    chains |= {("nat", "KUBE-MARK-DROP")} if writer.mark_drop else {("filter", "KUBE-PROXY-FIREWALL")}
    chains |= {(table, chain) for table, chain, _ in writer.rules}
    return Programmed(tuple(writer.rules), tuple(sorted(chains)), tuple(versions.undecided))


def comment(text: str) -> str:
    return f'-m comment --comment "{text}"'


def _hooks(w: _Writer) -> None:
    """Jumps from the built-in chains. kube-proxy puts each one first, so the last of iptablesJumpChains stands on top."""
    if not w.mark_drop:
        for hook in ("INPUT", "FORWARD", "OUTPUT"):
            w.filter(hook, NEW + comment("kubernetes load balancer firewall"), "-j KUBE-PROXY-FIREWALL")
    w.filter("FORWARD", comment("kubernetes forwarding rules"), "-j KUBE-FORWARD")
    for hook in ("OUTPUT", "FORWARD"):
        w.filter(hook, NEW + comment("kubernetes service portals"), "-j KUBE-SERVICES")
    w.filter("INPUT", comment("kubernetes health check service ports"), "-j KUBE-NODEPORTS")
    for hook in ("FORWARD", "INPUT"):
        w.filter(hook, NEW + comment("kubernetes externally-visible service portals"), "-j KUBE-EXTERNAL-SERVICES")
    for hook in ("INPUT", "OUTPUT"):
        w.filter(hook, "-j KUBE-FIREWALL")
    if w.mark_drop:
        marked = comment("kubernetes firewall for dropping marked packets")
        w.filter("KUBE-FIREWALL", marked, "-m mark --mark 0x8000/0x8000 -j DROP")
        w.nat("KUBE-MARK-DROP", "-j MARK --set-xmark 0x8000/0x8000")
    if w.family == 4:
        # kubernetes#90259: route_localnet would open 127.0.0.1 to neighbours.
        w.filter("KUBE-FIREWALL", f"! -s {w.loopback} -d {w.loopback}", comment("block incoming localnet connections"),
                 "-m conntrack ! --ctstate RELATED,ESTABLISHED,DNAT -j DROP")  # fmt: skip
    for hook in ("PREROUTING", "OUTPUT"):
        w.nat(hook, comment("kubernetes service portals"), "-j KUBE-SERVICES")
    w.nat("POSTROUTING", comment("kubernetes postrouting rules"), "-j KUBE-POSTROUTING")
    w.nat("KUBE-MARK-MASQ", f"-j MARK --set-xmark {w.mark}")
    w.nat("KUBE-POSTROUTING", f"-m mark ! --mark {w.mark} -j RETURN")
    w.nat("KUBE-POSTROUTING", f"-j MARK --set-xmark {w.mark.partition('/')[0]}/0x0")
    w.nat("KUBE-POSTROUTING", comment("kubernetes service traffic requiring SNAT"), "-j MASQUERADE --random-fully")


def _service(w: _Writer, plan: Plan) -> None:
    proto, name, port = plan.port.protocol, plan.name, plan.port.port
    key = hashed(name, proto)

    def to(address: str, note: str, *more: str) -> str:
        return " ".join((*more, f"-d {host(address)} -p {proto}", comment(note), f"-m {proto} --dport {port}"))

    if plan.service.health_check_node_port:
        w.filter("KUBE-NODEPORTS", "-p tcp", comment(f"{name} health check node port"),
                 f"-m tcp --dport {plan.service.health_check_node_port} -j ACCEPT")  # fmt: skip
    _refusals(w, plan)
    inside = "KUBE-SVL-" if plan.internal_local else "KUBE-SVC-"
    for address in plan.cluster_ips if plan.inside or (plan.anywhere and w.mark_drop) else ():
        # The masquerade rule serves clients from outside that route to ClusterIPs by way of this node.
        note = f"{name} cluster IP"
        if w.versions.node.masquerade_all:
            w.nat(inside + key, to(address, note), "-j KUBE-MARK-MASQ")
        elif w.foreign:
            w.nat(inside + key, to(address, note, w.foreign), "-j KUBE-MARK-MASQ")
        w.nat("KUBE-SERVICES", to(address, note), f"-j {inside}{key}")
    if plan.anywhere and w.old:
        _external_old(w, plan, key)
    elif plan.anywhere and plan.accessible:
        _external(w, plan, key)
    if plan.anywhere:
        _balance(w, plan, key)


def _refusals(w: _Writer, plan: Plan) -> None:
    """Table filter: REJECT without any endpoint; from 1.25 DROP where a Local policy finds none on this node."""
    proto, name, port = plan.port.protocol, plan.name, plan.port.port
    none = not plan.anywhere
    note = comment(f"{name} has no endpoints" if none else f"{name} has no local endpoints")
    target = f"-j {w.reject if none else 'DROP'}"
    if none or (not plan.inside and not w.mark_drop):
        for address in plan.cluster_ips:
            w.filter("KUBE-SERVICES", f"-d {host(address)} -p {proto}", note, f"-m {proto} --dport {port}", target)
    if not none and (plan.outside or w.mark_drop):
        return
    for address in (*plan.external_ips, *plan.lb_ips):
        w.filter("KUBE-EXTERNAL-SERVICES", f"-d {host(address)} -p {proto}", note, f"-m {proto} --dport {port}", target)
    if plan.port.node_port:
        w.filter("KUBE-EXTERNAL-SERVICES", f"-p {proto}", note,
                 f"-m addrtype --dst-type LOCAL -m {proto} --dport {plan.port.node_port}", target)  # fmt: skip


def _external(w: _Writer, plan: Plan, key: str) -> None:
    """KUBE-EXT: masquerade for Cluster; for Local the short cut of clients on this node, then the local endpoints."""
    proto, name, port = plan.port.protocol, plan.name, plan.port.port
    chain = f"KUBE-EXT-{key}"
    if not plan.external_local:
        w.nat(chain, comment(f"masquerade traffic for {name} external destinations"), "-j KUBE-MARK-MASQ")
    else:
        if w.local:
            note = comment(f"pod traffic for {name} external destinations")
            w.nat(chain, w.local, note, f"-j KUBE-SVC-{key}")
        # A process of the host may have the address itself as its source: masqueraded, then sent to any endpoint.
        own = "-m addrtype --src-type LOCAL"
        w.nat(chain, comment(f"masquerade LOCAL traffic for {name} external destinations"), own, "-j KUBE-MARK-MASQ")
        w.nat(chain, comment(f"route LOCAL traffic for {name} external destinations"), own, f"-j KUBE-SVC-{key}")
    if plan.outside or w.mark_drop:
        w.nat(chain, f"-j {'KUBE-SVL-' if plan.external_local else 'KUBE-SVC-'}{key}")
    entry = chain
    if plan.lb_ips and plan.service.source_ranges:
        entry = f"KUBE-FW-{key}"
        _firewall(w, plan, entry, chain)
    for address, note, target in (
        *((ip, "external IP", chain) for ip in plan.external_ips),
        *((ip, "loadbalancer IP", entry) for ip in plan.lb_ips),
    ):
        match = f"-m {proto} --dport {port}"
        w.nat("KUBE-SERVICES", f"-d {host(address)} -p {proto}", comment(f"{name} {note}"), match, f"-j {target}")
    if plan.port.node_port:
        match = f"-m {proto} --dport {plan.port.node_port}"
        w.nat("KUBE-NODEPORTS", f"-p {proto}", comment(name), match, f"-j {chain}")


def _firewall(w: _Writer, plan: Plan, chain: str, target: str) -> None:
    """loadBalancerSourceRanges, for the load balancer's addresses only. What gets through without NAT is dropped."""
    note = comment(f"{plan.name} loadbalancer IP")
    for source in sources(w.versions.node, plan):
        w.nat(chain, f"-s {source}", note, f"-j {target}")
    if w.mark_drop:
        w.nat(chain, note, "-j KUBE-MARK-DROP")
        return
    w.nat(chain, comment(f"other traffic to {plan.name} will be dropped by KUBE-PROXY-FIREWALL"))
    for address in plan.lb_ips:
        w.filter("KUBE-PROXY-FIREWALL", f"-d {host(address)} -p {plan.port.protocol}",
                 comment(f"{plan.name} traffic not accepted by {chain}"),
                 f"-m {plan.port.protocol} --dport {plan.port.port} -j DROP")  # fmt: skip


def _external_old(w: _Writer, plan: Plan, key: str) -> None:
    """Up to 1.23: Local goes to KUBE-XLB; Cluster is marked on the way to KUBE-SVC."""
    proto, name, port = plan.port.protocol, plan.name, plan.port.port
    local = plan.external_local
    chain = f"KUBE-XLB-{key}" if local else f"KUBE-SVC-{key}"
    for address in plan.external_ips:
        body = f"-d {host(address)} -p {proto} {comment(f'{name} external IP')} -m {proto} --dport {port}"
        if not local:
            w.nat(f"KUBE-SVC-{key}", w.foreign, body, "-j KUBE-MARK-MASQ")
        w.nat("KUBE-SERVICES", body, f"-j {chain}")
    note = comment(f"{name} loadbalancer IP")
    for address in plan.lb_ips:
        w.nat("KUBE-SERVICES", f"-d {host(address)} -p {proto}", note, f"-m {proto} --dport {port} -j KUBE-FW-{key}")
    if plan.lb_ips:
        if not local:
            w.nat(f"KUBE-FW-{key}", note, "-j KUBE-MARK-MASQ")
        if plan.service.source_ranges:
            for source in sources(w.versions.node, plan):
                w.nat(f"KUBE-FW-{key}", f"-s {source}", note, f"-j {chain}")
        else:
            w.nat(f"KUBE-FW-{key}", note, f"-j {chain}")
        w.nat(f"KUBE-FW-{key}", note, "-j KUBE-MARK-DROP")
    if plan.port.node_port:
        body = f"-p {proto} {comment(name)} -m {proto} --dport {plan.port.node_port}"
        if local:
            w.nat("KUBE-NODEPORTS", f"-s {w.loopback}", body, "-j KUBE-MARK-MASQ")
        else:
            w.nat(f"KUBE-SVC-{key}", body, "-j KUBE-MARK-MASQ")
        w.nat("KUBE-NODEPORTS", body, f"-j {chain}")
    if local:
        if w.local:
            note = comment("Redirect pods trying to reach external loadbalancer VIP to clusterIP")
            w.nat(chain, w.local, note, f"-j KUBE-SVC-{key}")
        own = "-m addrtype --src-type LOCAL"
        w.nat(chain, comment(f"masquerade LOCAL traffic for {name} LB IP"), own, "-j KUBE-MARK-MASQ")
        w.nat(chain, comment(f"route LOCAL traffic for {name} LB IP to service chain"), own, f"-j KUBE-SVC-{key}")


def _balance(w: _Writer, plan: Plan, key: str) -> None:
    """KUBE-SVC, KUBE-SVL (KUBE-XLB) to KUBE-SEP, affinity first, then one rule per endpoint with its share."""
    lists: list[tuple[str, tuple[Place, ...]]] = []
    if not plan.internal_local or plan.accessible:
        lists.append((f"KUBE-SVC-{key}", plan.cluster))
    if plan.internal_local or plan.external_local:
        chain = f"KUBE-{'XLB' if w.old else 'SVL'}-{key}"
        lists.append((chain, plan.local))
        if not plan.local and w.mark_drop:
            w.nat(chain, comment(f"{plan.name} has no local endpoints"), "-j KUBE-MARK-DROP")
    mask = "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff" if w.family == 6 else "255.255.255.255"

    def endpoint_chain(place: Place) -> str:
        return f"KUBE-SEP-{hashed(plan.name, plan.port.protocol, end_point(place))}"

    for chain, places in lists:
        notes = [comment(plan.name if w.old else f"{plan.name} -> {end_point(place)}") for place in places]
        if plan.service.affinity_s is not None:
            for place, note in zip(places, notes, strict=True):
                sep = endpoint_chain(place)
                w.nat(chain, note, f"-m recent --rcheck --seconds {plan.service.affinity_s} --reap --name {sep}",
                      f"--mask {mask} --rsource -j {sep}")  # fmt: skip
        for position, (place, note) in enumerate(zip(places, notes, strict=True)):
            left = len(places) - position
            chance = f"-m statistic --mode random --probability {share(left)}" if left > 1 else ""
            w.nat(chain, note, chance, f"-j {endpoint_chain(place)}")
    for place in plan.reached:
        sep, note = endpoint_chain(place), comment(plan.name)
        remembered = (
            f"-m recent --set --name {sep} --mask {mask} --rsource" if plan.service.affinity_s is not None else ""
        )
        w.nat(sep, f"-s {host(place[0])}", note, "-j KUBE-MARK-MASQ")
        w.nat(sep, f"-p {plan.port.protocol}", note, remembered,
              f"-m {plan.port.protocol} -j DNAT --to-destination {end_point(place)}")  # fmt: skip


def _node_ports_last(w: _Writer) -> None:
    note = comment("kubernetes service nodeports; NOTE: this must be the last rule in this chain")
    places = node_port_places(w.versions.node, w.family)
    if places is None:
        # IPv6 has no route_localnet: from 1.26 the rule leaves ::1 out.
        spared = f"! -d {w.loopback}" if w.family == 6 and w.versions.since(26, "nodePorts on ::1") else ""
        w.nat("KUBE-SERVICES", spared, note, "-m addrtype --dst-type LOCAL -j KUBE-NODEPORTS")
        return
    for address in places:
        w.nat("KUBE-SERVICES", f"-d {host(address)}", note, "-j KUBE-NODEPORTS")


def _forward(w: _Writer) -> None:
    w.filter("KUBE-FORWARD", "-m conntrack --ctstate INVALID -j DROP")
    w.filter("KUBE-FORWARD", comment("kubernetes forwarding rules"), f"-m mark --mark {w.mark} -j ACCEPT")
    w.filter("KUBE-FORWARD", comment("kubernetes forwarding conntrack rule"),
             "-m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT")  # fmt: skip
