"""The addresses of kube-ipvs0 in ``ip addr``: thousands of lines alike, which are read all at once.

An entry is exactly these two lines (IPv6 without the label), an address in canonical form between fixed words::

    inet 203.0.113.10/32 scope global kube-ipvs0
       valid_lft forever preferred_lft forever

Entries below each other are a run. It is cut out, the few other lines are read one by one, and the rows of the run are put back at
their place. Whatever could make a difference (an envelope, other line ends) leaves the whole capture to the line reader.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from analyzer.parsers import envelope, frames
from analyzer.parsers.fields import address
from analyzer.tables import ADDRESSES

if TYPE_CHECKING:
    import pandas as pd

_LIFETIME = b"       valid_lft forever preferred_lft forever\n"
_ENDS = {4: b"/32 scope global kube-ipvs0\n" + _LIFETIME, 6: b"/128 scope global \n" + _LIFETIME}
_BEGINS = {4: b"    inet ", 6: b"    inet6 "}
LEAST = 32
"""Entries from which on a run is worth it."""
_RUN = {
    4: re.compile(rb"(?:^    inet [0-9.]{7,15}" + re.escape(_ENDS[4]) + rb"){%d,}" % LEAST, re.MULTILINE),
    6: re.compile(rb"(?:^    inet6 [0-9a-f:]{2,39}" + re.escape(_ENDS[6]) + rb"){%d,}" % LEAST, re.MULTILINE),
}
LABEL = "kube-ipvs0"


@dataclass(slots=True)
class Run:
    """Entries of one family: the number of the first line, and the addresses (Arrow)."""

    line: int
    family: int
    addresses: Any
    interface: str = ""
    ifindex: int | None = None
    before: int = 0
    """Rows of other lines above it."""

    @property
    def last(self) -> int:
        return self.line + 2 * len(self.addresses) - 1


def cut(data: bytes) -> tuple[envelope.Envelope, list[Run]] | None:
    """The other lines with their numbers, and the runs in their order; null when there are none or something is unusual."""
    if not data.isascii() or any(sign in data for sign in (b"\r", b"\0", b"\x1b")):
        return None
    runs: list[Run] = []
    rest: list[bytes] = []
    numbers: list[int] = []
    at, number = 0, 1
    for begin, end, family in _spans(data):
        found = _addresses(data[begin:end], family)
        if found is None:
            return None
        rest.append(data[at:begin])
        above = rest[-1].count(b"\n")
        numbers.extend(range(number, number + above))
        runs.append(Run(number + above, family, found))
        at, number = end, runs[-1].last + 1
    rest.append(data[at:])
    opened = envelope.lines(b"".join(rest))
    plain = envelope.number_lines(envelope.decode(b"".join(rest)))
    # A line that goes on in the next one, and an envelope of every line, cannot be told without the lines of the run.
    if not runs or not rest[0].strip() or b"\\" in data or opened != envelope.Envelope(plain):
        return None
    numbers.extend(range(number, number + len(plain) - len(numbers)))
    opened.pairs = [(line, text) for line, (_, text) in zip(numbers, plain, strict=True)]
    return opened, runs


_LATEST: dict[int, bytes] = {}


def _spans(data: bytes) -> Iterator[tuple[int, int, int]]:
    """(begin, end, family) of each run. The last one's text is tried first: nodes bind the same addresses."""
    found = []
    for family, pattern in _RUN.items():
        entries = data.count(_BEGINS[family])
        if entries < LEAST:
            continue
        known = _LATEST.get(family, b"")
        begin = data.find(known[:128]) if known else -1
        if begin > 0 and data[begin - 1] == 10 and data.startswith(known, begin):
            around = data.count(_BEGINS[family], 0, begin) + known.count(_BEGINS[family])
            if entries == around and not data.endswith(_ENDS[family], 0, begin):
                found.append((begin, begin + len(known), family))
                continue
        for match in pattern.finditer(data):
            found.append((match.start(), match.end(), family))
            _LATEST[family] = match[0]
    return iter(sorted(found))


@lru_cache(maxsize=8)
def _addresses(run: bytes, family: int) -> Any:
    """The addresses of a run; null when one is none, or not written as tables have it."""
    import pyarrow as pa

    texts = run.removeprefix(_BEGINS[family]).removesuffix(_ENDS[family]).decode("ascii")
    found = texts.split((_ENDS[family] + _BEGINS[family]).decode("ascii"))
    return pa.array(found, pa.large_string()) if all(address(text) == text for text in found) else None


def with_runs(others: pd.DataFrame, runs: list[Run], file: str) -> pd.DataFrame:
    """The rows of other lines with those of the runs between them."""
    import pandas as pd

    parts: list[pd.DataFrame] = []
    at = 0
    for run in runs:
        parts += [others.iloc[at : run.before], _frame(run, file)]
        at = run.before
    parts.append(others.iloc[at:])
    return pd.concat([part for part in parts if len(part)], ignore_index=True)


def _frame(run: Run, file: str) -> pd.DataFrame:
    import numpy as np

    size = len(run.addresses)
    first = np.zeros(size, dtype=np.int8)

    def every(value: int) -> Any:
        return np.full(size, value, dtype=np.int64)

    columns = {
        "interface": frames.coded([run.interface], first),
        "ifindex": None if run.ifindex is None else every(run.ifindex),
        "family": every(run.family),
        "address": frames.from_arrow(run.addresses, "str"),
        "prefix_len": every(32 if run.family == 4 else 128),
        "scope": frames.coded(["global"], first),
        "label": frames.coded([LABEL], first) if run.family == 4 else None,
        "file": frames.constant(file, size),
        "line": np.arange(run.line, run.line + 2 * size, 2, dtype=np.int64),
    }
    return frames.frame(ADDRESSES, columns, size)
