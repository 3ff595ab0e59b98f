"""The cluster of `cases`, with kube-proxy in iptables, nftables or eBPF mode and Services that show each kind of chain.

The iptables-save texts in tests/data/iptables-mode follow pkg/proxy/iptables/proxier.go line by line; they are no captures
of a running node. The nftables listings are what `nft list ruleset` (1.0.6) printed after the commands of
pkg/proxy/nftables/proxier.go for this cluster were loaded into a kernel.
The 1.30 texts are those of a node with nf_conntrack_tcp_be_liberal,
so without the rule for INVALID.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from analyzer.forwarding import Source, Target, Trace, World, trace
from tests.forwarding import cases
from tests.forwarding.cases import ALL_PODS, CLIENT_POD, NODE_IP, POD, A, B, Cluster, listing

SAVED = Path(__file__).parent.parent / "data" / "iptables-mode"
OUTSIDE = "203.0.113.200"
SECOND_IP = "192.0.2.111"
HOST_PORT = 8443
WEB, LOCAL, STICKY, EMPTY, RANGES, HOST = (f"198.51.100.{number}" for number in range(10, 16))
VIP = {"web": "203.0.113.10", "local": "203.0.113.11", "empty": "203.0.113.13", "ranges": "203.0.113.14"}
NODE_PORT = {"web": 30080, "local": 30081, "empty": 30083, "ranges": 30084, "host": 30085}
CLUSTER_IP = {"web": WEB, "local": LOCAL, "sticky": STICKY, "empty": EMPTY, "ranges": RANGES, "host": HOST}
ENDPOINTS: dict[str, tuple[tuple[str, str, int], ...]] = {
    "web": ((A, POD[A], 8080), (B, POD[B], 8080)),
    "local": ((B, POD[B], 8080),),
    "sticky": ((A, POD[A], 8080), (B, POD[B], 8080)),
    "empty": (),
    "ranges": ((B, POD[B], 8080),),
    "host": ((B, NODE_IP[B], HOST_PORT),),
}
LINKS = {"ipvlan": "ipvl_3@eth0", "datapathv2": "cilium_net@cilium_host"}
CONFIG = """apiVersion: kubeproxy.config.k8s.io/v1alpha1
kind: KubeProxyConfiguration
mode: {mode}
clusterCIDR: {cidr}
"""
BALANCER = {
    "LoadBalancerId": "lb-example", "Address": VIP["web"], "AddressType": "internet", "LoadBalancerStatus": "active",
    "ListenerPortsAndProtocol": {
        "ListenerPortAndProtocol": [
            {"ListenerPort": 80, "ListenerProtocol": "tcp"}, {"ListenerPort": 443, "ListenerProtocol": "tcp"},
        ]
    },
}  # fmt: skip
"""The load balancer of Service `web`; port 443 is somebody else's."""


