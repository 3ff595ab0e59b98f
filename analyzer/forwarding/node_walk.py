"""A packet in one node's stack, from its first hook to where it leaves.

Order of the hooks, from the kernel's netfilter priorities and confirmed on captures:
LOCAL_OUT  raw, conntrack, mangle, nat OUTPUT, IPVS, filter OUTPUT (with the new destination), POSTROUTING.
LOCAL_IN   raw, mangle, nat PREROUTING, routing with source validation, mangle and filter INPUT, IPVS, socket.
FORWARD    filter FORWARD, POSTROUTING.
"""

from __future__ import annotations

from dataclasses import replace
from typing import NoReturn

from analyzer.evidence import Evidence
from analyzer.forwarding.addresses import family_of, is_loopback, is_multicast
from analyzer.forwarding.ipvs_walk import IpvsWalk
from analyzer.forwarding.journey import Arrival, Crossing, Stop
from analyzer.forwarding.model import Packet
from analyzer.forwarding.netfilter import Netfilter
from analyzer.forwarding.state import NodeState, Route
from analyzer.forwarding.world import HOST_STACK


class NodeWalk(IpvsWalk):
    """Local output, input, forwarding, egress."""

    # ------------------------------------------------------------------ a node: local output

    def host_out(self, node: str, packet: Packet) -> Arrival:
        """A process in the node's host namespace dials; ip_route_output chooses the source first."""
        state = self.world.state(node)
        self.visit(f"node:{node}")
        self.needs(state, "ip-addr")
        if state.is_local(packet.dst):
            _, prefsrc, evidence = state.local.get(packet.dst, ("lo", "", Evidence("", 0)))
            source, oif, where = prefsrc or packet.dst, "lo", (evidence,) if evidence.file else ()
            packet = replace(packet, src=source)
            self.dialled = packet
            self.step(
                "source-local",
                "LOCAL_OUT",
                packet,
                where,
                address=packet.dst,
                interface=state.local.get(packet.dst, ("lo",))[0],
            )
            route = Route("local", packet.dst, "", "lo", source, 0, evidence)
        else:
            found = self.route_out(state, packet)
            source = found.prefsrc or state.select_source(found.interface, found.gateway or packet.dst)
            if not source:
                source = self.world.primary(node, family_of(packet.dst))
            if not source:
                raise Stop("unknown", "no-source-address", {"node": node}, (f"ip-addr of {node}",))
            packet = replace(packet, src=source)
            self.dialled = packet
            oif, route = found.interface, found
            self.step("source-route", "LOCAL_OUT", packet, (found.evidence,), interface=oif, gateway=found.gateway)
        crossing = Crossing(node, state, packet, packet, from_host=True)
        return self.local_out(crossing, route)

    def local_out(self, crossing: Crossing, route: Route) -> Arrival:
        state, netfilter = crossing.state, Netfilter(crossing.state, self.choose, self.pick_endpoint)
        self.needs(state, *state.rule_inputs)
        self.filter(netfilter, crossing, "raw", "OUTPUT", route.interface)
        self.filter(netfilter, crossing, "mangle", "OUTPUT", route.interface)
        before = crossing.packet
        self.nat_destination(netfilter, crossing, "OUTPUT", route.interface)
        if crossing.packet.dst != before.dst:
            route = self.reroute(crossing)
        server = self.virtual_server(crossing)
        if server is not None:
            return self.schedule(crossing, server, "LOCAL_OUT")
        return self.output(crossing, route)

    def reroute(self, crossing: Crossing) -> Route:
        packet = crossing.packet
        if crossing.state.is_local(packet.dst):
            return Route("local", packet.dst, "", "lo", packet.dst, 0, Evidence("", 0))
        route = self.route_out(crossing.state, packet, mark=packet.mark)
        if is_loopback(packet.src) and family_of(packet.src) == 4:
            self.route_localnet(crossing, route)
        return route

    def route_localnet(self, crossing: Crossing, route: Route) -> None:
        """A loopback source leaves by a device, and its answer comes in, only with route_localnet (__mkroute_output)."""
        state = crossing.state
        keys = ("net.ipv4.conf.all.route_localnet", f"net.ipv4.conf.{route.interface}.route_localnet")
        if not any(state.has_sysctl(key) for key in keys):
            self.lower("medium")  # whoever made the rule (kube-proxy, portmap) sets it as well
            return
        if any(state.sysctl(key, "0") == "1" for key in keys):
            return
        raise Stop("timeout", "route-localnet-off", {"node": state.name, "interface": route.interface})

    def output(self, crossing: Crossing, route: Route) -> Arrival:
        """filter OUTPUT, POSTROUTING, then the wire; a local destination loops over lo into INPUT."""
        netfilter = Netfilter(crossing.state, self.choose)
        if crossing.ipvs is not None:
            self.filter(netfilter, crossing, "mangle", "OUTPUT", route.interface)
        self.filter(netfilter, crossing, "filter", "OUTPUT", route.interface)
        self.nat_source(netfilter, crossing, route)
        if route.type == "local" or crossing.state.is_local(crossing.packet.dst):
            crossing.iif = "lo"
            return self.local_in(crossing)
        return self.egress(crossing, route)

    # ------------------------------------------------------------------ a node: a packet from outside or from a pod

    def receive(self, node: str, packet: Packet, iif: str) -> Arrival:
        state = self.world.state(node)
        self.visit(f"node:{node}")
        netfilter = Netfilter(state, self.choose, self.pick_endpoint)
        crossing = Crossing(node, state, packet, packet, iif=iif, physdev_in=self.bridge_port(state, iif))
        self.needs(state, "ip-addr")
        self.step("receive", "PREROUTING", packet, interface=iif or "?")
        self.needs(state, *state.rule_inputs)
        self.filter(netfilter, crossing, "raw", "PREROUTING")
        self.filter(netfilter, crossing, "mangle", "PREROUTING")
        self.nat_destination(netfilter, crossing, "PREROUTING", "")
        self.validate_source(crossing)
        packet = crossing.packet
        if state.is_local(packet.dst):
            self.step("route-local", "PREROUTING", packet, state.local_evidence(packet.dst), address=packet.dst,
                      interface=state.local.get(packet.dst, ("lo",))[0])  # fmt: skip
            return self.local_in(crossing)
        if state.sysctl("net.ipv4.ip_forward", "1") == "0" and family_of(packet.dst) == 4:
            raise Stop("timeout", "forwarding-off", {"node": node})
        route = self.route_out(state, packet, src=packet.src, iif=iif, mark=packet.mark)
        self.step(
            "route-forward", "FORWARD", packet, (route.evidence,), interface=route.interface, gateway=route.gateway
        )
        self.filter(netfilter, crossing, "mangle", "FORWARD", route.interface)
        self.filter(netfilter, crossing, "filter", "FORWARD", route.interface)
        self.nat_source(netfilter, crossing, route)
        return self.egress(crossing, route)

    def bridge_port(self, state: NodeState, iif: str) -> str:
        """The port a pod's frame came in by when the bridge calls netfilter (br_netfilter); which veth it was is not told."""
        return (
            "port"
            if iif in state.pod_bridges and state.sysctl("net.bridge.bridge-nf-call-iptables", "1") == "1"
            else ""
        )

    def validate_source(self, crossing: Crossing) -> None:
        """fib_validate_source: a source the host owns is a martian unless accept_local; rp_filter asks the way back."""
        state, packet, iif = crossing.state, crossing.packet, crossing.iif
        if family_of(packet.src) != 4:
            return
        if is_loopback(packet.src) or is_multicast(packet.src):
            raise Stop("timeout", "martian-source", {"node": state.name, "address": packet.src})
        if state.is_local(packet.src):
            accept = "1" in (
                state.sysctl("net.ipv4.conf.all.accept_local", "0"), state.sysctl(f"net.ipv4.conf.{iif}.accept_local", "0"),
            )  # fmt: skip
            if not state.has("sysctl"):
                self.lower("medium")
            if not accept:
                evidence = state.local_evidence(packet.src)
                self.step("martian", "PREROUTING", packet, evidence, address=packet.src, node=state.name,
                          interface=state.local.get(packet.src, ("lo",))[0])  # fmt: skip
                raise Stop("timeout", "martian-source", {"node": state.name, "address": packet.src})
            return
        if not state.has("sysctl"):
            self.lower("medium")  # rp_filter may be strict
        strict = max(
            state.sysctl("net.ipv4.conf.all.rp_filter", "0"), state.sysctl(f"net.ipv4.conf.{iif}.rp_filter", "0")
        )
        if strict == "1" and iif:
            back = state.lookup(packet.src, src=packet.dst, iif="lo")
            if back is None or back.interface != iif:
                raise Stop("timeout", "rp-filter", {"node": state.name, "interface": iif, "address": packet.src})

    def local_in(self, crossing: Crossing) -> Arrival:
        """INPUT filter, then IPVS, then a socket. A packet of a host process that IPVS handled never comes here."""
        state, netfilter = crossing.state, Netfilter(crossing.state, self.choose)
        self.filter(netfilter, crossing, "mangle", "INPUT")
        self.filter(netfilter, crossing, "filter", "INPUT")
        if crossing.ipvs is None:
            server = self.virtual_server(crossing)
            if server is not None:
                return self.schedule(crossing, server, "LOCAL_IN")
        self.close(crossing)
        return self.socket(state, crossing)

    # ------------------------------------------------------------------ leaving a node

    def egress(self, crossing: Crossing, route: Route) -> Arrival:
        self.close(crossing)
        packet, node, state = crossing.packet, crossing.node, crossing.state
        pod = self.world.pod_by_ip.get(packet.dst)
        if pod is not None and pod.node == node and pod.data_path in HOST_STACK:
            return self.pod_in(pod, packet)
        if pod is None and self.is_pod_facing(state, route.interface):
            self.nobody(packet, node, on_link=True)
        return self.network(packet, node, on_link=not route.gateway)

    def is_pod_facing(self, state: NodeState, interface: str) -> bool:
        return interface in state.pod_bridges or interface.startswith(("cali", "veth", "lxc"))

    def nobody(self, packet: Packet, node: str, *, on_link: bool) -> NoReturn:
        """No known owner of the address: ARP fails on-link (EHOSTUNREACH after some seconds), else silence."""
        stale = not self.world.endpoint(packet.dst, packet.dport, packet.protocol)
        mechanism = "stale-real-server" if stale and any(s.ipvs for s in self.sessions) else "no-owner"
        if not self.world.pods_known:
            raise Stop("unknown", mechanism, {"address": packet.dst}, ("pods",))
        if not self.world.endpoints_known:
            raise Stop("unknown", mechanism, {"address": packet.dst}, ("endpoints",))
        self.lower("medium")
        raise Stop("unreachable" if on_link else "timeout", mechanism, {"address": packet.dst, "node": node})
