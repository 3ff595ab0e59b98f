"""A small cluster as text: node-a without and node-b with the endpoint, written as captures and read by the real pipeline.

Addresses are documentation addresses: nodes 192.0.2.11 and .12, pods 198.51.100.128/26 on node-a and .192/26 on node-b,
ClusterIP 198.51.100.10, load-balancer VIP 203.0.113.10.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from analyzer.bundle.model import Area, Bundle, Member
from analyzer.forwarding import World, build_world
from analyzer.snapshot import Snapshot, load

A, B = "node-a", "node-b"
NODE_IP = {A: "192.0.2.11", B: "192.0.2.12"}
NODE_IP6 = {A: "2001:db8:1::11", B: "2001:db8:1::12"}
POD_NET = {A: "198.51.100.128/26", B: "198.51.100.192/26"}
POD_NET6 = {A: "2001:db8:a::/64", B: "2001:db8:b::/64"}
BRIDGE = {A: "198.51.100.129", B: "198.51.100.193"}
POD = {A: "198.51.100.130", B: "198.51.100.194"}
POD6 = {A: "2001:db8:a::130", B: "2001:db8:b::194"}
CLIENT_POD = {A: "198.51.100.131", B: "198.51.100.195"}
ALL_PODS = "198.51.100.128/25"
CLUSTER_IP, VIP, VIP6 = "198.51.100.10", "203.0.113.10", "2001:db8:f::10"
OUTSIDE = "203.0.113.200"
PORT, TARGET_PORT, NODE_PORT = 80, 8080, 30080


def bundle(files: Mapping[str, str | bytes]) -> Bundle:
    """The files as an opened bundle, without touching a disk."""
    members = []
    for path, content in files.items():
        data = content.encode() if isinstance(content, str) else content
        area: Area = "node" if path.startswith("nodes/") else "cluster" if path.startswith("cluster/") else "other"
        if path.startswith("cloud/"):
            area = "cloud"
        node = path.split("/")[1] if area == "node" else ""
        members.append(Member(path, len(data), area, node, lambda data=data: data))
    return Bundle("case", "native", tuple(members))


def snapshot(files: Mapping[str, str | bytes]) -> Snapshot:
    return load(bundle(files))


def world(files: Mapping[str, str | bytes]) -> World:
    return build_world(snapshot(files))


@dataclass
class Cluster:
    """What a case varies; everything else is the plain cluster."""

    cni: str = "terway"
    version: str = "1.28.3"
    policy: str = "Local"
    endpoint: str = "remote-pod"
    """remote-pod, remote-hostnet, local-pod, local-hostnet (on node-b), self (on node-a), none"""
    weight: int = 1
    filter_chain: bool = True
    bound: bool = True
    listeners: Sequence[str] = ()
    host_port: bool = False
    masquerade: str = "detector"
    loopback_entry: bool = True
    vs_conntrack: str = "1"
    vip_source: str = ""
    default_route: bool = True
    six: bool = False
    nodes: tuple[str, ...] = (A, B)
    external_ip: bool = False
    udp: bool = False
    extra_sysctl: Iterable[str] = field(default_factory=tuple)

    # ------------------------------------------------------------------ the endpoint

    @property
    def endpoint_node(self) -> str:
        return A if self.endpoint == "self" else B

    @property
    def host_network(self) -> bool:
        return self.endpoint.endswith("hostnet")

    @property
    def endpoint_ip(self) -> str:
        return (NODE_IP if self.host_network else POD)[self.endpoint_node]

    @property
    def protocol(self) -> str:
        return "udp" if self.udp else "tcp"

    def files(self) -> dict[str, str]:
        found = {
            "cluster/services.json": listing("v1", "ServiceList", [self.service()]),
            "cluster/pods.json": listing("v1", "PodList", self.pods()),
            "cluster/nodes.json": listing("v1", "NodeList", [self.node_object(name) for name in self.nodes]),
            "cluster/endpointslices.json": listing("discovery.k8s.io/v1", "EndpointSliceList", self.slices()),
            "cluster/daemonsets.json": listing("apps/v1", "DaemonSetList", [self.daemonset()]),
        }
        for name in self.nodes:
            found.update({f"nodes/{name}/{file}": text for file, text in self.captures(name).items()})
        return found

    # ------------------------------------------------------------------ objects

    def service(self) -> dict[str, object]:
        addresses = [VIP6] if self.six else [VIP]
        kind = "ClusterIP" if self.external_ip else "LoadBalancer"
        port = {"name": "web", "port": PORT, "targetPort": TARGET_PORT, "protocol": self.protocol.upper()}
        spec: dict[str, object] = {
            "type": kind, "clusterIP": "2001:db8:c::10" if self.six else CLUSTER_IP, "ports": [port],
            "selector": {"app": "web"},
        }  # fmt: skip
        status: dict[str, object] = {"loadBalancer": {}}
        if self.external_ip:
            spec["externalIPs"] = addresses
        else:
            port["nodePort"] = NODE_PORT
            status = {"loadBalancer": {"ingress": [{"ip": address} for address in addresses]}}
            spec["externalTrafficPolicy"] = self.policy
        return {"metadata": {"name": "web", "namespace": "default"}, "spec": spec, "status": status}

    def pods(self) -> list[dict[str, object]]:
        pods = [pod_object(f"client-{name}", name, CLIENT_POD[name]) for name in self.nodes]
        if self.host_port:
            pods.append(pod_object("host-port", A, POD[A], ports=[8443]))
        if self.endpoint != "none" and self.endpoint_node in self.nodes:
            address = self.endpoint_ip if not self.six else POD6[self.endpoint_node]
            pods.append(
                pod_object(
                    "web",
                    self.endpoint_node,
                    address,
                    ports=[TARGET_PORT],
                    host=self.host_network,
                    protocol=self.protocol,
                )
            )
        return pods

    def slices(self) -> list[dict[str, object]]:
        endpoints = []
        if self.endpoint != "none":
            endpoints.append(
                {
                    "addresses": [POD6[self.endpoint_node] if self.six else self.endpoint_ip],
                    "conditions": {"ready": True}, "nodeName": self.endpoint_node,
                    "targetRef": {"kind": "Pod", "namespace": "default", "name": "web"},
                }
            )  # fmt: skip
        return [
            {
                "metadata": {"name": "web-1", "namespace": "default", "labels": {"kubernetes.io/service-name": "web"}},
                "addressType": "IPv6" if self.six else "IPv4",
                "ports": [{"name": "web", "port": TARGET_PORT, "protocol": self.protocol.upper()}],
                "endpoints": endpoints,
            }
        ]

    def node_object(self, name: str) -> dict[str, object]:
        spec: dict[str, object] = {"podCIDR": POD_NET[name], "podCIDRs": [POD_NET[name], POD_NET6[name]]}
        labels = {"node.kubernetes.io/exclude-from-external-load-balancers": "true"} if name == B else {}
        addresses = [
            {"type": "InternalIP", "address": NODE_IP[name]},
            {"type": "InternalIP", "address": NODE_IP6[name]},
        ]
        status = {
            "addresses": addresses, "conditions": [{"type": "Ready", "status": "True"}],
            "nodeInfo": {"kubeletVersion": f"v{self.version}", "kubeProxyVersion": f"v{self.version}"},
        }  # fmt: skip
        return {
            "metadata": {"name": name, "labels": labels if self.policy == "Cluster" else {}},
            "spec": spec, "status": status,
        }  # fmt: skip

    def daemonset(self) -> dict[str, object]:
        name = "kube-flannel-ds" if self.cni == "flannel" else "terway-eniip"
        container = {"name": name, "image": f"registry.example/{name}:v1"}
        return {
            "metadata": {"name": name, "namespace": "kube-system"},
            "spec": {"template": {"spec": {"containers": [container]}}},
        }  # fmt: skip

    # ------------------------------------------------------------------ captures of a node

    def captures(self, name: str) -> dict[str, str]:
        return {
            "ip-addr.txt": self.ip_addr(name),
            "ip-route-all.txt": self.ip_route(name),
            "ipvsadm-Ln.txt": self.ipvsadm(name),
            "iptables-save.txt": self.iptables(name),
            "ipset-save.txt": self.ipset(name),
            "ss-lntup.txt": self.sockets(name),
            "sysctl.txt": "\n".join(
                (f"net.ipv4.vs.conntrack = {self.vs_conntrack}", "net.ipv4.ip_forward = 1", "net.ipv4.conf.all.rp_filter = 0",
                 "net.ipv4.conf.all.accept_local = 0", "net.bridge.bridge-nf-call-iptables = 1", *self.extra_sysctl)
            ) + "\n",
        }  # fmt: skip

    def vips(self) -> list[str]:
        addresses = ["2001:db8:c::10", VIP6] if self.six else [CLUSTER_IP, VIP]
        return addresses if self.bound else addresses[:1]

    def ip_addr(self, name: str) -> str:
        lines = ["1: lo: <LOOPBACK,UP,LOWER_UP> mtu 65536 qdisc noqueue state UNKNOWN group default",
                 "    inet 127.0.0.1/8 scope host lo", "    inet6 ::1/128 scope host",
                 "2: eth0: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500 qdisc fq state UP group default",
                 f"    inet {NODE_IP[name]}/24 brd 192.0.2.255 scope global eth0",
                 f"    inet6 {NODE_IP6[name]}/64 scope global"]  # fmt: skip
        if self.cni == "flannel":
            lines += ["3: cni0: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500 qdisc noqueue state UP group default",
                      f"    inet {BRIDGE[name]}/26 scope global cni0"]  # fmt: skip
        else:
            lines += [f"{7 + i}: {veth(pod)}@if3: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500 qdisc noqueue state UP group default"
                      for i, pod in enumerate(self.pod_addresses(name))]  # fmt: skip
        lines += ["4: kube-ipvs0: <BROADCAST,NOARP> mtu 1500 qdisc noop state DOWN group default"]
        lines += [
            f"    inet{'6' * (':' in ip)} {ip}/{128 if ':' in ip else 32} scope global kube-ipvs0" for ip in self.vips()
        ]
        return "\n".join(lines) + "\n"

    def pod_addresses(self, name: str) -> list[str]:
        return [POD[name], CLIENT_POD[name]]

    def ip_route(self, name: str) -> str:
        other = B if name == A else A
        lines = (
            ["default via 192.0.2.1 dev eth0"] if self.default_route else [f"{POD_NET[other]} via 192.0.2.1 dev eth0"]
        )
        lines.append(f"192.0.2.0/24 dev eth0 proto kernel scope link src {NODE_IP[name]}")
        if self.cni == "flannel":
            lines.append(f"{POD_NET[name]} dev cni0 proto kernel scope link src {BRIDGE[name]}")
        else:
            lines += [f"{pod} dev {veth(pod)} scope link" for pod in self.pod_addresses(name)]
        local = [(NODE_IP[name], "eth0", NODE_IP[name])]
        if self.cni == "flannel":
            local.append((BRIDGE[name], "cni0", BRIDGE[name]))
        local += [(ip, "kube-ipvs0", NODE_IP[name] if self.vip_source == "node-ip" and ip == VIP else ip)
                  for ip in self.vips() if ":" not in ip]  # fmt: skip
        lines.append("local 127.0.0.0/8 dev lo table local proto kernel scope host src 127.0.0.1")
        lines += [f"local {ip} dev {dev} table local proto kernel scope host src {src}" for ip, dev, src in local]
        lines += ["default via 2001:db8:1::1 dev eth0 metric 1024 pref medium", f"{POD6[name]} dev {veth(POD[name])} metric 1024 pref medium",
                  "2001:db8:1::/64 dev eth0 proto kernel metric 256 pref medium"]  # fmt: skip
        lines += [f"local {ip} dev {dev} table local proto kernel metric 0 pref medium"
                  for ip, dev in [("::1", "lo"), (NODE_IP6[name], "eth0"), *((ip, "kube-ipvs0") for ip in self.vips() if ":" in ip)]]  # fmt: skip
        return "\n".join(lines) + "\n"

    def ipvsadm(self, name: str) -> str:
        lines = ["IP Virtual Server version 1.2.1 (size=4096)", "Prot LocalAddress:Port Scheduler Flags",
                 "  -> RemoteAddress:Port           Forward Weight ActiveConn InActConn"]  # fmt: skip
        if self.six:
            real = POD6[self.endpoint_node]
            return (
                "\n".join(
                    [*lines, f"TCP  [{VIP6}]:{PORT} rr", f"  -> [{real}]:{TARGET_PORT}  Masq    1      0          0"]
                )
                + "\n"
            )
        servers = [f"{CLUSTER_IP}:{PORT}", f"{VIP}:{PORT}"]
        if not self.external_ip:
            servers.append(f"{NODE_IP[name]}:{NODE_PORT}")
        for server in servers:
            lines.append(f"{self.protocol.upper()}  {server} rr")
            if self.endpoint != "none":
                lines.append(f"  -> {self.endpoint_ip}:{TARGET_PORT}           Masq    {self.weight}      0          0")
        return "\n".join(lines) + "\n"

    def sets(self, name: str) -> dict[str, tuple[str, list[str]]]:
        vip, cluster = f"{VIP},{self.protocol}:{PORT}", f"{CLUSTER_IP},{self.protocol}:{PORT}"
        local = self.policy == "Local" and not self.external_ip
        port = str(NODE_PORT)
        found: dict[str, tuple[str, list[str]]] = {
            "KUBE-CLUSTER-IP": ("hash:ip,port", [cluster]),
            "KUBE-LOAD-BALANCER": ("hash:ip,port", [] if self.external_ip else [vip]),
            "KUBE-LOAD-BALANCER-LOCAL": ("hash:ip,port", [vip] if local else []),
            "KUBE-NODE-PORT-TCP": ("bitmap:port range 0-65535", [] if self.external_ip else [port]),
            "KUBE-NODE-PORT-LOCAL-TCP": ("bitmap:port range 0-65535", [port] if local else []),
            "KUBE-EXTERNAL-IP": ("hash:ip,port", [vip] if self.external_ip else []),
            "KUBE-HEALTH-CHECK-NODE-PORT": ("bitmap:port range 0-65535", []),
            "KUBE-IPVS-IPS": ("hash:ip", [ip for ip in self.vips() if ":" not in ip]),
            "KUBE-LOOP-BACK": ("hash:ip,port,ip", []),
        }
        if self.loopback_entry and self.endpoint_node == name and not self.host_network and self.endpoint != "none":
            found["KUBE-LOOP-BACK"][1].append(f"{self.endpoint_ip},{self.protocol}:{TARGET_PORT},{self.endpoint_ip}")
        return found

    def ipset(self, name: str) -> str:
        lines = []
        for set_, (kind, members) in self.sets(name).items():
            lines.append(
                f"create {set_} {kind}"
                + (" family inet hashsize 1024 maxelem 65536" if kind.startswith("hash") else "")
            )
            lines += [f"add {set_} {member}" for member in members]
        return "\n".join(lines) + "\n"

    def iptables(self, name: str) -> str:
        detector = {
            "detector": f"! -s {ALL_PODS} -m set --match-set KUBE-CLUSTER-IP dst,dst",
            "src-dst": "-m set --match-set KUBE-CLUSTER-IP src,dst",
            "detector-covers-clusterip": "! -s 198.51.100.0/24 -m set --match-set KUBE-CLUSTER-IP dst,dst",
        }[self.masquerade]
        nat = [":PREROUTING ACCEPT [0:0]", ":INPUT ACCEPT [0:0]", ":OUTPUT ACCEPT [0:0]", ":POSTROUTING ACCEPT [0:0]"]
        nat += [f":{chain} - [0:0]" for chain in
                ("KUBE-SERVICES", "KUBE-MARK-MASQ", "KUBE-POSTROUTING", "KUBE-LOAD-BALANCER", "KUBE-NODE-PORT", "HOSTPORT")]  # fmt: skip
        if self.host_port:
            nat += ["-A PREROUTING -m addrtype --dst-type LOCAL -j HOSTPORT", "-A OUTPUT -m addrtype --dst-type LOCAL -j HOSTPORT",
                    f"-A HOSTPORT -p tcp -m tcp --dport 443 -j DNAT --to-destination {POD[A]}:8443"]  # fmt: skip
        nat += ["-A PREROUTING -j KUBE-SERVICES", "-A OUTPUT -j KUBE-SERVICES", "-A POSTROUTING -j KUBE-POSTROUTING"]
        if self.cni == "flannel":
            nat += [f"-A POSTROUTING -s {ALL_PODS} -d {ALL_PODS} -j RETURN",
                    f"-A POSTROUTING -s {ALL_PODS} ! -d 224.0.0.0/4 -j MASQUERADE --random-fully",
                    f"-A POSTROUTING ! -s {ALL_PODS} -d {POD_NET[name]} -j RETURN",
                    f"-A POSTROUTING ! -s {ALL_PODS} -d {ALL_PODS} -j MASQUERADE --random-fully"]  # fmt: skip
        nat += ["-A KUBE-SERVICES -s 127.0.0.0/8 -j RETURN",
                "-A KUBE-SERVICES -m set --match-set KUBE-LOAD-BALANCER dst,dst -j KUBE-LOAD-BALANCER",
                f"-A KUBE-SERVICES {detector} -j KUBE-MARK-MASQ",
                "-A KUBE-SERVICES -m set --match-set KUBE-EXTERNAL-IP dst,dst -j KUBE-MARK-MASQ",
                "-A KUBE-SERVICES -m addrtype --dst-type LOCAL -j KUBE-NODE-PORT",
                "-A KUBE-SERVICES -m set --match-set KUBE-CLUSTER-IP dst,dst -j ACCEPT",
                "-A KUBE-SERVICES -m set --match-set KUBE-LOAD-BALANCER dst,dst -j ACCEPT",
                "-A KUBE-LOAD-BALANCER -m set --match-set KUBE-LOAD-BALANCER-LOCAL dst,dst -j RETURN",
                "-A KUBE-LOAD-BALANCER -j KUBE-MARK-MASQ",
                "-A KUBE-NODE-PORT -p tcp -m set --match-set KUBE-NODE-PORT-LOCAL-TCP dst -j RETURN",
                "-A KUBE-NODE-PORT -p tcp -m set --match-set KUBE-NODE-PORT-TCP dst -j KUBE-MARK-MASQ",
                "-A KUBE-MARK-MASQ -j MARK --set-xmark 0x4000/0x4000",
                "-A KUBE-POSTROUTING -m set --match-set KUBE-LOOP-BACK dst,dst,src -j MASQUERADE",
                "-A KUBE-POSTROUTING -m mark ! --mark 0x4000/0x4000 -j RETURN",
                "-A KUBE-POSTROUTING -j MARK --set-xmark 0x4000/0x0", "-A KUBE-POSTROUTING -j MASQUERADE --random-fully"]  # fmt: skip
        filtered = [":INPUT ACCEPT [0:0]", ":FORWARD ACCEPT [0:0]", ":OUTPUT ACCEPT [0:0]"]
        if self.filter_chain:
            filtered += [":KUBE-IPVS-FILTER - [0:0]", "-A INPUT -j KUBE-IPVS-FILTER"]
            filtered += [f"-A KUBE-IPVS-FILTER -m set --match-set {set_} dst,dst -j RETURN"
                         for set_ in ("KUBE-LOAD-BALANCER", "KUBE-CLUSTER-IP", "KUBE-EXTERNAL-IP")]  # fmt: skip
            filtered.append("-A KUBE-IPVS-FILTER -m conntrack --ctstate NEW -m set --match-set KUBE-IPVS-IPS dst "
                            "-j REJECT --reject-with icmp-port-unreachable")  # fmt: skip
        return "\n".join(["*nat", *nat, "COMMIT", "*filter", *filtered, "COMMIT", ""])

    def sockets(self, name: str) -> str:
        lines = ["Netid  State   Recv-Q  Send-Q  Local Address:Port  Peer Address:Port  Process",
                 'tcp    LISTEN  0       128     0.0.0.0:22          0.0.0.0:*          users:(("sshd",pid=100,fd=3))']  # fmt: skip
        ports = list(self.listeners) if name == A else []
        if self.host_network and name == self.endpoint_node:
            ports.append(f"0.0.0.0:{TARGET_PORT}")
        lines += [f'tcp    LISTEN  0       128     {port}  0.0.0.0:*  users:(("nginx",pid=200,fd=6))' for port in ports]
        return "\n".join(lines) + "\n"


def veth(address: str) -> str:
    return f"cali0123456{int(address.rpartition('.')[2]):03d}a"


def listing(version: str, kind: str, items: Sequence[object]) -> str:
    inner = kind.removesuffix("List")
    whole = [{"apiVersion": version, "kind": inner, **item} for item in items if isinstance(item, dict)]
    return json.dumps({"apiVersion": version, "kind": kind, "metadata": {}, "items": whole}, indent=1)


def pod_object(
    name: str, node: str, address: str, *, ports: Sequence[int] = (), host: bool = False, protocol: str = "tcp"
) -> dict[str, object]:
    container = {
        "name": "main", "image": "registry.example/web:v1",
        "ports": [{"containerPort": port, "protocol": protocol.upper()} for port in ports],
    }  # fmt: skip
    return {
        "metadata": {"name": name, "namespace": "default", "labels": {"app": name}},
        "spec": {"nodeName": node, "hostNetwork": host, "containers": [container]},
        "status": {
            "phase": "Running", "podIP": address, "podIPs": [{"ip": address}],
            "conditions": [{"type": "Ready", "status": "True"}],
        },
    }  # fmt: skip
