"""Rancher's logs collector, one archive per node, objects as wide tables and the concatenated dump of a kubeadm cluster."""

from __future__ import annotations

from .ack import stream
from .capture import Capture, Files, listed
from .convert import wide_endpoints, wide_pods, wide_services


def node_files(capture: Capture, node: str, *, objects: bool) -> Files:
    top = f"{node}-2026-11-22_20_44_09/"
    files = {
        top + "networking/ipvsadm": capture.of(node, "ipvsadm-Ln.txt"),
        top
        + "systeminfo/conntrack": b"cpu=0 found=0 invalid=0 insert=0 insert_failed=0 drop=0 early_drop=0 error=0 search_restart=0\n",
        top + "systeminfo/hostname": node.encode() + b"\n",
        top + "systeminfo/uname": capture.uname(node),
        top + "systeminfo/sysctla": capture.of(node, "sysctl.txt"),
        top + "networking/ssanp": capture.of(node, "ss-lntup.txt"),
        top + "networking/ssuapn": b"",
        top + "networking/sstunlp4": capture.of(node, "ss-lntup.txt"),
        top + "networking/ipaddrshow": capture.of(node, "ip-addr.txt"),
        top + "networking/iproute": capture.of(node, "ip-route-all.txt"),
        top + "networking/iprule": capture.of(node, "ip-rule.txt"),
        top + "networking/iptablessave": capture.of(node, "iptables-save.txt"),
        top + "networking/ip6tablessave": b"ip6tables-save: command not found\n",
        top + "networking/nft_ruleset": b"",
    }
    if objects:
        kubectl = top + "kubeadm/kubectl/"
        files[kubectl + "nodes.json"] = listed("nodes", capture.objects("nodes"))
        files[kubectl + "services"] = wide_services(capture.objects("services")).encode()
        files[kubectl + "endpoints"] = wide_endpoints(capture.objects("endpoints")).encode()
        files[kubectl + "pods"] = wide_pods(capture.objects("pods")).encode()
        files[kubectl + "cluster-info_dump"] = stream(capture)
    return files


def uploads(capture: Capture) -> dict[str, Files]:
    return {f"logs{n}.tar.gz": node_files(capture, node, objects=n == 0) for n, node in enumerate(capture.nodes)}
