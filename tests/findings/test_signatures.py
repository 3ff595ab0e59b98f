"""Faults that no lab capture shows: each fires on a cluster that has it, and on no fault-free capture."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from analyzer import api
from analyzer.findings import Finding, find
from analyzer.forwarding import build_world, matrix
from analyzer.snapshot import Snapshot
from analyzer.whatif import apply, parse_edits
from tests import lab
from tests.findings.cases import node
from tests.findings.edits import N1, N2, N3, edit, edit_json, found, node_files, only, rules, unpack

__all__ = ["unpack"]
HEALTHY = [case for case in lab.CASES if not case.endswith("-fault")]
NEW = {
    "NODE-001", "NODE-002", "NODE-003", "SVC-003", "SVC-004", "SVC-005", "SVC-006", "SVC-007", "SYS-002", "SYS-003", "SYS-004",
    "CONN-001", "MODE-003", "MODE-004", "LB-003", "LB-004", "LB-005", "REACH-015",
}  # fmt: skip
ANNOTATION = "annotations.service.beta.kubernetes.io/alibaba-cloud-loadbalancer"


def findings(snapshot: Snapshot) -> Sequence[Finding]:
    world = build_world(snapshot)
    return find(snapshot, world, matrix(world)).findings


def after(case: str, *words: str) -> Sequence[Finding]:
    with api.opened(lab.bundle(case)) as snapshot:
        return findings(apply(snapshot, parse_edits(words, snapshot)).snapshot)


def one(listed: Sequence[Finding], rule: str) -> Finding:
    hits = [finding for finding in listed if finding.rule == rule]
    assert len(hits) == 1, [(finding.rule, finding.about) for finding in listed]
    assert hits[0].evidence or rule == "MODE-003", rule  # an applied version has no line
    return hits[0]


@pytest.mark.parametrize("case", HEALTHY[::2])
def test_no_fault_free_capture_shows_one(case: str) -> None:
    with api.opened(lab.bundle(case)) as snapshot:
        assert not NEW & {finding.rule for finding in findings(snapshot)}


@pytest.mark.parametrize(
    ("rule", "words", "about", "severity", "nodes"),
    [
        ("NODE-001", ["service default/nginx externalIPs=10.0.2.77"], "10.0.2.77", "notice", (N1,)),
        ("NODE-001", ["k8s=1.24", "service default/nginx externalIPs=10.0.2.77"], "10.0.2.77", "warning", (N1,)),
        ("NODE-002", ["service default/nginx externalIPs=10.0.4.141"], "10.0.4.141", "critical", (N2, N1)),
        ("SVC-005", ["service default/nginx internalTrafficPolicy=Local"], "default/nginx", "notice", (N3,)),
        ("SVC-007", ["service default/nginx externalTrafficPolicy=Local", "PATCH", "k8s=1.27.1"], "cluster", "notice", (N2, N1, N3)),
        ("MODE-003", ["k8s=1.35"], "cluster", "notice", (N2, N1, N3)),
        ("LB-003", [f"service default/nginx {ANNOTATION}-proxy-protocol=on"], "192.168.1.200:80/tcp", "warning", (N2, N1, N3)),
        ("LB-004", [f"service default/nginx {ANNOTATION}-protocol-port=http:80"], "192.168.1.200:80/tcp", "warning", (N2, N1, N3)),
    ],
)  # fmt: skip
def test_after_a_change_of_objects(
    tmp_path: Path, rule: str, words: list[str], about: str, severity: str, nodes: tuple[str, ...]
) -> None:
    patch = tmp_path / "patch.yaml"
    patch.write_text("spec: {healthCheckNodePort: 31745}\n", encoding="utf-8")
    said = [word.replace("PATCH", f"patch default/nginx {patch}") for word in words]
    got = one(after("1.28.3-terway-cluster", *said), rule)
    assert (got.about, got.severity, got.nodes) == (about, severity, nodes)


def test_two_services_on_one_listener(tmp_path: Path) -> None:
    manifest = {
        "kind": "Service", "metadata": {"name": "second", "namespace": "default"},
        "spec": {"type": "LoadBalancer", "ports": [{"port": 80}]}, "status": {"loadBalancer": {"ingress": [{"ip": "192.168.1.200"}]}},
    }  # fmt: skip
    path = tmp_path / "second.json"
    path.write_text(json.dumps(manifest), encoding="utf-8")
    got = one(after("1.28.3-terway-cluster", str(path)), "SVC-003")
    assert (got.about, got.services) == ("192.168.1.200:80/tcp", ("default/nginx", "default/second"))


def test_a_service_that_keeps_an_address_it_has_no_right_to(tmp_path: Path) -> None:
    manifest = {
        "kind": "Service", "metadata": {"name": "nginx", "namespace": "default"},
        "spec": {"type": "NodePort", "ports": [{"name": "tcp-80", "port": 80, "targetPort": 80}]},
        "status": {"loadBalancer": {"ingress": [{"ip": "192.168.1.200"}]}},
    }  # fmt: skip
    path = tmp_path / "kept.json"
    path.write_text(json.dumps(manifest), encoding="utf-8")
    got = one(after("1.28.3-terway-cluster", str(path)), "SVC-006")
    assert (got.values["addresses"], len(got.nodes)) == ("192.168.1.200", 3)


def test_a_pod_range_that_covers_services(unpack: Callable[[str], Path]) -> None:
    folder = unpack("1.28.3-terway-cluster")
    for path in node_files(folder, N3, "iptables-save.txt"):
        edit(
            path,
            r"^-A KUBE-SERVICES (.*)KUBE-CLUSTER-IP src,dst",
            r"-A KUBE-SERVICES ! -s 172.21.0.0/16 \1KUBE-CLUSTER-IP dst,dst",
        )
    got = only(found(folder), "SVC-004")
    assert (got.about, got.severity, got.nodes) == ("172.21.0.0/16", "critical", (N3,))
    assert got.vantages == (f"node:{N3}",)


def test_sysctls(unpack: Callable[[str], Path]) -> None:
    folder = unpack("1.28.3-terway-cluster")
    edit(folder / "nodes" / N1 / "uname.txt", r"6\.1\.176", "5.4.0")
    edit(folder / "nodes" / N2 / "sysctl.txt", r"nf_conntrack_count = \d+", "nf_conntrack_count = 260000")
    edit(folder / "nodes" / N3 / "sysctl.txt", r"nf_conntrack_count = \d+", "nf_conntrack_count = 240000")
    got = found(folder)
    assert only(got, "SYS-002").nodes == (N1,)
    full = {finding.about: finding.severity for finding in got.findings if finding.rule == "SYS-004"}
    assert full == {N2: "critical", N3: "warning"}


def test_a_drained_server_that_clients_do_not_let_go(unpack: Callable[[str], Path]) -> None:
    folder = unpack("1.28.3-terway-cluster")
    edit(folder / "nodes" / N1 / "sysctl.txt", r"conn_reuse_mode = 1", "conn_reuse_mode = 0")
    for path in node_files(folder, N1, "ipvsadm*"):
        if path.name != "ipvsadm-Ln.txt":
            path.unlink()
    edit(folder / "nodes" / N1 / "ipvsadm-Ln.txt", r"^(TCP +192\.168\.1\.200:80 .*)$",
         r"\1\n  -> 10.0.2.99:80                 Masq    0      2          5")  # fmt: skip
    got = only(found(folder), "SYS-003")
    assert (got.about, got.values["connections"]) == (N1, "7")


def test_a_udp_flow_to_a_pod_that_is_gone(unpack: Callable[[str], Path]) -> None:
    folder = unpack("1.28.3-terway-udp")
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
    got = only(found(folder), "CONN-001")
    assert (got.about, got.values["servers"], got.values["count"]) == (f"{vip}:{port}/udp", "10.0.9.9", "3")


def test_a_mode_that_is_not_the_configured_one(unpack: Callable[[str], Path]) -> None:
    folder = unpack("1.28.3-terway-cluster")
    edit(folder / "cluster" / "configmap-kube-proxy.json", r"mode: (\\\")?ipvs", r"mode: \1iptables")
    got = only(found(folder), "MODE-004")
    assert (got.about, got.values["wanted"], len(got.nodes)) == ("ipvs", "iptables", 3)


def test_a_layer_2_announcer_without_strict_arp(unpack: Callable[[str], Path]) -> None:
    folder = unpack("1.28.3-terway-cluster")

    def speaker(loaded: Any) -> None:
        container = {"name": "speaker", "image": "quay.io/metallb/speaker:v0.13.12"}
        loaded["items"].append({
            "apiVersion": "apps/v1", "kind": "DaemonSet", "metadata": {"name": "metallb-speaker", "namespace": "metallb-system"},
            "spec": {"template": {"spec": {"containers": [container]}}},
        })  # fmt: skip

    edit_json(folder / "cluster" / "daemonsets.json", speaker)
    got = only(found(folder), "NODE-003")
    assert (got.values["announcer"], len(got.nodes)) == ("metallb-speaker", 3)


def test_backends_that_the_health_check_gave_up(unpack: Callable[[str], Path]) -> None:
    folder = unpack("1.28.3-terway-cluster")
    servers = [
        {
            "ListenerPort": 80,
            "Port": 30745,
            "Protocol": "tcp",
            "ServerHealthStatus": status,
            "ServerIp": ip,
            "ServerId": "",
        }
        for ip, status in (("10.0.2.77", "abnormal"), ("10.0.0.171", "normal"), ("10.0.4.141", "abnormal"))
    ]
    name = "cloud/aliyun/DescribeHealthStatus-lb-j6c3e705f3f808e03.json"
    (folder / name).write_text(json.dumps({"RequestId": "x", "BackendServers": {"BackendServer": servers}}))
    got = only(found(folder), "LB-005")
    assert (got.severity, got.values["count"], got.values["total"]) == ("warning", "2", "3")


def test_a_host_port_that_takes_a_vip(unpack: Callable[[str], Path]) -> None:
    folder = unpack("1.28.3-terway-cluster")
    node.host_port(folder)
    got = only(found(folder), "REACH-015")
    assert got.about == "default/nginx"
    assert got.values["servers"].startswith("pod:")
    assert got.nodes


def test_none_of_them_fires_without_its_fault(unpack: Callable[[str], Path]) -> None:
    assert not NEW & rules(found(unpack("1.28.3-terway-cluster")))
