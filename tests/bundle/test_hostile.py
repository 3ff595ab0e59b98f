"""Archives from people who mean harm, and archives that were cut on the way."""

from __future__ import annotations

import gzip
import io
import os
import random
import re
import struct
import tarfile
import unicodedata
import zipfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from analyzer.bundle import Bundle, Limits, open_bundle, reasons
from analyzer.bundle.names import clean, shown
from analyzer.errors import BundleError, UnsafeBundle

from .pack import FILES, PACKERS, entry, folder, tar, zipped

GOOD = ("node-a/ok.txt", b"fine")
SLOW = settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])


def opened(path: Path, content: bytes, limits: Limits | None = None) -> Bundle:
    path.write_bytes(content)
    return open_bundle(path, limits=limits or Limits())


def why(bundle: Bundle) -> dict[str, str]:
    return {r.path: r.why for r in bundle.refused}


BAD_NAMES = {
    "/etc/passwd": reasons.ABSOLUTE,
    "../../up": reasons.PARENT,
    "a/../../up": reasons.PARENT,
    "C:/x": reasons.DRIVE,
    "c:x": reasons.DRIVE,
    "a\\b": reasons.BACKSLASH,
    "..\\up": reasons.BACKSLASH,
    "a\nb": reasons.CONTROL,
    "a\x1b[31m": reasons.CONTROL,
    "a\u202eb": reasons.CONTROL,
    "x" * 2000: reasons.TOO_LONG,
    "d/" * 40 + "x": reasons.TOO_DEEP,
    "__MACOSX/a": reasons.NOT_A_CAPTURE,
    "n/._a": reasons.NOT_A_CAPTURE,
    "n/.DS_Store": reasons.NOT_A_CAPTURE,
}


@pytest.mark.parametrize("name", BAD_NAMES)
@pytest.mark.parametrize("form", ["pax", "gnu", "zip"])
def test_bad_names_are_refused_and_the_rest_is_read(tmp_path: Path, name: str, form: str) -> None:
    files = [GOOD, (name, b"bad"), ("node-a/also.txt", b"too")]
    content = (
        zipped(files) if form == "zip" else tar(files, tarfile.PAX_FORMAT if form == "pax" else tarfile.GNU_FORMAT)
    )
    bundle = opened(tmp_path / "b", content)
    assert [m.read() for m in bundle.members] == [b"too", b"fine"]
    assert [r.why for r in bundle.refused] == [BAD_NAMES[name]]
    assert bundle.refused[0].path.isprintable()


def test_a_nul_in_a_name_does_not_hide_the_rest_of_it(tmp_path: Path) -> None:
    pax = tarfile.TarInfo("x")
    pax.pax_headers = {"path": "ok.txt\0.exe"}
    bundle = opened(tmp_path / "t", tar([GOOD, (pax, b"")]))
    assert [r.why for r in bundle.refused] == [reasons.CONTROL]
    content = zipped([GOOD, ("ok.txt?.exe", b"bad")]).replace(b"ok.txt?.exe", b"ok.txt\0.exe")
    assert [r.why for r in opened(tmp_path / "z", content).refused] == [reasons.CONTROL]


def test_links_devices_and_pipes_are_refused(tmp_path: Path) -> None:
    kinds = {
        "sym": (tarfile.SYMTYPE, reasons.LINK),
        "hard": (tarfile.LNKTYPE, reasons.LINK),
        "chr": (tarfile.CHRTYPE, reasons.SPECIAL),
        "blk": (tarfile.BLKTYPE, reasons.SPECIAL),
        "fifo": (tarfile.FIFOTYPE, reasons.SPECIAL),
        "odd": (b"Z", reasons.UNKNOWN_KIND),
    }
    content = tar([*(entry(name, kind, "/etc/passwd") for name, (kind, _) in kinds.items()), GOOD])
    bundle = opened(tmp_path / "b", content)
    assert why(bundle) == {name: reason for name, (_, reason) in kinds.items()}
    assert [m.read() for m in bundle.members] == [b"fine"]


def test_sparse_files_are_refused_and_what_follows_is_read(tmp_path: Path) -> None:
    pax = tarfile.TarInfo("new-sparse")
    pax.pax_headers = {"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.realsize": "99999999999"}
    block = bytearray(tarfile.TarInfo("old-sparse").tobuf(tarfile.GNU_FORMAT))
    block[156:157], block[482] = b"S", 1
    block[148:156] = b"%06o\0 " % (sum(block[:148]) + 256 + sum(block[156:512]))
    more = bytearray(512)
    bundle = opened(tmp_path / "b", bytes(block + more) + tar([(pax, b"0\n" + b"\0" * 510), GOOD]))
    assert why(bundle) == {"new-sparse": reasons.SPARSE, "old-sparse": reasons.SPARSE}
    assert [m.read() for m in bundle.members] == [b"fine"]


