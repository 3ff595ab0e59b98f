"""The frame of ``connections`` from columns read by `conntrack_fast` and the rows of the line reader.

The four address columns share one index of categories. Columns become pandas arrays, without a copy where every line
is a row.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from analyzer.parsers import frames
from analyzer.parsers.conntrack_columns import ADDRESSES, FLAGS, NUMBERS, STATES, Columns
from analyzer.parsers.conntrack_slow import Outcome
from analyzer.tables import CONNECTIONS


def frame(columns: Columns, outcome: Outcome, file: str) -> pd.DataFrame:
    """All rows in the order of their lines, with the declared columns; takes the columns' arrays out of `columns`."""
    protocols = _Codes([prefix.protocol for prefix in columns.prefixes])
    # two prefixes may have one protocol (`tcp` in IPv4 and IPv6): their codes are made one
    codes = np.array([protocols.code(prefix.protocol) for prefix in columns.prefixes], dtype=np.int8)
    protocol = codes[columns.protocol] if len(set(codes.tolist())) < len(codes) else columns.protocol
    states = _Codes(list(STATES))
    state = columns.state - np.int8(1)
    origins = _Codes(["deleted" if outcome.deleted else "live"])
    origin = np.zeros(len(columns.taken), dtype=np.int8)
    for row in outcome.rows:
        slot = row["line"] - 1
        columns.taken[slot] = True
        _numbers(columns, slot, row)
        protocol = _put(protocol, slot, protocols.code(row["protocol"]))
        state = _put(state, slot, states.code(row.get("state")))
        origin[slot] = origins.code("deleted" if outcome.deleted else row["origin"])
        columns.extra.pop(slot, None)
        if row.get("extra") is not None:
            columns.extra[slot] = row["extra"]
    columns.drop_caches()
    keep: Any = None if columns.taken.all() else columns.taken
    lines = np.flatnonzero(columns.taken)
    size = len(lines)
    absent = np.full(size, -1, dtype=np.int8)
    data: dict[str, Any] = {
        "node": _category(absent, []),
        "protocol": protocols.series(_kept(protocol, keep)),
        "state": states.series(_kept(state, keep)),
        "origin": origins.series(_kept(origin, keep)),
        "file": _category(np.zeros(size, dtype=np.int8), [file]),
        "extra": _texts(columns.extra, lines),
    }
    for name in NUMBERS:
        known = _kept(columns.known.pop(name), keep)
        mask = np.zeros(size, dtype=np.bool_) if known.all() else ~known
        values = columns.numbers.pop(name)
        if keep is not None:  # a column without values stays untouched zero pages
            values = np.zeros(size, dtype=np.int64) if not known.any() else values[keep]
        data[name] = pd.arrays.IntegerArray(values, mask)
    for name in FLAGS:
        data[name] = pd.arrays.BooleanArray(_kept(columns.flags.pop(name), keep), np.zeros(size, dtype=np.bool_))
    names = pd.Index(columns.names, dtype="str")
    for name in ADDRESSES:
        data[name] = pd.Categorical.from_codes(_kept(columns.addresses.pop(name), keep), names, validate=False)
    lines += 1
    data["line"] = pd.arrays.IntegerArray(lines, np.zeros(size, dtype=np.bool_))
    index = pd.RangeIndex(size)
    series = {name: pd.Series(data[name], index=index, copy=False) for name in CONNECTIONS.names}
    return pd.DataFrame(series, columns=list(CONNECTIONS.names), copy=False)


class _Codes:
    """Small dictionary of a category column."""

    def __init__(self, names: list[str]) -> None:
        self.names = list(dict.fromkeys(names))

    def code(self, name: str | None) -> int:
        if name is None:
            return -1
        if name not in self.names:
            self.names.append(name)
        return self.names.index(name)

    def series(self, codes: Any) -> pd.Categorical:
        """The column with the names that occur; codes are translated as bytes, which needs no index array."""
        if len(self.names) > 120:
            codes, used = (
                codes.astype(np.int32),
                np.flatnonzero(np.bincount(codes + 1, minlength=len(self.names) + 1)[1:]),
            )
            moved = np.full(len(self.names) + 1, -1, dtype=np.int16)
            moved[used + 1] = np.arange(len(used))
            return _category(moved[codes + 1], [self.names[at] for at in used.tolist()])
        text = bytearray(codes.astype(np.int8))
        used_codes = [code for code in range(len(self.names)) if code in text]
        table = bytearray(b"\xff" * 256)  # -1 as a byte
        for position, code in enumerate(used_codes):
            table[code] = position
        moved_codes = np.frombuffer(text.translate(bytes(table)), dtype=np.int8)
        return _category(moved_codes, [self.names[at] for at in used_codes])


def _category(codes: Any, names: list[str]) -> pd.Categorical:
    return pd.Categorical.from_codes(codes, pd.Index(names, dtype="str"), validate=False)


def _kept(values: Any, keep: Any) -> Any:
    return values if keep is None else values[keep]


def _put(codes: Any, slot: int, code: int) -> Any:
    """Set one code; a wider type where it does not fit."""
    if code > np.iinfo(codes.dtype).max - 1:
        codes = codes.astype(np.int32)
    codes[slot] = code
    return codes


def _numbers(columns: Columns, slot: int, row: dict[str, Any]) -> None:
    """Numbers, flags and addresses of a row of the line reader."""
    for name in NUMBERS:
        value = row.get(name)
        columns.known[name][slot] = value is not None
        columns.numbers[name][slot] = 0 if value is None else value
    for name in FLAGS:
        columns.flags[name][slot] = row[name]
    for name in ADDRESSES:
        text = row.get(name)
        columns.addresses[name][slot] = -1 if text is None else columns.code(text)


def _texts(extra: dict[int, str], lines: Any) -> Any:
    """The `extra` column: null but for the given slots."""
    import pyarrow as pa

    if not extra:
        return frames.nulls("str", len(lines))
    slots = np.fromiter(sorted(extra), dtype=np.int64, count=len(extra))
    at = np.searchsorted(lines, slots)
    where = np.full(len(lines), -1, dtype=np.int32)
    where[at] = np.arange(len(slots), dtype=np.int32)
    texts = pa.array([extra[slot] for slot in slots.tolist()], type=pa.large_string())
    return pd.array(texts.take(pa.array(where, mask=where < 0)), dtype="str")
