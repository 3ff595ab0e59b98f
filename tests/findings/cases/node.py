"""Settings of nodes, firewalls, and connections that they remember."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from analyzer import api
from analyzer.forwarding import build_world
from tests.findings.edits import N1, N2, N3, edit, edit_json, node_files
from tests.observations.cases import lost_answer

UDP = "1.28.3-terway-udp"
VIP = "192.168.1.200:80"


def not_tracked(folder: Path) -> None:
    edit(folder / "nodes" / N3 / "sysctl.txt", r"^net\.ipv4\.vs\.conntrack = 1$", "net.ipv4.vs.conntrack = 0")


def old_kernel(folder: Path) -> None:
    edit(folder / "nodes" / N1 / "uname.txt", r"6\.1\.176", "5.4.0")


def drained(folder: Path) -> None:
    edit(folder / "nodes" / N1 / "sysctl.txt", r"conn_reuse_mode = 1", "conn_reuse_mode = 0")
    for path in node_files(folder, N1, "ipvsadm*"):
        if path.name != "ipvsadm-Ln.txt":
            path.unlink()
    edit(folder / "nodes" / N1 / "ipvsadm-Ln.txt", r"^(TCP +192\.168\.1\.200:80 .*)$",
         r"\1\n  -> 10.0.2.99:80                 Masq    0      2          5")  # fmt: skip


def full_table(folder: Path) -> None:
    edit(folder / "nodes" / N2 / "sysctl.txt", r"nf_conntrack_count = \d+", "nf_conntrack_count = 260000")
    edit(folder / "nodes" / N3 / "sysctl.txt", r"nf_conntrack_count = \d+", "nf_conntrack_count = 240000")


def strict_filter(folder: Path) -> None:
    """Packets for the node come in by eth1, its default route is eth0."""
    edit(folder / "nodes" / N2 / "sysctl.txt", r"conf\.all\.rp_filter = 0", "conf.all.rp_filter = 1")
    for path in node_files(folder, N2, "ip-route*"):
        text = path.read_text()
        path.write_text(re.sub(r"(?m)^default via (\S+) dev eth0", r"default via \1 dev eth1", text))


def announcer(folder: Path) -> None:
    def speaker(loaded: Any) -> None:
        container = {"name": "speaker", "image": "quay.io/metallb/speaker:v0.13.12"}
        loaded["items"].append({
            "apiVersion": "apps/v1", "kind": "DaemonSet", "metadata": {"name": "metallb-speaker", "namespace": "metallb-system"},
            "spec": {"template": {"spec": {"containers": [container]}}},
        })  # fmt: skip

    edit_json(folder / "cluster" / "daemonsets.json", speaker)


def firewall(folder: Path) -> None:
    edit(
        folder / "nodes" / N3 / "iptables-save.txt",
        r"^-A INPUT -j KUBE-FIREWALL$",
        "-A INPUT -p tcp -m tcp --dport 30000:32767 -j DROP\n-A INPUT -j KUBE-FIREWALL",
    )


def host_port(folder: Path) -> None:
    with api.opened(folder) as snapshot:
        world = build_world(snapshot)
        endpoints = {end.address for end in snapshot.objects.by_id["default/nginx"].endpoints}
        other = next(
            p for p in world.pods.values() if p.ports and p.ready and not p.host_network and not set(p.ips) & endpoints
        )
    port = next(number for protocol, number in other.ports if protocol == "tcp")
    for path in node_files(folder, N3, "iptables-save.txt"):
        edit(path, r"^-A PREROUTING (.*)-j KUBE-SERVICES$",
             rf"-A PREROUTING -p tcp -m tcp --dport 80 -m addrtype --dst-type LOCAL -j DNAT --to-destination {other.ips[0]}:{port}\n"
             r"-A PREROUTING \1-j KUBE-SERVICES")  # fmt: skip


def stale_udp(folder: Path) -> None:
    with api.opened(folder) as snapshot:
        service = next(one for one in snapshot.objects.services if any(port.protocol == "udp" for port in one.ports))
    vip, port = service.cluster_ips[0], service.ports[0].port
    line = (
        f"udp      17 28 src=10.0.2.90 dst={vip} sport=40001 dport={port} [UNREPLIED] src=10.0.9.9 dst=10.0.2.90 sport={port} "
        "dport=40001 mark=0 use=1\n"
    )
    for path in node_files(folder, N1, "conntrack*"):
        path.unlink()
    (folder / "nodes" / N1 / "conntrack-L.txt").write_text(line * 3)


def silent(folder: Path) -> None:
    more = "TCP 03:20  ESTABLISHED 10.0.2.90:41000    192.168.1.200:80   10.0.2.78:80\n"
    for path in node_files(folder, N1, "ipvsadm-Lnc.txt"):
        path.write_text(path.read_text() + more)


def no_loop_back(folder: Path) -> None:
    def only_the_server(loaded: Any) -> None:
        loaded["items"] = [pod for pod in loaded["items"] if pod["metadata"]["name"] != "centos-5d8f9c7b44-aaaaa"]

    edit_json(folder / "cluster" / "pods.json", only_the_server)
    edit(folder / "nodes" / N1 / "iptables-save.txt", r"^-A KUBE-POSTROUTING .*KUBE-LOOP-BACK.*\n", "")


def no_masquerade(folder: Path) -> None:
    """A mark that nobody answers: kube-proxy's rule in KUBE-POSTROUTING is gone."""
    edit(folder / "nodes" / N3 / "iptables-save.txt", r"^-A KUBE-POSTROUTING .*-j MASQUERADE.*\n", "")


CHANGES = {
    "SYS-001": not_tracked,
    "SYS-002": old_kernel,
    "SYS-003": drained,
    "SYS-004": full_table,
    "SYS-005": strict_filter,
    "NODE-003": announcer,
    "REACH-014": firewall,
    "REACH-015": host_port,
    "REACH-017": no_loop_back,
    "REACH-099": no_masquerade,
    "CONN-001": stale_udp,
    "CONN-002": silent,
    "OBS-001": lost_answer,
}
BASES = {"CONN-001": UDP, "OBS-001": "1.28.3-terway-local-one"}