def test_links_and_pipes_in_a_zip_are_refused(tmp_path: Path) -> None:
    link, pipe = zipfile.ZipInfo("link"), zipfile.ZipInfo("pipe")
    link.external_attr, pipe.external_attr = 0o120777 << 16, 0o010644 << 16
    bundle = opened(tmp_path / "b", zipped([(link, b"/etc/passwd"), (pipe, b""), GOOD]))
    assert why(bundle) == {"link": reasons.LINK, "pipe": reasons.SPECIAL}


def test_links_and_pipes_in_a_folder(tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"secret")
    root = folder(tmp_path / "f", {"a/ok.txt": b"fine", "b/x": b"x"})
    (root / "out").symlink_to(tmp_path / "secret")
    (root / "a" / "up").symlink_to("../../secret")
    (root / "in").symlink_to("a/ok.txt")
    (root / "dir").symlink_to("a")
    (root / "dir-out").symlink_to("/etc")
    (root / "loop").symlink_to("loop")
    os.mkfifo(root / "fifo")
    bundle = open_bundle(root)
    assert {m.path: m.read() for m in bundle.members} == {"a/ok.txt": b"fine", "b/x": b"x", "in": b"fine"}
    assert why(bundle) == {
        "out": reasons.LINK_OUT,
        "a/up": reasons.LINK_OUT,
        "dir": reasons.LINK_DIR,
        "dir-out": reasons.LINK_OUT,
        "loop": reasons.SPECIAL,
        "fifo": reasons.SPECIAL,
    }


def test_a_file_replaced_by_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"secret")
    bundle = open_bundle(folder(tmp_path / "f", {"a": b"fine!!"}))
    (tmp_path / "f" / "a").unlink()
    (tmp_path / "f" / "a").symlink_to(tmp_path / "secret")
    with pytest.raises(BundleError):
        bundle.members[0].read()


def test_equal_names_and_names_that_differ_in_case_are_noted(tmp_path: Path) -> None:
    bundle = opened(tmp_path / "t", tar([("x", b"first"), ("./x", b"last"), ("Y", b"1"), ("y", b"2")]))
    assert {m.path: m.read() for m in bundle.members} == {"x": b"last", "Y": b"1", "y": b"2"}
    assert why(bundle) == {"x": reasons.DUPLICATE, "y": reasons.CASE}


@pytest.mark.parametrize("kind", ["folder", "zip", *PACKERS])
def test_limits_of_the_whole(tmp_path: Path, kind: str) -> None:
    files = {f"f{i}": b"x" * 1000 for i in range(20)}
    if kind == "folder":
        source = folder(tmp_path / "f", files)
    else:
        source = tmp_path / "b"
        source.write_bytes(zipped(files.items()) if kind == "zip" else PACKERS[kind](tar(files.items())))
    for limits, name in ((Limits(members=10), "members"), (Limits(total_bytes=10_000), "size=")):
        with pytest.raises(UnsafeBundle, match=name):
            open_bundle(source, limits=limits)
    bundle = open_bundle(folder(tmp_path / "g", {**files, "big": b"x" * 2000}), limits=Limits(member_bytes=1500))
    assert why(bundle) == {"big": reasons.MEMBER_BYTES}
    assert len(bundle.members) == 20


@pytest.mark.parametrize("kind", ["tar", "zip", "gz"])
def test_a_member_that_is_too_large_is_refused_alone(tmp_path: Path, kind: str) -> None:
    big = b"x" * 2000
    files = [("big", gzip.compress(big) if kind == "gz" else big), ("ok", b"fine")]
    bundle = opened(tmp_path / "b", zipped(files) if kind == "zip" else tar(files), Limits(member_bytes=1500))
    assert why(bundle) == {"big": reasons.MEMBER_BYTES}
    assert [m.read() for m in bundle.members] == [b"fine"]


@pytest.mark.parametrize("kind", sorted(set(PACKERS) - {"tar"}))
def test_an_archive_that_expands_too_far_is_unsafe(tmp_path: Path, kind: str) -> None:
    content = PACKERS[kind](tar([("zeros", b"\0" * (50 << 20))]))
    with pytest.raises(UnsafeBundle, match="ratio"):
        opened(tmp_path / "b", content, Limits(ratio=50))


