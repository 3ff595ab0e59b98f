"""DRIFT-008 and DRIFT-009: flags of virtual servers and members of ipsets, on a real capture changed in one place."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from analyzer import api
from analyzer.findings.context import Context
from analyzer.findings.drift import Drift, drift
from analyzer.findings.model import Finding
from analyzer.findings.rules.flags_differ import flags_differ
from analyzer.findings.rules.set_members import set_members
from analyzer.forwarding import build_world, matrix
from tests import lab

NODE = "cn-hongkong.10.0.2.77"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    lab.unpack("1.28.3-terway-local", tmp_path)
    for path in tmp_path.rglob("*"):
        if re.search("conntrack|Lnc|ipset-list|ipvsadm-save|stats|netstat|^ss-|-j-", path.name):
            path.unlink()
    return tmp_path


def edit(path: Path, pattern: str, by: str) -> None:
    text = path.read_text()
    changed = re.sub(pattern, by, text, flags=re.MULTILINE)
    assert changed != text
    path.write_text(changed)


def read(folder: Path) -> tuple[list[Drift], list[Finding]]:
    with api.opened(folder) as snapshot:
        world = build_world(snapshot)
        context = Context(snapshot, world, matrix(world))
        return list(drift(snapshot)), [*flags_differ(context), *set_members(context)]


def test_nothing_differs(folder: Path) -> None:
    assert read(folder) == ([], [])


@pytest.mark.parametrize(
    ("pattern", "by", "severity", "said"),
    [
        (r"^(TCP  192.168.1.200:80) rr", r"\1 wrr", "notice", "wrr ≠ rr"),
        (r"^(TCP  192.168.1.200:80) rr", r"\1 rr persistent 600", "warning", "rr persistent 600 ≠ rr"),
        (r"^(TCP  192.168.1.200:80) rr", r"\1 rr (flag-2)", "notice", "rr (flag-2) ≠ rr"),
    ],
)
def test_drift_008_flags(folder: Path, pattern: str, by: str, severity: str, said: str) -> None:
    edit(folder / "nodes" / NODE / "ipvsadm-Ln.txt", pattern, by)
    (found,), (finding,) = read(folder)
    assert (found.kind, found.server, found.detail) == ("flags-differ", "tcp/192.168.1.200:80", said)
    assert (finding.rule, finding.about, finding.severity, finding.nodes) == (
        "DRIFT-008",
        "default/nginx",
        severity,
        (NODE,),
    )
    assert "192.168.1.200:80" in finding.evidence[0].text


def test_drift_008_without_configuration_says_nothing_about_schedulers(folder: Path) -> None:
    edit(folder / "nodes" / NODE / "ipvsadm-Ln.txt", r"^(TCP  192.168.1.200:80) rr", r"\1 wrr")
    (folder / "cluster" / "configmap-kube-proxy.json").unlink()
    assert read(folder) == ([], [])


@pytest.mark.parametrize(
    ("pattern", "by", "kind", "severity", "about"),
    [
        (r"^add KUBE-LOAD-BALANCER-LOCAL .*\n", "", "set-member-missing", "warning", "default/nginx"),
        (r"^add KUBE-IPVS-IPS 192.*\n", "", "set-member-missing", "warning", "default/nginx"),
        (
            r"^(add KUBE-LOAD-BALANCER 192.168.1.200),tcp:80\n", r"\g<0>\1,tcp:443\n",
            "set-member-extra", "notice", "default/nginx",
        ),
        (r"^(add KUBE-CLUSTER-IP) 172.21.0.1,tcp:443\n", r"\g<0>\1 192.0.2.9,udp:53\n", "set-member-extra", "notice", "KUBE-CLUSTER-IP"),
    ],
)  # fmt: skip
def test_drift_009_members(folder: Path, pattern: str, by: str, kind: str, severity: str, about: str) -> None:
    edit(folder / "nodes" / NODE / "ipset-save.txt", pattern, by)
    (found,), (finding,) = read(folder)
    assert (found.kind, found.node) == (kind, NODE)
    assert (finding.rule, finding.about, finding.severity) == ("DRIFT-009", about, severity)
    assert finding.evidence[0].file.endswith("ipset-save.txt")


def test_drift_009_does_not_repeat_a_missing_virtual_server(folder: Path) -> None:
    edit(folder / "nodes" / NODE / "ipset-save.txt", r"^add KUBE-LOAD-BALANCER-LOCAL .*\n", "")
    edit(folder / "nodes" / NODE / "ipvsadm-Ln.txt", r"^TCP  192.168.1.200:80 rr\n(?:  ->.*\n)*", "")
    found, findings = read(folder)
    assert {one.kind for one in found} == {"virtual-server-missing", "set-member-missing"}
    assert findings == []


def test_excluded_cidrs_belong_to_somebody_else(folder: Path) -> None:
    capture = folder / "nodes" / NODE / "ipvsadm-Ln.txt"
    capture.write_text(capture.read_text() + "TCP  203.0.113.9:443 rr\n")
    assert [one.kind for one in read(folder)[0]] == ["virtual-server-extra"]
    edit(folder / "cluster" / "configmap-kube-proxy.json", "excludeCIDRs: null", "excludeCIDRs: [203.0.113.0/24]")
    assert read(folder) == ([], [])
