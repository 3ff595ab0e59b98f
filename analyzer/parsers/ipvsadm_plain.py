"""Large listings of the ordinary shape, column by column: `ipvsadm -Ln`.

Blocks of lines are split at blanks all at once, and whole columns are checked; a block that is not plain throughout is
read line by line, each distinct text once. A line that is not plain goes to the `Reader`, so that rows, notes and the
account of lines are the same as its own. What changes the listing as a whole (another title, save lines, statistics)
ends the attempt.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import lru_cache
from itertools import compress
from operator import not_
from typing import TYPE_CHECKING, Any, NamedTuple

from analyzer.parsers import envelope, frames
from analyzer.parsers.base import Ledger, LineCount, Parsed
from analyzer.parsers.fields import address, family, integer, split_endpoint
from analyzer.parsers.ipvs_servers import FORWARDING, TABLES, Virtual, with_family
from analyzer.parsers.ipvsadm_reader import Reader, line_ends_lost
from analyzer.schema import TableSchema
from analyzer.tables import REAL_SERVERS, VIRTUAL_SERVERS

if TYPE_CHECKING:
    import pandas as pd

BLOCK = 1 << 14
_INT64 = 2**63 - 1
_PROTOCOLS = {"TCP": "tcp", "UDP": "udp", "SCTP": "sctp"}
_OCTET = r"(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
_ENDPOINTS = re.compile(rf"(?:{_OCTET}\.{_OCTET}\.{_OCTET}\.{_OCTET}:[0-9]{{1,5}} )*+")
Column = Any  # a list, or an array of integers


class _Virtual(NamedTuple):
    protocol: str
    address: str
    port: int
    family: int | None
    scheduler: str
    persistence_s: int | None


class _Real(NamedTuple):
    address: str
    port: int
    forwarding: str
    weight: int
    active: int
    inactive: int


class _Table:
    """Plain rows of one table: blocks of columns, and the `loose` ones that came one by one."""

    def __init__(self, names: tuple[str, ...]) -> None:
        self.names = (*names, "line")
        self.blocks: list[tuple[Column, ...]] = []
        self.loose: list[tuple[Any, ...]] = []

    def __len__(self) -> int:
        return sum(len(block[-1]) for block in self.blocks) + len(self.loose)

    def columns(self) -> dict[str, Any]:
        """All rows, block by block, the loose ones last."""
        import numpy as np

        loose = (tuple(map(list, zip(*self.loose, strict=True))),) if self.loose else ()
        found: dict[str, Any] = {}
        for name, *parts in zip(self.names, *self.blocks, *loose, strict=True):
            arrays = bool(parts) and all(isinstance(part, np.ndarray) for part in parts[: len(self.blocks)])
            found[name] = np.concatenate(parts) if arrays and self.blocks else [v for part in parts for v in part]
        return found


class Columns:
    """Rows read so far: plain ones by column, the others as mappings, in no order but with their lines."""

    def __init__(self, ledger: Ledger) -> None:
        self.reader = Reader(ledger)
        self.virtuals = _Table(_Virtual._fields)
        self.reals = _Table(_Real._fields)
        self.odd: envelope.Pairs = []
        self.odd_virtuals: list[dict[str, Any]] = []
        self.odd_reals: list[dict[str, Any]] = []
        self.lost: list[int] = []  # lines of virtual servers that cannot be read
        self.blank = 0
        self.seen = False  # a virtual server: real servers below have an owner

    def block(self, pairs: envelope.Pairs) -> bool:
        """Take some lines below a virtual server; false when the listing is not plain as a whole."""
        numbers, texts = zip(*pairs, strict=True)
        real = [text[:5] == "  -> " for text in texts]
        reals = _real_columns(" ".join(compress(texts, real)), sum(real))
        others = list(compress(pairs, map(not_, real)))
        short = [text.startswith(("TCP ", "UDP ", "SCTP ")) and " persistent " not in text for _, text in others]
        virtuals = _virtual_columns([text for _, text in compress(others, short)])
        if reals is None or virtuals is None:
            return all(self.line(number, text) for number, text in pairs)
        self.reals.blocks.append((*reals, _lines(compress(numbers, real))))
        self.virtuals.blocks.append((*virtuals, _lines(number for number, _ in compress(others, short))))
        return all(self.line(number, text) for number, text in compress(others, map(not_, short)))

    def line(self, number: int, text: str, *, cut: bool = False) -> bool:
        found = None if cut else _plain_line(text)
        if type(found) is _Virtual and self.ready:
            into, self.seen = self.virtuals, True
        elif type(found) is _Real and self.seen:
            into = self.reals
        elif text.strip():
            return self._odd(number, text, cut)
        else:
            self.blank += 1
            return True
        into.loose.append((*found, number))
        return True

    @property
    def ready(self) -> bool:
        """Whether the title was read: before it a row may mean another listing."""
        return bool(self.reader.listings) and self.reader.listings[0].kind == "list"

    def _odd(self, number: int, text: str, cut: bool) -> bool:
        """Let the reader take a line, as if it had taken all the others."""
        reader = self.reader
        if line_ends_lost(text.strip()):
            return False
        if reader.listings:
            reader.listings[0].virtuals = [Virtual(0, {})] if self.seen else []
        reader.step(number, text, cut=cut)
        self.odd.append((number, text))
        if not reader.listings:
            return True
        if len(reader.listings) > 1 or reader.listings[0].kind not in ("new", "list"):
            return False
        virtuals = reader.listings[0].virtuals
        for virtual in virtuals[1 if self.seen else 0 :]:
            if virtual.line:
                self.odd_virtuals.append({**with_family(virtual.values), "line": virtual.line})
            else:
                self.lost.append(number)
        self.odd_reals += [{**values, "line": line} for virtual in virtuals for line, values in virtual.reals]
        self.seen = bool(virtuals)
        return True

    def frames(self, file: str) -> dict[str, pd.DataFrame]:
        """Both tables in the order of the lines."""
        import numpy as np

        virtuals = _in_order(VIRTUAL_SERVERS, self.virtuals, self.odd_virtuals, file)
        reals = _in_order(REAL_SERVERS, self.reals, self.odd_reals, file)
        owners = virtuals["line"].to_numpy(dtype=np.int64)
        lines = reals["line"].to_numpy(dtype=np.int64)
        owner = np.searchsorted(owners, lines) - 1
        if self.lost:
            lost = np.array([0, *self.lost], dtype=np.int64)
            lost = lost[np.searchsorted(lost, lines, side="right") - 1]
            owner[lost > np.append(owners, 0)[owner]] = -1
        own = {name: reals[name].array for name in reals.columns}
        for name in ("protocol", "address", "port", "fwmark", "line"):
            own[f"vs_{name}"] = virtuals[name].array.take(owner, allow_fill=True)
        return {VIRTUAL_SERVERS.name: virtuals, REAL_SERVERS.name: frames.frame(REAL_SERVERS, own, len(reals))}


def _in_order(schema: TableSchema, plain: _Table, odd: list[dict[str, Any]], file: str) -> pd.DataFrame:
    size = len(plain)
    columns = {**plain.columns(), "file": frames.constant(file, size)}
    if schema is VIRTUAL_SERVERS:
        columns["ops"] = [False] * size
    found = frames.frame(schema, columns, size)
    if odd:
        import pandas as pd

        others = frames.from_rows(schema, [{**row, "file": file} for row in odd])
        found = pd.concat([found, others], ignore_index=True) if size else others
    return found if found["line"].is_monotonic_increasing else found.sort_values("line", ignore_index=True)


@lru_cache(maxsize=8)  # a node's listing of a hundred thousand lines: the next one is often equal, up to its own rows
def _real_columns(rows: str, size: int) -> tuple[Column, ...] | None:
    """The columns of `size` rows if all of them are plain, else null.

    Six tokens per row on average do not say that each row has six; but `->` can stand in no column except the first, so
    a row with more or fewer of them would show.
    """
    tokens = rows.split()
    forwarding = tokens[2::6]
    if len(tokens) != 6 * size or tokens[::6].count("->") != size or not FORWARDING.issuperset(forwarding):
        return None
    endpoints = _endpoints(tokens[1::6])
    numbers = [_integers(tokens[at::6]) for at in (3, 4, 5)]
    if endpoints is None or any(column is None for column in numbers):
        return None
    return (*endpoints, forwarding, *(column for column in numbers if column is not None))


def _virtual_columns(texts: Sequence[str]) -> tuple[Column, ...] | None:
    """The same for virtual servers without persistence: here a protocol can stand in the first column only."""
    tokens = " ".join(texts).split()
    size, protocols, schedulers = len(texts), tokens[::3], tokens[2::3]
    if (
        len(tokens) != 3 * size
        or not _PROTOCOLS.keys() >= set(protocols)
        or not _PROTOCOLS.keys().isdisjoint(schedulers)
    ):
        return None
    endpoints = _endpoints(tokens[1::3])
    if endpoints is None:
        return None
    return ([_PROTOCOLS[name] for name in protocols], *endpoints, [4] * size, schedulers, [None] * size)


def _endpoints(texts: list[str]) -> tuple[Column, Column] | None:
    """IPv4 addresses, canonical as they stand, and ports."""
    joined = " ".join([*texts, ""]) if texts else ""
    if not _ENDPOINTS.fullmatch(joined):
        return None
    parts = joined.replace(":", " ").split()
    ports = _integers(parts[1::2], 65535)
    return None if ports is None else (parts[::2], ports)


def _integers(texts: list[str], maximum: int = _INT64) -> Column | None:
    """Numbers of a column, each distinct text read once."""
    import numpy as np

    values = {text: integer(text, maximum) for text in set(texts)}
    if None in values.values():
        return None
    return np.fromiter(map(values.__getitem__, texts), np.int64, len(texts))


def _lines(numbers: Iterable[int]) -> Column:
    import numpy as np

    return np.fromiter(numbers, np.int64)


@lru_cache(maxsize=1 << 16)
def _plain_line(text: str) -> _Virtual | _Real | None:
    """A row in which every value reads as it should; null for all others."""
    tokens = text.split()
    size = len(tokens)
    if size not in (3, 5, 6):
        return None
    host, port_text = split_endpoint(tokens[1]) or ("", "")
    ip, port = address(host), integer(port_text, 65535)
    if ip is None or port is None:
        return None
    if size == 6:
        if tokens[0] != "->" or tokens[2] not in FORWARDING:
            return None
        weight, active, inactive = map(integer, tokens[3:])
        if weight is None or active is None or inactive is None:
            return None
        return _Real(ip, port, tokens[2], weight, active, inactive)
    protocol = _PROTOCOLS.get(tokens[0])
    seconds = integer(tokens[4]) if size == 5 and tokens[3] == "persistent" else None
    if protocol is None or (size == 5 and seconds is None):
        return None
    return _Virtual(protocol, ip, port, family(ip), tokens[2], seconds)


def parse(opened: envelope.Envelope, file: str, *, cut: bool) -> Parsed | None:
    """The whole file, or null when the reader has to take it; `cut` when the file does not end with a line end."""
    ledger = Ledger(file, TABLES)
    columns = Columns(ledger)
    pairs = opened.pairs
    last = len(pairs)
    while last and not pairs[last - 1][1].strip():
        last -= 1
    last -= cut
    at = 0
    while at < last and not columns.seen:
        if not columns.line(*pairs[at]):
            return None
        at += 1
    for begin in range(at, last, BLOCK):
        if not columns.block(pairs[begin : min(begin + BLOCK, last)]):
            return None
    for number, text in pairs[max(last, 0) :]:
        if not columns.line(number, text, cut=cut and bool(text.strip()) and not text.endswith((" ", "\t"))):
            return None
    tables = columns.frames(file)
    if not len(tables[VIRTUAL_SERVERS.name]) and not len(tables[REAL_SERVERS.name]):
        return None
    note_wrong_form(opened, ledger)
    parsed = replace(opened, pairs=columns.odd).close(ledger, complete=columns.reader.banner, state="rows")
    count = parsed.lines
    taken = len(columns.virtuals) + len(columns.reals)
    total = len(pairs) + len(opened.furniture)
    lines = LineCount(total, columns.blank, count.rows + taken, count.furniture, count.noted)
    return replace(parsed, tables=tables, lines=lines)


def note_wrong_form(opened: envelope.Envelope, ledger: Ledger) -> None:
    """Say so when the command shown is the one for save lines; called when there are none."""
    command = opened.facts.get("command", "")
    if "--save" in command or "ipvsadm-save" in command or " -S" in command:
        first = next((number for number, text in opened.pairs if text.strip()), 1)
        ledger.also(first, "wrong-form", command, "the listing, not the save form")