def test_a_member_that_expands_too_far_is_refused_alone(tmp_path: Path) -> None:
    zeros, noise = b"\0" * (20 << 20), random.Random(1).randbytes(1 << 20)
    for content in (zipped([("zeros", zeros), ("ok", noise)]), tar([("zeros", gzip.compress(zeros)), ("ok", noise)])):
        bundle = opened(tmp_path / "b", content, Limits(ratio=100))
        assert why(bundle) == {"zeros": reasons.RATIO}
        assert [m.path for m in bundle.members] == ["ok"]


def test_overlapping_zip_members_are_stopped(tmp_path: Path) -> None:
    """Many directory entries that share the same data: small file, huge content.

    Pythons that know this bomb (3.11.8, 3.12.2, and patched ones) refuse the second entry themselves.
    """
    one = zipped([("a", b"\0" * (4 << 20))])
    end = one.rindex(b"PK\x05\x06")
    start = one.rindex(b"PK\x01\x02")
    many = one[:start] + one[start:end] * 40
    content = many + struct.pack("<4sHHHHIIH", b"PK\x05\x06", 0, 0, 40, 40, len(many) - start, start, 0)
    try:
        bundle = opened(tmp_path / "b", content)
    except UnsafeBundle as error:
        stopped = str(error)
    else:
        stopped = "ratio" if len(bundle.members) == 1 and bundle.refused else "not at all"
    assert "ratio" in stopped


def test_repeated_text_in_small_files_is_no_bomb(tmp_path: Path) -> None:
    text = b"-A KUBE-SERVICES -j ACCEPT\n" * 200_000
    assert opened(tmp_path / "b", gzip.compress(tar([("a", text)])), Limits(ratio=10)).members[0].size == len(text)


def test_encrypted_and_foreign_members_are_refused(tmp_path: Path) -> None:
    content = bytearray(zipped([("secret", b"x"), ("ok", b"fine")]))
    for mark, at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        content[content.index(mark) + at] |= 1
    assert why(opened(tmp_path / "z", bytes(content))) == {"secret": reasons.ENCRYPTED}
    files = {"a.gpg": b"\x85\x02", "b": b"-----BEGIN PGP MESSAGE-----\n", "c": b"7z\xbc\xaf\x27\x1c", "ok": b"fine"}
    expected = {"a.gpg": reasons.ENCRYPTED, "b": reasons.ENCRYPTED, "c": reasons.FOREIGN_ARCHIVE}
    assert why(opened(tmp_path / "t", tar(files.items()))) == expected
    assert why(open_bundle(folder(tmp_path / "f", files))) == expected
    with pytest.raises(BundleError, match="encrypted"):
        opened(tmp_path / "x.gpg", b"\x85\x02")


def test_what_is_not_there_or_not_a_file(tmp_path: Path) -> None:
    (tmp_path / "empty").write_bytes(b"")
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "fifo")
    for name in ("absent", "empty", "folder", "fifo", "nul\0"):
        with pytest.raises(BundleError, match=re.escape(str(tmp_path))):
            open_bundle(tmp_path / name)
    for content in (tar([]), zipped([]), gzip.compress(b"x" * 10_000)[:20], b"\x1f\x8b\x08garbage", b"PK\x03\x04garb"):
        with pytest.raises(BundleError):
            opened(tmp_path / "bad", content)


SIZE = 240_000  # so that even bzip2, with blocks of 900 kB, has given something before the cut
NOISE = random.Random(7).randbytes
LARGE = [(f"nodes/n{i}/f.txt", NOISE(SIZE)) for i in range(10)]


