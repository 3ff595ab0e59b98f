"""Entries that honest but unusual tools write, and the corners of the two archive readers."""

from __future__ import annotations

import os
import tarfile
import tempfile
import zipfile
from pathlib import Path

import pytest

from analyzer.bundle import Bundle, Limits, open_bundle, reasons
from analyzer.bundle.gauge import Gauge
from analyzer.bundle.spool import Spool, SpoolView
from analyzer.errors import BundleError

from .pack import entry, tar, zipped


def opened(path: Path, content: bytes) -> Bundle:
    path.write_bytes(content)
    return open_bundle(path)


def why(bundle: Bundle) -> dict[str, str]:
    return {r.path: r.why for r in bundle.refused}


def test_folders_in_archives_are_no_members_and_no_complaint(tmp_path: Path) -> None:
    files: list[tuple[str | tarfile.TarInfo, bytes]] = [
        entry("./", tarfile.DIRTYPE),
        entry("./n/", tarfile.DIRTYPE),
        ("./n/x", b"x"),
        ("./m/y", b"y"),
    ]
    bundle = opened(tmp_path / "t", tar(files))
    assert ([m.path for m in bundle.members], bundle.refused) == (["m/y", "n/x"], ())
    bundle = opened(tmp_path / "z", zipped([("n/", b""), ("n/x", b"x"), ("m/y", b"y")]))
    assert ([m.path for m in bundle.members], bundle.refused) == (["m/y", "n/x"], ())


def test_a_folder_that_leaves_the_root_is_noted(tmp_path: Path) -> None:
    assert why(opened(tmp_path / "t", tar([entry("../up", tarfile.DIRTYPE), ("x", b"x")]))) == {"../up": reasons.PARENT}


@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_long_names_are_whole(tmp_path: Path, form: int) -> None:
    name = "nodes/" + "n" * 90 + "/" + "f" * 90
    bundle = opened(tmp_path / "t", tar([(name, b"x"), ("nodes/a/y", b"y")], form))
    assert [m.path for m in bundle.members] == ["nodes/a/y", name]


def test_long_link_targets_and_global_headers_are_passed_over(tmp_path: Path) -> None:
    content = tar([entry("link", tarfile.SYMTYPE, "t" * 300), ("x", b"x")], tarfile.GNU_FORMAT)
    marked = tarfile.TarInfo.create_pax_global_header({"comment": "c" * 40}) + content
    bundle = opened(tmp_path / "t", marked)
    assert (why(bundle), [m.path for m in bundle.members]) == ({"link": reasons.LINK}, ["x"])


def test_names_that_are_no_utf8_are_told_apart(tmp_path: Path) -> None:
    raw = [os.fsdecode(b"\xff.txt"), os.fsdecode(b"\xfe.txt"), "é.txt"]
    bundle = opened(tmp_path / "t", tar([(name, b"") for name in raw], tarfile.GNU_FORMAT))
    assert [m.path for m in bundle.members] == ["%FE.txt", "%FF.txt", "é.txt"]
    packed = zipped([("AB.txt", b"")]).replace(b"AB.txt", "é.txt".encode())
    assert [m.path for m in opened(tmp_path / "z", packed).members] == ["é.txt"]


def _with_size(name: str, size: bytes) -> bytes:
    block = bytearray(tarfile.TarInfo(name).tobuf(tarfile.USTAR_FORMAT))
    block[124:136] = size
    block[148:156] = b"%06o\0 " % (sum(block[:148]) + 256 + sum(block[156:512]))
    return bytes(block)


def test_impossible_sizes_end_the_archive(tmp_path: Path) -> None:
    good = tar([("x", b"x")])[:1024]
    negative = _with_size("n", b"\xff" * 12)
    huge = _with_size("h", b"\x80" + b"\0" * 3 + b"\x7f" + b"\xff" * 7)
    assert why(opened(tmp_path / "n", good + negative + bytes(1024))) == {"n": reasons.CORRUPT}
    assert why(opened(tmp_path / "h", good + huge + bytes(1024)))["h"] in (reasons.CUT, reasons.MEMBER_BYTES)
    pax = tarfile.TarInfo("p")
    pax.pax_headers = {"size": "-1"}
    assert why(opened(tmp_path / "p", good + tar([(pax, b"")]))) == {"p": reasons.CORRUPT}
    broken = tar([(pax, b"")]).replace(b"11 size=-1\n", b"99 size=-1\n")
    assert why(opened(tmp_path / "q", good + broken)) == {"q": reasons.CORRUPT}


def test_a_zip_method_that_is_not_read_is_refused(tmp_path: Path) -> None:
    content = zipped([("lzma", b"x" * 100)], zipfile.ZIP_LZMA)
    with pytest.raises(BundleError, match="method"):
        opened(tmp_path / "z", content)
    with pytest.raises(BundleError, match="method"):
        opened(tmp_path / "cut", content[:-30])


def test_a_cut_zip_of_stored_members(tmp_path: Path) -> None:
    content = zipped([("d/", b""), ("d/a", b"a" * 50), ("e/b", b"b" * 50)], zipfile.ZIP_STORED)
    bundle = opened(tmp_path / "z", content[: content.index(b"bbb") + 10])
    assert {m.path: m.read() for m in bundle.members} == {"a": b"a" * 50}
    assert why(bundle) == {"e/b": reasons.CUT, "z": reasons.CUT}


def test_a_full_disk_is_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(**_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(tempfile, "TemporaryFile", full)
    spool = Spool(Gauge(Limits(), "b", 0), keep=4)
    with open("/dev/zero", "rb") as zeros, pytest.raises(BundleError, match="TMPDIR"):
        spool.store(zeros)


def test_a_refused_content_gives_its_space_back() -> None:
    class Short:
        def __init__(self, content: bytes) -> None:
            self.content = content

        def read(self, n: int, /) -> bytes:
            data, self.content = self.content[:n], self.content[n:]
            return data

    spool = Spool(Gauge(Limits(member_bytes=200_000), "b", 0), keep=100_000)
    first = spool.store(Short(b"1" * 90_000))
    with pytest.raises(Exception, match="larger"):
        spool.store(Short(b"2" * 300_000))
    second = spool.store(Short(b"3" * 150_000))
    assert second == (90_000, 150_000)
    assert spool.read(*first) == b"1" * 90_000
    assert spool.read(*second) == b"3" * 150_000
    view = SpoolView(spool, *second)
    view.seek(-5, os.SEEK_END)
    assert view.read() == b"33333"
    with pytest.raises(OSError, match="before"):
        view.seek(-1)
    spool.close()
