"""IPVS on one node: which virtual server, which real server, and where the translated packet goes."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import replace
from typing import Literal, NoReturn

from analyzer.evidence import Evidence
from analyzer.forwarding.chain_walk import ChainWalk
from analyzer.forwarding.journey import FEW_REAL_SERVERS, Arrival, Crossing, Stop
from analyzer.forwarding.state import NodeState, RealServer, Route, VirtualServer

NODE_PORTS = range(30000, 32768)
"""The usual range of nodePorts (API server, --service-node-port-range)."""


class IpvsWalk(ChainWalk):
    """IPVS at LOCAL_IN and LOCAL_OUT."""

    @abstractmethod
    def output(self, crossing: Crossing, route: Route) -> Arrival:
        """filter OUTPUT, POSTROUTING, then the wire."""

    def virtual_server(self, crossing: Crossing) -> VirtualServer | None:
        state, packet = crossing.state, crossing.packet
        self.needs(state, "ipvsadm")
        found = state.virtual_servers.get((packet.protocol, packet.dst, packet.dport))
        vague = packet.dst in state.vague_addresses or packet.dport in state.vague_node_ports
        if found is not None and vague:
            self.not_whole(state, "services")
        if found is None:
            served = (
                packet.dst in self.world.service_addresses or (packet.protocol, packet.dport) in self.world.node_ports
            )
            if state.fwmark_servers and packet.mark:
                self.not_whole(state, f"firewall-mark virtual servers of {state.name}")
            if "ipvsadm" in state.incomplete and served and state.is_local(packet.dst):
                self.not_whole(state, f"all of ipvsadm of {state.name}")
            if state.services_partial and self._may_be_served(state, packet.dst, packet.dport):
                self.not_whole(state, "services")
        return found

    def _may_be_served(self, state: NodeState, address: str, port: int) -> bool:
        """Whether a Service that was not collected could have this address: any port of a VIP, a nodePort of the node."""
        on = [entry.interface for entry in state.addresses if entry.address == address]
        return address in state.vips or (bool(on) and ("kube-ipvs0" in on or port in NODE_PORTS))

    def not_whole(self, state: NodeState, what: str) -> NoReturn:
        """A virtual server that is not listed may exist all the same: absence from a cut listing proves nothing."""
        raise Stop("unknown", "virtual-servers-not-whole", {"node": state.name}, (what,))

    def schedule(self, crossing: Crossing, server: VirtualServer, hook: Literal["LOCAL_IN", "LOCAL_OUT"]) -> Arrival:
        state, packet = crossing.state, crossing.packet
        crossing.ipvs = server
        supposed = state.layers.get("ipvsadm") == "expected" and not self.world.endpoints_known
        name = f"{server.protocol}/{server.address}:{server.port}"
        if not server.live:
            if supposed:  # The pods that were collected need not be all, nor be what the endpoints said.
                values = {"address": server.address, "port": str(server.port)}
                raise Stop("unknown", "backends-not-collected", values, ("endpoints",))
            drained = bool(server.real_servers)
            evidence = (server.evidence, *(one.evidence for one in server.real_servers))
            self.step("ipvs-empty", hook, packet, evidence, server=name, drained=len(server.real_servers))
            mechanism = "ipvs-only-drained" if drained else "ipvs-no-destination"
            if hook == "LOCAL_OUT" and packet.protocol == "udp":
                # The packet dies in LOCAL_OUT and sendto fails with EPERM; no ICMP reaches the socket.
                raise Stop("unreachable", mechanism, {"server": name, "node": state.name})
            self.close(crossing)
            return Arrival("refuse", f"node:{state.name}", packet, "", mechanism, {"server": name, "node": state.name})
        if supposed:
            self.lower("low")
            self.miss("endpoints")
        real = self.pick(server, name, crossing)
        after = replace(packet, dst=real.address, dport=real.port or packet.dport)
        crossing.packet = after
        self.step("ipvs-schedule", hook, after, (server.evidence, real.evidence), server=name,
                  real_server=f"{real.address}:{real.port}", scheduler=server.scheduler, candidates=len(server.live))  # fmt: skip
        if state.sysctl("net.ipv4.vs.conntrack", "1") == "0":
            crossing.tracked = False
            self.step("ipvs-untracked", hook, after, node=state.name)
        elif not state.has_sysctl("net.ipv4.vs.conntrack"):
            self.lower("medium")
        if real.forwarding not in ("Masq", "Local", ""):
            raise Stop(
                "unknown",
                "forwarding-method",
                {"method": real.forwarding, "server": name},
                (f"{real.forwarding} real server",),
            )
        if state.is_local(real.address):
            if hook == "LOCAL_IN":
                self.close(crossing)
                return self.socket(state, crossing)
            route = Route("local", real.address, "", "lo", real.address, 0, Evidence("", 0))
            return self.output(crossing, route)
        # ip_vs_nat_xmit routes by the destination alone: neither the source nor the input interface takes part.
        route = self.route_out(state, after, mark=after.mark)
        return self.output(crossing, route)

    def pick(self, server: VirtualServer, name: str, crossing: Crossing) -> RealServer:
        """One choice per real server (per group of alike ones when there are many), weighted; the scheduler only orders."""
        groups = self.alike(server.live)
        if len(groups) == 1:
            taken = 0
        else:
            total = sum(one.weight for one in server.live)
            shares = [sum(one.weight for one in group) / total for group in groups]
            taken = self.choose("real-server", f"{crossing.node} {name}", len(groups), shares)
        group = groups[taken]
        self.also = tuple(pod.id for one in group[1:] if (pod := self.world.pod_by_ip.get(one.address)) is not None)
        return group[0]

    def alike(self, live: tuple[RealServer, ...]) -> list[tuple[RealServer, ...]]:
        """Real servers a packet cannot tell apart: ready pods of one node, none of them the client."""
        if len(live) <= FEW_REAL_SERVERS:
            return [(one,) for one in live]
        groups: dict[tuple[object, ...], list[RealServer]] = {}
        for one in live:
            pod = self.world.pod_by_ip.get(one.address)
            listed = self.world.endpoint(one.address, one.port, self.target.protocol)
            if pod is None or not listed or (self.source.kind == "pod" and self.source.name == pod.id[4:]):
                key: tuple[object, ...] = (one.address, one.port)
            else:
                key = (pod.node, pod.data_path, one.port, one.forwarding)
            groups.setdefault(key, []).append(one)
        return [tuple(group) for group in groups.values()]
