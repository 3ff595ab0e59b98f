"""Numbers, IPv4 addresses and fixed words at many places of a text at once.

The text is seen as overlapping little-endian 64-bit words, one per byte offset: a value that *ends* at offset `e` is
the word at ``e - 8``, its last character in the top byte. A few integer operations then work on eight characters of
every row together (SWAR), without making a Python object per value. All functions answer with values and a boolean per
row that says where the text had exactly the expected shape; values where it is false are meaningless.
"""

from __future__ import annotations

import re

import numpy as np
import numpy.typing as npt

U64 = npt.NDArray[np.uint64]
I64 = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]


def _every(byte: int) -> np.uint64:
    return np.uint64(int.from_bytes(bytes([byte]) * 8, "little"))


_ZEROS, _SPACES, _ONES, _HIGH = _every(0x30), _every(0x20), _every(0x01), _every(0x80)
_LOW_NIBBLE, _HIGH_NIBBLE, _ABOVE_NINE = _every(0x0F), _every(0xF0), _every(0x76)
# _LAST[n] keeps the last n characters of a word, 0..16: _LAST for the nearer word, _BEFORE for the one in front of it.
_LAST = np.array([((1 << 64) - 1) ^ ((1 << (64 - 8 * min(n, 8))) - 1) for n in range(17)], dtype=np.uint64)
_BEFORE = np.array([_LAST[max(n - 8, 0)] for n in range(17)], dtype=np.uint64)


def _u(value: int) -> np.uint64:
    return np.uint64(value)


class Words:
    """A text, addressable as bytes (`at`) and as overlapping 64-bit words (`ending`, `starting`)."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.bytes: npt.NDArray[np.uint8] = np.frombuffer(data, dtype=np.uint8)
        self._words: U64 = np.ndarray((max(len(data) - 7, 0),), dtype="<u8", buffer=data, strides=(1,))

    def ending(self, end: I64) -> U64:
        """The eight characters before each offset."""
        return self._words[end - 8]

    def starting(self, start: I64) -> U64:
        return self._words[start]

    def ends_with(self, end: I64, text: bytes) -> Flags:
        """Where the text before `end` is exactly `text` (at most 16 bytes)."""
        size = len(text)
        padded = text.rjust(16, b"\0")
        found: Flags = (self.ending(end) & _LAST[size]) == _u(int.from_bytes(padded[8:], "little"))
        if size > 8:
            found &= (self.ending(end - 8) & _BEFORE[size]) == _u(int.from_bytes(padded[:8], "little"))
        return found

    def starts_with(self, start: I64, text: bytes) -> Flags:
        """Where the text from `start` on is exactly `text` (at least eight bytes)."""
        found: Flags = self._words[start] == _u(int.from_bytes(text[:8], "little"))
        for at in range(8, len(text), 8):
            begin = min(at, len(text) - 8)  # the last word may overlap the one before
            found &= self._words[start + begin] == _u(int.from_bytes(text[begin : begin + 8], "little"))
        return found

    def numbers(self, end: I64, size: I64, wide: bool = False) -> tuple[I64, Flags]:
        """Decimal numbers of `size` digits before `end`: up to 8 digits, with `wide` up to 16."""
        limit = 16 if wide else 8
        good: Flags = (size > 0) & (size <= limit)
        size = np.where(good, size, 0)
        digits = (self.ending(end) ^ _ZEROS) & _LAST[size]
        bad = ((digits + _ABOVE_NINE) | digits) & _HIGH
        value = _eight_digits(digits)
        if wide and bool((size > 8).any()):
            front = (self.ending(end - 8) ^ _ZEROS) & _BEFORE[size]
            bad |= ((front + _ABOVE_NINE) | front) & _HIGH
            value = value + _eight_digits(front) * _u(100_000_000)
        return value.view(np.int64), good & (bad == 0)

    def run_of_digits(self, start: I64) -> tuple[I64, Flags]:
        """The length of the text from `start` to the next blank, where that is less than eight characters."""
        mixed = self.starting(start) ^ _SPACES
        blank = (mixed - _ONES) & ~mixed & _HIGH
        before = ((blank & (~blank + _u(1))) >> _u(7)) - _u(1)  # all bits of the bytes before the first blank
        size = ((before & _ONES) * _ONES) >> _u(56)
        return size.view(np.int64), blank != 0

    def ipv4_keys(self, end: I64, size: I64) -> tuple[U64, Flags]:
        """A number per distinct IPv4 text of `size` characters before `end`.

        Digits and the dot differ in their low four bits (0-9 and E), so 15 characters fit 60 bits without loss; F pads.
        `ipv4_text` turns a key back into text. Whether the text is an address is left to the caller, once per key.
        """
        good: Flags = (size >= 7) & (size <= 15)
        size = np.where(good, size, 0)
        near, near_bad = _nibbles(self.ending(end), _LAST[size])
        far, far_bad = _nibbles(self.ending(end - 8), _BEFORE[size])
        return near << _u(32) | far, good & ((near_bad | far_bad) == 0)


def _eight_digits(digits: U64) -> U64:
    """The value of eight digits, one per byte, the first one lowest: pairs, then fours, then all."""
    digits = (digits * _u(10) + (digits >> _u(8))) & _u(0x00FF00FF00FF00FF)
    digits = (digits * _u(100) + (digits >> _u(16))) & _u(0x0000FFFF0000FFFF)
    return (digits * _u(10000) + (digits >> _u(32))) & _u(0xFFFFFFFF)


def _nibbles(word: U64, mask: U64) -> tuple[U64, U64]:
    """The low halves of eight characters packed into 32 bits; then non-zero where one is no digit and no dot."""
    low = word & _LOW_NIBBLE
    dot = (low >> _u(1)) & (low >> _u(2)) & (low >> _u(3)) & _ONES  # low half is E or F
    # a digit's high half is 3, the dot's is 2; a low half F is no character of an address
    bad = ((((word & _HIGH_NIBBLE) + (dot << _u(4))) ^ _ZEROS) | (dot & low)) & mask
    low = (low & mask) | (~mask & _LOW_NIBBLE)
    low = (low | low >> _u(4)) & _u(0x00FF00FF00FF00FF)
    low = (low | low >> _u(8)) & _u(0x0000FFFF0000FFFF)
    return (low | low >> _u(16)) & _u(0xFFFFFFFF), bad


_OCTET = r"(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
_IPV4 = re.compile(rf"{_OCTET}(?:\.{_OCTET}){{3}}")


def ipv4_text(key: int) -> str | None:
    """The address of a key of `Words.ipv4_keys`; None when its text was no IPv4 address.

    >>> words = Words(b"from 203.0.113.10 on")
    >>> keys, good = words.ipv4_keys(np.array([17]), np.array([12]))
    >>> ipv4_text(int(keys[0]))
    '203.0.113.10'
    """
    text = f"{key:016x}"[::-1].lstrip("f").replace("e", ".")
    return text if _IPV4.fullmatch(text) else None
