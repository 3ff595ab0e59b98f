"""How collectors' bundles are found in what a person uploads, and what of them is read."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from analyzer import build_world, opened, probe
from analyzer.bundle import Limits, open_bundle, open_bundles, reasons
from analyzer.bundle.layouts import layouts
from analyzer.errors import BundleError
from analyzer.parsers.registry import parse_member

from .foreign import ack, cilium, eks, sos, troubleshoot
from .foreign.capture import CASES
from .foreign.harness import capture, native, rows, write
from .foreign.loose import cluster_only
from .pack import folder, tar, zipped

CASE = CASES[0]
SAVED = b"*nat\n:POSTROUTING ACCEPT [0:0]\n-A POSTROUTING -j MASQUERADE\nCOMMIT\n"


def test_every_layout_says_what_it_is() -> None:
    for layout in layouts():
        assert layout.title
        assert layout.markers or layout.single
        assert layout.rules


def test_archives_of_several_nodes_in_one_zip(tmp_path: Path) -> None:
    """A person puts all reports into one zip: each is a bundle of its own, with its own node."""
    inner = {name: gzip.compress(tar(files.items())) for name, files in ack.uploads(capture(CASE)).items()}
    (tmp_path / "all.zip").write_bytes(zipped(inner.items()))
    with opened(tmp_path / "all.zip") as snapshot:
        assert snapshot.layout == "ack-diagnose"
        assert snapshot.node_names == native(CASE).node_names
        assert rows(snapshot["iptables_rules"]) == rows(native(CASE)["iptables_rules"])


def test_different_collectors_in_one_archive(tmp_path: Path) -> None:
    made = capture(CASE)
    first = sos.node_files(made, made.nodes[0], objects=False)
    second = {f"other/{name}": data for name, data in eks.node_files(made, made.nodes[1]).items()}
    bundle = open_bundle(folder(tmp_path, {**first, **second, "notes.txt": b"see attached"}))
    assert bundle.layout == "eks+sos"
    assert {part.layout: part.node for part in bundle.parts} == {"sos": made.nodes[0], "eks": "other"}


def test_a_bundle_inside_a_bundle(tmp_path: Path) -> None:
    """sos inside must-gather keeps its own rules; the outer layout does not name it."""
    made = capture(CASE)
    inner = {f"extra/{name}": data for name, data in sos.node_files(made, made.nodes[0], objects=False).items()}
    files = {"mg/cluster-scoped-resources/core/x.yaml": b"", "mg/namespaces/a/core/services.yaml": b""}
    bundle = open_bundle(folder(tmp_path, {**files, **{f"mg/{name}": data for name, data in inner.items()}}))
    assert [part.layout for part in bundle.parts] == ["must-gather", "sos"]


def test_an_address_without_a_scope_is_no_source_if_it_is_loopback(tmp_path: Path) -> None:
    """ifconfig prints no scope; a node's own connections do not leave with 127.0.0.1."""
    made = capture(CASE)
    with opened(write(tmp_path, {**eks.uploads(made), **cluster_only(made)})) as snapshot:
        verdict = probe(build_world(snapshot), f"node:{made.nodes[0]}", "10.0.0.172:80")
        assert verdict.seen_source_ips == ("10.0.0.171",)


def test_two_collectors_in_one_folder(tmp_path: Path) -> None:
    """Unpacked over each other: each file is read by the layout that knows it."""
    files = {
        "version.yaml": b"", "cluster-resources/services/a.json": b"", "cluster-scoped-resources/core/x.yaml": b"",
        "namespaces/a/core/services.yaml": b"", "stray.txt": b"",
    }  # fmt: skip
    bundle = open_bundle(folder(tmp_path, files))
    assert bundle.layout == "must-gather+troubleshoot"
    assert {m.path: m.area for m in bundle.members if not m.unused} == {
        "cluster-resources/services/a.json": "cluster", "namespaces/a/core/services.yaml": "cluster",
    }  # fmt: skip


