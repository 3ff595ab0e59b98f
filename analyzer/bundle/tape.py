"""Tar archives read front to back: ustar, GNU long names, pax headers; sparse files and links are only named.

The standard library's `tarfile` takes a damaged header in the middle for the end of the archive, without a word, and
reads long names of any length into memory; so only its decoding of one header block is used here.
"""

from __future__ import annotations

import re
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass

from analyzer.bundle import reasons
from analyzer.bundle.gauge import CHUNK, Damaged, Gauge, Readable, exactly

_BLOCK = 512
_META_BYTES = 1 << 20
_RECORD = re.compile(rb"([0-9]{1,9}) ([^=\n]{1,256})=")
_REGULAR = (tarfile.REGTYPE, tarfile.AREGTYPE, tarfile.CONTTYPE)
_NO_DATA = {
    tarfile.LNKTYPE: reasons.LINK,
    tarfile.SYMTYPE: reasons.LINK,
    tarfile.CHRTYPE: reasons.SPECIAL,
    tarfile.BLKTYPE: reasons.SPECIAL,
    tarfile.FIFOTYPE: reasons.SPECIAL,
    tarfile.DIRTYPE: "",
}


class Slice:
    """The next `size` bytes of a stream; a stream that ends before is damaged."""

    def __init__(self, stream: Readable, size: int) -> None:
        self._stream, self.left = stream, size

    def read(self, n: int, /) -> bytes:
        wanted = min(n, self.left)
        if wanted <= 0:
            return b""
        data = self._stream.read(wanted)
        if not data:
            raise Damaged(reasons.CUT)
        self.left -= len(data)
        return data


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry: `why` is set when it is not to be read; a folder has neither a reason nor data."""

    name: str
    why: str
    size: int
    data: Slice | None


def entries(stream: Readable, gauge: Gauge) -> Iterator[Entry]:
    """All entries in order; each must be used before the next is asked for.

    Raises `Damaged` where reading ends early.
    """
    pax: dict[bytes, bytes] = {}
    long_name: bytes | None = None
    while True:
        block = exactly(stream, _BLOCK)
        if not block:
            raise Damaged(reasons.NO_END)
        if len(block) < _BLOCK:
            raise Damaged(reasons.CUT)
        if not any(block):
            return
        try:
            header = tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
        except (tarfile.HeaderError, ValueError, OverflowError):
            raise Damaged(reasons.CORRUPT) from None
        gauge.member()
        size, kind = header.size, header.type
        if size < 0:
            raise Damaged(reasons.CORRUPT)
        if kind in (tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK, tarfile.XHDTYPE, tarfile.SOLARIS_XHDTYPE):
            content = _meta(stream, size, gauge)
            if kind == tarfile.GNUTYPE_LONGNAME:
                long_name = content.partition(b"\0")[0]
            elif kind != tarfile.GNUTYPE_LONGLINK:
                pax = _pax(content)
            continue
        if kind == tarfile.XGLTYPE:
            # A header for the whole archive (git writes its commit there) names no member.
            _meta(stream, size, gauge)
            continue
        sparse = kind == tarfile.GNUTYPE_SPARSE or any(key.startswith(b"GNU.sparse") for key in pax)
        if kind == tarfile.GNUTYPE_SPARSE:
            _skip_sparse_map(stream, block, gauge)
        name = header.name
        if b"path" in pax:
            name = pax[b"path"].decode("utf-8", "surrogateescape")
        elif long_name is not None:
            name = long_name.decode("utf-8", "surrogateescape")
        if b"size" in pax:
            if not re.fullmatch(rb"[0-9]{1,18}", pax[b"size"]):
                raise Damaged(reasons.CORRUPT)
            size = int(pax[b"size"])
        pax, long_name = {}, None
        if kind in _NO_DATA:
            yield Entry(name, _NO_DATA[kind], 0, None)
            continue
        why = reasons.SPARSE if sparse else "" if kind in _REGULAR else reasons.UNKNOWN_KIND
        data = Slice(stream, size)
        yield Entry(name, why, size, data)
        data.left += -size % _BLOCK
        skip(data, gauge)


def skip(source: Readable, gauge: Gauge) -> bool:
    """Read to the end, counting what was read; says whether anything but zeros was there."""
    something = False
    while data := source.read(CHUNK):
        gauge.spend(len(data))
        something = something or any(data)
    return something


def _meta(stream: Readable, size: int, gauge: Gauge) -> bytes:
    if size > _META_BYTES:
        raise Damaged(reasons.CORRUPT)
    padded = size + -size % _BLOCK
    gauge.spend(padded)
    content = exactly(stream, padded)
    if len(content) < padded:
        raise Damaged(reasons.CUT)
    return content[:size]


def _pax(content: bytes) -> dict[bytes, bytes]:
    """Records ``LENGTH KEY=VALUE\\n`` where LENGTH counts the whole record (POSIX pax, extended header)."""
    found: dict[bytes, bytes] = {}
    at = 0
    while at < len(content) and content[at]:
        match = _RECORD.match(content, at)
        end = at + int(match[1]) if match else 0
        if not match or end <= match.end() or end > len(content) or content[end - 1] != ord("\n"):
            raise Damaged(reasons.CORRUPT)
        found[match[2]] = content[match.end() : end - 1]
        at = end
    return found


def _skip_sparse_map(stream: Readable, block: bytes, gauge: Gauge) -> None:
    """GNU's old sparse format continues its map in further blocks while a flag says so (byte 482, then 504)."""
    more = block[482]
    while more:
        gauge.spend(_BLOCK)
        block = exactly(stream, _BLOCK)
        if len(block) < _BLOCK:
            raise Damaged(reasons.CUT)
        more = block[504]
