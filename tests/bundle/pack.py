"""Build small archives of every kind for the tests."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import tarfile
import zipfile
from collections.abc import Callable, Iterable
from pathlib import Path

import zstandard

FILES = {
    "manifest.json": b'{"format": 1, "cluster": "example"}',
    "cluster/services.json": b'{"kind": "List", "items": []}',
    "cloud/aliyun/listeners.json": b"{}",
    "nodes/node-a/ipvsadm-Ln.txt": b"IP Virtual Server version 1.2.1 (size=4096)\n",
    "nodes/node-a/hostname.txt": b"node-a\n",
    "nodes/node-b/empty.txt": b"",
    "nodes/node-b/conntrack-L.txt": b"".join(b"tcp 6 %d ESTABLISHED src=192.0.2.1\n" % i for i in range(5000)),
}
PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "tar": bytes,
    "tar.gz": gzip.compress,
    "tar.bz2": bz2.compress,
    "tar.xz": lzma.compress,
    "tar.zst": zstandard.ZstdCompressor().compress,
}


def tar(files: Iterable[tuple[str | tarfile.TarInfo, bytes]], form: int = tarfile.PAX_FORMAT) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=form) as archive:
        for name, content in files:
            info = tarfile.TarInfo(name) if isinstance(name, str) else name
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return out.getvalue()


def entry(name: str, kind: bytes, target: str = "") -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info, b""


def zipped(files: Iterable[tuple[str | zipfile.ZipInfo, bytes]], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        for name, content in files:
            archive.writestr(name, content)
    return out.getvalue()


def folder(root: Path, files: dict[str, bytes]) -> Path:
    for name, content in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content)
    return root


def every_kind(at: Path, files: dict[str, bytes], top: str = "") -> dict[str, Path]:
    """The same files as a folder and as every kind of archive, under names that say nothing."""
    named = [(top + name, content) for name, content in files.items()]
    made = {"folder": folder(at / "folder", dict(named))}
    contents = {name: pack(tar(named)) for name, pack in PACKERS.items()}
    for form, label in ((tarfile.USTAR_FORMAT, "ustar"), (tarfile.GNU_FORMAT, "gnu")):
        contents[label] = tar(named, form)
    contents["zip"] = zipped(named)
    contents["zip-stored"] = zipped(named, zipfile.ZIP_STORED)
    contents["zip-bz2"] = zipped(named, zipfile.ZIP_BZIP2)
    for i, (label, content) in enumerate(contents.items()):
        made[label] = at / f"upload{i}"
        made[label].write_bytes(content)
    return made
