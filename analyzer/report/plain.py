"""Text from a bundle made harmless and measurable: control characters, widths, shortening, wrapping.

Escaping for HTML is left to the template engine and to `markupsafe`; what happens here is needed in every format:
control characters would drive a terminal, are not allowed in XML, and direction overrides make a line lie.
"""

from __future__ import annotations

import re
import unicodedata

# C0 and C1 controls except tab and newline, bidirectional overrides and isolates, line and paragraph separators,
# lone surrogates, and the two code points XML forbids.
_UNPRINTABLE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufeff\ufffe\uffff]"
)
_BLANKS = re.compile(r"[\t\n]")

# Advance widths of DejaVu Sans in 1/100 em for U+0020 to U+007E: wider than nearly every other sans-serif face, so a
# text that fits by this table also fits where another font is used.
_ASCII = (
    32, 40, 46, 84, 64, 95, 78, 27, 39, 39, 50, 84, 32, 36, 32, 34, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 34, 34, 84,
    84, 84, 53, 100, 68, 69, 70, 77, 63, 58, 77, 75, 29, 29, 66, 56, 86, 75, 79, 60, 79, 69, 63, 61, 73, 68, 99, 69,
    61, 69, 39, 34, 39, 84, 50, 50, 61, 63, 55, 63, 62, 35, 63, 63, 28, 28, 58, 28, 97, 63, 61, 63, 63, 41, 52, 39, 63,
    59, 82, 59, 59, 52, 64, 34, 64, 84,
)  # fmt: skip
_BOLD = 1.14
"""How much wider the bold face is, at most, for text of usual mix."""


def clean(text: object) -> str:
    """The text on one line, control and direction characters shown as U+FFFD.

    >>> clean("a\\x1b[31m\\nb")
    'a\ufffd[31m b'
    """
    return _BLANKS.sub(" ", clean_block(text))


def clean_block(text: object) -> str:
    """The same for text of several lines: newlines and tabs stay."""
    return _UNPRINTABLE.sub("\ufffd", str(text).replace("\r\n", "\n"))


def cut(text: str, limit: int) -> str:
    """The text, cut at `limit` characters with an ellipsis.

    >>> cut("abcdef", 4)
    'abc…'
    """
    return text if len(text) <= limit else text[: limit - 1] + "…"


def width(text: str, size: float, *, bold: bool = False) -> float:
    """How wide a text is at most, in the unit of `size`.

    >>> width("iii", 10) < width("MMM", 10) < width("汉汉汉汉", 10)
    True
    """
    return sum(map(_advance, text)) * size / 100 * (_BOLD if bold else 1)


def _advance(char: str) -> int:
    code = ord(char)
    if 32 <= code < 127:
        return _ASCII[code - 32]
    if unicodedata.combining(char):
        return 0
    return 105 if code > 0x2E80 or unicodedata.east_asian_width(char) in "WF" else 80


def shorten(text: str, room: float, size: float, *, bold: bool = False) -> str:
    """The text, or its beginning and end around an ellipsis so that it fits into `room`.

    >>> shorten("node:cn-hongkong.10.0.0.171", 100, 10)
    'node:cn-h….0.0.171'
    """
    if width(text, size, bold=bold) <= room:
        return text
    # The number of kept characters is found by halving: hostile names may be long.
    low, high = 0, len(text) - 1
    while low < high:
        middle = (low + high + 1) // 2
        if width(_around(text, middle), size, bold=bold) <= room:
            low = middle
        else:
            high = middle - 1
    return _around(text, low)


def _around(text: str, kept: int) -> str:
    head = (kept + 1) // 2
    return text[:head] + "…" + (text[-(kept - head) :] if kept > head else "")


_BREAKABLE = re.compile(r"[^\s/\-.,:;]*[/\-.,:;\s]?")


def wrap(text: str, room: float, size: float, *, bold: bool = False, lines: int = 12) -> list[str]:
    """The text in lines that fit into `room`, broken at blanks and after `/ - . , : ;`, else inside a word.

    At most `lines` lines; the last one then ends with an ellipsis.

    >>> wrap("one two three", 50, 10)
    ['one two', 'three']
    """
    result: list[str] = []
    line = ""
    for piece in _pieces(text[:4000], room, size, bold):
        if line and width((line + piece).rstrip(), size, bold=bold) > room:
            result.append(line.rstrip())
            line = piece.lstrip()
        else:
            line += piece
    if line.strip():
        result.append(line.rstrip())
    if len(result) > lines:
        rest = result[lines - 1] + "…"
        result = [*result[: lines - 1], rest if width(rest, size, bold=bold) <= room else shorten(rest, room, size)]
    return result


def _pieces(text: str, room: float, size: float, bold: bool) -> list[str]:
    """Parts between which a line may end; a part wider than the room, and wide characters, are taken singly."""
    pieces: list[str] = []
    for piece in _BREAKABLE.findall(text):
        if width(piece, size, bold=bold) > room or any(_advance(char) > 100 for char in piece):
            pieces.extend(piece)
        elif piece:
            pieces.append(piece)
    return pieces
