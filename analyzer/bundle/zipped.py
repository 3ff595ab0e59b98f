"""Zip archives: by their directory, or, when that was cut off, member by member from the front."""

from __future__ import annotations

import io
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO, Final

from analyzer.bundle import reasons
from analyzer.bundle.gauge import CHUNK, STREAM_FREE, Damaged, Gauge, Readable, Translated, exactly
from analyzer.bundle.tape import Slice

_METHODS: Final = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2)
_ERRORS: Final = (
    zipfile.BadZipFile, zlib.error, struct.error, EOFError, OSError, ValueError, NotImplementedError, RuntimeError,
    IndexError, OverflowError,
)  # fmt: skip
_DIRECTORY: Final = b"PK\x01\x02"
_LOCAL: Final = struct.Struct("<4sHHHHHIIIHH")
_UTF8: Final = 0x800
_DESCRIPTOR: Final = 0x08
_HIDDEN: Final = 0x1 | 0x40 | 0x2000


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry: `why` is set when it is not to be read; a folder has neither a reason nor data."""

    name: str
    why: str
    data: Readable | None


def entries(raw: BinaryIO, size: int, gauge: Gauge) -> Iterator[Entry]:
    """All entries in the order of the directory; each must be used before the next is asked for."""
    guard = _Guard(raw, gauge)
    try:
        archive = zipfile.ZipFile(guard)
    except _ERRORS:
        raw.seek(0)
        yield from _from_the_front(raw, gauge)
        return
    guard.armed = False
    with archive:
        for info in archive.infolist():
            gauge.member()
            yield _entry(archive, info, size, gauge)


def _entry(archive: zipfile.ZipFile, info: zipfile.ZipInfo, size: int, gauge: Gauge) -> Entry:
    name = _name(info.orig_filename, bool(info.flag_bits & _UTF8))
    kind = stat.S_IFMT(info.external_attr >> 16)
    if kind == stat.S_IFLNK:
        return Entry(name, reasons.LINK, None)
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        return Entry(name, reasons.SPECIAL, None)
    if name.endswith("/") or kind == stat.S_IFDIR:
        return Entry(name, "", None)
    if info.flag_bits & _HIDDEN:
        return Entry(name, reasons.ENCRYPTED, None)
    if info.compress_type not in _METHODS:
        return Entry(name, reasons.METHOD, None)
    try:
        opened = archive.open(info)
    except _ERRORS as error:
        return Entry(name, _why(error), None)
    # The directory may claim any packed size, but never more than there is.
    packed = max(1, min(info.compress_size, size))
    return Entry(name, "", _Watched(Translated(opened, _ERRORS, _why), packed, gauge))


def _name(name: str, utf8: bool) -> str:
    """Names without the UTF-8 flag were decoded as code page 437; most were UTF-8 all the same."""
    if utf8:
        return name
    try:
        return name.encode("cp437").decode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return name


def _why(error: Exception) -> str:
    return reasons.CUT if isinstance(error, EOFError) else reasons.CORRUPT


class _Guard(io.RawIOBase):
    """Counts directory entries in what `zipfile` reads, before it makes an object of each."""

    def __init__(self, raw: BinaryIO, gauge: Gauge) -> None:
        self._raw, self._gauge = raw, gauge
        self.armed = True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._raw.seek(offset, whence)

    def tell(self) -> int:
        return self._raw.tell()

    def read(self, n: int = -1, /) -> bytes:
        data = self._raw.read(n)
        if self.armed and data.count(_DIRECTORY) > self._gauge.limits.members:
            self._gauge.too_many()
        return data


class _Watched:
    """A member whose expansion is compared with its packed size while it is read."""

    def __init__(self, source: Readable, packed: int, gauge: Gauge) -> None:
        self._source, self._most, self._given = source, max(STREAM_FREE, gauge.limits.ratio * packed), 0

    def read(self, n: int, /) -> bytes:
        data = self._source.read(n)
        self._given += len(data)
        if self._given > self._most:
            raise Damaged(reasons.RATIO)
        return data


def _from_the_front(raw: BinaryIO, gauge: Gauge) -> Iterator[Entry]:
    """Members by the headers before their data. Ends with `Damaged`, since the directory is missing."""
    source = _Pushback(raw)
    while True:
        head = exactly(source, _LOCAL.size)
        if len(head) < _LOCAL.size or head[:4] != b"PK\x03\x04":
            raise Damaged(reasons.NO_DIRECTORY)
        gauge.member()
        _, _, flags, method, _, _, _, packed, _, name_bytes, extra_bytes = _LOCAL.unpack(head)
        name = exactly(source, name_bytes).decode("utf-8", "surrogateescape")
        exactly(source, extra_bytes)
        # Without sizes only a deflated stream knows its own end.
        open_end = bool(flags & _DESCRIPTOR) or packed == 0xFFFFFFFF
        if flags & _HIDDEN or method not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            yield Entry(name, reasons.ENCRYPTED if flags & _HIDDEN else reasons.METHOD, None)
            if open_end:
                raise Damaged(reasons.NO_DIRECTORY)
            _drain(Slice(source, packed), gauge)
            continue
        if method == zipfile.ZIP_STORED:
            if open_end and not name.endswith("/"):
                yield Entry(name, reasons.CUT, None)
                raise Damaged(reasons.NO_DIRECTORY)
            stored = Slice(source, 0 if name.endswith("/") else packed)
            yield Entry(name, "", None if name.endswith("/") else stored)
            _drain(stored, gauge)
        else:
            inflated = _Inflated(source, gauge)
            yield Entry(name, "", inflated)
            _drain(inflated, gauge)
        if flags & _DESCRIPTOR:
            _skip_descriptor(source)


def _drain(source: Readable, gauge: Gauge) -> None:
    while data := source.read(CHUNK):
        gauge.spend(len(data))


def _skip_descriptor(source: _Pushback) -> None:
    """After the data: an optional signature, a checksum, and two sizes of four or eight bytes each."""
    behind = exactly(source, 28)
    for length in (16, 24, 12, 20):
        if behind[length : length + 2] == b"PK":
            source.push(behind[length:])
            return
    raise Damaged(reasons.NO_DIRECTORY)


class _Pushback:
    def __init__(self, raw: BinaryIO) -> None:
        self._raw, self._pushed = raw, b""

    def push(self, data: bytes) -> None:
        self._pushed = data + self._pushed

    def read(self, n: int, /) -> bytes:
        if self._pushed:
            data, self._pushed = self._pushed[:n], self._pushed[n:]
            return data
        return self._raw.read(n)


class _Inflated:
    """A deflated stream of unknown length; what follows it is given back to the source."""

    def __init__(self, source: _Pushback, gauge: Gauge) -> None:
        self._source, self._ratio = source, gauge.limits.ratio
        self._object = zlib.decompressobj(wbits=-15)
        self._taken = self._given = 0

    def read(self, n: int, /) -> bytes:
        while not self._object.eof:
            data = self._object.unconsumed_tail
            if not data:
                data = self._source.read(CHUNK)
                self._taken += len(data)
            try:
                out = self._object.decompress(data, n)
            except zlib.error:
                raise Damaged(reasons.CORRUPT) from None
            if not data and not out and not self._object.eof:
                raise Damaged(reasons.CUT)
            if self._object.eof:
                self._source.push(self._object.unused_data)
            self._given += len(out)
            if self._given > max(STREAM_FREE, self._ratio * self._taken):
                raise Damaged(reasons.RATIO)
            if out:
                return out
        return b""
