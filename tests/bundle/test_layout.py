"""Which node a member is given, and when none is."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analyzer.bundle import Bundle, open_bundle, reasons
from analyzer.bundle.layout import arrange
from analyzer.bundle.places import Piece

from .pack import FILES, folder


def placed(*paths: str, node: str = "", **contents: bytes) -> dict[str, tuple[str, str]]:
    """Path to (area, node). Contents are given by the last part of the path without its extension."""
    pieces = []
    for path in paths:
        content = contents.get(path.rpartition("/")[2].partition(".")[0], b"")
        pieces.append(Piece(path, len(content), partial(bytes, content)))
    return {
        piece.path: (place.area, place.node) for piece, place in zip(pieces, arrange(pieces, node).places, strict=True)
    }


def nodes(*paths: str, node: str = "", **contents: bytes) -> dict[str, str]:
    return {path: name for path, (_, name) in placed(*paths, node=node, **contents).items()}


def areas(bundle: Bundle) -> dict[str, tuple[str, str]]:
    return {m.path: (m.area, m.node) for m in bundle.members}


def test_native(tmp_path: Path) -> None:
    bundle = open_bundle(folder(tmp_path, {f"wrapper/{name}": content for name, content in FILES.items()}), node="x")
    assert bundle.layout == "native"
    assert areas(bundle) == {
        "manifest.json": ("manifest", ""),
        "cluster/services.json": ("cluster", ""),
        "cloud/aliyun/listeners.json": ("cloud", ""),
        "nodes/node-a/ipvsadm-Ln.txt": ("node", "node-a"),
        "nodes/node-a/hostname.txt": ("node", "node-a"),
        "nodes/node-b/empty.txt": ("node", "node-b"),
        "nodes/node-b/conntrack-L.txt": ("node", "node-b"),
    }


def test_native_below_a_folder_with_other_files_beside_it() -> None:
    assert placed("README.md", "b/nodes/n1/ss.txt", "b/cluster/pods.json", "b/nodes/n1/old/nodes/n9/ss.txt") == {
        "README.md": ("other", ""),
        "b/nodes/n1/ss.txt": ("node", "n1"),
        "b/cluster/pods.json": ("cluster", ""),
        "b/nodes/n1/old/nodes/n9/ss.txt": ("node", "n1"),
    }


def test_a_bundle_of_one_native_node_keeps_its_folders(tmp_path: Path) -> None:
    bundle = open_bundle(folder(tmp_path, {"nodes/n1/ss.txt": b"", "nodes/n1/x": b""}))
    assert [(m.path, m.node) for m in bundle.members] == [("nodes/n1/ss.txt", "n1"), ("nodes/n1/x", "n1")]


@pytest.mark.parametrize("content", [b"[1]", b"{", b"\xff\xfe", b"[" * 100_000, b'"x"', b""])
def test_a_bad_manifest_is_noted_and_ignored(tmp_path: Path, content: bytes) -> None:
    bundle = open_bundle(folder(tmp_path, {"manifest.json": content, "nodes/a/x": b""}))
    assert bundle.manifest == {}
    assert [(r.path, r.why) for r in bundle.refused] == [("manifest.json", reasons.BAD_MANIFEST)]


def test_the_manifest_nearest_to_the_root_wins(tmp_path: Path) -> None:
    bundle = open_bundle(
        folder(tmp_path, {
            "manifest.json": json.dumps({"depth": 0}).encode(),
            "nodes/a/manifest.json": json.dumps({"depth": 2}).encode(),
        })
    )  # fmt: skip
    assert bundle.manifest == {"depth": 0}
    assert areas(bundle)["nodes/a/manifest.json"] == ("node", "a")


def test_folders_named_after_nodes() -> None:
    got = placed(
        "node-a/ipvsadm.txt", "node-a/x", "node-b/ipvsadm-Ln.txt", "node-c/ss.txt", "docs/x", "kubectl/svc.yaml"
    )
    assert got == {
        "node-a/ipvsadm.txt": ("node", "node-a"),
        "node-a/x": ("node", "node-a"),
        "node-b/ipvsadm-Ln.txt": ("node", "node-b"),
        "node-c/ss.txt": ("node", "node-c"),
        "docs/x": ("other", ""),
        "kubectl/svc.yaml": ("cluster", ""),
    }


def test_folders_named_after_nodes_with_topics_below() -> None:
    got = nodes("w/a1/networking/ipvsadm", "w/a1/systeminfo/conntrack", "w/a2/networking/ipvsadm", "w/a2/before/ss")
    assert set(got.values()) == {"a1", "a2"}
    assert got["w/a2/before/ss"] == "a2"


@pytest.mark.parametrize(
    "paths",
    [
        ("networking/ipvsadm", "networking/netstat", "systeminfo/conntrack", "systeminfo/sysctla"),
        ("before/ipvsadm.txt", "after/ipvsadm.txt"),
        ("networking/namespaces/cni-1/ip_addr", "networking/namespaces/cni-2/ip_addr"),
        ("node-a/ipvsadm.txt", "docs/readme.txt"),
        ("ipvsadm-Ln.txt", "ipvsadm-Lnc.txt", "ipvsadm-save-n.txt", "ipvsadm-Ln-stats.txt"),
        ("conntrack-L.txt", "conntrack-L-extended.txt", "ip-route.txt", "ip-route-all.txt", "ip-d-addr-kube-ipvs0.txt"),
        ("ipset-list.txt", "ipset-save.txt", "iptables-save.txt", "iptables-list.txt", "ss-lnt.txt", "ss-lntup.txt"),
        ("conntrack-20240101.txt", "conntrack-20240102.txt", "conntrack-run1.txt", "conntrack-run2.txt"),
        ("ipvsadm-1.txt", "ipvsadm-2.txt"),
        ("node-a_ipvsadm.txt", "conntrack.txt"),
    ],
)
def test_what_does_not_certainly_name_a_node_stays_without(paths: tuple[str, ...]) -> None:
    assert set(nodes(*paths).values()) == {""}


def test_names_of_files() -> None:
    assert nodes("node-a_ipvsadm.txt", "node-b_ipvsadm.txt", "node-a_ss.txt", "services.json") == {
        "node-a_ipvsadm.txt": "node-a",
        "node-b_ipvsadm.txt": "node-b",
        "node-a_ss.txt": "node-a",
        "services.json": "",
    }
    assert nodes("d/ipvsadm-Ln-worker-1.txt", "d/ipvsadm-Ln-worker-2.txt", "d/ip-addr.txt") == {
        "d/ipvsadm-Ln-worker-1.txt": "worker-1",
        "d/ipvsadm-Ln-worker-2.txt": "worker-2",
        "d/ip-addr.txt": "",
    }
    assert set(nodes("192.0.2.1_conntrack.log", "192.0.2.2_conntrack.log").values()) == {"192.0.2.1", "192.0.2.2"}


def test_host_names() -> None:
    uname = b"Linux node-u 6.1.0 #1 SMP x86_64 GNU/Linux\n"
    assert set(nodes("ipvsadm.txt", "uname.txt", "sub/x", uname=uname).values()) == {"node-u"}
    assert nodes("ss.txt", "hostname", "uname.txt", hostname=b"node-h\n", uname=uname)["ss.txt"] == "node-h"
    assert nodes("ss.txt", "hostname", hostname=b"<b>x</b>")["ss.txt"] == ""
    assert nodes("ss.txt", "hostname", hostname=b"localhost")["ss.txt"] == ""
    assert nodes("ss.txt", "hostname", hostname=b"a" * 300)["ss.txt"] == ""
    assert nodes("ss.txt", "hostname", "kubectl/pods.json", node="given", hostname=b"n") == {
        "ss.txt": "given",
        "hostname": "given",
        "kubectl/pods.json": "",
    }


def test_several_host_names_count_for_their_folders() -> None:
    pieces = [
        Piece(path, len(content), partial(bytes, content))
        for path, content in {
            "before/hostname": b"n1", "before/ss.txt": b"", "after/hostname": b"n2", "after/x/ss.txt": b"", "ss": b"",
        }.items()
    ]  # fmt: skip
    assert [place.node for place in arrange(pieces, "").places] == ["n1", "n1", "n2", "n2", ""]


PARTS = st.sampled_from(["nodes", "cluster", "cloud", "node-a", "node-b", "ipvsadm.txt", "manifest.json", "a_ss", "é"])


@settings(deadline=None, max_examples=150)
@given(st.lists(st.lists(PARTS | st.text(min_size=1, max_size=8), min_size=1, max_size=5).map("/".join), unique=True))
def test_any_paths_have_a_place(paths: list[str]) -> None:
    pieces = [Piece(path, 2, lambda: b"{}") for path in paths]
    assert len(arrange(pieces, "").places) == len(paths)
