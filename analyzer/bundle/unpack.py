"""What a file is, by its first bytes, and streams that are unpacked piece by piece with their expansion watched."""

from __future__ import annotations

import bz2
import lzma
import tarfile
import zlib
from typing import Final, Literal, Protocol

from analyzer.bundle import reasons
from analyzer.bundle.gauge import CHUNK, STREAM_FREE, Damaged, Gauge, Readable

Kind = Literal["gz", "xz", "bz2", "zst", "zip", "tar", "encrypted", "foreign", "plain"]
COMPRESSED: Final = frozenset({"gz", "xz", "bz2", "zst"})

_SUFFIXES: Final = {
    "gz": ((".tgz", ".tar"), (".gz", "")),
    "xz": ((".txz", ".tar"), (".xz", "")),
    "bz2": ((".tbz2", ".tar"), (".tbz", ".tar"), (".bz2", "")),
    "zst": ((".tzst", ".tar"), (".zst", ""), (".zstd", "")),
}
_MAGIC: Final[tuple[tuple[bytes, Kind], ...]] = (
    (b"\x1f\x8b\x08", "gz"),
    (b"\xfd7zXZ\x00", "xz"),
    (b"\x28\xb5\x2f\xfd", "zst"),
    (b"PK\x03\x04", "zip"),
    (b"PK\x05\x06", "zip"),
    (b"PK\x07\x08PK", "zip"),
    (b"7z\xbc\xaf\x27\x1c", "foreign"),
    (b"Rar!\x1a\x07", "foreign"),
    (b"-----BEGIN PGP MESSAGE-----", "encrypted"),
    (b"age-encryption.org/", "encrypted"),
    (b"Salted__", "encrypted"),
)
# The zstd program refuses windows above 128 MiB unless told otherwise, xz -9 needs 65 MiB: enough for honest files.
_WINDOW: Final = 128 << 20
# One zstd block is at least four bytes and gives at most 128 KiB, and its decoder cannot be asked to stop in between.
_ZSTD_FEED: Final = 512


def sniff(head: bytes) -> Kind:
    """The kind of a file that begins with `head` (up to 512 bytes).

    >>> sniff(b"IP Virtual Server version 1.2.1"), sniff(bytes([31, 139, 8, 0]))
    ('plain', 'gz')
    """
    for magic, kind in _MAGIC:
        if head.startswith(magic):
            return kind
    if head[:3] == b"BZh" and head[3:4].isdigit() and head[4:10] in (b"1AY&SY", b"\x17rE8P\x90"):
        return "bz2"
    if head[257:262] == b"ustar" or _is_old_tar(head):
        return "tar"
    return "plain"


def _is_old_tar(head: bytes) -> bool:
    """A header without the ustar mark has only its checksum to be known by."""
    if len(head) < 512 or not head[0]:
        return False
    try:
        tarfile.TarInfo.frombuf(head, "utf-8", "surrogateescape")
    except (tarfile.HeaderError, ValueError):
        return False
    return True


def without_suffix(name: str, kind: Kind) -> str:
    """The name of the content of a compressed file.

    >>> without_suffix("a/ss.txt.gz", "gz"), without_suffix("n.tgz", "gz"), without_suffix("odd", "gz")
    ('a/ss.txt', 'n.tar', 'odd')
    """
    for suffix, instead in _SUFFIXES.get(kind, ()):
        base = name[: -len(suffix)]
        if name.lower().endswith(suffix) and base and not base.endswith("/"):
            return base + instead
    return name


class _Decoder(Protocol):
    def feed(self, data: bytes) -> bytes:
        """Unpack; with empty `data` go on with what is still held."""

    @property
    def starving(self) -> bool:
        """More input is needed for more output."""

    @property
    def eof(self) -> bool: ...

    @property
    def unused_data(self) -> bytes: ...


class _Zlib:
    def __init__(self) -> None:
        self._object = zlib.decompressobj(wbits=31)

    def feed(self, data: bytes) -> bytes:
        return self._object.decompress(self._object.unconsumed_tail + data, CHUNK)

    @property
    def starving(self) -> bool:
        return not self._object.unconsumed_tail

    @property
    def eof(self) -> bool:
        return self._object.eof

    @property
    def unused_data(self) -> bytes:
        return self._object.unused_data


