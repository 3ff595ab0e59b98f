"""Where the contents of an archive wait: memory while they are few, one nameless temporary file when they are many.

No name from an archive ever reaches the file system, and nothing is left behind even when the process is killed,
because the file has no directory entry (or loses it at once where the system cannot make such a file).
"""

from __future__ import annotations

import io
import os
import tempfile
from typing import IO, TYPE_CHECKING

from analyzer.bundle import reasons
from analyzer.bundle.gauge import CHUNK, Damaged, Gauge, Readable
from analyzer.errors import BundleError

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

KEEP_IN_MEMORY = 32 << 20


class Spool:
    """Appended to while a bundle is opened, then only read, by position, so that threads and forks do not disturb."""

    def __init__(self, gauge: Gauge, keep: int = KEEP_IN_MEMORY) -> None:
        self._gauge, self._keep = gauge, keep
        self._memory = bytearray()
        self._file: IO[bytes] | None = None
        self._end = 0
        self._closed = False

    def store(self, source: Readable) -> tuple[int, int]:
        """Take the whole source; gives (offset, size). A source that fails half way leaves nothing."""
        start = self._end
        try:
            while data := source.read(CHUNK):
                self._gauge.spend(len(data))
                if self._end + len(data) - start > self._gauge.limits.member_bytes:
                    raise Damaged(reasons.MEMBER_BYTES)
                self._append(data)
        except Damaged:
            self.forget(start)
            raise
        return start, self._end - start

    def read(self, offset: int, size: int) -> bytes:
        if self._closed:
            raise BundleError("the bundle was closed before its members were read", where=self._gauge.where)
        if self._file is None:
            return bytes(self._memory[offset : offset + size])
        parts: list[bytes] = []
        while size > 0 and (data := os.pread(self._file.fileno(), size, offset)):
            parts.append(data)
            offset, size = offset + len(data), size - len(data)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def forget(self, start: int) -> None:
        """Drop everything from `start` on."""
        self._end = start
        if self._file is not None:
            self._file.truncate(start)
        else:
            del self._memory[start:]

    def close(self) -> None:
        self._closed = True
        self._memory = bytearray()
        if self._file is not None:
            self._file.close()
            self._file = None

    def _append(self, data: bytes) -> None:
        try:
            if self._file is None and self._end + len(data) <= self._keep:
                self._memory += data
            else:
                if self._file is None:
                    # Unbuffered, and closed by `close`: it lives as long as the bundle.
                    self._file = tempfile.TemporaryFile(buffering=0, prefix="ipvscope-")  # noqa: SIM115
                    self._write(self._memory, 0)
                    self._memory = bytearray()
                self._write(data, self._end)
        except OSError as error:
            hint = "Point TMPDIR to a folder with more space, or unpack the bundle and give the folder."
            raise BundleError(f"no work space: {error.strerror}", where=self._gauge.where, hint=hint) from None
        self._end += len(data)

    def _write(self, data: bytes | bytearray, offset: int) -> None:
        assert self._file is not None
        view = memoryview(data)
        while view:
            written = os.pwrite(self._file.fileno(), view, offset)
            view, offset = view[written:], offset + written


class SpoolView(io.RawIOBase):
    """One stored content as a seekable file, for an archive inside the archive."""

    def __init__(self, spool: Spool, offset: int, size: int) -> None:
        self._spool, self._offset, self._size, self._at = spool, offset, size, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._size}[whence]
        if base + offset < 0:
            raise OSError("seek before the start")
        self._at = base + offset
        return self._at

    def readinto(self, buffer: WriteableBuffer) -> int:
        view = memoryview(buffer).cast("B")
        wanted = max(0, min(len(view), self._size - self._at))
        data = self._spool.read(self._offset + self._at, wanted)
        view[: len(data)] = data
        self._at += len(data)
        return len(data)
