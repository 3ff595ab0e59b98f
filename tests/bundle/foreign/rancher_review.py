"""Rancher's supportability review: node archives and one of the cluster."""

from __future__ import annotations

from .capture import Capture, Files, dump, listed


def node_files(capture: Capture, node: str) -> Files:
    return {
        "networking/conntrack.out": b"cpu=0 found=0 invalid=0 insert=0 insert_failed=0 drop=0 early_drop=0 error=0 search_restart=0\n",
        "networking/ssanp": capture.of(node, "ss-lntup.txt"),
        "networking/ipaddrshow": capture.of(node, "ip-addr.txt"),
        "networking/iproute": capture.of(node, "ip-route-all.txt"),
        "networking/iprule": capture.of(node, "ip-rule.txt"),
        "networking/iptablessave": capture.of(node, "iptables-save.txt"),
        "networking/nf_conntrack_max": b"262144\n",
        "systeminfo/sysctla": capture.of(node, "sysctl.txt"),
        "systeminfo/uname": capture.uname(node),
        "systeminfo/hostname": node.encode() + b"\n",
    }


def cluster_files(capture: Capture) -> Files:
    names = [
        {"apiVersion": "discovery.k8s.io/v1", "metadata": {key: one["metadata"][key] for key in ("name", "namespace")}}
        for one in capture.objects("endpointslices")
    ]
    return {
        "nodes.json": listed("nodes", capture.objects("nodes")),
        "pods.json": listed("pods", capture.objects("pods")),
        "services.json": listed("services", capture.objects("services")),
        "kube-system-daemonsets.json": listed("daemonsets", capture.objects("daemonsets")),
        "api_version/EndpointSlice.json": dump({"kind": "EndpointSliceList", "items": names}),
    }


def uploads(capture: Capture) -> dict[str, Files]:
    nodes = {f"{node}.tar.gz": node_files(capture, node) for node in capture.nodes}
    return {**nodes, "cluster.tar.gz": cluster_files(capture)}
