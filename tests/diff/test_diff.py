"""Two captures of one cluster, before and after a change."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from analyzer import api
from analyzer.diff import Differences, diff
from analyzer.snapshot import Snapshot
from tests import lab
from tests.cli.test_commands import run

LOCAL, CLUSTER = (str(lab.bundle(f"1.28.3-terway-{name}")) for name in ("local", "cluster"))


@pytest.fixture(scope="module")
def snapshots() -> Iterator[tuple[Snapshot, Snapshot]]:
    with api.opened(LOCAL) as local, api.opened(CLUSTER) as cluster:
        yield local, cluster


@pytest.fixture(scope="module")
def found(snapshots: tuple[Snapshot, Snapshot]) -> Differences:
    return diff(*snapshots)


def test_a_cluster_does_not_differ_from_itself(snapshots: tuple[Snapshot, Snapshot]) -> None:
    same = diff(snapshots[0], snapshots[0])
    assert not same.changed
    assert {one.state for one in same.findings} == {"same"}
    assert same.verdicts.cells == 63


def test_objects_differ_by_meaning(found: Differences) -> None:
    said = {(one.kind, one.how, one.subject, one.what): (one.old, one.new) for one in found.objects}
    assert said[("service", "changed", "default/nginx", "external_policy")] == ("Local", "Cluster")
    backends = [one for one in found.objects if one.kind == "backend"]
    assert [(one.how, one.subject.rpartition(" ")[2]) for one in backends] == [("added", "10.0.4.141:30745")]
    assert not [one for one in found.objects if one.kind in ("node", "endpoint", "kube-proxy")]


def test_the_same_on_many_nodes_is_one_difference(found: Differences) -> None:
    members = [one for one in found.nodes if one.kind == "set-member" and "KUBE-LOAD-BALANCER-LOCAL" in one.subject]
    assert [(one.how, len(one.nodes)) for one in members] == [("removed", 3)]
    reals = {one.subject: one.nodes for one in found.nodes if one.kind == "real-server" and one.how == "added"}
    assert reals["tcp/192.168.1.200:80 -> 10.0.0.172:80"] == ("cn-hongkong.10.0.2.77",)
    assert not [one for one in found.nodes if one.kind in ("bound", "virtual-server", "regime")]


def test_findings_go_and_stay(found: Differences) -> None:
    states = {one.finding.rule: one.state for one in found.findings}
    assert states == {"REACH-001": "same", "REACH-004": "gone", "REACH-006": "gone", "REACH-008": "gone"}


def test_the_other_way_round_everything_is_turned(snapshots: tuple[Snapshot, Snapshot], found: Differences) -> None:
    back = diff(snapshots[1], snapshots[0])
    assert {one.finding.rule: one.state for one in back.findings}["REACH-004"] == "new"
    turned = {"added": "removed", "removed": "added", "changed": "changed"}
    assert {(one.kind, one.subject, turned[one.how]) for one in back.nodes} == {
        (one.kind, one.subject, one.how) for one in found.nodes
    }
    assert back.verdicts.counts["broken"] == found.verdicts.counts["fixed"] == 8


def test_what_only_one_side_holds_is_not_compared(snapshots: tuple[Snapshot, Snapshot]) -> None:
    whole = snapshots[0]
    node = whole.node_names[0]
    captured = {name: dict(captures) for name, captures in whole.captured.items()}
    del captured[node]["ipset"], captured[""]["nodes"]
    part = Snapshot(
        whole.source,
        whole.layout,
        whole.digest,
        whole.tables,
        whole.node_names,
        captured,
        whole.regimes,
        whole.read_line,
    )
    got = diff(whole, part)
    assert got.not_compared == {"ipset": (node,)}
    assert not got.objects
    assert not got.nodes


def test_the_command_tells_and_fails_as_asked() -> None:
    got = run("diff", LOCAL, CLUSTER)
    assert got.returncode == 0, got.stderr
    assert "gone: [REACH-004]" in got.stdout
    assert "changed: Service default/nginx external_policy: Local -> Cluster" in got.stdout
    plain = run("diff", LOCAL, CLUSTER, "--json", "--fail-on", "finding-new,broken")
    assert plain.returncode == 0
    told = json.loads(plain.stdout)
    assert told["changed"]
    assert told["verdicts"]["counts"]["fixed"] == 8
    assert run("diff", CLUSTER, LOCAL, "--fail-on", "finding-new").returncode == 1
    assert run("diff", LOCAL, LOCAL, "--fail-on", "any").returncode == 0
    chinese = run("diff", LOCAL, CLUSTER, "--lang", "zh_CN").stdout
    assert "消失: [REACH-004]" in chinese
    assert "changed" not in chinese


def test_a_bundle_that_is_none_is_said() -> None:
    got = run("diff", LOCAL, "/nowhere.tar.gz")
    assert got.returncode == 3
    assert got.stderr.startswith("ipvscope: ")