def test_saved_configuration_is_not_taken_for_the_kernels_state(tmp_path: Path) -> None:
    made = capture(CASE)
    files = sos.node_files(made, made.nodes[0], objects=False)
    kept = {name: data for name, data in files.items() if "firewall_tables" not in name}
    with opened(folder(tmp_path, kept)) as snapshot:
        assert not snapshot.has(made.nodes[0], "iptables")
        ignored = snapshot["captures"].set_index("file").loc["etc/sysconfig/iptables"]
        assert ignored["state"] == "ignored"
        # of the other namespace nothing is mixed in
        assert "198.51.100.9" not in set(snapshot["addresses"]["address"])


def test_nested_bombs_are_caught_by_the_same_limits(tmp_path: Path) -> None:
    made = cilium.uploads(capture(CASE))["sysdump.zip"]
    bomb = gzip.compress(tar([("cilium-bugtool-x/cmd/ip-a.md", b"\0" * (80 << 20))]))
    top = next(iter(made)).partition("/")[0]
    (tmp_path / "b.zip").write_bytes(zipped([*made.items(), (f"{top}/cilium-bugtool-x.tar.gz", bomb)]))
    with open_bundle(tmp_path / "b.zip", limits=Limits(ratio=50)) as bundle:
        assert reasons.RATIO in {one.why for one in bundle.refused}
        assert any(member.path.endswith("cmd/ip-a.md") for member in bundle.members)


def test_several_inputs_keep_their_names_apart(tmp_path: Path) -> None:
    one, other = folder(tmp_path / "a" / "node", {"ipvsadm.txt": b""}), folder(tmp_path / "b" / "node", {"ss.txt": b""})
    with open_bundles([one, other], node="n") as bundle:
        assert [member.path for member in bundle.members] == ["node/ipvsadm.txt", "node-2/ss.txt"]
        assert bundle.source == "node+node"
    with pytest.raises(BundleError, match="no such file"):
        open_bundles([one, tmp_path / "absent"])


def test_manifests_of_native_parts_become_one(tmp_path: Path) -> None:
    parts = []
    for name in ("a", "b"):
        command = {"node": name, "file": f"nodes/{name}/ss.txt", "started": "2026-01-02T03:04:05Z"}
        files = {
            "manifest.json": json.dumps({"format": 1, "commands": [command]}).encode(),
            f"nodes/{name}/ss.txt": b"",
        }
        parts.append(folder(tmp_path / name, files))
    bundle = open_bundles(parts)
    commands = bundle.manifest["commands"]
    assert isinstance(commands, list)
    assert [command["file"] for command in commands] == ["a/nodes/a/ss.txt", "b/nodes/b/ss.txt"]


def test_what_the_time_limit_cut_is_not_complete(tmp_path: Path) -> None:
    made = capture(CASE)
    node = made.nodes[0]
    files = ack.node_files(made, node, objects=False, cut=True)
    with opened(folder(tmp_path, files)) as snapshot:
        assert snapshot.has(node, "conntrack")
        assert not snapshot.complete(node, "conntrack")
        assert not snapshot.has("", "services")  # an empty dump was not taken


def test_logs_cannot_speak_for_the_collector() -> None:
    """What a container logged is neither an object nor a command's output."""
    found = parse_member(ack.stream(capture(CASE)), "cluster_dump.log")
    assert [form.name for form, _ in found] == ["kubectl-json"]
    assert "a-log-line" not in set(found[0][1].tables["services"]["name"])


def test_partial_dumps_prove_no_absence(tmp_path: Path) -> None:
    with opened(write(tmp_path, ack.uploads(capture(CASE)))) as snapshot:
        assert snapshot.has("", "services")
        assert not snapshot.complete("", "services")
        assert not snapshot.has("", "endpoints")
        assert set(snapshot["endpoints"]["source"]) == {"Pod"}


def test_a_list_that_could_not_be_read_is_no_empty_cluster(tmp_path: Path) -> None:
    files = dict(troubleshoot.uploads(capture(CASE))["support-bundle.tar.gz"])
    top = next(iter(files)).partition("/")[0]
    files[f"{top}/cluster-resources/services-errors.json"] = b'["services is forbidden"]'
    with opened(folder(tmp_path, files)) as snapshot:
        assert not snapshot.complete("", "services")
