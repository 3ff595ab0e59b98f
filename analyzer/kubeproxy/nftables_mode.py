"""kube-proxy's nftables proxier (1.29 on), said in the language of iptables so that one evaluator runs both.

Follows setupNFTables and syncProxyRules of pkg/proxy/nftables/proxier.go. A map of verdicts becomes one rule per element,
`numgen random mod N` a chain of shares, the sets of affinity the match `recent`. Hooks are those of the base chains; a
base chain that runs before DNAT (priority -110) is put into table mangle, which the walk passes before nat. The rules stand
before all others of a hook, because an ACCEPT or RETURN of iptables does not end the base chain of another table.

Differences from the iptables proxier:

* nodePorts are open on the node's primary addresses unless configured (1.30 on; in 1.29 on all), never on 127.0.0.1;
* a ClusterIP's unserved ports are rejected (1.30 on, kubernetes#122692);
* no rule accepts forwarded traffic: a FORWARD policy of DROP drops it;
* a Local Service without local endpoint is dropped in OUTPUT before the node's own short cut is reached
  (kubernetes#131765), until 1.34 (kubernetes#132456) and its backport to 1.33 (kubernetes#133969, merged after 1.33.5 was
  cut: patch 6 is inferred from the dates).
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

NEW = "-m conntrack --ctstate NEW"
CHECKS = ("service-endpoints-check", "nodeport-endpoints-check", "firewall-check", "cluster-ips-check")


@dataclass
class _Writer:
    versions: Versions
    family: int
    rules: list[Rule] = field(default_factory=list)

    def __post_init__(self) -> None:
        node = self.versions.node
        self.local, self.foreign = detector(node, self.family)
        self.loopback = "::1/128" if self.family == 6 else "127.0.0.0/8"
        self.reject = f"REJECT --reject-with icmp{'6' if self.family == 6 else ''}-port-unreachable"
        bit = hex(1 << node.masquerade_bit)
        self.mark = f"{bit}/{bit}"
        self.cluster_ips_checked = self.versions.since(30, "unserved ports of ClusterIPs")
        self.late_output = short_cut_reached(self.versions)

    def add(self, table: str, chain: str, *parts: str) -> None:
        self.rules.append((table, chain, " ".join(part for part in parts if part)))


def short_cut_reached(versions: Versions) -> bool:
    """Whether the endpoint checks of OUTPUT run after DNAT: from 1.34, and in 1.33 from patch 6 on."""
    if versions.node.version == (1, 33) and versions.node.patch is not None:
        return versions.node.patch >= 6
    return versions.since(34, "kubernetes#132456")


def nftables_rules(services: Sequence[Service], node: ProxyNode, *, family: int = 4) -> Programmed:
    """Everything kube-proxy in nftables mode programs for one address family; an unknown version is read as current."""
    versions = Versions(node)
    w = _Writer(versions, family)
    _hooks(w)
    every = tuple(plans(services, versions, family))
    for plan in every:
        _service(w, plan)
    for plan in every:
        _node_port(w, plan)
    called = {("nat", "services"), ("nat", "mark-for-masquerade"), ("mangle", "firewall-check")}
    called |= {(table, chain) for table in ("mangle", "filter") for chain in CHECKS}
    chains = called | {(table, chain) for table, chain, _ in w.rules}
    return Programmed(tuple(w.rules), tuple(sorted(chains)), tuple(versions.undecided))


def _hooks(w: _Writer) -> None:
    """nftablesBaseChains and nftablesJumpChains."""
    output = "filter" if w.late_output else "mangle"
    for hook in ("PREROUTING", "OUTPUT"):
        w.add("mangle", hook, NEW, "-j firewall-check")
        w.add("nat", hook, "-j services")
    for table, hook in (("filter", "INPUT"), ("filter", "FORWARD"), (output, "OUTPUT")):
        w.add(table, hook, NEW, "-j service-endpoints-check")
    w.add("filter", "INPUT", NEW, "-j nodeport-endpoints-check")
    if w.cluster_ips_checked:
        for hook in ("FORWARD", "OUTPUT"):
            w.add("filter", hook, NEW, "-j cluster-ips-check")
    else:
        w.add("mangle", "OUTPUT", NEW, "-j nodeport-endpoints-check")  # 1.29 has one chain for both checks
    w.add("nat", "POSTROUTING", "-j masquerading")
    w.add("nat", "mark-for-masquerade", f"-j MARK --or-mark {w.mark.partition('/')[0]}")
    w.add("nat", "masquerading", f"-m mark ! --mark {w.mark} -j RETURN")
    w.add("nat", "masquerading", f"-j MARK --xor-mark {w.mark.partition('/')[0]}")
    w.add("nat", "masquerading", "-j MASQUERADE --random-fully")


def _service(w: _Writer, plan: Plan) -> None:
    proto, port = plan.port.protocol, plan.port.port
    base = _base(plan)
    served = f"-p {proto} -m {proto} --dport {port}"
    _checks(w, plan)
    inside = f"local-{base}" if plan.internal_local else f"service-{base}"
    for address in plan.cluster_ips:
        if w.cluster_ips_checked:
            w.add("filter", "cluster-ips-check", f"-d {host(address)} -j {w.reject}")
        if plan.inside:
            w.add("nat", "services", f"-d {host(address)} {served} -g {inside}")
            if w.versions.node.masquerade_all or w.foreign:
                foreign = "" if w.versions.node.masquerade_all else w.foreign
                w.add("nat", inside, foreign, f"-d {host(address)} {served} -j mark-for-masquerade")
    if plan.anywhere and plan.accessible:
        _external(w, plan, base)
        for address in (*plan.external_ips, *plan.lb_ips):
            w.add("nat", "services", f"-d {host(address)} {served} -g external-{base}")
    if plan.lb_ips and plan.service.source_ranges:
        for address in plan.lb_ips:
            w.add("mangle", "firewall-check", f"-d {host(address)} {served} -g firewall-{base}")
        listed = ",".join(sources(w.versions.node, plan))
        w.add("mangle", f"firewall-{base}", f"! -s {listed}" if listed else "", "-j DROP")
    if plan.anywhere:
        _balance(w, plan, base)


def _checks(w: _Writer, plan: Plan) -> None:
    """The maps no-endpoint-services and no-endpoint-nodeports: reject without any endpoint, drop without a local one."""
    proto, port = plan.port.protocol, plan.port.port
    target = "-j DROP" if plan.anywhere else f"-j {w.reject}"
    closed = () if plan.inside else plan.cluster_ips
    if not plan.outside:
        closed = (*closed, *plan.external_ips, *plan.lb_ips)
    tables = ("filter",) if w.late_output else ("filter", "mangle")
    for table in tables:
        for address in closed:
            w.add(table, "service-endpoints-check", f"-d {host(address)} -p {proto} -m {proto} --dport {port}", target)
    if not plan.port.node_port or plan.outside:
        return
    for table in ("filter",) if w.cluster_ips_checked else ("filter", "mangle"):
        for match in node_port_matches(w.versions, w.family):
            body = f"-p {proto} -m {proto} --dport {plan.port.node_port}"
            w.add(table, "nodeport-endpoints-check", match, body, target)


def node_port_matches(versions: Versions, family: int) -> tuple[str, ...]:
    """Where nodePorts are open: configured addresses, else the primary ones (1.30 on), else every local one; never loopback."""
    node = versions.node
    places = node_port_places(node, family)
    if places is None and not node.node_port_addresses and versions.since(30, "nodePorts on primary addresses"):
        own = node.node_ip6 if family == 6 else node.node_ip
        places = (own,) if own else None
    if places is None:
        return (f"! -d {'::1/128' if family == 6 else '127.0.0.0/8'} -m addrtype --dst-type LOCAL",)
    return tuple(f"-d {host(ip)}" for ip in places if not ip.startswith("127.") and ip != "::1")


def _node_port(w: _Writer, plan: Plan) -> None:
    """The map service-nodeports, asked after service-ips."""
    if not plan.port.node_port or not plan.anywhere:
        return
    body = f"-p {plan.port.protocol} -m {plan.port.protocol} --dport {plan.port.node_port}"
    for match in node_port_matches(w.versions, w.family):
        w.add("nat", "services", match, body, f"-g external-{_base(plan)}")


def _base(plan: Plan) -> str:
    """servicePortChainNameBase: eight characters of the hash of the readable name, then the name."""
    name = f"{plan.service.id}/{plan.port.protocol}/{plan.port.name}"
    return f"{hashed(name)[:8]}-{name}"


def _external(w: _Writer, plan: Plan, base: str) -> None:
    chain = f"external-{base}"
    if not plan.external_local:
        w.add("nat", chain, "-j mark-for-masquerade")
    else:
        if w.local:
            w.add("nat", chain, w.local, f"-g service-{base}")
        w.add("nat", chain, "-m addrtype --src-type LOCAL -j mark-for-masquerade")
        w.add("nat", chain, f"-m addrtype --src-type LOCAL -g service-{base}")
    if plan.outside:
        w.add("nat", chain, f"-g {'local' if plan.external_local else 'service'}-{base}")


def _balance(w: _Writer, plan: Plan, base: str) -> None:
    lists: list[tuple[str, tuple[Place, ...]]] = []
    if not plan.internal_local or plan.accessible:
        lists.append((f"service-{base}", plan.cluster))
    if plan.internal_local or plan.external_local:
        lists.append((f"local-{base}", plan.local))

    def endpoint_chain(place: Place) -> str:
        return f"endpoint-{base}__{place[0]}/{place[1]}"

    for chain, places in lists:
        if plan.service.affinity_s is not None:
            for place in places:
                name = endpoint_chain(place)
                w.add("nat", chain, f"-m recent --rcheck --seconds {plan.service.affinity_s} --name {name} -g {name}")
        for position, place in enumerate(places):
            left = len(places) - position
            chance = f"-m statistic --mode random --probability {share(left)}" if left > 1 else ""
            w.add("nat", chain, chance, f"-g {endpoint_chain(place)}")
    for place in plan.reached:
        w.add("nat", endpoint_chain(place), f"-s {host(place[0])} -j mark-for-masquerade")
        w.add("nat", endpoint_chain(place), f"-p {plan.port.protocol} -j DNAT --to-destination {end_point(place)}")
