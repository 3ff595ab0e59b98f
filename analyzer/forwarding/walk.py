"""One packet, there and back: the only model of forwarding in ipvscope.

A walk is deterministic for a *script* of choices (which real server, which load-balancer backend, how an undecidable rule
answered). `verdict.trace` runs it once for every script, so that each path is simple code and nothing branches inside.
The parts, each in its file: `chain_walk`, `ipvs_walk`, `node_walk`, `network_walk`, `server_walk`, `reply_walk`.
"""

from __future__ import annotations

from dataclasses import replace

from analyzer.forwarding.addresses import family_of, is_loopback
from analyzer.forwarding.journey import Arrival, Rejected, Stop
from analyzer.forwarding.model import Hop, Outcome, Path
from analyzer.forwarding.reply_walk import ReplyWalk
from analyzer.forwarding.world import HOST_STACK, Pod


class Walk(ReplyWalk):
    """One walk for one script of choices."""

    def run(self) -> Path:
        server = seen = ""
        outcome: Outcome
        try:
            try:
                arrival = self.request()
            except Rejected as rejected:
                self.close(rejected.crossing)
                arrival = rejected.arrival()
            server, seen = arrival.server, arrival.packet.src
            self.direction = "reply"
            self.answer(arrival)
            if arrival.kind == "answer":
                wrong = arrival.mechanism == "local-process"
                outcome, mechanism, values = "wrong-server" if wrong else "ok", arrival.mechanism, arrival.values
            else:
                outcome = "refused" if arrival.kind == "refuse" else "unreachable"
                mechanism, values, server, seen = arrival.mechanism, arrival.values, "", ""
        except Stop as stop:
            outcome, mechanism, values = stop.outcome, stop.mechanism, stop.values
            for name in stop.missing:
                self.miss(name)
            server = seen = ""
            if self.hops:
                last = self.hops[-1][2][-1].packet if self.hops[-1][2] else self.dialled
                self.step("end", "", last, stop.evidence, outcome=outcome, mechanism=mechanism, **values)
        share = 1.0
        for choice in self.choices:
            if choice.kind != "unknown":
                share *= choice.share
        hops = tuple(Hop(place, direction, tuple(steps)) for place, direction, steps in self.hops)
        return Path(
            outcome=outcome,
            mechanism=mechanism,
            hops=hops,
            server=server,
            also=self.also if server.startswith("pod:") else (),
            seen_source=seen,
            share=share,
            confidence=self.confidence,
            missing=tuple(self.missing),
            inferred=self.inferred,
            choices=tuple(self.choices),
            values=dict(values),
        )

    def request(self) -> Arrival:
        kind, name = self.source.kind, self.source.name
        if kind == "node":
            return self.host_out(name, self.dialled)
        if kind == "external":
            self.dialled = replace(self.dialled, src=name)
            self.visit(str(self.source))
            self.step("dial", "", self.dialled)
            return self.network(self.dialled, "")
        pod = self.world.pods[name]
        if pod.host_network:
            return self.host_out(pod.node, self.dialled)
        return self.pod_out(pod)

    def pod_out(self, pod: Pod) -> Arrival:
        address = pod.ip(family_of(self.target.address))
        if not address:
            raise Stop("unknown", "pod-without-address", {"pod": pod.id}, (f"address of {pod.id}",))
        self.dialled = replace(self.dialled, src=address)
        self.visit(pod.id)
        self.step("dial", "", self.dialled, (pod.evidence,))
        if is_loopback(self.target.address) or self.target.address in pod.ips:
            return self.pod_in(pod, self.dialled, own=True)
        if pod.data_path not in HOST_STACK:
            raise Stop(
                "unknown", "data-path-not-modelled", {"pod": pod.id, "data_path": pod.data_path}, ("pod data path",)
            )
        if pod.data_path == "unknown":
            self.lower("medium")
        if not pod.node:
            raise Stop("unknown", "pod-without-node", {"pod": pod.id}, (f"node of {pod.id}",))
        return self.receive(pod.node, self.dialled, self.pod_interface(pod, address))
