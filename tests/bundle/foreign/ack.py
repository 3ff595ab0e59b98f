"""ACK ``diagnose_k8s.sh``: an archive per node; on the first node the dump of the objects, on the others an empty file."""

from __future__ import annotations

from .capture import Capture, Files, listed
from .convert import netstat

UNIX = """Active UNIX domain sockets (only servers)
Proto RefCnt Flags       Type       State         I-Node   Path
unix  2      [ ACC ]     STREAM     LISTENING     18431    /run/containerd/containerd.sock
"""


def run(command: str, output: bytes, *, failed: bool = False) -> bytes:
    """One framed command."""
    tail = b"failed to collect info: " + command.encode() + b"\n" if failed else b""
    return (
        b"-" * 17 + b"run " + command.encode() + b"-" * 18 + b"\n" + output + tail
        + b"-" * 12 + b"End of " + command.split(maxsplit=1)[0].encode() + b"-" * 16 + b"\n\n"
    )  # fmt: skip


def node_files(capture: Capture, node: str, *, objects: bool, cut: bool = False) -> Files:
    """`cut` ends the listing of conntrack as the time limit does."""
    flows = capture.of(node, "conntrack-L-extended.txt")
    sockets = netstat(capture.text(node, "ss-lntup.txt"), programs=False)
    established = "Active Internet connections (w/o servers)\nProto Recv-Q Send-Q Local Address           Foreign Address         State\n"
    network = (
        run("ip --details ad show", capture.of(node, "ip-addr.txt"))
        + run("ip --details link show", _links(capture.of(node, "ip-addr.txt")))
        + run("ip route show", capture.of(node, "ip-route.txt"))
        + run("iptables-save", capture.of(node, "iptables-save.txt"))
        + run("cat /proc/net/nf_conntrack", flows[: len(flows) // 2] + b"\n" if cut else flows, failed=cut)
        + (established * 2 + sockets + UNIX).encode()
    )
    system = (
        run("uname -a", capture.uname(node))
        + run("cat /etc/os-release", b'NAME="Alibaba Cloud Linux"\nVERSION="3"\n')
        + run("sysctl -a", capture.of(node, "sysctl.txt"))
        + run("free -m", b"", failed=True)
    )
    top = f"tmp/diagnose_17640000{capture.nodes.index(node):02}/"
    return {
        top + "network_info": network,
        top + "system_info": system,
        top + "system_status": run("netstat -nt", sockets.encode()),
        top + "daemon_status/kubelet_status": run("kubelet --version", b"Kubernetes v1.28.3-aliyun.1\n"),
        top + "logs/dmesg.log": b"[Sun Nov 22 20:44:09 2026] Linux version 6.1\n",
        top + "cluster_dump.log": stream(capture) if objects else b"",
        top + "events.log": b"",
    }


def _links(addresses: bytes) -> bytes:
    """``ip link`` prints no addresses."""
    gone = (b"    inet", b"       valid_lft")
    return b"".join(line for line in addresses.splitlines(keepends=True) if not line.startswith(gone))


def stream(capture: Capture) -> bytes:
    """``kubectl cluster-info dump`` to standard output."""
    out = listed("nodes", capture.objects("nodes"), own_kind=True)
    services, pods = capture.by_namespace("services"), capture.by_namespace("pods")
    sets = capture.by_namespace("daemonsets")
    for namespace in ("kube-system", "default"):
        out += b'{\n    "kind": "ReplicationControllerList",\n    "apiVersion": "v1",\n    "metadata": {},\n    "items": null\n}\n'
        out += listed("services", services.get(namespace, []), own_kind=True)
        out += listed("daemonsets", sets.get(namespace, []), own_kind=True)
        out += listed("pods", pods.get(namespace, []), own_kind=True)
    return out + (
        b"==== START logs for container nginx of pod default/web ====\n"
        b'{"kind": "Service", "metadata": {"name": "a-log-line", "namespace": "default"}}\n'
        b"-----------------run ipvsadm -Ln------------------\n"
        b"last line==== END logs for container nginx of pod default/web ====\n"
    )


def uploads(capture: Capture) -> dict[str, Files]:
    return {f"node{n}.tar.gz": node_files(capture, node, objects=n == 0) for n, node in enumerate(capture.nodes)}
