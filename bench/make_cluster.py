"""Write a synthetic kube-proxy IPVS capture bundle, for benchmarks and scale tests.

The bundle holds what a collector would bring back from a cluster in IPVS mode:

    nodes/<node>/ipvsadm-Ln.txt     ipvsadm -Ln     (ipvsadm 1.31)
    nodes/<node>/ip-addr.txt        ip addr         (iproute2 6.1)
    nodes/<node>/conntrack-L.txt    conntrack -L    (conntrack-tools 1.4.7)
    nodes/<node>/ss-lnt.txt         ss -lnt         (iproute2 6.1)
    cluster/{nodes,services,endpointslices,pods}.yaml    kubectl get ... -A -o yaml

One cluster model feeds all of them, so the files agree with one another: what kube-proxy of the
chosen version programs for a Service is what ipvsadm shows, each virtual address is on
kube-ipvs0, and the conntrack entries name real clients, virtual addresses and endpoints.
The same arguments always give the same bytes. Only the standard library is used.

    make_cluster.py --nodes 20 --services 500 --conntrack 10000 --out bundle.tar.gz
"""

import argparse
import functools
import gzip
import io
import ipaddress
import json
import random
import re
import tarfile
from pathlib import Path

CLUSTER_CIDR = {"flannel": "10.64.0.0", "terway": "10.128.0.0"}
NODE_BASE, SERVICE_BASE, LB_BASE = "10.0.0.0", "172.21.0.0", "198.18.0.0"
KUBE_DNS = "172.21.0.10"
FIRST_NODE_PORT = 30000  # runs past 32767 where a large cluster needs more
SLICE_SIZE = 100  # endpoints per EndpointSlice, the controller's default
CREATED = "2024-05-06T07:08:09Z"

IPVS_HEADER = (
    "IP Virtual Server version 1.2.1 (size=4096)\n"
    "Prot LocalAddress:Port Scheduler Flags\n"
    "  -> RemoteAddress:Port           Forward Weight ActiveConn InActConn\n"
)


def ip(base, offset):
    return str(ipaddress.IPv4Address(base) + offset)


# ---------------------------------------------------------------- the cluster


