"""`ipvscope inspect` on bundles of others: what was recognised, what is there, what the lack costs; commands over several inputs."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from analyzer import opened
from analyzer.cli.inspect import coverage
from analyzer.cli.matrix import run as matrix
from analyzer.cli.probe import run_one
from analyzer.findings.clocks import Clock, clocks
from analyzer.findings.inputs import CLUSTER_INPUTS, NODE_INPUTS, Input, Inputs, inputs
from analyzer.report.messages import Messages, languages
from tests.bundle.foreign import ack, eks, sos
from tests.bundle.foreign.capture import CASES
from tests.bundle.foreign.harness import capture, write
from tests.bundle.foreign.loose import cluster_only
from tests.bundle.pack import folder

CASE = CASES[0]


def by_name(known: Inputs, node: str) -> dict[str, Input]:
    return {one.name: one for one in known.inputs if one.node == node}


def test_each_input_of_an_ack_bundle(tmp_path: Path) -> None:
    made = capture(CASE)
    with opened(write(tmp_path, ack.uploads(made))) as snapshot:
        known = inputs(snapshot)
        node = by_name(known, made.nodes[0])
        assert {name: one.state for name, one in node.items()} == {
            "ipvsadm": "not-taken", "ip-addr": "present", "ip-route": "present", "ip-rule": "not-taken", "iptables": "present",
            "ipset": "not-taken", "sockets": "present", "sysctl": "present", "conntrack": "present", "ipvs-connections": "missing",
            "kube-proxy-log": "not-taken", "uname": "present",
        }  # fmt: skip
        assert "DRIFT-001" in node["ipvsadm"].rules
        cluster = by_name(known, "")
        assert (cluster["services"].state, cluster["endpoints"].state) == ("partial", "derived")
        assert "without -A" in cluster["services"].detail
        # iptables-save prints when it ran: the three nodes within two seconds
        assert set(known.times) == set(made.nodes)
        assert known.apart_s <= 2
        for language in languages():
            text = coverage(snapshot, Messages(language))
            assert "⟦" not in text
            assert "node0/network_info" in text
            assert "diagnose_k8s.sh" in text


def test_addresses_from_routes_are_called_derived_and_errors_unreadable(tmp_path: Path) -> None:
    made = capture(CASE)
    files = dict(eks.node_files(made, made.nodes[0]))
    del files["networking/ifconfig.txt"]
    files["networking/ipset.txt"] = b"ipset not installed\n"
    with opened(folder(tmp_path / "eks_i-0abcdef123456780_2026", files)) as snapshot:
        node = by_name(inputs(snapshot), "i-0abcdef123456780")
        assert node["ip-addr"].state == "derived"
        assert (node["ipset"].state, node["ipset"].detail) == ("unreadable", "ipset not installed")
        assert (node["sockets"].state, node["sockets"].detail) == ("partial", "netstat -plant lists TCP sockets only")


def test_an_old_capture_is_stale_and_clocks_are_compared(tmp_path: Path) -> None:
    made = capture(CASE)
    uploads = eks.uploads(made)
    first = next(iter(uploads))
    saved = uploads[first]["networking/iptables-save.txt"]
    uploads[first]["networking/iptables-save.txt"] = saved.replace(b"Sun Nov 22 20:", b"Sun Nov 22 19:")
    with opened(write(tmp_path, {**uploads, **cluster_only(made)})) as snapshot:
        known = inputs(snapshot)
        assert 3590 <= by_name(known, made.nodes[0])["iptables"].stale_s <= 3610
        assert by_name(known, made.nodes[1])["iptables"].stale_s == 0
        assert 3590 <= known.apart_s <= 3610


@pytest.mark.parametrize(
    ("change", "sign"),
    [
        ({"sos_commands/networking/ip_-d_address": (b"00:16:3e", b"53:4f:53")}, "sos-clean"),
        ({"sos_commands/ipvs/ipvsadm_-Ln": (b"172.21.", b"x.x.")}, "masked"),
    ],
)
def test_obfuscated_bundles_are_called_so(change: dict[str, tuple[bytes, bytes]], sign: str, tmp_path: Path) -> None:
    made = capture(CASE)
    files = {path.partition("/")[2]: data for path, data in sos.node_files(made, made.nodes[0], objects=False).items()}
    for path, (old, new) in change.items():
        assert old in files[path]
        files[path] = files[path].replace(old, new)
    with opened(folder(tmp_path, files)) as snapshot:
        known = inputs(snapshot)
        assert known.obfuscated == (sign,)
        if sign == "masked":
            assert by_name(known, made.nodes[0])["ipvsadm"].masked > 0


def test_every_input_has_words_in_every_language() -> None:
    for language in languages():
        messages = Messages(language)
        for name in (*NODE_INPUTS, *CLUSTER_INPUTS):
            assert not messages.text(f"inspect.cost.{name}").startswith("⟦")


def test_commands_over_several_inputs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = capture(CASE)
    paths = write(tmp_path, {**eks.uploads(made), **cluster_only(made)})
    run_one(paths, f"node:{made.nodes[2]}", "192.168.1.200:80", as_json=False, node="", lang="en")
    assert "timeout" in capsys.readouterr().out.lower()
    assert matrix(paths, tmp_path / "m.csv", 40, listeners=False, node="") == 0
    assert len(pd.read_csv(tmp_path / "m.csv")) > 0


def visited(tmp_path: Path, **starts: tuple[str, ...]) -> Path:
    """A bundle of `collect.sh all`: each node was called at 10:00:00, answered at 10:00:20, and says when its commands began."""
    visits = [
        {"node": node, "reached": True, "sent": "2026-01-02T10:00:00Z", "received": "2026-01-02T10:00:20Z"}
        for node in starts
    ]
    commands = [
        {"node": node, "file": f"nodes/{node}/hostname.txt", "started": f"2026-01-02T{start}Z", "seconds": 2}
        for node, told in starts.items() for start in told
    ]  # fmt: skip
    manifest = json.dumps({"format": 1, "nodes": visits, "commands": commands})
    names = {f"nodes/{node}/hostname.txt": f"{node}\n".encode() for node in starts}
    return folder(tmp_path, {"manifest.json": manifest.encode(), **names})


def test_clocks_of_nodes_against_the_collecting_machine(tmp_path: Path) -> None:
    times = {"a": ("10:00:01", "10:00:17"), "b": ("10:05:01", "10:05:16"), "c": ("09:58:00",)}
    with opened(visited(tmp_path, **times)) as snapshot:
        assert clocks(snapshot) == (Clock("a", -2, 2), Clock("b", 297, 302), Clock("c", -139, -119))
        assert [one.agrees for one in clocks(snapshot)] == [True, False, False]
        text = coverage(snapshot, Messages("en"))
    assert "b: its clock is 297 to 302 s ahead of the collecting machine's" in text
    assert "c: its clock is 119 to 139 s behind the collecting machine's" in text
    assert "no difference from the collecting machine's: 1 (less than 2 s" in text


@pytest.mark.parametrize(
    "changed",
    [{"nodes": "x"}, {"nodes": [7, {"node": "a"}]}, {"nodes": [{"node": "a", "sent": "", "received": "2026-01-02T10:00:20Z"}]},
     {"commands": []}, {"commands": [{"node": "a", "started": "2026-01-02T10:00:01Z"}, {"node": "a", "started": "2026-01-03T10:00:01Z"}]}],
)  # fmt: skip
def test_what_a_manifest_does_not_say_of_clocks_is_not_known(changed: dict[str, object], tmp_path: Path) -> None:
    root = visited(tmp_path, a=("10:00:01",))
    path = root / "manifest.json"
    path.write_text(json.dumps({**json.loads(path.read_text("utf-8")), **changed}), "utf-8")
    with opened(root) as snapshot:
        assert clocks(snapshot) == ()
        assert "its clock" not in coverage(snapshot, Messages("en"))