class _Stdlib:
    def __init__(self, inner: lzma.LZMADecompressor | bz2.BZ2Decompressor) -> None:
        self._object = inner

    def feed(self, data: bytes) -> bytes:
        return self._object.decompress(data, CHUNK)

    @property
    def starving(self) -> bool:
        return self._object.needs_input

    @property
    def eof(self) -> bool:
        return self._object.eof

    @property
    def unused_data(self) -> bytes:
        return self._object.unused_data


class _Zstd:
    def __init__(self) -> None:
        import zstandard

        self._object = zstandard.ZstdDecompressor(max_window_size=_WINDOW).decompressobj()
        self._error = zstandard.ZstdError
        self.starving = True

    def feed(self, data: bytes) -> bytes:
        try:
            return self._object.decompress(data) if data else b""
        except self._error as error:
            raise ValueError(str(error)) from None

    @property
    def eof(self) -> bool:
        return bool(self._object.eof)

    @property
    def unused_data(self) -> bytes:
        return bytes(self._object.unused_data)


def _decoder(kind: Kind) -> _Decoder:
    if kind == "gz":
        return _Zlib()
    if kind == "xz":
        return _Stdlib(lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=2 * _WINDOW))
    if kind == "bz2":
        return _Stdlib(bz2.BZ2Decompressor())
    return _Zstd()


class Unpacked:
    """The content of a gz, xz, bz2 or zst source, which may hold several streams one after the other.

    `why` says after the end whether something was left unread (garbage behind the last stream). A failure is
    final: reading on raises it again. The outermost source of a bundle that expands too far is unsafe as a whole,
    a member that does is refused alone.
    """

    def __init__(self, source: Readable, kind: Kind, gauge: Gauge, *, outermost: bool) -> None:
        self._source, self._kind, self._gauge, self._outermost = source, kind, gauge, outermost
        self._decoder: _Decoder | None = _decoder(kind)
        self._feed = _ZSTD_FEED if kind == "zst" else CHUNK
        self._unfed = b""
        self._held = b""
        self._failure: Exception | None = None
        self._taken = self._given = 0
        self.why = ""

    def read(self, n: int, /) -> bytes:
        while not self._held and (self._failure or self._decoder):
            if self._failure:
                raise self._failure
            try:
                self._held = self._more()
            except (zlib.error, lzma.LZMAError, OSError, EOFError, ValueError):
                self._failure = Damaged(reasons.CORRUPT)
            except Exception as error:
                self._failure = error
        data, self._held = self._held[:n], self._held[n:]
        return data

    def _more(self) -> bytes:
        """The next piece of output, empty when it takes more input; ends by setting the decoder to None."""
        assert self._decoder is not None
        starving = self._decoder.starving
        data = self._take() if starving else b""
        out = self._decoder.feed(data)
        # Without input a decoder may still hold output and its end; only then is the end of the source too early.
        if starving and not data and not out and not self._decoder.eof:
            raise Damaged(reasons.CUT)
        self._given += len(out)
        if self._given > max(STREAM_FREE, self._gauge.limits.ratio * self._taken):
            raise self._gauge.expands() if self._outermost else Damaged(reasons.RATIO)
        if self._decoder.eof:
            self._next_stream(self._decoder.unused_data + self._unfed)
        return out

    def _take(self) -> bytes:
        if not self._unfed:
            self._unfed = self._source.read(CHUNK)
            self._taken += len(self._unfed)
        data, self._unfed = self._unfed[: self._feed], self._unfed[self._feed :]
        return data

    def _next_stream(self, rest: bytes) -> None:
        """Padding of zeros is normal (tapes, xz); another stream may follow; anything else is left unread."""
        rest = rest.lstrip(b"\0")
        while len(rest) < 10 and (more := self._source.read(CHUNK)):
            self._taken += len(more)
            rest = (rest + more).lstrip(b"\0")
        self._unfed = rest
        self._decoder = None
        if sniff(rest) == self._kind:
            self._decoder = _decoder(self._kind)
        elif rest:
            self.why = reasons.TRAILING