class Node:
    def __init__(self, index, first_pod_offset, pod_count, cni):
        self.index = index
        self.ip = ip(NODE_BASE, index // 250 * 256 + index % 250 + 1)
        self.name = f"cn-hongkong.{self.ip}"
        self.pod_base = ip(CLUSTER_CIDR[cni], first_pod_offset)
        self.prefix = 32 - (pod_count - 1).bit_length()
        # kube-proxy serves a NodePort on every local address that is not on kube-ipvs0.
        self.addresses = [self.ip]
        if cni == "flannel":
            self.addresses += [self.pod_base, ip(self.pod_base, 1)]  # flannel.1, cni0


class Service:
    """One Service with its ports and its endpoints, each endpoint an (address, node) pair."""

    def __init__(self, name, namespace, kind, cluster_ip, ports, endpoints, **more):
        self.name, self.namespace, self.kind = name, namespace, kind
        self.cluster_ip, self.ports, self.endpoints = cluster_ip, ports, endpoints
        self.local = more.get("local", False)  # externalTrafficPolicy: Local
        self.affinity = more.get("affinity", False)  # sessionAffinity: ClientIP
        self.lb_ip = more.get("lb_ip")
        self.lb_hostname = more.get("lb_hostname")  # shown instead of the address, hence not bound


class Cluster:
    def __init__(self, args):
        self.args = args
        self.rng = rng = random.Random(args.seed)
        per_node = -(-args.services * args.endpoints_per_service // args.nodes) + 8
        block = max(256, 1 << (per_node - 1).bit_length())
        self.nodes = [Node(i, i * block, block, args.cni) for i in range(args.nodes)]
        used = [2] * args.nodes

        def new_pod():
            node = rng.randrange(args.nodes)
            if used[node] >= block - 1:  # that node is full
                node = min(range(args.nodes), key=used.__getitem__)
            used[node] += 1
            # Terway takes addresses from a subnet that the nodes share: mix the nodes' blocks.
            slot = used[node] * args.nodes + node if args.cni == "terway" else node * block + used[node]
            return ip(CLUSTER_CIDR[args.cni], slot), self.nodes[node]

        masters = [(ip(NODE_BASE, 65000 + i), None) for i in range(3)]
        dns = [new_pod(), new_pod()]
        dns_ports = [("dns", "UDP", 53, 53, 0), ("dns-tcp", "TCP", 53, 53, 0), ("metrics", "TCP", 9153, 9153, 0)]
        self.services = [
            Service(
                "kubernetes", "default", "ClusterIP", ip(SERVICE_BASE, 1), [("https", "TCP", 443, 6443, 0)], masters
            ),
            Service("kube-dns", "kube-system", "ClusterIP", KUBE_DNS, dns_ports, dns),
        ]
        node_port = FIRST_NODE_PORT
        for i in range(args.services):
            kind = rng.choices(("ClusterIP", "NodePort", "LoadBalancer"), (70, 10, 20))[0]
            more = {"affinity": rng.random() < 0.03}
            if kind != "ClusterIP":
                more["local"] = rng.random() < args.etp_local_share
            if kind == "LoadBalancer":
                more["lb_ip"] = ip(LB_BASE, i + 1)
                if rng.random() < 0.05:
                    more["lb_hostname"] = f"svc-{i:05d}.example.com"
            ports = []
            for j in range(args.ports):
                port = (80, 443)[j] if j < 2 else 8000 + j
                protocol = "UDP" if rng.random() < 0.03 else "TCP"
                ports.append((f"p{j}", protocol, port, 8080 + j, node_port if kind != "ClusterIP" else 0))
                node_port += kind != "ClusterIP"
            endpoints = [new_pod() for _ in range(args.endpoints_per_service)] if rng.random() > 0.02 else []
            name, namespace = f"svc-{i:05d}", f"team-{i % 40:02d}"
            self.services.append(Service(name, namespace, kind, ip(SERVICE_BASE, i + 16), ports, endpoints, **more))
        self.virtual_addresses = sorted(
            {s.cluster_ip for s in self.services} | {s.lb_ip for s in self.services if s.lb_ip and not s.lb_hostname},
            key=ip_number,
        )
        self._prepare_ipvs()

    # ------------------------------------------------------------ ipvsadm -Ln

    def _prepare_ipvs(self):
        """Splits the virtual services into those that every node shares and those that depend on the node."""
        self.shared, self.external = [], []
        for s in self.services:
            for _, protocol, port, target, node_port in s.ports:
                rows = _real_servers(s.endpoints, target)
                self.shared.append((_sort_key(protocol, s.cluster_ip, port), rows, s, protocol))
                if s.lb_ip and not s.lb_hostname:
                    self.external.append((s.lb_ip, port, rows, s, protocol, target))
                if node_port:
                    self.external.append((None, node_port, rows, s, protocol, target))  # None: the node's own addresses

    def ipvsadm(self, node):
        blocks = list(self.shared)
        for address, port, rows, s, protocol, target in self.external:
            if s.local:
                local = _real_servers([e for e in s.endpoints if e[1] is node], target)
                # Without a local endpoint: none up to 1.23, all of them from 1.24 on.
                rows = local or (rows if self.args.k8s == "1.30" else [])
            for a in [address] if address else node.addresses:
                blocks.append((_sort_key(protocol, a, port), rows, s, protocol))
        blocks.sort(key=lambda b: b[0])
        lines, busy = [], []
        for key, rows, s, protocol in blocks:
            lines.append(f"{protocol:<4} {key[2]}:{key[3]} rr{' persistent 10800' if s.affinity else ''}")
            busy.extend(range(len(lines), len(lines) + len(rows)))
            lines.extend(rows)
        rng = random.Random(f"{self.args.seed} ipvs {node.name}")
        for i in rng.sample(busy, int(len(busy) * self.args.busy_share)):
            lines[i] = f"{lines[i][:49]}{rng.randrange(40):<10} {rng.randrange(200):<10}"
        if self.args.odd_rows:  # rows that kube-proxy in IPv4 mode does not make, but ipvsadm can show
            lines += ["TCP  [fd00:10::1]:443 rr", *_real_servers([("[fd00::5]", None)], 6443)]
            lines += ["SCTP 172.21.255.1:3868 wrr persistent 300 mask 255.255.255.0"]
            lines += ["FWM  7 rr", *_real_servers([("10.0.0.9", None)], 0, "Route")]
        return IPVS_HEADER + "\n".join(lines) + "\n"

    # ------------------------------------------------------------ ip addr, ss

    def ip_addr(self, node):
        forever = "       valid_lft forever preferred_lft forever\n"
        mac = f"00:16:3e:{node.index >> 16 & 255:02x}:{node.index >> 8 & 255:02x}:{node.index & 255:02x}"
        links = [
            (
                "lo",
                "<LOOPBACK,UP,LOWER_UP> mtu 65536 qdisc noqueue state UNKNOWN group default qlen 1000",
                "loopback 00:00:00:00:00:00 brd 00:00:00:00:00:00",
                ["inet 127.0.0.1/8 scope host lo", "inet6 ::1/128 scope host "],
            ),
            (
                "eth0",
                "<BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500 qdisc mq state UP group default qlen 1000",
                f"ether {mac} brd ff:ff:ff:ff:ff:ff",
                [f"inet {node.ip}/16 brd 10.0.255.255 scope global dynamic eth0"],
            ),
        ]
        if self.args.cni == "flannel":
            links.append(
                (
                    "flannel.1",
                    "<BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1450 qdisc noqueue state UNKNOWN group default ",
                    "ether 5a:01:02:03:04:05 brd ff:ff:ff:ff:ff:ff",
                    [f"inet {node.pod_base}/32 scope global flannel.1"],
                )
            )
            links.append(
                (
                    "cni0",
                    "<BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1450 qdisc noqueue state UP group default qlen 1000",
                    "ether 5a:01:02:03:04:06 brd ff:ff:ff:ff:ff:ff",
                    [
                        f"inet {ip(node.pod_base, 1)}/{node.prefix} brd {ip(node.pod_base, (1 << 32 - node.prefix) - 1)} scope global cni0"
                    ],
                )
            )
        links.append(
            (
                "kube-ipvs0",
                "<BROADCAST,NOARP> mtu 1500 qdisc noop state DOWN group default ",
                "ether 5a:01:02:03:04:07 brd ff:ff:ff:ff:ff:ff",
                [f"inet {a}/32 scope global kube-ipvs0" for a in self.virtual_addresses],
            )
        )
        out = []
        for number, (name, flags, link, addresses) in enumerate(links, 1):
            out.append(f"{number}: {name}: {flags}\n    link/{link}\n")
            for a in addresses:
                dynamic = "       valid_lft 1892159sec preferred_lft 1892159sec\n"
                out.append(f"    {a}\n{dynamic if ' dynamic ' in a else forever}")
        return "".join(out)

    def ss(self, node):
        rows = [
            ("0.0.0.0", 22),
            ("127.0.0.1", 10248),
            ("127.0.0.1", 10249),
            (node.ip, 9100),
            ("*", 10250),
            ("*", 10256),
        ]
        if self.args.k8s == "1.22":  # up to 1.23 kube-proxy held NodePorts open with listening sockets
            rows += [("0.0.0.0", p[4]) for s in self.services for p in s.ports if p[4] and p[1] == "TCP"]
        width = max(13, *(len(a) for a, _ in rows))
        out = [f"State  Recv-Q Send-Q {'Local Address':>{width}}:Port  Peer Address:PortProcess\n"]
        for a, port in rows:
            peer = "*" if a == "*" else "0.0.0.0"
            out.append(f"LISTEN 0      4096   {a:>{width}}:{port:<5} {peer:>12}:*          \n")
        return "".join(out)

    # ------------------------------------------------------------ conntrack -L

    def conntrack(self, node):
        args, rng = self.args, random.Random(f"{self.args.seed} conntrack {node.name}")
        pick = [(s, p) for s in self.services if s.endpoints for p in s.ports]
        clients = [a for s in self.services for a, n in s.endpoints if n is node] or [node.ip]
        prefix = "ipv4     2 " if args.conntrack_form in ("extended", "zones") else ""
        states = ("TIME_WAIT", 117), ("ESTABLISHED", 86399), ("CLOSE_WAIT", 58), ("SYN_SENT", 119), ("SYN_RECV", 59)
        out = []
        for _ in range(args.conntrack):
            kind, sport = rng.random(), rng.randrange(32768, 61000)
            if kind < 0.01:
                a, b, n = rng.choice(clients), rng.choice(self.nodes).ip, rng.randrange(65536)
                head = f"icmp     1 {rng.randrange(30)} src={a} dst={b} type=8 code=0 id={n} "
                seen, reply, end = True, f"src={b} dst={a} type=0 code=0 id={n} ", ""
            else:
                s, (_, protocol, port, target, node_port) = (
                    (self.services[1], self.services[1].ports[0]) if kind < 0.15 else rng.choice(pick)
                )
                candidates = s.endpoints
                source, back = rng.choice(clients), None
                if kind > 0.85 and node_port and s.local:  # only the endpoints here, where there are any
                    candidates = [e for e in s.endpoints if e[1] is node] or s.endpoints
                endpoint = rng.choice(candidates)[0]
                if kind > 0.85 and node_port:  # from outside, to a NodePort of this node
                    source, destination, port = ip("10.0.200.0", rng.randrange(4096)), node.ip, node_port
                    back = None if s.local else (node.ip, rng.randrange(1024, 65535))  # SNAT unless Local
                elif kind > 0.75:  # straight to a pod
                    destination, port = endpoint, target
                else:
                    destination = s.cluster_ip
                back_ip, back_port = back or (source, sport)
                if protocol == "UDP":
                    head, seen, end = f"udp      17 {rng.randrange(120)} ", rng.random() < 0.8, ""
                    end = "[ASSURED] " if seen and rng.random() < 0.3 else ""
                else:
                    state, most = rng.choices(states, (55, 35, 4, 4, 2))[0]
                    head, seen = f"tcp      6 {rng.randrange(most)} {state} ", state != "SYN_SENT"
                    end = "[ASSURED] " if seen and state != "SYN_RECV" else ""
                head += f"src={source} dst={destination} sport={sport} dport={port} "
                reply = f"src={endpoint} dst={back_ip} sport={target} dport={back_port} "
            tail = "mark=0 "
            if args.conntrack_form == "secctx":
                tail += "secctx=system_u:object_r:unlabeled_t:s0 "
            if args.conntrack_form == "zones":
                zone = rng.randrange(3)
                tail += f"zone={zone} " if zone else ""  # zone 0 is not printed
            out.append(f"{prefix}{head}{'' if seen else '[UNREPLIED] '}{reply}{end}{tail}use=1\n")
        for i in rng.sample(range(len(out)), int(len(out) * args.malformed)):
            out[i] = out[i][: rng.randrange(1, 70)] + "\n"  # as where a capture was cut
        return "".join(out)

    # ------------------------------------------------------------ kubectl get -o yaml

    def objects(self):
        """Yields (file stem, iterator of objects), as the API server would return them."""

        def meta(name, namespace=None, **more):
            m = {**more, "creationTimestamp": CREATED, "name": name, "resourceVersion": "1234567"}
            if namespace:
                m["namespace"] = namespace
            m["uid"] = f"{hash_of(name):08x}-0000-4000-8000-{hash_of(namespace or ''):012x}"
            return dict(sorted(m.items()))

        def node(n):
            spec = {"providerID": f"cn-hongkong.i-{n.index:08x}"}
            if self.args.cni == "flannel":
                spec = {"podCIDR": f"{n.pod_base}/{n.prefix}", "podCIDRs": [f"{n.pod_base}/{n.prefix}"], **spec}
            labels = {"kubernetes.io/arch": "amd64", "kubernetes.io/hostname": n.name, "kubernetes.io/os": "linux"}
            info = {"kubeProxyVersion": f"v{self.args.k8s}.3", "kubeletVersion": f"v{self.args.k8s}.3"}
            info = {
                "architecture": "amd64",
                "kernelVersion": "5.10.134-16.3.al8.x86_64",
                **info,
                "operatingSystem": "linux",
            }
            ready = {"lastTransitionTime": CREATED, "reason": "KubeletReady", "status": "True", "type": "Ready"}
            addresses = [{"address": n.ip, "type": "InternalIP"}, {"address": n.name, "type": "Hostname"}]
            status = {
                "addresses": addresses,
                "capacity": {"cpu": "8", "pods": "256"},
                "conditions": [ready],
                "nodeInfo": info,
            }
            return {
                "apiVersion": "v1",
                "kind": "Node",
                "metadata": meta(n.name, labels=labels),
                "spec": spec,
                "status": status,
            }

        def service(s):
            ports = []
            for name, protocol, port, target, node_port in s.ports:
                p = {"name": name, "port": port, "protocol": protocol, "targetPort": target}
                ports.append({"name": name, "nodePort": node_port, **p} if node_port else p)
            spec = {
                "clusterIP": s.cluster_ip,
                "clusterIPs": [s.cluster_ip],
                "internalTrafficPolicy": "Cluster",
                "ipFamilies": ["IPv4"],
                "ipFamilyPolicy": "SingleStack",
                "ports": ports,
                "selector": {"app": s.name},
                "sessionAffinity": "ClientIP" if s.affinity else "None",
                "type": s.kind,
            }
            if s.affinity:
                spec["sessionAffinityConfig"] = {"clientIP": {"timeoutSeconds": 10800}}
            if s.kind != "ClusterIP":
                spec["externalTrafficPolicy"] = "Local" if s.local else "Cluster"
            status = {"loadBalancer": {}}
            if s.lb_ip:
                status["loadBalancer"]["ingress"] = [{"hostname": s.lb_hostname} if s.lb_hostname else {"ip": s.lb_ip}]
            applied = {
                "apiVersion": "v1",
                "kind": "Service",
                "metadata": {"name": s.name, "namespace": s.namespace},
                "spec": {"ports": ports},
            }
            applied = json.dumps(applied, separators=(",", ":")) + "\n"
            m = meta(
                s.name,
                s.namespace,
                annotations={"kubectl.kubernetes.io/last-applied-configuration": applied},
                labels={"app": s.name},
            )
            return {
                "apiVersion": "v1",
                "kind": "Service",
                "metadata": m,
                "spec": dict(sorted(spec.items())),
                "status": status,
            }

        def slices(s):
            for start in range(0, max(1, len(s.endpoints)), SLICE_SIZE):
                endpoints = []
                for a, n in s.endpoints[start : start + SLICE_SIZE]:
                    e = {"addresses": [a], "conditions": {"ready": True, "serving": True, "terminating": False}}
                    if n:
                        e |= {
                            "nodeName": n.name,
                            "targetRef": {"kind": "Pod", "name": pod_name(s, a), "namespace": s.namespace},
                            "zone": f"cn-hongkong-{'bcd'[n.index % 3]}",
                        }
                    endpoints.append(e)
                ports = [{"name": p[0], "port": p[3], "protocol": p[1]} for p in s.ports]
                labels = {
                    "endpointslice.kubernetes.io/managed-by": "endpointslice-controller.k8s.io",
                    "kubernetes.io/service-name": s.name,
                }
                m = meta(f"{s.name}-{hash_of(s.name) % 99999:05d}{start // SLICE_SIZE}", s.namespace, labels=labels)
                yield {
                    "addressType": "IPv4",
                    "apiVersion": "discovery.k8s.io/v1",
                    "endpoints": endpoints,
                    "kind": "EndpointSlice",
                    "metadata": m,
                    "ports": ports,
                }

        def pod(s, a, n):
            name, image = pod_name(s, a), f"registry.example.com/{s.namespace}/{s.name}:v1"
            token = {
                "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount",
                "name": "kube-api-access-x",
                "readOnly": True,
            }
            container = {
                "env": [
                    {"name": "POD_IP", "valueFrom": {"fieldRef": {"apiVersion": "v1", "fieldPath": "status.podIP"}}}
                ],
                "image": image,
                "imagePullPolicy": "IfNotPresent",
                "name": "app",
                "ports": [{"containerPort": p[3], "name": p[0], "protocol": p[1]} for p in s.ports],
                "resources": {
                    "limits": {"cpu": "500m", "memory": "512Mi"},
                    "requests": {"cpu": "100m", "memory": "128Mi"},
                },
                "terminationMessagePath": "/dev/termination-log",
                "terminationMessagePolicy": "File",
                "volumeMounts": [token],
            }
            tolerations = [
                {
                    "effect": "NoExecute",
                    "key": f"node.kubernetes.io/{k}",
                    "operator": "Exists",
                    "tolerationSeconds": 300,
                }
                for k in ("not-ready", "unreachable")
            ]
            spec = {
                "containers": [container],
                "dnsPolicy": "ClusterFirst",
                "enableServiceLinks": True,
                "nodeName": n.name,
                "preemptionPolicy": "PreemptLowerPriority",
                "priority": 0,
                "restartPolicy": "Always",
                "schedulerName": "default-scheduler",
                "securityContext": {},
                "serviceAccount": "default",
                "serviceAccountName": "default",
                "terminationGracePeriodSeconds": 30,
                "tolerations": tolerations,
                "volumes": [
                    {
                        "name": "kube-api-access-x",
                        "projected": {
                            "defaultMode": 420,
                            "sources": [{"serviceAccountToken": {"expirationSeconds": 3607, "path": "token"}}],
                        },
                    }
                ],
            }
            conditions = [
                {"lastProbeTime": None, "lastTransitionTime": CREATED, "status": "True", "type": t}
                for t in ("Initialized", "Ready", "ContainersReady", "PodScheduled")
            ]
            state = {
                "containerID": "containerd://" + f"{hash_of(a):08x}" * 8,
                "image": image,
                "imageID": f"{image}@sha256:" + f"{hash_of(image):08x}" * 8,
                "lastState": {},
                "name": "app",
                "ready": True,
                "restartCount": 0,
                "started": True,
                "state": {"running": {"startedAt": CREATED}},
            }
            status = {
                "conditions": conditions,
                "containerStatuses": [state],
                "hostIP": n.ip,
                "phase": "Running",
                "podIP": a,
                "podIPs": [{"ip": a}],
                "qosClass": "Burstable",
                "startTime": CREATED,
            }
            owner = {
                "apiVersion": "apps/v1",
                "blockOwnerDeletion": True,
                "controller": True,
                "kind": "ReplicaSet",
                "name": s.name,
                "uid": f"{hash_of(s.name):08x}-0000-4000-8000-000000000000",
            }
            m = meta(
                name,
                s.namespace,
                generateName=f"{s.name}-",
                labels={"app": s.name, "pod-template-hash": "7d6877d777"},
                ownerReferences=[owner],
            )
            return {"apiVersion": "v1", "kind": "Pod", "metadata": m, "spec": spec, "status": status}

        yield "nodes", map(node, self.nodes)
        yield "services", map(service, self.services)
        yield "endpointslices", (x for s in self.services for x in slices(s))
        yield "pods", (pod(s, a, n) for s in self.services for a, n in s.endpoints if n)


_PROTOCOL_NUMBER = {"TCP": 6, "UDP": 17, "SCTP": 132}


@functools.cache
def ip_number(address):
    return int(ipaddress.IPv4Address(address))


def _sort_key(protocol, address, port):
    """ipvsadm's own order: protocol number, then address, then port."""
    return _PROTOCOL_NUMBER[protocol], ip_number(address), address, port


def _real_servers(endpoints, port, forward="Masq"):
    if len(endpoints) > 1:
        endpoints = sorted(endpoints, key=lambda e: ip_number(e[0]))
    return [f"  -> {f'{a}:{port}':<28} {forward:<7} {1:<6} {0:<10} {0:<10}" for a, _ in endpoints]


def hash_of(text):
    """A stable 32-bit number (FNV-1a); hash() differs from run to run."""
    h = 2166136261
    for byte in text.encode():
        h = (h ^ byte) * 16777619 & 0xFFFFFFFF
    return h


def pod_name(service, address):
    return f"{service.name}-7d6877d777-{hash_of(address) % 100000:05d}"


# ---------------------------------------------------------------- YAML as kubectl prints it

_PLAIN = re.compile(r"[A-Za-z0-9/][\w./+@:=-]*(?<!:)$")
_NOT_A_STRING = re.compile(  # what YAML would read as a number, a time, a boolean or null
    r"[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?$|0[xob]|\d{4}-\d\d?-\d\d?([t ]|$)|(true|false|null|yes|no|on|off|y|n)$", re.I
)


def _scalar(value, pad):
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if value.endswith("\n"):
        return "|\n" + "".join(f"{pad}  {line}\n" for line in value.splitlines()).rstrip("\n")
    return value if _PLAIN.match(value) and not _NOT_A_STRING.match(value) else json.dumps(value)


def to_yaml(value, pad=""):
    """Block style with lists at their key's own indent, which is how kubectl prints."""
    out = []
    for key, v in value.items():
        if isinstance(v, dict) and v:
            out.append(f"{pad}{key}:\n{to_yaml(v, pad + '  ')}")
        elif isinstance(v, list) and v:
            out.append(f"{pad}{key}:\n")
            for item in v:
                text = to_yaml(item, pad + "  ") if isinstance(item, dict) else f"{pad}  {_scalar(item, pad)}\n"
                out.append(f"{pad}- {text[len(pad) + 2 :]}")
        else:
            out.append(f"{pad}{key}: {json.dumps(v) if isinstance(v, (dict, list)) else _scalar(v, pad)}\n")
    return "".join(out)


def dump_list(items, form):
    if form == "json":
        listing = {"apiVersion": "v1", "items": list(items), "kind": "List", "metadata": {"resourceVersion": ""}}
        return json.dumps(listing, indent=4) + "\n"
    body = []
    for item in items:
        text = to_yaml(item, "  ")
        body.append("- " + text[2:])
    return "apiVersion: v1\nitems:\n" + "".join(body) + 'kind: List\nmetadata:\n  resourceVersion: ""\n'


# ---------------------------------------------------------------- output


class Folder:
    def __init__(self, root):
        self.root = root

    def write(self, path, text):
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="ascii", newline="\n")

    def close(self):
        pass


class Archive:
    def __init__(self, path, root):
        self.root = root
        self.raw = path.open("wb")
        self.gzip = gzip.GzipFile(filename="", mode="wb", compresslevel=6, fileobj=self.raw, mtime=0)
        self.tar = tarfile.open(fileobj=self.gzip, mode="w")  # noqa: SIM115 - closed in close()

    def write(self, path, text):
        data = text.encode("ascii")
        info = tarfile.TarInfo(f"{self.root}/{path}")
        info.size = len(data)
        self.tar.addfile(info, io.BytesIO(data))

    def close(self):
        for f in (self.tar, self.gzip, self.raw):
            f.close()


def main(argv=None):
    p = argparse.ArgumentParser(
        description=__doc__.splitlines()[0], formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    p.add_argument("--nodes", type=int, default=3)
    p.add_argument("--services", type=int, default=20)
    p.add_argument("--ports", type=int, default=2, help="ports per service")
    p.add_argument("--endpoints-per-service", type=int, default=4)
    p.add_argument("--conntrack", type=int, default=100, help="conntrack entries per node")
    p.add_argument("--conntrack-form", choices=("plain", "extended", "zones", "secctx"), default="plain")
    p.add_argument("--cni", choices=("flannel", "terway"), default="flannel")
    p.add_argument("--k8s", choices=("1.22", "1.30"), default="1.30")
    p.add_argument("--etp-local-share", type=float, default=0.5, help="of the NodePort and LoadBalancer services")
    p.add_argument("--busy-share", type=float, default=0.1, help="of the real servers: those with connections")
    p.add_argument("--malformed", type=float, default=0.0, help="share of the conntrack lines to cut short")
    p.add_argument("--odd-rows", action="store_true", help="add IPv6, SCTP and FWM rows to ipvsadm -Ln")
    p.add_argument("--dump", choices=("yaml", "json"), default="yaml", help="form of the cluster dumps")
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--out", type=Path, required=True, help="a directory, or a name ending in .tar.gz")
    args = p.parse_args(argv)

    cluster = Cluster(args)
    packed = args.out.name.endswith((".tar.gz", ".tgz"))
    sink = Archive(args.out, args.out.name.rsplit(".t", 1)[0]) if packed else Folder(args.out)
    for stem, items in cluster.objects():
        sink.write(f"cluster/{stem}.{args.dump}", dump_list(items, args.dump))
    for node in cluster.nodes:
        folder = f"nodes/{node.name}"
        sink.write(f"{folder}/ipvsadm-Ln.txt", cluster.ipvsadm(node))
        sink.write(f"{folder}/ip-addr.txt", cluster.ip_addr(node))
        sink.write(f"{folder}/conntrack-L.txt", cluster.conntrack(node))
        sink.write(f"{folder}/ss-lnt.txt", cluster.ss(node))
    sink.close()


if __name__ == "__main__":
    main()
