"""The way back: an answer helps only if it reaches the client as an answer to what the client dialled."""

from __future__ import annotations

from dataclasses import replace

from analyzer.forwarding.addresses import family_of
from analyzer.forwarding.journey import Arrival, Session, Stop
from analyzer.forwarding.model import Packet
from analyzer.forwarding.netfilter import Meta, Netfilter
from analyzer.forwarding.server_walk import ServerWalk
from analyzer.forwarding.state import NodeState, Route
from analyzer.forwarding.world import HOST_STACK, Pod


def with_source(undone: Packet, reply: Packet) -> Packet:
    """The answer as INPUT and FORWARD filter it: its destination is translated back, its source not yet.

    conntrack undoes a destination NAT, and IPVS its own (ip_vs_reply4), after packet filtering.
    """
    return replace(undone, src=reply.src, sport=reply.sport)


class ReplyWalk(ServerWalk):
    """Every place that translated the request translates the answer back, if the answer passes it."""

    def answer(self, arrival: Arrival) -> None:
        """Walk the answer (or the refusal) to the client; Stop when it does not get there as an answer to what was dialled."""
        packet = arrival.packet
        reply = Packet(packet.protocol, packet.dst, packet.dport, packet.src, packet.sport)
        kind, _, name = arrival.place.partition(":")
        self.visit(arrival.place)
        self.step("reply", "", reply, kind=arrival.kind)
        if kind == "node":
            self.reply_from_host(name, reply)
        elif kind == "pod":
            self.reply_from_pod(self.world.pods[name], reply)
        else:
            self.reply_network(reply)

    def session(self, place: str, reply: Packet) -> Session | None:
        for session in reversed(self.sessions):
            if session.place == place and session.answers(reply):
                return session
        return None

    def translate(self, place: str, reply: Packet) -> tuple[Packet, bool]:
        """Undo the NAT of the request; the second value tells whether the place knows the connection at all."""
        found = self.session(place, reply)
        if found is None:
            return reply, False
        first = found.first
        undone = Packet(reply.protocol, first.dst, first.dport, first.src, first.sport)
        if undone != reply:
            self.step("untranslate", "", undone)
        return undone, True

    def reply_from_host(self, node: str, reply: Packet) -> None:
        state = self.world.state(node)
        undone, known = self.translate(f"node:{node}", reply)
        if state.is_local(undone.dst):
            again, _ = self.translate(f"node:{node}", undone)
            self.finish(f"node:{node}", again)
            return
        # A DNAT is undone in POSTROUTING, IPVS does it in LOCAL_OUT before the filter (ip_vs_ops4, NF_IP_PRI_NAT_DST + 1).
        session = self.session(f"node:{node}", reply)
        seen = undone if session is not None and session.ipvs else with_source(undone, reply)
        self.reply_filter(state, "OUTPUT", seen, "ESTABLISHED" if known else "NEW", from_host=True)
        self.reply_egress(node, undone, from_host=True)

    def reply_from_pod(self, pod: Pod, reply: Packet) -> None:
        if reply.dst in pod.ips:
            self.finish(pod.id, reply)
            return
        if pod.data_path not in HOST_STACK:
            self.step("bypass", "", reply, data_path=pod.data_path)
            self.reply_network(reply)
            return
        state = self.world.state(pod.node)
        neighbour = self.world.pod_by_ip.get(reply.dst)
        if neighbour is not None and neighbour.node == pod.node:
            interface = self.pod_interface(pod, reply.src)
            bridged = interface == self.pod_interface(neighbour, reply.dst) and not interface.startswith(
                ("cali", "veth", "lxc")
            )
            filtered = state.sysctl("net.bridge.bridge-nf-call-iptables", "1") == "1"
            if bridged and not filtered:
                # The bridge delivers inside layer 2, netfilter does not see the answer and cannot translate it back.
                self.step("bridged", "", reply, interface=interface)
                self.finish(neighbour.id, reply)
                return
            if bridged and not state.has("sysctl"):
                self.lower("medium")
        self.reply_receive(pod.node, reply, self.pod_interface(pod, reply.src))

    def reply_receive(self, node: str, reply: Packet, iif: str) -> None:
        state = self.world.state(node)
        self.visit(f"node:{node}")
        self.step("receive", "PREROUTING", reply, interface=iif or "?")
        undone, known = self.translate(f"node:{node}", reply)
        if family_of(reply.src) == 4 and state.is_local(reply.src) and not known:
            raise Stop(
                "timeout",
                "martian-source",
                {"node": node, "address": reply.src},
                evidence=state.local_evidence(reply.src),
            )
        if state.is_local(undone.dst):
            status = "ESTABLISHED" if known else "NEW"
            self.reply_filter(state, "INPUT", with_source(undone, reply), status, iif=iif)
            if not known and not (self.source_node() == node and self.expected(undone)):
                self.step(
                    "swallowed", "LOCAL_IN", undone, state.local_evidence(undone.dst), address=undone.dst, node=node
                )
                raise Stop("timeout", "reply-swallowed", {"node": node, "address": undone.dst})
            self.finish(f"node:{node}", undone)
            return
        status = "ESTABLISHED" if known else ("INVALID" if reply.protocol == "tcp" else "NEW")
        route = self.route_out(state, undone, src=reply.src, iif=iif)
        self.reply_filter(state, "FORWARD", with_source(undone, reply), status, iif=iif, oif=route.interface)
        self.reply_egress(node, undone, route=route)

    def reply_filter(
        self,
        state: NodeState,
        hook: str,
        packet: Packet,
        status: str,
        *,
        iif: str = "",
        oif: str = "",
        from_host: bool = False,
    ) -> None:
        ruling = Netfilter(state, self.choose).run(
            "filter", hook, packet, Meta(iif=iif, oif=oif, state=status, reply_direction=True, from_host=from_host)
        )
        self.told(ruling, state.name, hook)
        if ruling.action in ("drop", "reject"):
            evidence = (ruling.rule.evidence,) if ruling.rule else ()
            self.step("drop", hook, packet, evidence, table="filter", chain=ruling.chain,
                      rule=ruling.rule.rule.text if ruling.rule else "policy DROP")  # fmt: skip
            raise Stop("timeout", "reply-dropped", {"node": state.name, "chain": ruling.chain})

    def reply_egress(self, node: str, reply: Packet, *, route: Route | None = None, from_host: bool = False) -> None:
        if route is None:
            route = self.route_out(self.world.state(node), reply, src=reply.src if from_host else "")
        pod = self.world.pod_by_ip.get(reply.dst)
        if pod is not None and pod.node == node and pod.data_path in HOST_STACK:
            self.finish(pod.id, reply)
            return
        self.reply_network(reply)

    def reply_network(self, reply: Packet) -> None:
        """Between the hosts: a load balancer's session translates the answer of the backend it chose."""
        for session in reversed(self.sessions):
            if session.place.startswith("lb:") and session.answers(reply):
                self.visit(session.place)
                reply, _ = self.translate(session.place, reply)
                break
        world = self.world
        node = world.node_by_address.get(reply.dst)
        if node is not None:
            self.reply_receive(node, reply, self.uplink(node, reply.dst))
            return
        pod = world.pod_by_ip.get(reply.dst)
        if pod is not None:
            if pod.node and pod.data_path in HOST_STACK:
                self.reply_receive(pod.node, reply, self.uplink(pod.node, reply.dst))
            else:
                self.finish(pod.id, reply)
            return
        if self.source.kind == "external" and reply.dst == self.source.name:
            self.finish(str(self.source), reply)
            return
        raise Stop("timeout", "reply-lost", {"address": reply.dst})

    def source_node(self) -> str:
        if self.source.kind == "node":
            return self.source.name
        if self.source.kind == "pod" and self.world.pods[self.source.name].host_network:
            return self.world.pods[self.source.name].node
        return ""

    def expected(self, reply: Packet) -> bool:
        """Whether the packet answers what the client dialled, seen from the client."""
        dialled = self.dialled
        return (reply.src, reply.sport, reply.dst, reply.dport) == (
            dialled.dst,
            dialled.dport,
            dialled.src,
            dialled.sport,
        )

    def finish(self, place: str, reply: Packet) -> None:
        """The answer reaches somebody: the client, with the tuple it dialled, or nobody who asked."""
        if not self.hops or self.hops[-1][0] != place:
            self.visit(place)
        client = f"node:{self.source_node()}" if self.source_node() else self.client_place()
        if place == client and self.expected(reply):
            self.step("arrived", "", reply)
            return
        self.step(
            "mismatch",
            "",
            reply,
            expected=str(
                Packet(reply.protocol, self.dialled.dst, self.dialled.dport, self.dialled.src, self.dialled.sport)
            ),
        )
        raise Stop(
            "timeout",
            "reply-mismatch",
            {"got": f"{reply.src}:{reply.sport}", "expected": f"{self.dialled.dst}:{self.dialled.dport}"},
        )

    def client_place(self) -> str:
        return str(self.source)
