"""First uses are slow (patterns, templates, catalogues, kernels of the table library): use everything once, on a tiny cluster."""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

from analyzer.batch.analysis import Request, analyse
from analyzer.batch.model import Options

_NODE = "n1"
_IPVSADM = (
    "IP Virtual Server version 1.2.1 (size=4096)\nProt LocalAddress:Port Scheduler Flags\n"
    "  -> RemoteAddress:Port           Forward Weight ActiveConn InActConn\n"
    "TCP  10.96.0.10:80 rr\n  -> 10.0.1.5:8080                Masq    1      0          0\n"
)
_ADDRESSES = (
    "1: lo: <LOOPBACK,UP,LOWER_UP> mtu 65536 qdisc noqueue state UNKNOWN group default qlen 1000\n"
    "    inet 127.0.0.1/8 scope host lo\n       valid_lft forever preferred_lft forever\n"
    "2: eth0: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500 qdisc fq_codel state UP group default qlen 1000\n"
    "    inet 10.0.0.1/24 brd 10.0.0.255 scope global eth0\n       valid_lft forever preferred_lft forever\n"
    "3: kube-ipvs0: <BROADCAST,NOARP> mtu 1500 qdisc noop state DOWN group default\n"
    "    inet 10.96.0.10/32 scope global kube-ipvs0\n       valid_lft forever preferred_lft forever\n"
)
_ROUTES = "default via 10.0.0.254 dev eth0\n10.0.0.0/24 dev eth0 proto kernel scope link src 10.0.0.1\n"
_RULES = (
    "*nat\n:PREROUTING ACCEPT [0:0]\n:KUBE-SERVICES - [0:0]\n-A PREROUTING -j KUBE-SERVICES\n"
    "-A KUBE-SERVICES -m set --match-set KUBE-CLUSTER-IP dst,dst -j ACCEPT\nCOMMIT\n"
)
_SETS = "create KUBE-CLUSTER-IP hash:ip,port family inet hashsize 1024 maxelem 65536\nadd KUBE-CLUSTER-IP 10.96.0.10,tcp:80\n"
_CONNECTIONS = (
    "tcp      6 86390 ESTABLISHED src=10.0.0.1 dst=10.96.0.10 sport=40000 dport=80 src=10.0.1.5 dst=10.0.0.1 sport=8080 dport=40000"
    " [ASSURED] mark=0 use=1\n"
)
_SOCKETS = (
    "State    Recv-Q   Send-Q     Local Address:Port     Peer Address:Port  Process\n"
    "LISTEN   0        128              0.0.0.0:22            0.0.0.0:*\n"
)


def _objects() -> dict[str, object]:
    meta = {"name": "web", "namespace": "default"}
    service = {
        "apiVersion": "v1", "kind": "Service", "metadata": meta,
        "spec": {"type": "ClusterIP", "clusterIP": "10.96.0.10", "clusterIPs": ["10.96.0.10"], "selector": {"app": "web"},
                 "ports": [{"name": "http", "port": 80, "targetPort": 8080, "protocol": "TCP"}]},
    }  # fmt: skip
    endpoints = {
        "apiVersion": "v1", "kind": "Endpoints", "metadata": meta,
        "subsets": [{"addresses": [{"ip": "10.0.1.5", "nodeName": _NODE}], "ports": [{"name": "http", "port": 8080, "protocol": "TCP"}]}],
    }  # fmt: skip
    node = {
        "apiVersion": "v1", "kind": "Node", "metadata": {"name": _NODE},
        "status": {"addresses": [{"type": "InternalIP", "address": "10.0.0.1"}],
                   "nodeInfo": {"kubeletVersion": "v1.28.3", "kubeProxyVersion": "v1.28.3"}},
    }  # fmt: skip
    listed = {"services.json": service, "endpoints.json": endpoints, "nodes.json": node}
    return {f"cluster/{name}": {"apiVersion": "v1", "kind": "List", "items": [item]} for name, item in listed.items()}


def write(folder: Path) -> None:
    """The tiny cluster, as a bundle in a folder."""
    texts = {
        "ipvsadm-Ln.txt": _IPVSADM, "ip-addr.txt": _ADDRESSES, "ip-route.txt": _ROUTES, "iptables-save.txt": _RULES,
        "ipset-save.txt": _SETS, "conntrack-L.txt": _CONNECTIONS, "ss-lnt.txt": _SOCKETS,
    }  # fmt: skip
    content = {f"nodes/{_NODE}/{name}": text for name, text in texts.items()}
    content |= {name: json.dumps(value) for name, value in _objects().items()}
    for name, text in content.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")


def warm_up() -> None:
    """Analyse the tiny cluster once, in this process. What goes wrong is told and does not matter: the first bundle pays then."""
    import pyarrow as pa

    # Each warm process serves one core; and a fork finds no threads at work.
    pa.set_cpu_count(1)
    pa.set_io_thread_count(1)
    try:
        with tempfile.TemporaryDirectory(prefix="ipvscope-") as work:
            bundle, out = Path(work, "bundle"), Path(work, "out")
            out.mkdir()
            write(bundle)
            analyse(Request(str(bundle), str(out), "", Options(reports=("html", "json"))))
    except Exception as error:  # nothing depends on it
        sys.stderr.write(f"ipvscope: warm-up: {type(error).__name__}: {error}\n")
