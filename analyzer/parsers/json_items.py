"""The objects of a JSON array of iproute2 with the lines they start on."""

from __future__ import annotations

import json
from typing import Any

from analyzer.parsers.base import Ledger
from analyzer.parsers.envelope import Envelope

_DECODER = json.JSONDecoder()


def items(text: str) -> tuple[list[tuple[int, Any]], str]:
    """(line, object) for each element of the array in `text`, and why reading stopped early (empty when it did not).

    >>> items('[{"a":1},\\n{"b":2}]')
    ([(1, {'a': 1}), (2, {'b': 2})], '')
    """
    found: list[tuple[int, Any]] = []
    at = _skip(text, 0)
    if text[at : at + 1] != "[":
        return [], "no array"
    at = _skip(text, at + 1)
    line, counted = 1 + text.count("\n", 0, at), at
    while at < len(text) and text[at] != "]":
        line += text.count("\n", counted, at)
        counted = at
        try:
            value, at = _DECODER.raw_decode(text, at)
        except (ValueError, RecursionError) as error:
            return found, str(error)[:100]
        found.append((line, value))
        at = _skip(text, at)
        if text[at : at + 1] == ",":
            at = _skip(text, at + 1)
        elif text[at : at + 1] != "]":
            return found, "the array is not closed"
    if text[at : at + 1] != "]":
        return found, "the array is not closed"
    rest = text[at + 1 :].strip()
    # `ip -j route show table all` of some versions prints one array per family.
    return found, "text after the array" if rest else ""


def _skip(text: str, at: int) -> int:
    while at < len(text) and text[at] in " \t\r\n\ufeff":
        at += 1
    return at


def arrays(text: str) -> tuple[list[tuple[int, Any]], str]:
    """The objects of all arrays that follow each other."""
    found: list[tuple[int, Any]] = []
    offset = 0
    while True:
        part = text[offset:]
        got, why = items(part)
        before = text.count("\n", 0, offset)
        found.extend((line + before, value) for line, value in got)
        if why != "text after the array":
            return found, why
        following = _next_array(part)
        if following is None:
            return found, why
        offset += following


def _next_array(text: str) -> int | None:
    """Where a second array starts after the first one."""
    try:
        _, end = _DECODER.raw_decode(text, _skip(text, 0))
    except (ValueError, RecursionError):
        return None
    end = _skip(text, end)
    return end if text[end : end + 1] == "[" else None


def numbered(opened: Envelope) -> str:
    """The text with every line at its original place."""
    rows: list[str] = []
    for number, text in opened.pairs:
        rows.extend([""] * (number - 1 - len(rows)))
        rows.append(text)
    return "\n".join(rows)


def account(ledger: Ledger, opened: Envelope, why: str, found: bool) -> None:
    """Claim the lines of a JSON capture: part of rows, or furniture when there are none; note where reading stopped."""
    for number, text in opened.pairs:
        if text.strip():
            if found:
                ledger.row(number)
            else:
                ledger.furniture(number)
    if why:
        last = next(((number, text) for number, text in reversed(opened.pairs) if text.strip()), (1, ""))
        ledger.also(last[0], "cut" if found else "unparsed", last[1][-200:], why)


def whole(value: object) -> int | None:
    """A JSON integer that fits an Int64 column (booleans are none)."""
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**63 else None


def word(value: object) -> str | None:
    """A JSON string or number as text; anything else is none."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode("utf-8") or None
    return str(value) if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**63 else None


def objects(value: object) -> list[dict[str, Any]]:
    """The objects of a list."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def words(value: object) -> list[str]:
    """The strings of a list."""
    return [text for item in value if (text := word(item))] if isinstance(value, list) else []
