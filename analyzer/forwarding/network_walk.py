"""Between the hosts: nodes, pods, load balancers and addresses outside the cluster."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from analyzer.forwarding.journey import LB_PROXY_ADDRESS, Arrival, Session, Stop
from analyzer.forwarding.model import Packet
from analyzer.forwarding.node_walk import NodeWalk
from analyzer.forwarding.state import uplink
from analyzer.forwarding.world import HOST_STACK, Backend, LoadBalancer


class NetworkWalk(NodeWalk):
    """The network routes by destination alone; a load balancer translates the destination and remembers it."""

    def network(self, packet: Packet, from_node: str, *, on_link: bool = False) -> Arrival:
        world = self.world
        balancer = world.load_balancers.get(packet.dst)
        node = world.node_by_address.get(packet.dst)
        if node is not None:
            return self.receive(node, packet, self.uplink(node, packet.dst))
        pod = world.pod_by_ip.get(packet.dst)
        if pod is not None:
            if not pod.node:
                raise Stop("unknown", "pod-without-node", {"pod": pod.id}, (f"node of {pod.id}",))
            if pod.data_path not in HOST_STACK:
                self.lower("low")
                return self.pod_in(pod, packet)
            return self.receive(pod.node, packet, self.uplink(pod.node, packet.dst))
        if balancer is not None:
            return self.load_balancer(balancer, packet)
        owner = world.node_for_pod_address(packet.dst)
        if owner and owner != from_node:
            return self.receive(owner, packet, self.uplink(owner, packet.dst))
        known = world.endpoint(packet.dst, packet.dport, packet.protocol)
        listed = any(session.place.startswith("lb:") and session.last.dst == packet.dst for session in self.sessions)
        if known or listed:
            self.visit(f"external:{packet.dst}")
            self.lower("medium")
            self.step("external-server", "", packet, tuple(one.evidence for one in known))
            return Arrival("answer", f"external:{packet.dst}", packet, f"external:{packet.dst}", "served-outside")
        if packet.dst in world.service_addresses:
            return self.vip_outside(packet, from_node)
        if any(session.ipvs for session in self.sessions):
            self.nobody(packet, from_node, on_link=on_link)
        raise Stop("unknown", "outside-the-bundle", {"address": packet.dst}, (f"who owns {packet.dst}",))

    def vip_outside(self, packet: Packet, from_node: str) -> Arrival:
        """A VIP that is not a load balancer's, met in the network: nothing routes a ClusterIP there."""
        kinds = {kind for _, kind in self.world.service_addresses[packet.dst]}
        if kinds <= {"cluster-ip"}:
            self.visit("network")
            self.step("not-routed", "", packet, address=packet.dst)
            self.lower("medium")
            raise Stop("timeout", "not-routed", {"address": packet.dst})
        # conntrack of a node that saw a foreign client dial the address shows where the network sends it.
        entries = self.world.entries.get(packet.dst) or self.world.node_names
        taken = self.choose("unknown", f"which node the network sends {packet.dst} to", len(entries))
        return self.receive(entries[taken], packet, self.uplink(entries[taken], ""))

    def uplink(self, node: str, address: str) -> str:
        return uplink(self.world.state(node), address)

    def load_balancer(self, balancer: LoadBalancer, packet: Packet) -> Arrival:
        self.visit(f"lb:{balancer.address}")
        listener = balancer.listener(packet.protocol, packet.dport)
        if listener is None:
            if not balancer.complete:
                raise Stop(
                    "unknown", "listener-not-collected", {"address": packet.dst, "port": str(packet.dport)},
                    (f"listeners of load balancer {balancer.address}",),
                )  # fmt: skip
            self.step("lb-no-listener", "", packet, (balancer.evidence,), port=packet.dport)
            self.lower("medium")  # this one drops silently; others answer with a reset
            raise Stop("timeout", "lb-no-listener", {"address": packet.dst, "port": str(packet.dport)})
        if listener.acl:
            where = {"address": packet.dst, "port": str(packet.dport), "acl": listener.acl}
            raise Stop(
                "unknown", "lb-access-list", where, (f"entries of access list {listener.acl}",), (listener.evidence,)
            )
        if listener.backends is None:
            raise Stop(
                "unknown", "backends-not-collected", {"address": packet.dst, "port": str(packet.dport)},
                (f"backends of {packet.dst}:{packet.dport}",),
            )  # fmt: skip
        if listener.inferred:
            self.inferred = True
            self.lower("medium")
            self.miss(f"cloud documents of load balancer {balancer.address}")
        live = self.world.eligible(listener)
        if not live and any(one.weight > 0 for one in listener.backends):
            where = {"address": packet.dst, "port": str(packet.dport)}
            raise Stop(
                "unknown", "lb-backends-abnormal", where, ("what the load balancer does without a healthy backend",)
            )
        if not live:
            self.step("lb-no-backend", "", packet, (listener.evidence,), port=packet.dport)
            raise Stop("timeout", "lb-no-backend", {"address": packet.dst, "port": str(packet.dport)})
        backend = self.pick_backend(balancer, listener.port, live)
        source = packet.src
        if listener.layer7:
            source = LB_PROXY_ADDRESS
            self.lower("medium")
        after = replace(packet, src=source, dst=backend.address, dport=backend.port)
        self.sessions.append(Session(f"lb:{balancer.address}", replace(packet, mark=0), replace(after, mark=0)))
        self.step("lb-forward", "", after, (listener.evidence, backend.evidence), listener=f"{listener.protocol}:{listener.port}",
                  backend=f"{backend.address}:{backend.port}", candidates=len(live), layer="7" if listener.layer7 else "4")  # fmt: skip
        return self.network(after, "")

    def pick_backend(self, balancer: LoadBalancer, port: int, live: Sequence[Backend]) -> Backend:
        if len(live) == 1:
            return live[0]
        total = sum(one.weight for one in live)
        return live[
            self.choose("backend", f"{balancer.address}:{port}", len(live), [one.weight / total for one in live])
        ]
