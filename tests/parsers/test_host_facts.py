# ruff: noqa: E501  (captures keep the lengths the tools print)
"""Host facts, kernel parameters and the log of kube-proxy."""

from __future__ import annotations

import pytest

from analyzer.parsers import registry
from analyzer.parsers.base import Parsed


def read(text: str, name: str) -> tuple[str, Parsed]:
    ((form, parsed),) = registry.parse_member(text.encode(), name)
    return form.name, parsed


def facts(parsed: Parsed) -> list[tuple[str, str, int]]:
    frame = parsed.tables["host_facts"]
    return list(zip(frame["fact"].tolist(), frame["value"].tolist(), frame["line"].tolist(), strict=True))


CASES = {
    "hostname": ("hostname.txt", "node-a.example\n", [("hostname", "node-a.example", 1)]),
    "uname": ("uname.txt", "Linux node-a 6.1.0-18-amd64 #1 SMP x86_64 GNU/Linux\n", [("kernel", "6.1.0-18-amd64", 1)]),
    "lsmod": (
        "lsmod.txt",
        "Module                  Size  Used by\nip_vs_rr               16384  0\nip_vs                 180224  2 ip_vs_rr\n",
        [("module", "ip_vs_rr", 2), ("module", "ip_vs", 3)],
    ),
    "tool-versions": (
        "tool-versions.txt",
        "ip utility, iproute2-6.1.0, libbpf 1.1.2\niptables v1.8.9 (legacy)\nipvsadm v1.31 2019/12/24 (compiled with popt and IPVS v1.2.1)\n"
        "ipset v7.17, protocol version: 7\nconntrack v1.4.7 (conntrack-tools)\n"
        'PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\nNAME="Debian GNU/Linux"\n',
        [
            ("tool", "ip 6.1.0", 1),
            ("tool", "iptables 1.8.9", 2),
            ("tool", "ipvsadm 1.31", 3),
            ("tool", "ipset 7.17", 4),
            ("tool", "conntrack 1.4.7", 5),
            ("os", "Debian GNU/Linux 12 (bookworm)", 6),
        ],
    ),
    "kube-proxy-mode": ("kube-proxy-mode.txt", "ipvs", [("kube-proxy-mode", "ipvs", 1)]),
    "kube-proxy-version": (
        "kube-proxy-version.txt",
        'kubernetes_build_info{build_date="2023",git_version="v1.28.3",go_version="go1.20.10",minor="28"} 1\n',
        [("kube-proxy-version", "v1.28.3", 1)],
    ),
    "kube-proxy-arguments": (
        "kube-proxy-args.txt",
        "/usr/local/bin/kube-proxy\n--config=/var/lib/kube-proxy/config.conf\n",
        [
            ("kube-proxy-argument", "/usr/local/bin/kube-proxy", 1),
            ("kube-proxy-argument", "--config=/var/lib/kube-proxy/config.conf", 2),
        ],
    ),
    "kube-proxy-log": (
        "kube-proxy.log",
        'I1122 20:42:40.909642     930 node.go:141] Successfully retrieved node IP: 192.0.2.11\n'
        'I1122 20:42:42.679247     930 server_others.go:218] "Using iptables Proxier"\n'
        'I1122 20:42:42.759323     930 server.go:846] "Version info" version="v1.28.3"\n'
        'I1122 20:42:42.809394     930 config.go:188] "Starting service config controller"\n',
        [("kube-proxy-mode", "iptables", 2), ("kube-proxy-version", "v1.28.3", 3)],
    ),
    "kube-proxy-log of 1.22": (
        "any.txt",
        "I1122 20:47:01.461507    1397 server_others.go:274] Using ipvs Proxier.\nI1122 20:47:01.466151    1397 server.go:649] Version: v1.22.0\n",
        [("kube-proxy-mode", "ipvs", 1), ("kube-proxy-version", "v1.22.0", 2)],
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_facts(case: str) -> None:
    name, text, expected = CASES[case]
    form, parsed = read(text, name)
    assert form == case.split(" ", maxsplit=1)[0]
    assert facts(parsed) == expected
    assert parsed.notes == ()


def test_a_log_never_floods_the_notes() -> None:
    line = 'E1122 20:42:40.909642     930 proxier.go:1] "Failed" err="... # ip addr | ### [root@node-a ~]# ..."\n'
    _, parsed = read(line * 50, "kube-proxy.log")
    assert parsed.notes == ()
    assert parsed.lines.furniture == 50
    assert not parsed.complete


def test_a_word_is_a_host_name_only_under_its_name() -> None:
    assert registry.parse_member(b"node-a\n", "notes.txt") == []


@pytest.mark.parametrize(
    ("line", "key", "value"),
    [
        ("net.ipv4.vs.conntrack = 1", "net.ipv4.vs.conntrack", "1"),
        ("net.ipv4.vs.conntrack: 1", "net.ipv4.vs.conntrack", "1"),
        ("net.ipv4.vs.conntrack=1", "net.ipv4.vs.conntrack", "1"),
        ("net.ipv4.ip_local_port_range = 32768\t60999", "net.ipv4.ip_local_port_range", "32768 60999"),
        ("net.ipv4.conf.eth0/30.rp_filter = 0", "net.ipv4.conf.eth0/30.rp_filter", "0"),
        ("/proc/sys/net/ipv4/conf/eth0.30/rp_filter:0", "net.ipv4.conf.eth0/30.rp_filter", "0"),
        ("net/ipv4/ip_forward = 1", "net.ipv4.ip_forward", "1"),
        ("net.ipv4.ip_local_reserved_ports = ", "net.ipv4.ip_local_reserved_ports", ""),
    ],
)
def test_kernel_parameters(line: str, key: str, value: str) -> None:
    form, parsed = read(line + "\n", "capture.txt")
    assert form == "sysctl"
    assert parsed.tables["sysctls"][["key", "value"]].values.tolist() == [[key, value]]


def test_a_parameter_that_does_not_exist_is_a_note() -> None:
    _, parsed = read(
        "net.ipv4.ip_forward = 1\nsysctl: cannot stat /proc/sys/net/x: No such file or directory\n", "sysctl.txt"
    )
    assert [(note.line, note.reason) for note in parsed.notes] == [(2, "error-text")]
    assert len(parsed.tables["sysctls"]) == 1
