"""The hostile bundles. Large ones are made as streams: nothing of their size is ever in memory or on disk."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import random
import tarfile
import zipfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import zstandard

from analyzer.bundle import reasons

from ..bundle.pack import entry, folder, tar, zipped

GOOD = {
    "nodes/node-a/ip-addr.txt": (
        b"1: lo: <LOOPBACK,UP,LOWER_UP> mtu 65536 qdisc noqueue state UNKNOWN\n    inet 127.0.0.1/8 scope host lo\n"
        b"2: eth0: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500 state UP\n    inet 10.0.0.10/24 scope global eth0\n"
    ),
    "nodes/node-a/sysctl.txt": b"net.ipv4.ip_forward = 1\nnet.ipv4.vs.conntrack = 1\n",
    "nodes/node-a/ipvsadm-Ln.txt": b"IP Virtual Server version 1.2.1 (size=4096)\nProt LocalAddress:Port Scheduler Flags\n"
    b"  -> RemoteAddress:Port           Forward Weight ActiveConn InActConn\nTCP  192.168.1.200:443 rr\n"
    b"  -> 10.20.0.7:8443               Masq    1      0          0\n",
    "cluster/services.json": b'{"kind": "ServiceList", "apiVersion": "v1", "items": []}',
}
GB = 1 << 30


@dataclass(frozen=True)
class Case:
    """`make` writes the bundle below a folder and gives its path.

    `error`: the whole bundle is refused with these words. Else `said` must stand among the reasons of refusals and the
    texts of parse notes, and everything of `GOOD` must be there (unless `partly`).
    """

    name: str
    make: Callable[[Path], Path]
    error: str = ""
    said: str = ""
    partly: bool = False
    large: bool = False


def _written(at: Path, content: bytes) -> Path:
    path = at / "bundle"
    path.write_bytes(content)
    return path


def with_files(files: Iterable[tuple[str | tarfile.TarInfo, bytes]]) -> Callable[[Path], Path]:
    return lambda at: _written(at, gzip.compress(tar([*GOOD.items(), *files]), 1))


def in_zip(files: Iterable[tuple[str | zipfile.ZipInfo, bytes]]) -> Callable[[Path], Path]:
    return lambda at: _written(at, zipped([*GOOD.items(), *files]))


def _zeros(pack: Callable[[bytes], bytes], times: int, size: int = 64 << 20) -> Callable[[Path], Path]:
    """Many streams of zeros behind each other: `times * size` bytes in a small file."""

    def make(at: Path) -> Path:
        one = pack(b"\0" * size)
        path = at / "bundle"
        with path.open("wb") as file:
            for _ in range(times):
                file.write(one)
        return path

    return make


class _Repeated(io.RawIOBase):
    """`size` bytes of a repeated piece, made while they are read."""

    def __init__(self, piece: bytes, size: int) -> None:
        self._piece, self._left = piece * max(1, (1 << 20) // len(piece)), size

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: object) -> int:
        view = memoryview(buffer).cast("B")  # type: ignore[arg-type]
        count = min(len(view), self._left, len(self._piece))
        view[:count] = self._piece[:count]
        self._left -= count
        return count


def long_line(size: int, piece: bytes, name: str = "nodes/node-a/conntrack-L.txt") -> Callable[[Path], Path]:
    """One line of that many bytes in a .tar.zst, beside so much noise that its ratio is no reason to refuse it."""

    def make(at: Path) -> Path:
        path = at / "bundle"
        noise = random.Random(1).randbytes(1 << 20) * 64
        with (
            path.open("wb") as file,
            zstandard.ZstdCompressor(level=1).stream_writer(file, closefd=False) as packed,
            tarfile.open(fileobj=packed, mode="w|") as archive,
        ):
            for good, content in [*GOOD.items(), ("noise.bin", noise[: size // 150])]:
                info = tarfile.TarInfo(good)
                info.size = len(content)
                archive.addfile(info, io.BytesIO(content))
            info = tarfile.TarInfo(name)
            info.size = size
            archive.addfile(info, io.BufferedReader(_Repeated(piece, size)))
        return path

    return make


def sparse_on_disk(size: int) -> Callable[[Path], Path]:
    def make(at: Path) -> Path:
        root = folder(at / "folder", GOOD)
        with (root / "nodes/node-a/conntrack-L.txt").open("wb") as file:
            file.truncate(size)
        return root

    return make


def many_members(count: int) -> Callable[[Path], Path]:
    def make(at: Path) -> Path:
        path = at / "bundle"
        with gzip.open(path, "wb", compresslevel=1) as packed:
            for number in range(count):
                info = tarfile.TarInfo(f"nodes/node-a/f{number}")
                packed.write(info.tobuf(tarfile.USTAR_FORMAT))
            packed.write(bytes(1024))
        return path

    return make


def many_in_zip(count: int) -> Callable[[Path], Path]:
    def make(at: Path) -> Path:
        path = at / "bundle"
        with zipfile.ZipFile(path, "w") as archive:
            for number in range(count):
                archive.writestr(f"f{number}", b"")
        return path

    return make


def nested(depth: int) -> bytes:
    """An archive in an archive in an archive, a bomb at the bottom."""
    inner = gzip.compress(b"\0" * (64 << 20))
    for level in range(depth):
        inner = zipped([(f"level{level}.zip", inner)])
    return inner


def cut(pack: Callable[[bytes], bytes]) -> Callable[[Path], Path]:
    """The good files first, then much that cannot be packed, cut in its middle."""
    noise = random.Random(2).randbytes(3 << 20)

    def make(at: Path) -> Path:
        content = pack(tar([*GOOD.items(), ("nodes/node-a/noise.bin", noise)]))
        return _written(at, content[: len(content) // 2])

    return make


def cut_zip(at: Path) -> Path:
    content = zipped([*GOOD.items(), ("nodes/node-a/noise.bin", random.Random(2).randbytes(1 << 20))])
    return _written(at, content[: len(content) // 2])


def links_in_a_folder(at: Path) -> Path:
    root = folder(at / "folder", GOOD)
    (root / "nodes/node-a/passwd").symlink_to("/etc/passwd")
    (root / "nodes/node-a/all").symlink_to("/")
    os.mkfifo(root / "nodes/node-a/fifo")
    return root


def _pax_sparse() -> tarfile.TarInfo:
    info = tarfile.TarInfo("nodes/node-a/conntrack-L.txt")
    info.pax_headers = {"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.realsize": str(10 * GB)}
    return info


def _link(name: str) -> tuple[zipfile.ZipInfo, bytes]:
    info = zipfile.ZipInfo(name)
    info.external_attr = 0o120777 << 16
    return info, b"/etc/passwd"


def alias_bomb(width: int, depth: int) -> bytes:
    lines = [b"apiVersion: v1", b"kind: Service", b"metadata:", b"  name: web", b"  annotations:", b"    a0: &a0 [x]"]
    for at in range(1, depth):
        lines.append(b"    a%d: &a%d [%s]" % (at, at, b", ".join([b"*a%d" % (at - 1)] * width)))
    return b"\n".join(lines) + b"\n"


TAGS = b"""apiVersion: v1
kind: Service
metadata: {name: web, namespace: !!python/object/apply:os.system ["touch /tmp/ipvscope-was-here"]}
spec: {clusterIP: !!python/name:os.system "", ports: [{port: !!int "443"}]}
"""
WIDE = "TCP  192.168.1.201:443 rr\r\n  -> 10.20.0.8:8443 Masq 1 0 0\r\n"
BANNER = "IP Virtual Server version 1.2.1 (size=4096)\r\nProt LocalAddress:Port Scheduler Flags\r\n"
NODE = "nodes/node-a/"


def cases() -> Iterator[Case]:
    yield Case("path traversal", with_files([("../../etc/cron.d/x", b"x")]), said=reasons.PARENT)
    yield Case("path traversal in a zip", in_zip([("nodes/../../../x", b"x")]), said=reasons.PARENT)
    yield Case("absolute path", with_files([("/etc/passwd", b"x")]), said=reasons.ABSOLUTE)
    yield Case("Windows drive", with_files([("C:/Windows/x", b"x")]), said=reasons.DRIVE)
    yield Case("Windows separators", in_zip([("..\\..\\x", b"x")]), said=reasons.BACKSLASH)
    yield Case("control characters in a name", with_files([("a\x1b]0;x\x07b", b"x")]), said=reasons.CONTROL)
    yield Case("symbolic link", with_files([entry(NODE + "l", tarfile.SYMTYPE, "/etc/passwd")]), said=reasons.LINK)
    yield Case("hard link", with_files([entry(NODE + "l", tarfile.LNKTYPE, "/etc/passwd")]), said=reasons.LINK)
    yield Case("link in a zip", in_zip([_link(NODE + "l")]), said=reasons.LINK)
    yield Case("links and a pipe in a folder", links_in_a_folder, said=reasons.LINK_OUT)
    yield Case("device", with_files([entry(NODE + "sda", tarfile.BLKTYPE)]), said=reasons.SPECIAL)
    yield Case("sparse member of 10 GB", with_files([(_pax_sparse(), b"0\n" + bytes(510))]), said=reasons.SPARSE)
    yield Case("sparse file of 10 GB in a folder", sparse_on_disk(10 * GB), said=reasons.MEMBER_BYTES)
    yield Case("gzip bomb, 10 GB", _zeros(gzip.compress, 160), error="more than 200 times its size", large=True)
    yield Case("xz bomb, 10 GB", _zeros(lambda data: lzma.compress(data, preset=0), 160), error="200 times", large=True)
    yield Case("bzip2 bomb, 10 GB", _zeros(bz2.compress, 160), error="200 times its size", large=True)
    yield Case("zstd bomb, 10 GB", _zeros(zstandard.ZstdCompressor().compress, 160), error="200 times", large=True)
    yield Case("bomb as a member", with_files([(NODE + "x.gz", gzip.compress(bytes(64 << 20)))]), said=reasons.RATIO)
    yield Case("bomb in nested archives", with_files([(NODE + "x.zip", nested(4))]), said=reasons.NESTED)
    yield Case("2,000,000 members", many_members(2_000_000), error="more than 200000 members", large=True)
    yield Case("250,000 members in a zip", many_in_zip(250_000), error="more than 200000 members", large=True)
    yield Case("line of 10 GB", long_line(10 * GB, b"src=10.0.0.1 "), said=reasons.MEMBER_BYTES, large=True)
    yield Case("line of 900 MB", long_line(900 << 20, b"src=10.0.0.1 "), said="", large=True)
    yield Case(
        "duplicate members", with_files([(NODE + "sysctl.txt", GOOD[NODE + "sysctl.txt"])]), said=reasons.DUPLICATE
    )
    yield Case("names that differ in case", with_files([(NODE + "SYSCTL.txt", b"a.b = 1\n")]), said=reasons.CASE)
    yield Case("encrypted", with_files([(NODE + "x.gpg", b"\x85\x02")]), said=reasons.ENCRYPTED)
    yield Case("cut gzip", cut(lambda data: gzip.compress(data, 1)), said=reasons.CUT)
    yield Case("cut xz", cut(lambda data: lzma.compress(data, preset=0)), said=reasons.CUT)
    yield Case("cut zstd", cut(zstandard.ZstdCompressor().compress), said=reasons.CUT)
    yield Case("cut bzip2", cut(bz2.compress), said=reasons.CUT)
    yield Case("cut zip", cut_zip, said=reasons.CUT)
    yield Case(
        "NUL bytes",
        with_files([(NODE + "ip-route.txt", b"default via 10.0.0.1 dev eth0\n" + bytes(4000))]),
        said="\ufffd",
    )
    yield Case(
        "invalid UTF-8",
        with_files([(NODE + "ip-route.txt", b"default via 10.0.0.1 dev eth0\n\xff\xfe\xfa bad\n")]),
        said="bad",
    )
    yield Case("UTF-16", with_files([("nodes/node-b/ipvsadm-Ln.txt", (BANNER + WIDE).encode("utf-16"))]))
    yield Case(
        "cut UTF-16", with_files([("nodes/node-b/ipvsadm-Ln.txt", (BANNER + WIDE).encode("utf-16")[:-7])]), said=""
    )
    yield Case(
        "YAML alias bomb", with_files([("cluster/a.yaml", alias_bomb(10, 12))]), said="aliases expand to too much"
    )
    yield Case("YAML tags", with_files([("cluster/a.yaml", TAGS)]), said="")
    yield Case(
        "deep YAML",
        with_files([("cluster/a.yaml", b"kind: Service\napiVersion: v1\nx: " + b"[" * 50_000)]),
        said="exceeded maximum nesting depth",
    )
    yield Case(
        "deep JSON",
        with_files([("cluster/a.json", b'{"kind":"List","apiVersion":"v1","items":' + b"[" * 200_000)]),
        said="",
    )
    yield Case("deep manifest", with_files([("manifest.json", b'{"a":' * 50_000)]), said=reasons.BAD_MANIFEST)
    yield Case(
        "huge numbers",
        with_files(
            [
                (
                    "cluster/n.json",
                    b'{"kind":"Node","apiVersion":"v1","metadata":{"name":"n","generation":1e999,"x":'
                    + b"9" * 5000
                    + b"}}",
                )
            ]
        ),
    )
    yield Case(
        "regex bait",
        with_files(
            [
                (
                    "cluster/pods.txt",
                    b"NAME" + b"  NOMINATED NODE" * 40_000 + b"\x01\n" + b"--- x" + b" " * 390 + b"y\x01\n",
                )
            ]
        ),
        said="",
    )
    yield Case(
        "100,000 commands in one file",
        with_files(
            [
                (
                    "session.txt",
                    b"[root@node-a ~]# ip neigh\n10.0.0.1 dev eth0 lladdr 00:11:22:33:44:55 STALE\n" * 100_000,
                )
            ]
        ),
        said="too many commands",
        large=True,
    )


def all_cases() -> list[Case]:
    return list(cases())