@pytest.mark.parametrize("kind", [*PACKERS, "zip"])
def test_a_cut_archive_gives_what_stands_before_the_cut(tmp_path: Path, kind: str) -> None:
    whole = zipped(LARGE) if kind == "zip" else PACKERS[kind](tar(LARGE))
    bundle = opened(tmp_path / "b", whole[: len(whole) * 6 // 10])
    assert 1 <= len(bundle.members) < 10
    assert all(m.read() == dict(LARGE)[m.path] for m in bundle.members)
    assert {"b"} & set(why(bundle))
    assert set(why(bundle).values()) <= {reasons.CUT, reasons.NO_DIRECTORY}


def test_a_cut_between_two_members_is_noted_too(tmp_path: Path) -> None:
    whole = tar(LARGE)
    per_member = 512 + SIZE + -SIZE % 512
    assert why(opened(tmp_path / "b", whole[: 3 * per_member])) == {"b": reasons.NO_END}
    damaged = bytearray(whole)
    damaged[3 * per_member + 10] ^= 0xFF
    bundle = opened(tmp_path / "b", bytes(damaged))
    assert why(bundle) == {"b": reasons.CORRUPT}
    assert len(bundle.members) == 3


def test_a_second_archive_behind_the_first_is_noted(tmp_path: Path) -> None:
    bundle = opened(tmp_path / "b", tar([GOOD]) + tar([GOOD]))
    assert why(bundle) == {"b": reasons.TRAILING}


def test_a_damaged_zip_member_is_refused_alone(tmp_path: Path) -> None:
    content = bytearray(zipped([("bad", NOISE(1000)), ("ok", b"fine")], zipfile.ZIP_STORED))
    content[100] ^= 0xFF
    assert why(opened(tmp_path / "b", bytes(content))) == {"bad": reasons.CORRUPT}


def test_a_cut_zip_made_by_a_stream_is_read_as_far_as_it_goes(tmp_path: Path) -> None:
    class NoSeek(io.BytesIO):
        def seekable(self) -> bool:
            return False

        def tell(self) -> int:
            raise OSError

    out = NoSeek()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in [*LARGE, ("tiny/x", b"x")]:
            archive.writestr(name, data)
    cut = out.getvalue()[: out.getvalue().index(b"PK\x01\x02") + 3]
    bundle = opened(tmp_path / "b", cut)
    assert {m.path: m.read() for m in bundle.members} == {**dict(LARGE), "tiny/x": b"x"}
    assert why(bundle) == {"b": reasons.NO_DIRECTORY}


def test_huge_headers_do_not_reach_memory(tmp_path: Path) -> None:
    for kind in (tarfile.GNUTYPE_LONGNAME, tarfile.XHDTYPE):
        info = tarfile.TarInfo("long")
        info.type, info.size = kind, 8 << 30
        bundle = opened(tmp_path / "b", tar([GOOD])[:1024] + info.tobuf(tarfile.GNU_FORMAT) + b"x" * 4096)
        assert why(bundle) == {"b": reasons.CORRUPT}


def test_many_zip_entries_are_counted_before_they_become_objects(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(zipfile, "ZipInfo", None)
    record = struct.pack("<4s4B4HL2L5H2L", b"PK\x01\x02", 20, 3, 20, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0) + b"a"
    directory = record * 50
    end = struct.pack("<4sHHHHIIH", b"PK\x05\x06", 0, 0, 50, 50, len(directory), 0, 0)
    with pytest.raises(UnsafeBundle, match="members"):
        opened(tmp_path / "b", b"PK\x03\x04" + directory + end, Limits(members=20))


@SLOW
@given(name=st.text(max_size=60) | st.lists(st.sampled_from(["..", ".", "", "a", "/", "\\", "C:", "\0"])).map("/".join))
def test_no_name_leaves_the_root(name: str) -> None:
    path, reason = clean(name, Limits())
    assert bool(path) != bool(reason)
    assert not path.startswith("/")
    assert ".." not in path.split("/")
    assert "\\" not in path
    assert os.path.normpath(os.path.join("/root", path)).startswith("/root")
    assert shown(name).encode("utf-8") is not None
    assert all(unicodedata.category(c) not in ("Cc", "Cf") for c in shown(name))


MAGIC = [b"", b"\x1f\x8b\x08\0", b"BZh91AY&SY", b"\xfd7zXZ\0", b"\x28\xb5\x2f\xfd", b"PK\x03\x04", b"PK\x05\x06"]


@SLOW
@given(magic=st.sampled_from(MAGIC), content=st.binary(max_size=2000))
def test_any_bytes_are_a_bundle_or_a_bundle_error(tmp_path: Path, magic: bytes, content: bytes) -> None:
    try:
        with opened(tmp_path / "any", magic + content) as bundle:
            assert [len(m.read()) for m in bundle.members] == [m.size for m in bundle.members]
    except BundleError:
        pass


SMALL = {name: content[:3000] for name, content in FILES.items()}
WHOLE = {**{kind: pack(tar(SMALL.items())) for kind, pack in PACKERS.items()}, "zip": zipped(SMALL.items())}


@SLOW
@given(kind=st.sampled_from(sorted(WHOLE)), data=st.data())
def test_a_damaged_archive_never_breaks_the_reader(tmp_path: Path, kind: str, data: st.DataObject) -> None:
    content = bytearray(WHOLE[kind])
    for at in data.draw(st.lists(st.integers(0, len(content) - 1), max_size=6)):
        content[at] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(1, len(content)))
    try:
        with opened(tmp_path / "any", bytes(content[:cut])) as bundle:
            for member in bundle.members:
                assert len(member.read()) == member.size
                assert clean(member.path, Limits())[0] == member.path
    except BundleError:
        pass
