"""Services, kube-proxy's configuration and versions: changes of objects, most of them in words of ``--apply``."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from tests.findings.edits import N1, N3, edit, edit_json, node_files, servers

PREFIX = "annotations.service.beta.kubernetes.io/alibaba-cloud-loadbalancer"


def pod_range_of_services(folder: Path) -> None:
    for path in node_files(folder, N3, "iptables-save.txt"):
        edit(
            path,
            r"^-A KUBE-SERVICES (.*)KUBE-CLUSTER-IP src,dst",
            r"-A KUBE-SERVICES ! -s 172.21.0.0/16 \1KUBE-CLUSTER-IP dst,dst",
        )


def internal_local(folder: Path) -> None:
    edit(
        folder / "cluster" / "services.json",
        r'("name": "nginx"[\s\S]*?"internalTrafficPolicy": )"Cluster"',
        r'\1"Local"',
    )
    servers(folder, N3, lambda text: re.sub(r"  -> 10\.0\.[02]\.\d+:80 .*\n", "", text))


def _services(folder: Path, change: Any) -> None:
    edit_json(folder / "cluster" / "services.json", change)


def two_owners(folder: Path) -> None:
    def second(document: Any) -> None:
        document["items"].append({
            "apiVersion": "v1", "kind": "Service", "metadata": {"name": "second", "namespace": "default"},
            "spec": {"type": "LoadBalancer", "clusterIP": "172.21.9.9", "clusterIPs": ["172.21.9.9"],
                     "ports": [{"port": 80, "protocol": "TCP", "targetPort": 80}]},
            "status": {"loadBalancer": {"ingress": [{"ip": "192.168.1.200"}]}},
        })  # fmt: skip

    _services(folder, second)


def kept_status(folder: Path) -> None:
    def other_type(document: Any) -> None:
        next(one for one in document["items"] if one["metadata"]["name"] == "nginx")["spec"]["type"] = "NodePort"

    _services(folder, other_type)


def health_port(folder: Path) -> None:
    def local(document: Any) -> None:
        spec = next(one for one in document["items"] if one["metadata"]["name"] == "nginx")["spec"]
        spec.update(externalTrafficPolicy="Local", healthCheckNodePort=31745)

    _services(folder, local)
    for path in folder.glob("nodes/*/iptables-save.txt"):
        edit(path, r"^-A KUBE-IPVS-FILTER .*KUBE-HEALTH-CHECK-NODE-PORT.*\n", "")


def one_client(folder: Path) -> None:
    def sticky(document: Any) -> None:
        spec = next(one for one in document["items"] if one["metadata"]["name"] == "nginx")["spec"]
        spec.update(sessionAffinity="ClientIP", sessionAffinityConfig={"clientIP": {"timeoutSeconds": 10800}})

    _services(folder, sticky)
    flow = (
        "tcp      6 86300 ESTABLISHED src=10.0.9.50 dst=172.21.3.10 sport={port} dport=80 src=10.0.2.78 dst=10.0.9.50 sport=80 "
        "dport={port} [ASSURED] mark=0 use=1\n"
    )
    for path in node_files(folder, N1, "conntrack*"):
        path.unlink()
    (folder / "nodes" / N1 / "conntrack-L.txt").write_text("".join(flow.format(port=40000 + n) for n in range(200)))


def data_path_v2(folder: Path) -> None:
    path = folder / "cluster" / "configmap-cni.json"
    edit(
        path, r'"cniVersion\\": \\"0.3.1\\"', r'"cniVersion\\": \\"0.3.1\\",\\n  \\"eniip_virtual_type\\": \\"ipvlan\\"'
    )
    for node in folder.glob("nodes/*"):
        for name in ("ip-addr.txt", "ip-j-addr.json", "ip-rule.txt", "ip-route*", "ip-d*"):
            for one in node.glob(name):
                one.unlink()


CHANGES = {
    "SVC-002": internal_local,
    "SVC-003": two_owners,
    "SVC-004": pod_range_of_services,
    "SVC-006": kept_status,
    "SVC-007": health_port,
    "SVC-009": one_client,
    "REACH-016": data_path_v2,
}
BASES = {"SVC-002": "1.22.0-terway-cluster", "REACH-016": "1.28.3-terway-local"}
APPLIED: dict[str, tuple[str, ...]] = {
    "NODE-001": ("service default/nginx externalIPs=10.0.2.77",),
    "NODE-002": ("service default/nginx externalIPs=10.0.4.141",),
    "SVC-005": ("service default/nginx internalTrafficPolicy=Local",),
    "SVC-008": ("kube-proxy nodePortAddresses=192.0.2.0/24",),
    "MODE-003": ("k8s=1.35",),
    "LB-003": (f"service default/nginx {PREFIX}-proxy-protocol=on",),
    "LB-004": (f"service default/nginx {PREFIX}-protocol-port=http:80",),
    "REACH-018": ("k8s=1.30", "service default/nginx loadBalancerSourceRanges=203.0.113.0/24"),
    "REACH-019": ("k8s=1.27", "service default/nginx externalIPs=192.0.2.50 externalTrafficPolicy=Local"),
}
SAID = {
    "INTENT-001": "intent: 1\nstatements:\n  - {name: nodes reach the shop, from: nodes, to: 'lb:default/nginx'}\n",
    "INTENT-002": "intent: 1\nopen: fail\nstatements:\n  - {name: nodes ask the resolver, from: nodes, to: '8.8.8.8:53/udp'}\n",
}
