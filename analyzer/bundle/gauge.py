"""What opening a bundle has cost so far, and the errors when it costs too much."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from analyzer.bundle.model import Limits
from analyzer.errors import UnsafeBundle

# Small files of repeated text compress without bound; a ratio says something only above these sizes (bytes of output).
STREAM_FREE = 16 << 20
WHOLE_FREE = 64 << 20
CHUNK = 1 << 16


class Readable(Protocol):
    """A source that is read once from front to back; an empty answer is its end."""

    def read(self, n: int, /) -> bytes: ...


class Damaged(Exception):
    """The data of an archive or member cannot be read on; `why` is one of the reasons. Never leaves this room."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


class Gauge:
    """Counts members and bytes. `on_disk` is the size of the source in bytes, 0 for a folder (no overall ratio)."""

    def __init__(self, limits: Limits, where: str, on_disk: int) -> None:
        self.limits, self.where, self.on_disk = limits, where, on_disk
        self.members = 0
        self.bytes = 0

    def member(self) -> None:
        """One more entry of any kind, read or refused."""
        self.members += 1
        if self.members > self.limits.members:
            self.too_many()

    def too_many(self) -> None:
        raise self.unsafe(f"it holds more than {self.limits.members} members", "members")

    def spend(self, count: int) -> None:
        """`count` more bytes came out of the source, kept or skipped."""
        self.bytes += count
        if self.bytes > self.limits.total_bytes:
            raise self.unsafe(f"it unpacks to more than {self.limits.total_bytes} bytes", "total_bytes")
        if self.on_disk and self.bytes > max(WHOLE_FREE, self.limits.ratio * self.on_disk):
            raise self.expands()

    def expands(self) -> UnsafeBundle:
        return self.unsafe(f"it unpacks to more than {self.limits.ratio} times its size", "ratio")

    def unsafe(self, what: str, limit: str) -> UnsafeBundle:
        raised = (
            "raise it: --limits size=... (for example 40g)" if limit == "total_bytes" else f"raise the limit `{limit}`"
        )
        hint = f"If you trust where it comes from, {raised}, or unpack it yourself and give the folder."
        return UnsafeBundle(what, where=self.where, hint=hint, limit="size" if limit == "total_bytes" else "")


class Peeked:
    """A source whose first bytes (`head`, up to 512) were looked at and are still to be read."""

    def __init__(self, source: Readable) -> None:
        self._source = source
        self.head = exactly(source, 512)
        self._rest = self.head

    def read(self, n: int, /) -> bytes:
        if self._rest:
            data, self._rest = self._rest[:n], self._rest[n:]
            return data
        return self._source.read(n)


class Translated:
    """A library's stream whose many kinds of errors become `Damaged`."""

    def __init__(self, source: Readable, errors: tuple[type[Exception], ...], why: Callable[[Exception], str]) -> None:
        self._source, self._errors, self._why = source, errors, why

    def read(self, n: int, /) -> bytes:
        try:
            return self._source.read(n)
        except self._errors as error:
            raise Damaged(self._why(error)) from None


def exactly(source: Readable, n: int) -> bytes:
    """`n` bytes, fewer only at the end of the source."""
    parts: list[bytes] = []
    while n > 0 and (data := source.read(min(n, CHUNK))):
        parts.append(data)
        n -= len(data)
    return b"".join(parts)
