"""REACH-016: policy Local, and endpoints whose answers do not cross their node's network stack.

Pods on IPVLAN, DataPath V2 or an exclusive ENI answer by their own interface. A connection to the NodePort that IPVS translated on the
node, without masquerading (Local), is then answered with the pod's own address; the client does not know it. The vendor documents
that NodePorts may fail there; with policy Cluster the node masquerades and the answer comes back. No capture of such a cluster
backs this rule.
"""

from __future__ import annotations

from collections.abc import Iterator

from analyzer.findings.context import Context
from analyzer.findings.model import Finding
from analyzer.findings.registry import rule
from analyzer.forwarding.world import HOST_STACK


@rule("REACH-016", needs=("services", "endpoints", "pods"), severities=("notice",), fixes=("F5", "F6"))
def bypassing_pods(context: Context) -> Iterator[Finding]:
    """NodePort with policy Local may time out from outside."""
    for service in context.snapshot.objects.services:
        if not service.external_local or not any(port.node_port for port in service.ports):
            continue
        pods = {
            pod.id: pod
            for end in service.endpoints
            if end.ready
            and (pod := context.world.pods.get(end.pod.removeprefix("pod:")))
            and not pod.host_network
            and pod.data_path not in HOST_STACK
        }
        if not pods:
            continue
        places = tuple(sorted({pod.node for pod in pods.values() if pod.node}))
        paths = sorted({pod.data_path for pod in pods.values()})
        facts = [place for node in places[:2] for place in context.snapshot.regime(node)["data_path"].evidence]
        yield Finding(
            rule="REACH-016",
            about=service.id,
            severity="notice",
            values={
                "service": service.id, "path": ", ".join(paths), "count": str(len(pods)), "nodes": ", ".join(places[:6]),
                "ports": ", ".join(str(port.node_port) for port in service.ports if port.node_port),
            },
            evidence=context.evidence(None, service.evidence, *facts, *(pod.evidence for pod in list(pods.values())[:2])),
            nodes=places,
            services=(service.id,),
            targets=tuple(
                f"{context.world.node_addresses[node][0]}:{port.node_port}/{port.protocol}"
                for node in places[:4] if context.world.node_addresses.get(node)
                for port in service.ports if port.node_port
            ),
            situation="S20",
            confidence="low",
            fixes=("F5", "F6"),
        )  # fmt: skip
