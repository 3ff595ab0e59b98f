"""Members as text, in pieces that end where a line ends."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator
from functools import lru_cache

CHUNK = 4 << 20
_LONGEST = 64 << 20
_MARKS = ((b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))


class Binary(Exception):
    """The member is no text."""


class Chunks:
    """The text of a member, piece by piece.

    Bytes that are no UTF-8 are kept as they are (surrogates); UTF-16 is told by its mark and becomes UTF-8.

    Raises:
        Binary: on iteration, where the content is no text.
    """

    def __init__(self, data: bytes) -> None:
        self._data = data

    def __iter__(self) -> Iterator[str]:
        data = self._data
        if is_binary(data):
            raise Binary
        encoding = next((name for mark, name in _MARKS if data.startswith(mark)), "")
        if encoding:
            yield data.decode(encoding, "replace")
            return
        at = 0
        while at < len(data):
            end = _end(data, at)
            yield data[at:end].decode("utf-8", "surrogateescape")
            at = end


def _end(data: bytes, at: int) -> int:
    """Behind a line end near `at` + CHUNK; in a line without end behind a blank or comma, else anywhere far away."""
    if len(data) - at <= CHUNK:
        return len(data)
    for mark in (b"\n", b" ", b",", b"\0"):
        found = data.rfind(mark, at, at + CHUNK)
        if found >= 0:
            return found + 1
    found = min((one for one in (data.find(mark, at + CHUNK) for mark in (b"\n", b" ", b",")) if one >= 0), default=-1)
    return found + 1 if 0 <= found < at + _LONGEST else min(len(data), at + _LONGEST)


def is_binary(data: bytes) -> bool:
    """Whether the first 64 KiB are no text: more than one in fifty bytes is a control character or no UTF-8.

    >>> is_binary(b"a b\\n"), is_binary(bytes(range(256)))
    (False, True)
    """
    head = data[: 64 << 10]
    if any(head.startswith(mark) for mark, _ in _MARKS):
        return False
    odd = sum(head.count(bytes((code,))) for code in range(32) if code not in (9, 10, 11, 12, 13, 27))
    bad = head.decode("utf-8", "replace").count("\ufffd")
    return odd + bad > max(4, len(head) // 50)


@lru_cache(maxsize=1 << 16)
def unpacked(encoded: str) -> str:
    """What a run of base64 says, if it says anything in ASCII.

    >>> unpacked("MTAuMjAuMzAuNDE"), unpacked("LoadBalancerName")
    ('10.20.30.41', '')
    """
    bare = encoded.rstrip("=")
    try:
        text = base64.b64decode(bare + "=" * (-len(bare) % 4), validate=True).decode("ascii")
    except (binascii.Error, ValueError):
        return ""
    return text if all(letter.isprintable() or letter in "\r\n\t" for letter in text) else ""
