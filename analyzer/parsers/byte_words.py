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

    def first(self, start: I64, byte: int) -> I64:
        """The place of a character among the eight from `start`; 8 where it is not there."""
        mixed = self.starting(start) ^ _every(byte)
        hit = (mixed - _ONES) & ~mixed & _HIGH
        before = ((hit & (~hit + _u(1))) >> _u(7)) - _u(1)
        size = ((before & _ONES) * _ONES) >> _u(56)
        return np.where(hit != 0, size, _u(8)).view(np.int64)

    def blank(self, start: I64, end: I64) -> Flags:
        """Where all characters from `start` to `end` (at most 32, which lie in the text before `end`) are blanks."""
        size = end - start
        good: Flags = (size >= 0) & (size <= 32)
        size = np.where(good, size, 0)
        for at in range(0, int(size.max(initial=0)), 8):
            left = np.clip(size - at, 0, 8)
            good &= ((self.ending(np.maximum(end - at, 8)) ^ _SPACES) & _LAST[left]) == 0
        return good

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


def ipv4_texts(keys: U64) -> tuple[npt.NDArray[np.uint8], I64, Flags]:
    """The addresses of many keys: all characters one after another, where each one begins (and the last ends), and where a key
    was an address. What was none has no characters.

    >>> chars, at, good = ipv4_texts(Words(b"from 203.0.113.10 on").ipv4_keys(np.array([17]), np.array([12]))[0])
    >>> chars.tobytes(), at.tolist(), good.tolist()
    (b'203.0.113.10', [0, 12], [True])
    """
    marks = np.empty((16, len(keys)), dtype=np.uint8)
    low = keys & _u(0x0F0F0F0F0F0F0F0F)  # two halves of bytes, each as bytes again
    marks[0::2] = low.view(np.uint8).reshape(-1, 8).T
    marks[1::2] = ((keys >> _u(4)) & _u(0x0F0F0F0F0F0F0F0F)).view(np.uint8).reshape(-1, 8).T
    used, digit, dot = marks != 15, marks < 10, marks == 14
    good: Flags = (used[1:] | ~used[:-1]).all(axis=0) & (digit | dot | ~used).all(axis=0)
    value, digits, dots = (np.zeros(len(keys), dtype=np.int16) for _ in range(3))
    for column, one, ends in zip(marks, digit, dot, strict=True):
        good &= ~(one & (digits > 0) & (value == 0)) & (digits <= 3) & ~(ends & ((digits == 0) | (value > 255)))
        value = (value * np.where(one, 10, 1) + column * one) * ~ends
        digits = (digits + one) * ~ends
        dots += ends
    good &= (digits > 0) & (digits <= 3) & (value <= 255) & (dots == 3)
    used &= good
    chars = (marks + np.where(dot, 0x20, 0x30).astype(np.uint8)).T[used.T]
    return chars, np.concatenate(([0], np.cumsum(used.sum(axis=0)))), good
