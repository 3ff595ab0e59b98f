"""A node's chains and routes as steps of a walk: filters, destination and source NAT, the route out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from analyzer.evidence import Evidence
from analyzer.forwarding.addresses import is_loopback
from analyzer.forwarding.journey import Crossing, Journey, Rejected, Session, Stop
from analyzer.forwarding.model import Packet
from analyzer.forwarding.netfilter import Netfilter, Ruling
from analyzer.forwarding.state import ChainRule, NodeState, Route
from analyzer.forwarding.world import Pod
from analyzer.parsers.iptables_rule import parse_rule


class ChainWalk(Journey):
    """Tables that may drop, reject, mark or translate."""

    def pod_interface(self, pod: Pod, address: str) -> str:
        """The host-side interface of a pod: the route to it names it (a bridge, or the veth itself)."""
        state = self.world.state(pod.node)
        route = state.lookup(address)
        return route.interface if route is not None else ""

    def route_out(self, state: NodeState, packet: Packet, src: str = "", iif: str = "", mark: int = 0) -> Route:
        self.needs(state, "ip-route")
        if not state.has("ip-route"):
            raise Stop(
                "unknown", "no-route", {"node": state.name, "address": packet.dst}, (f"ip-route of {state.name}",)
            )
        route = state.lookup(packet.dst, src=src, iif=iif, mark=mark)
        if route is None or route.type in ("unreachable", "blackhole", "prohibit"):
            raise Stop(
                "timeout" if route is not None and route.type == "blackhole" else "unreachable",
                "no-route",
                {"node": state.name, "address": packet.dst},
                evidence=(route.evidence,) if route is not None else (),
            )
        return route

    def filter(self, netfilter: Netfilter, crossing: Crossing, table: str, hook: str, oif: str = "") -> None:
        """A table that may drop or reject (raw, mangle, filter); marks it sets stay on the packet."""
        ruling = netfilter.run(table, hook, crossing.packet, crossing.meta(oif))
        crossing.packet = ruling.packet
        crossing.tracked = crossing.tracked and not ruling.untracked
        self.judge(ruling, crossing, table, hook)

    def judge(self, ruling: Ruling, crossing: Crossing, table: str, hook: str) -> None:
        self.told(ruling, crossing.node, hook)
        if ruling.action == "drop":
            evidence = (ruling.rule.evidence,) if ruling.rule else ()
            text = ruling.rule.rule.text if ruling.rule else "policy DROP"
            self.step("drop", hook, crossing.packet, evidence, table=table, chain=ruling.chain, rule=text)
            raise Stop("timeout", "dropped", {"node": crossing.node, "table": table, "chain": ruling.chain})
        if ruling.action == "reject":
            evidence = (ruling.rule.evidence,) if ruling.rule else ()
            self.step("reject", hook, crossing.packet, evidence, table=table, chain=ruling.chain, with_=ruling.with_)
            slug = "ipvs-filter-reject" if ruling.chain == "KUBE-IPVS-FILTER" else "rejected"
            raise Rejected(crossing, ruling, slug)

    def told(self, ruling: Ruling, node: str, hook: str) -> None:
        """Stop where the chains cannot be followed: what comes after would be a guess."""
        if ruling.action == "unknown":
            evidence = (ruling.rule.evidence,) if ruling.rule else ()
            raise Stop("unknown", "rule-not-understood", {"node": node, "hook": hook}, (ruling.with_,), evidence)

    def nat_destination(self, netfilter: Netfilter, crossing: Crossing, hook: str, oif: str) -> None:
        self.open_to_walk(crossing, hook)
        if not crossing.tracked:
            return
        ruling = netfilter.run("nat", hook, crossing.packet, crossing.meta(oif))
        was = crossing.packet
        crossing.packet = ruling.packet
        if ruling.packet.mark != was.mark:
            self.step("mark", hook, crossing.packet, tuple(rule.evidence for _, rule in ruling.passed),
                      mark=hex(ruling.packet.mark), chain=ruling.passed[-1][0] if ruling.passed else "")  # fmt: skip
        else:
            # externalTrafficPolicy Local leaves its mark by a RETURN in these two chains, whatever accepts later.
            spared = [(chain, rule) for chain, rule in ruling.passed
                      if rule.rule.target == "RETURN" and chain in ("KUBE-LOAD-BALANCER", "KUBE-NODE-PORT")]  # fmt: skip
            if spared:
                self.step("not-marked", hook, crossing.packet, (spared[-1][1].evidence,), chain=spared[-1][0])
        if ruling.action in ("dnat", "redirect") and ruling.rule is not None:
            address, port = ruling.to
            if ruling.action == "redirect":
                address = "127.0.0.1" if crossing.from_host else crossing.state.select_source(crossing.iif, was.src)
            crossing.packet = replace(
                crossing.packet, dst=address or crossing.packet.dst, dport=port or crossing.packet.dport
            )
            crossing.dnat = True
            self.step("dnat", hook, crossing.packet, (ruling.rule.evidence,), chain=ruling.chain,
                      to=f"{crossing.packet.dst}:{crossing.packet.dport}")  # fmt: skip
        elif ruling.action in ("drop", "reject", "unknown"):
            self.judge(ruling, crossing, "nat", hook)

    def open_to_walk(self, crossing: Crossing, hook: str) -> None:
        """Stop where Services are handled in a way the walk cannot follow and the packet is for one of them."""
        state, packet = crossing.state, crossing.packet
        if not state.opaque and not state.computed_rules:
            return
        node_port = (packet.protocol, packet.dport) in self.world.node_ports and (
            packet.dst in self.world.node_by_address or is_loopback(packet.dst)
        )
        if packet.dst in self.world.service_addresses or node_port:
            if not state.opaque:
                self.step("expected-rules", hook, packet, node=state.name, mode=state.computed_rules)
                return
            wanted = {"iptables": "iptables", "unknown": "proxy mode"}.get(state.opaque, "a walk of its proxy mode")
            raise Stop(
                "unknown",
                "proxy-mode-not-walked",
                {"node": state.name, "mode": state.opaque},
                (f"{wanted} of {state.name}",),
            )

    def pick_endpoint(self, places: Sequence[tuple[str, int]], what: str) -> int:
        """One choice per group of endpoints that a packet cannot tell apart: listed pods of one node, none of them the client."""
        groups: dict[tuple[object, ...], list[int]] = {}
        for position, (address, port) in enumerate(places):
            pod = self.world.pod_by_ip.get(address)
            listed = self.world.endpoint(address, port, self.target.protocol)
            alone = pod is None or not listed or (self.source.kind == "pod" and self.source.name == pod.id[4:])
            key: tuple[object, ...] = (address, port) if pod is None or alone else (pod.node, pod.data_path, port)
            groups.setdefault(key, []).append(position)
        listed_groups = list(groups.values())
        taken = 0
        if len(listed_groups) > 1:
            shares = [len(group) / len(places) for group in listed_groups]
            taken = self.choose("real-server", what, len(listed_groups), shares)
        group = listed_groups[taken]
        others = (self.world.pod_by_ip.get(places[position][0]) for position in group[1:])
        self.also = tuple(pod.id for pod in others if pod is not None)
        return group[0]

    def nat_source(self, netfilter: Netfilter, crossing: Crossing, route: Route) -> None:
        oif = route.interface or "lo"
        self.filter(netfilter, crossing, "mangle", "POSTROUTING", oif)
        if not crossing.tracked:
            return
        was = crossing.packet
        ruling = netfilter.run("nat", "POSTROUTING", was, crossing.meta(oif))
        if crossing.state.masquerade_unknown and ruling.action == "accept":
            ruling = self.maybe_masqueraded(crossing, ruling)
        packet = ruling.packet
        if ruling.action in ("masquerade", "snat") and ruling.rule is not None:
            towards = route.gateway or packet.dst
            source = ruling.to[0] or crossing.state.select_source(oif, towards)
            if not source:
                raise Stop("unknown", "no-source-address", {"node": crossing.node}, (f"ip-addr of {crossing.node}",))
            packet = replace(packet, src=source)
            crossing.snat = packet.src != was.src
            self.step("masquerade", "POSTROUTING", packet, (ruling.rule.evidence,), chain=ruling.chain, before=was.src,
                      after=source, interface=oif)  # fmt: skip
        elif ruling.action in ("drop", "reject", "unknown"):
            crossing.packet = packet
            self.judge(ruling, crossing, "nat", "POSTROUTING")
        elif crossing.ipvs is not None:
            self.step("source-kept", "POSTROUTING", packet, address=packet.src)
        crossing.packet = replace(packet, mark=0)

    def maybe_masqueraded(self, crossing: Crossing, ruling: Ruling) -> Ruling:
        """Without iptables-save and with an unknown CNI both are possible: the packet keeps its source or gets the node's."""
        if self.choose("unknown", f"masquerade rules of the CNI on {crossing.node}", 2) == 0:
            return ruling
        assumed = ChainRule(parse_rule("-j MASQUERADE"), Evidence("", 0))
        return replace(ruling, action="masquerade", rule=assumed, chain="POSTROUTING")

    def close(self, crossing: Crossing) -> None:
        """Remember what conntrack (and IPVS) know of this crossing."""
        self.sessions.append(
            Session(
                f"node:{crossing.node}",
                replace(crossing.first, mark=0),
                replace(crossing.packet, mark=0),
                crossing.ipvs is not None,
            )
        )
