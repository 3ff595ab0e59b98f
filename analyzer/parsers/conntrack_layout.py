"""What the rows of one conntrack capture share: the order of their keys, and the words in front of the first key.

A kernel prints all rows of one kind alike, so a few layouts and prefixes cover a file. They are read off sample rows; a
row with keys or an order the column-wise reader has no place for gives no layout and stays for the line reader.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from analyzer.parsers.conntrack_slow import EXTRA_KEYS, FLOW

Kind = Literal["address", "port", "number", "icmp-type", "text", "unused"]

LONGEST_PREFIX = 40
_KEY = re.compile(rb"[ \]]([a-z][a-z-]{0,14})=")
_COLUMNS: dict[str, tuple[str, Kind]] = {
    "src": ("src", "address"),
    "dst": ("dst", "address"),
    "sport": ("sport", "port"),
    "dport": ("dport", "port"),
    "packets": ("packets", "number"),
    "bytes": ("bytes", "number"),
}
_GENERAL: dict[str, tuple[str, Kind]] = {
    "mark": ("mark", "number"),
    "zone": ("zone", "number"),
    "use": ("", "unused"),
}


@dataclass(frozen=True, slots=True)
class Field:
    """One key of a layout: the column it fills (empty when none), and how its value reads."""

    key: bytes
    column: str
    kind: Kind


@dataclass(frozen=True, slots=True)
class Layout:
    """The keys of a row in order; `reply` is the position of the second `src`, `tail` that of the first key after the
    reply tuple.

    `[UNREPLIED]` stands before `reply`; `[ASSURED]` and the offload flags stand before `tail`, or at the row's end.
    """

    fields: tuple[Field, ...]
    reply: int
    tail: int

    @property
    def has_use(self) -> bool:
        return any(field.key == b"use" for field in self.fields)

    def text_runs(self) -> list[tuple[int, int]]:
        """First and last position of each run of neighbouring fields that are kept as text."""
        runs: list[tuple[int, int]] = []
        for at, field in enumerate(self.fields):
            if field.kind not in ("text", "icmp-type"):
                continue
            if runs and runs[-1][1] == at - 1 and at not in (self.reply, self.tail):
                runs[-1] = (runs[-1][0], at)
            else:
                runs.append((at, at))
        return runs


def layout_of(row: bytes) -> Layout | None:
    """The layout of one row, or None when it is not one of the regular ones."""
    keys = _KEY.findall(row)
    if len(keys) != row.count(b"=") or keys.count(b"src") != 2 or keys[0] != b"src":
        return None
    fields: list[Field] = []
    reply = keys.index(b"src", 1)
    tail = len(keys)
    for at, key in enumerate(keys):
        name = key.decode("ascii")
        direction = "orig" if at < reply else "reply"
        if name in _COLUMNS:
            column, kind = _COLUMNS[name]
            column = f"{direction}_{column}"
        elif name in _GENERAL:
            column, kind = _GENERAL[name]
        elif name in EXTRA_KEYS:
            column, kind = "", "icmp-type" if name == "type" else "text"
        else:
            return None
        in_tuple = (
            name in _COLUMNS or name in ("type", "code", "srckey", "dstkey") or (name == "id" and _in_icmp(keys, at))
        )
        if tail < len(keys) and in_tuple:
            return None
        if not in_tuple and tail == len(keys):
            tail = at
        fields.append(Field(key, column, kind))
    filled = [field.column for field in fields if field.column]
    if tail <= reply or len(set(filled)) != len(filled) or not {"orig_dst", "reply_dst"} <= set(filled):
        return None
    if keys.count(b"use") > 1:
        return None
    return Layout(tuple(fields), reply, tail)


def _in_icmp(keys: list[bytes], at: int) -> bool:
    return at >= 2 and keys[at - 2 : at] == [b"type", b"code"]


@dataclass(frozen=True, slots=True)
class Prefix:
    """The text before the timeout, blanks included: ``ipv4     2 tcp      6 ``."""

    text: bytes
    protocol: str
    number: int


def prefix_of(row: bytes) -> Prefix | None:
    """The prefix of one row, or None when it does not begin as an entry."""
    begin = row.partition(b"=")[0][:64]
    try:
        text = begin.decode("ascii")
    except UnicodeDecodeError:
        return None
    match = FLOW.match(text)
    if match is None or not 8 <= match.end() <= LONGEST_PREFIX or int(match["number"]) > 255:
        return None
    l3 = (match["l3"] or "").split()
    if l3 and int(l3[1]) > 255:
        return None
    return Prefix(begin[: match.end()], match["protocol"], int(match["number"]))
