"""Who answers: a pod, a process of the node, or nobody."""

from __future__ import annotations

from analyzer.forwarding.journey import Arrival, Crossing, Stop
from analyzer.forwarding.model import Packet
from analyzer.forwarding.network_walk import NetworkWalk
from analyzer.forwarding.state import NodeState
from analyzer.forwarding.world import Pod


class ServerWalk(NetworkWalk):
    """The end of the request."""

    def pod_in(self, pod: Pod, packet: Packet, *, own: bool = False) -> Arrival:
        if not own:
            self.visit(pod.id)
            if packet.src in pod.ips:
                self.step("pod-martian", "", packet, (pod.evidence,), address=packet.src)
                raise Stop("timeout", "hairpin-without-masquerade", {"pod": pod.id})
        listens = self.world.listens(pod, packet.protocol, packet.dst, packet.dport)
        if listens is None and self.choose(
            "unknown", f"whether {pod.id} listens on {packet.protocol}/{packet.dport}", 2
        ):
            self.step("pod-closed", "", packet, (pod.evidence,))
            return Arrival("refuse", pod.id, packet, "", "pod-port-closed", {"pod": pod.id, "port": str(packet.dport)})
        self.step("pod-answers", "", packet, (pod.evidence,))
        return Arrival("answer", pod.id, packet, pod.id, "served")

    def socket(self, state: NodeState, crossing: Crossing) -> Arrival:
        packet, place = crossing.packet, f"node:{state.name}"
        hosted = self.world.hosted(packet.protocol, packet.dst, packet.dport)
        listener = state.listener(packet.protocol, packet.dst, packet.dport)
        if listener is not None:
            placeholder = "kube-proxy" in listener.process or (not listener.process and state.node_port_sockets)
            if placeholder and (packet.protocol, packet.dport) in self.world.node_ports:
                self.step(
                    "placeholder", "LOCAL_IN", packet, (listener.evidence,), process=listener.process or "kube-proxy"
                )
                raise Stop("timeout", "kube-proxy-placeholder", {"node": state.name, "port": str(packet.dport)})
            self.step("socket", "LOCAL_IN", packet, (listener.evidence,), process=listener.process or "?",
                      address=f"{listener.address}:{listener.port}")  # fmt: skip
            wrong = self.is_wrong(crossing)
            values = {"node": state.name, "process": listener.process or "?", "port": str(packet.dport)}
            if hosted is None and not self.world.pods_known:
                self.lower("medium")  # it may be a hostNetwork pod
                self.miss("pods")
            server = hosted.id if hosted else place
            return Arrival("answer", place, packet, server, "local-process" if wrong else "served", values)
        if hosted is not None and not state.has("sockets"):
            self.needs(state, "sockets")
            self.step("pod-answers", "LOCAL_IN", packet, (hosted.evidence,))
            return Arrival("answer", place, packet, hosted.id, "served")
        unsure = not state.has("sockets") or "sockets" in state.incomplete
        if unsure:
            self.needs(state, "sockets")
            if self.choose("unknown", f"sockets of {state.name}", 2):
                wrong = self.is_wrong(crossing)
                return Arrival(
                    "answer", place, packet, place, "local-process" if wrong else "served", {"node": state.name}
                )
        self.step("no-socket", "LOCAL_IN", packet, state.local_evidence(packet.dst), node=state.name, port=packet.dport)
        values = {"node": state.name, "address": packet.dst, "port": str(packet.dport)}
        vip = self.is_vip(state, packet.dst) and crossing.ipvs is None
        return Arrival("refuse", place, packet, "", "vip-port-not-served" if vip else "no-socket", values)

    def is_wrong(self, crossing: Crossing) -> bool:
        """A host socket that answers for an address only Services own is not the server the client meant."""
        return crossing.ipvs is None and not crossing.dnat and self.is_vip(crossing.state, crossing.packet.dst)

    def is_vip(self, state: NodeState, address: str) -> bool:
        """An address of Services only: one that a Service has or that sits on kube-ipvs0, and no node's own."""
        if address in self.world.node_by_address:
            return False
        return address in self.world.service_addresses or state.local.get(address, ("",))[0] == "kube-ipvs0"