@dataclass
class Proxied(Cluster):
    """`mode` is what the configuration says, `saved` whether iptables-save was taken on the nodes."""

    mode: str = "iptables"
    saved: bool = True
    release: str = "1.28"
    nft: bool = False
    second_ip: bool = False
    localnet: str = "1"
    internal_policy: str = "Cluster"
    path: str = ""
    """Data path of the pods: ipvlan, datapathv2, exclusive-eni; empty for veth."""
    labels: Mapping[str, str] = field(default_factory=dict)
    endpoints: Mapping[str, tuple[tuple[str, str, int], ...]] = field(default_factory=lambda: ENDPOINTS)

    def __post_init__(self) -> None:
        self.version = f"{self.release}.3"

    # ------------------------------------------------------------------ objects

    def services(self) -> list[dict[str, object]]:
        return [self.one_service(name) for name in CLUSTER_IP]

    def one_service(self, name: str) -> dict[str, object]:
        port: dict[str, object] = {"name": "web", "port": 80, "targetPort": 8080, "protocol": "TCP"}
        spec: dict[str, object] = {"type": "ClusterIP", "clusterIP": CLUSTER_IP[name], "ports": [port]}
        status: dict[str, object] = {"loadBalancer": {}}
        if name in NODE_PORT:
            port["nodePort"] = NODE_PORT[name]
            spec["type"] = "LoadBalancer" if name in VIP else "NodePort"
            spec["externalTrafficPolicy"] = "Local" if name == "local" else "Cluster"
        if name in VIP:
            status = {"loadBalancer": {"ingress": [{"ip": VIP[name]}]}}
        match name:
            case "local":
                spec["healthCheckNodePort"] = 30999
                spec["internalTrafficPolicy"] = self.internal_policy
            case "sticky":
                spec["sessionAffinity"] = "ClientIP"
                spec["sessionAffinityConfig"] = {"clientIP": {"timeoutSeconds": 10800}}
            case "ranges":
                spec["loadBalancerSourceRanges"] = ["192.0.2.11/32"]
        return {"metadata": {"name": name, "namespace": "default"}, "spec": spec, "status": status}

    def slices(self) -> list[dict[str, object]]:
        return [
            {
                "metadata": {"name": f"{name}-1", "namespace": "default", "labels": {"kubernetes.io/service-name": name}},
                "addressType": "IPv4",
                "ports": [{"name": "web", "port": places[0][2] if places else 8080, "protocol": "TCP"}],
                "endpoints": [
                    {"addresses": [address], "conditions": {"ready": True}, "nodeName": node,
                     "targetRef": {"kind": "Pod", "namespace": "default", "name": self.pod_name(name, node)}}
                    for node, address, _ in places
                ],
            }
            for name, places in self.endpoints.items()
        ]  # fmt: skip

    def pod_name(self, service: str, node: str) -> str:
        return "hosted" if service == "host" else f"web-{node}"

    def pods(self) -> list[dict[str, object]]:
        pods = [cases.pod_object(f"client-{name}", name, CLIENT_POD[name]) for name in self.nodes]
        pods += [cases.pod_object(f"web-{name}", name, POD[name], ports=[8080]) for name in self.nodes]
        known = {*POD.values(), *NODE_IP.values()}
        further = {address: node for places in self.endpoints.values() for node, address, _ in places}
        pods += [
            cases.pod_object(f"web-{address}", node, address, ports=[8080])
            for address, node in further.items()
            if address not in known
        ]
        pods.append(cases.pod_object("hosted", B, NODE_IP[B], ports=[HOST_PORT], host=True))
        for pod in pods if self.path == "exclusive-eni" else ():
            metadata = pod["metadata"]
            assert isinstance(metadata, dict)
            metadata["annotations"] = {"k8s.aliyun.com/pod-eni": "true"}
        return pods

    def node_object(self, name: str) -> dict[str, object]:
        made = super().node_object(name)
        made["metadata"] = {"name": name, "labels": dict(self.labels)}
        return made

    # ------------------------------------------------------------------ captures

    def files(self) -> dict[str, str]:
        found = super().files()
        found["cluster/services.json"] = listing("v1", "ServiceList", self.services())
        data = {"config.conf": CONFIG.format(mode=self.mode, cidr=ALL_PODS)}
        maps: list[dict[str, object]] = []
        if self.mode:
            maps.append({"metadata": {"name": "kube-proxy", "namespace": "kube-system"}, "data": data})
        if self.path in ("ipvlan", "datapathv2"):
            text = json.dumps({"version": "1", "eniip_virtual_type": self.path})
            maps.append(
                {"metadata": {"name": "eni-config", "namespace": "kube-system"}, "data": {"10-terway.conf": text}}
            )
        found["cluster/configmaps.json"] = listing("v1", "ConfigMapList", maps)
        found["cloud/DescribeLoadBalancerAttribute-lb-example.json"] = json.dumps(BALANCER)
        return found

    def captures(self, name: str) -> dict[str, str]:
        found = super().captures(name)
        for file in ("ipvsadm-Ln.txt", "ipset-save.txt", "ip6tables-save.txt", "iptables-save.txt"):
            del found[file]
        if self.saved:
            found["iptables-save.txt"] = self.iptables(name)
        if self.nft:
            found["nft-list-ruleset.txt"] = (SAVED.parent / "nftables-mode" / f"1.33-{name}.txt").read_text("utf-8")
        if self.localnet:
            found["sysctl.txt"] += f"net.ipv4.conf.all.route_localnet = {self.localnet}\n"
        return found

    def iptables(self, name: str) -> str:
        if self.mode == "nftables":
            return "*filter\n:INPUT ACCEPT [0:0]\n:FORWARD ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\nCOMMIT\n"
        return (SAVED / f"{self.release}-{name}.txt").read_text(encoding="utf-8") if self.saved else ""

    def vips(self) -> list[str]:
        return []

    def ip_addr(self, name: str) -> str:
        text = super().ip_addr(name)
        lines = [
            line for line in text.splitlines() if "kube-ipvs0" not in line and not (self.path and ": cali" in line)
        ]
        if self.path in LINKS:
            lines.append(
                f"5: {LINKS[self.path]}: <BROADCAST,UP,LOWER_UP> mtu 1500 qdisc noqueue state UP group default"
            )
        if self.second_ip and name == A:
            lines.append("9: eth1: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500 qdisc fq state UP group default")
            lines.append(f"    inet {SECOND_IP}/24 brd 192.0.2.255 scope global eth1")
        return "\n".join(lines) + "\n"

    def ip_route(self, name: str) -> str:
        text = super().ip_route(name)
        if self.path:
            text = "".join(line + "\n" for line in text.splitlines() if " dev cali" not in line)
        if self.second_ip and name == A:
            text += f"local {SECOND_IP} dev eth1 table local proto kernel scope host src {SECOND_IP}\n"
        return text

    def sockets(self, name: str) -> str:
        extra = 'tcp    LISTEN  0       128     0.0.0.0:8443  0.0.0.0:*  users:(("hosted",pid=300,fd=6))\n'
        return super().sockets(name) + (extra if name == B else "")


def world(cluster: Cluster) -> World:
    return cases.world(cluster.files())


def dial(built: World, source: str, target: str) -> Trace:
    """`source` is node-a, pod:client-node-a or an outside address; `target` address:port."""
    kind, _, name = source.partition(":")
    if source in (A, B):
        client = Source("node", source)
    elif kind == "pod":
        client = Source("pod", f"default/{name}")
    else:
        client = Source("external", source)
    address, _, port = target.rpartition(":")
    return trace(built, client, Target(address, int(port)))


def servers(found: Trace) -> Sequence[str]:
    return sorted(one.removeprefix("pod:default/") for one in found.verdict.servers)
