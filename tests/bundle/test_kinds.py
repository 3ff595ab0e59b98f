"""The same files give the same bundle, however they were packed."""

from __future__ import annotations

import bz2
import gzip
import lzma
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard

from analyzer.bundle import open_bundle, reasons
from analyzer.bundle import spool as spool_module
from analyzer.errors import BundleError

from .pack import FILES, PACKERS, every_kind, folder, tar, zipped

PACK_ONE: dict[str, Callable[[bytes], bytes]] = {
    "gz": gzip.compress,
    "bz2": bz2.compress,
    "xz": lzma.compress,
    "zst": PACKERS["tar.zst"],
}


@pytest.mark.parametrize("top", ["", "bundle-1/", "tmp/diagnose_1/"])
def test_every_kind_gives_equal_members_and_digest(tmp_path: Path, top: str) -> None:
    digests = set()
    for kind, path in every_kind(tmp_path, FILES, top).items():
        with open_bundle(path) as bundle:
            assert {m.path: m.read() for m in bundle.members} == FILES, kind
            assert [m.read() for m in bundle.members] == [m.read() for m in bundle.members]
            assert [m.size for m in bundle.members] == [len(m.read()) for m in bundle.members]
            assert bundle.refused == (), kind
            assert bundle.layout == "native"
            assert bundle.manifest == {"format": 1, "cluster": "example"}
            digests.add(bundle.digest)
    assert len(digests) == 1


def test_digest_tells_contents_and_names_apart(tmp_path: Path) -> None:
    digests = set()
    for i, files in enumerate([{"a": b"1", "b": b"2"}, {"a": b"2", "b": b"1"}, {"a": b"1", "c": b"2"}, {"a": b"1"}]):
        digests.add(open_bundle(folder(tmp_path / str(i), files)).digest)
    assert len(digests) == 4


def test_a_single_file_is_a_bundle_of_one(tmp_path: Path) -> None:
    (tmp_path / "ipvsadm.txt").write_bytes(b"IP Virtual Server\n")
    bundle = open_bundle(tmp_path / "ipvsadm.txt", node="node-a")
    assert [(m.path, m.node, m.area, m.read()) for m in bundle.members] == [
        ("ipvsadm.txt", "node-a", "node", b"IP Virtual Server\n")
    ]


@pytest.mark.parametrize("kind", PACK_ONE)
def test_files_compressed_alone_are_unpacked(tmp_path: Path, kind: str) -> None:
    text = b"tcp 6 ESTABLISHED\n" * 1000
    packed = PACK_ONE[kind](text)
    for source in (
        folder(tmp_path / "f", {f"n/ss.txt.{kind}": packed, "n/x": b""}),
        _write(tmp_path / "t", tar([(f"n/ss.txt.{kind}", packed), ("n/x", b"")])),
        _write(tmp_path / "z", zipped([(f"n/ss.txt.{kind}", packed), ("n/x", b"")])),
    ):
        with open_bundle(source) as bundle:
            assert {m.path: m.read() for m in bundle.members} == {"ss.txt": text, "x": b""}
    alone = open_bundle(_write(tmp_path / f"ss.txt.{kind}", packed))
    assert [(m.path, m.read()) for m in alone.members] == [("ss.txt", text)]


@pytest.mark.parametrize("kind", PACK_ONE)
def test_several_streams_in_one_file_are_one_content(tmp_path: Path, kind: str) -> None:
    pack = PACK_ONE[kind]
    path = _write(tmp_path / f"ss.txt.{kind}", pack(b"one\n") + pack(b"two\n") + b"\0" * 512)
    assert open_bundle(path).members[0].read() == b"one\ntwo\n"


@pytest.mark.parametrize("kind", PACK_ONE)
def test_garbage_behind_a_stream_is_noted(tmp_path: Path, kind: str) -> None:
    bundle = open_bundle(_write(tmp_path / f"ss.txt.{kind}", PACK_ONE[kind](b"one\n") + b"garbage, long enough"))
    assert bundle.members[0].read() == b"one\n"
    assert [r.why for r in bundle.refused] == [reasons.TRAILING]


def test_a_packed_file_beside_its_plain_form_keeps_its_name(tmp_path: Path) -> None:
    bundle = open_bundle(folder(tmp_path, {"a.txt": b"new", "a.txt.gz": gzip.compress(b"old")}))
    assert {m.path: m.read() for m in bundle.members} == {"a.txt": b"new", "a.txt.gz": b"old"}
    assert bundle.refused == ()


def test_archives_inside_are_opened_two_levels_deep(tmp_path: Path) -> None:
    inner = {
        "node-a.tar.gz": gzip.compress(tar([("eks_1/networking/ipvsadm.txt", b"a"), ("eks_1/system/uname", b"")])),
        "node-b.zip": zipped([("networking/ipvsadm.txt", b"b"), ("system/uname", b"")]),
        "node-c.tgz": gzip.compress(tar([("deep.tar", tar([("deeper.tar", tar([("x", b"x")]))]))])),
    }
    for source in (
        folder(tmp_path / "f", inner),
        _write(tmp_path / "t", tar(inner.items())),
        _write(tmp_path / "z", gzip.compress(zipped(inner.items()))),
    ):
        with open_bundle(source) as bundle:
            assert {m.path: (m.node, m.read()) for m in bundle.members if m.size} == {
                "node-a/networking/ipvsadm.txt": ("node-a", b"a"),
                "node-b/networking/ipvsadm.txt": ("node-b", b"b"),
            }
            assert [(r.path, r.why) for r in bundle.refused] == [("node-c/deep/deeper.tar", reasons.NESTED)]


def test_nothing_is_left_in_the_temporary_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(work))
    monkeypatch.setattr(spool_module, "KEEP_IN_MEMORY", 100)
    monkeypatch.setattr(spool_module.Spool.__init__, "__defaults__", (100,))
    source = _write(tmp_path / "b", gzip.compress(tar(FILES.items())))
    descriptors = len(os.listdir("/proc/self/fd"))
    with open_bundle(source) as bundle:
        assert {m.path: m.read() for m in bundle.members} == FILES
        assert len(os.listdir("/proc/self/fd")) == descriptors + 1
    assert list(work.iterdir()) == []
    assert len(os.listdir("/proc/self/fd")) == descriptors
    bundle.close()
    with pytest.raises(BundleError, match="closed"):
        bundle.members[0].read()


def test_memory_stays_small_while_much_is_read(tmp_path: Path) -> None:
    line = os.urandom(8 << 20)
    path = tmp_path / "big.tar.zst"
    files = [(f"nodes/n{i}/conntrack.txt", line) for i in range(12)]
    path.write_bytes(zstandard.ZstdCompressor(level=1).compress(tar(files)))
    script = (
        "import resource, sys\nfrom analyzer.bundle import open_bundle\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "with open_bundle(sys.argv[1]) as b:\n    total = sum(len(m.read()) for m in b.members)\n"
        "print(total, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)\n"
    )
    out = subprocess.run([sys.executable, "-c", script, str(path)], capture_output=True, text=True, check=True).stdout
    total, kilobytes = map(int, out.split())
    assert total == 12 * len(line)
    assert kilobytes < 80 << 10


def test_opening_does_not_load_pandas() -> None:
    script = "import sys, analyzer.bundle; sys.exit('pandas' in sys.modules or 'zstandard' in sys.modules)"
    subprocess.run([sys.executable, "-c", script], check=True)


def _write(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path
