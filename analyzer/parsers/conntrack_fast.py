"""Column-wise reader of conntrack entries, for captures of hundreds of megabytes.

Block by block, the places of `=` and of line ends are found; rows with equally many `=` are compared with the layouts
and prefixes known so far; then each column of all rows of a layout is read at once (`byte_words`). A row that differs
in any way from its layout is left alone: `Columns.taken` stays false at its line, for the line reader.
Every column has one slot per line of the file, so the order of the file and the line numbers come by themselves.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from analyzer.parsers.byte_words import I64, U64, Flags, Words
from analyzer.parsers.conntrack_columns import STATES, Columns
from analyzer.parsers.conntrack_layout import Layout, layout_of, prefix_of
from analyzer.parsers.conntrack_slow import ICMP_TYPES
from analyzer.parsers.fields import address

BLOCK = 2 << 20
MAX_KEYS, MAX_LAYOUTS, MAX_PREFIXES, SAMPLES, WORTH_A_LOOK = 40, 64, 32, 8, 16
SHORTEST_ROW = 48  # a word read from the end of the longest prefix stays inside the row
_TAIL_FLAGS = ((b" [ASSURED]", "assured"), (b" [OFFLOAD]", "offload"), (b" [HW_OFFLOAD]", "offload"))


def read(data: bytes) -> Columns:
    """Take every row of `data` that fits one of its layouts exactly."""
    total = data.count(b"\n") + (not data.endswith(b"\n") and bool(data))
    reader = _Reader(data, Columns(total))
    first = 0
    for begin, end in _blocks(data):
        first = reader.block(begin, end, first)
    return reader.columns


def _blocks(data: bytes) -> Iterator[tuple[int, int]]:
    begin = 0
    while begin < len(data):
        end = data.rfind(b"\n", begin, begin + BLOCK) + 1
        if end == 0:  # a line longer than a block
            end = data.find(b"\n", begin) + 1 or len(data)
        if len(data) - end < 64:  # words are read past the start of a line: no tiny last block
            end = len(data)
        yield begin, end
        begin = end


class _Lines(NamedTuple):
    """Some lines of a block: first and last offset, the places of `=` (one array per position), the slot."""

    starts: I64
    stops: I64
    places: I64
    slots: I64

    def pick(self, chosen: Flags) -> _Lines:
        if chosen.all():
            return self
        return _Lines(self.starts[chosen], self.stops[chosen], self.places[:, chosen], self.slots[chosen])

    def samples(self, data: bytes) -> Iterator[bytes]:
        step = max(1, len(self.slots) // SAMPLES)
        for start, stop in zip(self.starts[::step].tolist(), self.stops[::step].tolist(), strict=True):
            yield data[start : min(stop, start + 2000)]


class _Reader:
    def __init__(self, data: bytes, columns: Columns) -> None:
        self.words = Words(data)
        self.data = data
        self.columns = columns
        self.layouts: dict[int, list[Layout]] = {}

    def block(self, begin: int, end: int, first: int) -> int:
        """Read the lines from `begin` to `end`, whose first slot is `first`; the slot after the last one."""
        text = self.words.bytes[begin:end]
        ends = np.flatnonzero(text == 10) + begin
        if self.data[end - 1] != 10:
            ends = np.append(ends, end)
        starts = np.concatenate((np.array([begin], dtype=np.int64), ends[:-1] + 1))
        equals = np.flatnonzero(text == 61) + begin
        upto = np.searchsorted(equals, ends)
        counts = np.diff(upto, prepend=0)
        after = first + len(starts)
        slots = np.arange(first, after, dtype=np.int64)
        stops = self._trimmed(starts, ends)
        long_enough = stops - starts >= SHORTEST_ROW
        for count in np.flatnonzero(np.bincount(np.minimum(counts, MAX_KEYS + 1))).tolist():
            if not 4 <= count <= MAX_KEYS:
                continue
            rows = np.flatnonzero((counts == count) & long_enough)
            if len(rows):
                at = (upto - counts)[rows]
                places = np.stack([equals[at + k] for k in range(count)])
                self._group(_Lines(starts[rows], stops[rows], places, slots[rows]))
        return after

    def _trimmed(self, starts: I64, ends: I64) -> I64:
        """Ends without a carriage return and one blank."""
        for byte in (13, 32):
            ends = ends - ((ends > starts) & (self.words.bytes[np.maximum(ends - 1, 0)] == byte))
        return ends

    def _group(self, left: _Lines) -> None:
        """Lines with equally many `=`: layout by layout."""
        known = self.layouts.setdefault(len(left.places), [])
        tried = 0
        while len(left.slots):
            if tried == len(known) and not self._learn_layout(known, left):
                return
            layout = known[tried]
            tried += 1
            fits = np.ones(len(left.slots), dtype=np.bool_)
            for at, field in enumerate(layout.fields):
                fits &= self.words.ends_with(left.places[at], b" " + field.key)
            self._prefixes(layout, left.pick(fits))
            left = left.pick(~fits)

    def _prefixes(self, layout: Layout, left: _Lines) -> None:
        """Lines of one layout: prefix by prefix."""
        known = self.columns.prefixes
        tried = 0
        while len(left.slots):
            if tried == len(known) and not self._learn_prefix(left):
                return
            fits = self.words.starts_with(left.starts, known[tried].text)
            if fits.any():
                _Rows(self, layout, tried, left.pick(fits)).read()
                left = left.pick(~fits)
            tried += 1

    def _learn_layout(self, known: list[Layout], lines: _Lines) -> bool:
        if len(lines.slots) < WORTH_A_LOOK or sum(map(len, self.layouts.values())) >= MAX_LAYOUTS:
            return False
        for row in lines.samples(self.data):
            layout = layout_of(row)
            if layout is not None and layout not in known:
                known.append(layout)
                return True
        return False

    def _learn_prefix(self, lines: _Lines) -> bool:
        known = self.columns.prefixes
        if len(known) >= MAX_PREFIXES:
            return False
        for row in lines.samples(self.data):
            prefix = prefix_of(row)
            if prefix is not None and prefix not in known:
                known.append(prefix)
                return True
        return False


class _Rows:
    """The rows of one layout and prefix in one block; `good` shrinks while columns are read."""

    def __init__(self, reader: _Reader, layout: Layout, code: int, lines: _Lines) -> None:
        self.words, self.data, self.columns = reader.words, reader.data, reader.columns
        self.layout, self.prefix, self.code = layout, self.columns.prefixes[code], code
        starts, self.stops, self.places, self.slots = lines
        self.heads = starts + len(self.prefix.text)
        self.good: Flags = np.ones(len(starts), dtype=np.bool_)
        self.flags: dict[str, Flags] = {}
        self.numbers: dict[str, tuple[I64, Flags | None]] = {}
        self.codes: dict[str, npt.NDArray[np.int32]] = {}
        self.texts: dict[int, str] = {}
        self.family: I64 = np.full(len(starts), 4, dtype=np.int64)

    def read(self) -> None:
        state = self._head()
        ends = self._value_ends()
        for at, field in enumerate(self.layout.fields):
            end = ends[at]
            size = end - self.places[at] - 1
            if field.kind == "address":
                continue
            if field.kind in ("port", "number", "unused"):
                values, good = self.words.numbers(end, size, wide=field.kind == "number")
                self.good &= good if field.kind != "port" else good & (values <= 65535)
                if field.column:
                    self.numbers[field.column] = (values, None)
            elif field.kind == "icmp-type" and self.prefix.number in (1, 58):
                values, good = self.words.numbers(end, size)
                possible = ICMP_TYPES["icmp" if self.prefix.number == 1 else "icmpv6"]
                self.good &= good & np.isin(values, list(possible))
        self._addresses(ends)
        self._texts(ends)
        self._store(state)

    def _head(self) -> npt.NDArray[np.int8]:
        """Timeout and state, both absent from offloaded entries, between the prefix and the first `src`."""
        words, heads = self.words, self.heads
        end = self.places[0] - 4  # the blank before `src`
        absent = end < heads
        size, found = words.run_of_digits(heads)
        timeout_end = heads + size
        timeouts, good = words.numbers(timeout_end, size)
        self.numbers["timeout_s"] = (timeouts, ~absent)
        self.good &= absent | (found & good & (timeout_end <= end))
        state = np.zeros(len(heads), dtype=np.int8)
        length = end - timeout_end - 1
        left = np.flatnonzero(self.good & ~absent & (timeout_end < end))
        for code, name in enumerate(STATES, 1):
            if not len(left):
                break
            fits = (length[left] == len(name)) & _ends_long(words, end[left], b" " + name.encode("ascii"))
            state[left[fits]] = code
            left = left[~fits]
        self.good[left] = False
        return state

    def _value_ends(self) -> I64:
        """Where each value ends: before the blank of the next key, or before the flag that stands between."""
        layout, words = self.layout, self.words
        last = len(layout.fields)
        ends = np.empty_like(self.places)
        for at in range(1, last):
            ends[at - 1] = self.places[at] - (len(layout.fields[at].key) + 1)
        ends[last - 1] = self.stops
        flag_of = {layout.reply: ((b" [UNREPLIED]", "unreplied"),), layout.tail: _TAIL_FLAGS}
        for before, choices in flag_of.items():
            end = ends[before - 1]
            bracket = np.flatnonzero(words.bytes[end - 1] == 93)
            for text, name in choices:
                if not len(bracket):
                    break
                fits = words.ends_with(end[bracket], text)
                hit = bracket[fits]
                self.flags.setdefault(name, np.zeros(len(end), dtype=np.bool_))[hit] = True
                end[hit] -= len(text)
                bracket = bracket[~fits]
        return ends

    def _addresses(self, ends: I64) -> None:
        spans = {
            f.column: (self.places[at] + 1, ends[at]) for at, f in enumerate(self.layout.fields) if f.kind == "address"
        }
        v4 = self.good.copy()
        keys: list[U64] = []
        for begin, end in spans.values():
            found, good = self.words.ipv4_keys(end, end - begin)
            keys.append(found)
            v4 &= good
        rest = np.flatnonzero(self.good & ~v4)
        texts = np.stack(keys)
        if v4.all():
            every = self.columns.ipv4_codes(texts.ravel()).reshape(texts.shape)
        else:
            every = np.full(texts.shape, -1, dtype=np.int32)
            every[:, v4] = self.columns.ipv4_codes(texts[:, v4].ravel()).reshape(len(spans), -1)
        self.codes = dict(zip(spans, every, strict=True))
        if len(rest):
            self._ipv6(rest, spans)
        for codes in self.codes.values():
            self.good &= codes >= 0

    def _ipv6(self, rows: I64, spans: dict[str, tuple[I64, I64]]) -> None:
        """Longer addresses, one by one but each distinct text once."""
        seen: dict[bytes, int] = {}
        for column, (begin, end) in spans.items():
            codes = self.codes[column]
            for row, start, stop in zip(rows.tolist(), begin[rows].tolist(), end[rows].tolist(), strict=True):
                text = self.data[start : min(stop, start + 101)]
                code = seen.get(text)
                if code is None:
                    canonical = address(text.decode("latin-1")) if b":" in text and text.isascii() else None
                    code = seen[text] = -1 if canonical is None else self.columns.code(canonical)
                codes[row] = code
        self.family[rows] = 6

    def _texts(self, ends: I64) -> None:
        """Fields without a column: the printed text, each run of them in one piece."""
        for first, last in self.layout.text_runs():
            begins = self.places[first] - len(self.layout.fields[first].key)
            for row in np.flatnonzero(self.good).tolist():
                raw = self.data[begins[row] : ends[last, row]]
                if (
                    raw.count(b" ") != last - first
                    or not raw.isascii()
                    or not raw.decode("ascii").isprintable()
                    or raw[-1] in b"]\\"
                ):
                    self.good[row] = False
                    continue
                text = raw.decode("ascii")
                self.texts[row] = f"{self.texts[row]} {text}" if row in self.texts else text

    def _store(self, state: npt.NDArray[np.int8]) -> None:
        columns = self.columns
        whole = bool(self.good.all())
        chosen: Any = slice(None) if whole else self.good
        slots = self.slots[chosen]
        if not len(slots):
            return
        target: Any = slice(slots[0], slots[-1] + 1) if slots[-1] - slots[0] + 1 == len(slots) else slots
        columns.taken[target] = True
        columns.protocol[target] = self.code
        columns.state[target] = state[chosen]
        self.numbers["family"] = (self.family, None)
        self.numbers["protonum"] = (np.full(len(self.good), self.prefix.number, dtype=np.int64), None)
        for name, (values, known) in self.numbers.items():
            columns.known[name][target] = True if known is None else known[chosen]
            part = values[chosen] if known is None else np.where(known[chosen], values[chosen], 0)
            if part.any():  # zeros are there already: do not touch the pages
                columns.numbers[name][target] = part
        for name, set_ in self.flags.items():
            columns.flags[name][target] = set_[chosen]
        for name, codes in self.codes.items():
            columns.addresses[name][target] = codes[chosen]
        columns.extra.update((int(self.slots[row]), text) for row, text in self.texts.items() if self.good[row])
        columns.has_use = columns.has_use or self.layout.has_use


def _ends_long(words: Words, end: I64, text: bytes) -> Flags:
    """`Words.ends_with` for texts beyond 16 bytes."""
    found = words.ends_with(end, text[-16:])
    return found if len(text) <= 16 else found & words.ends_with(end - 16, text[:-16])
