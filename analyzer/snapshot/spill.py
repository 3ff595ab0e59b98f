"""Tables of large bundles outside memory: each node's columns as compressed Arrow in an unnamed temporary file.

A cluster of thousands of nodes has hundreds of millions of rows of node state, of which one node's are needed at a time.
Equal columns (of nodes with the same content) are stored once; columns without values or with one value for all rows
(the node, the file) take no room. The file has no name from the start, so nothing of it stays behind however the process ends.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from analyzer.parsers import frames
from analyzer.tables import TABLES

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

ROWS_IN_MEMORY = 600_000
"""Rows of node state up to which everything stays in memory (about 250 bytes each, and as much again while they are put together)."""
KEPT_BYTES = 48 << 20
"""Bytes of the columns that were read back last and are still at hand."""
KEPT_ROWS = 200_000
"""Rows of the frames made of them that are still at hand."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a stored column lies, and its size as it is in memory."""

    at: int
    size: int
    whole: int


@dataclass(frozen=True, slots=True)
class Slot:
    """A stored table: its rows, the columns that differ between rows, and those that say the same in each."""

    rows: int
    columns: tuple[tuple[str, Place], ...] = ()
    constant: tuple[tuple[str, str], ...] = field(default=())


class Store:
    """The temporary file."""

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile(prefix="ipvscope-")  # noqa: SIM115 - lives as long as the snapshot
        self._end = 0
        self._known: dict[bytes, Place] = {}
        self._columns: OrderedDict[Place, pa.ChunkedArray] = OrderedDict()
        self._bytes = 0
        self._frames: OrderedDict[tuple[str, Slot], pd.DataFrame] = OrderedDict()
        self._rows = 0

    def add(self, table: str, frame: pd.DataFrame) -> Slot:
        """Store a frame of that table; columns equal to stored ones are not stored again."""
        columns: list[tuple[str, Place]] = []
        constant: list[tuple[str, str]] = []
        for column in TABLES[table].columns if len(frame) else ():
            array = frame[column.name].array
            if column.dtype == "category" and len(array.categories) == 1 and (array.codes == 0).all():
                constant.append((column.name, str(array.categories[0])))
            elif not array.isna().all():
                columns.append((column.name, self._put(array)))
        return Slot(len(frame), tuple(columns), tuple(constant))

    def _put(self, array: Any) -> Place:
        import pyarrow as pa

        sink = pa.BufferOutputStream()
        listed = pa.table({"": pa.array(array)})
        with pa.ipc.new_stream(sink, listed.schema) as out:
            out.write_table(listed)
        data = sink.getvalue()
        key = hashlib.blake2b(data, digest_size=20).digest()
        place = self._known.get(key)
        if place is None:
            packed = pa.Codec("zstd").compress(data)
            place = self._known[key] = Place(self._end, packed.size, data.size)
            self._file.seek(self._end)
            self._file.write(packed)
            self._file.flush()
            self._end += packed.size
        return place

    def column(self, place: Place) -> pa.ChunkedArray:
        """A stored column; equal ones of several nodes are one object."""
        import pyarrow as pa

        found = self._columns.get(place)
        if found is not None:
            self._columns.move_to_end(place)
            return found
        data = pa.Codec("zstd").decompress(os.pread(self._file.fileno(), place.size, place.at), place.whole)
        found = self._columns[place] = pa.ipc.open_stream(data).read_all().column(0)
        self._bytes += place.whole
        while self._bytes > KEPT_BYTES and len(self._columns) > 1:
            self._bytes -= self._columns.popitem(last=False)[0].whole
        return found

    def get(self, table: str, slot: Slot) -> pd.DataFrame:
        """The frame again, with the declared columns and dtypes."""
        key = (table, slot)
        found = self._frames.get(key)
        if found is not None:
            self._frames.move_to_end(key)
            return found
        found = self._frames[key] = self._frame(table, slot)
        self._rows += slot.rows
        while self._rows > KEPT_ROWS and len(self._frames) > 1:
            self._rows -= self._frames.popitem(last=False)[0][1].rows
        return found

    def pick(self, table: str, slot: Slot, columns: tuple[str, ...]) -> pd.DataFrame:
        """Some columns of the frame."""
        import pandas as pd

        dtypes = {column.name: column.dtype for column in TABLES[table].columns}
        constant, stored = dict(slot.constant), dict(slot.columns)
        data: dict[str, Any] = {}
        for name in columns:
            if name in constant:
                data[name] = frames.constant(constant[name], slot.rows)
            elif name in stored:
                data[name] = frames.from_arrow(self.column(stored[name]), dtypes[name])
            else:
                data[name] = frames.nulls(dtypes[name], slot.rows)
        return pd.DataFrame(data, index=pd.RangeIndex(slot.rows), columns=list(columns), copy=False)

    def _frame(self, table: str, slot: Slot) -> pd.DataFrame:
        schema = TABLES[table]
        dtypes = {column.name: column.dtype for column in schema.columns}
        data: dict[str, Any] = {name: frames.constant(value, slot.rows) for name, value in slot.constant}
        for name, place in slot.columns:
            data[name] = frames.from_arrow(self.column(place), dtypes[name])
        return frames.frame(schema, data, slot.rows)


class Stored(Mapping[str, "pd.DataFrame"]):
    """Tables by name, each read when asked for."""

    def __init__(self, store: Store, tables: Mapping[str, pd.DataFrame] | None = None) -> None:
        self.store = store
        self.slots: dict[str, Slot] = {}
        for name, frame in (tables or {}).items():
            self.slots[name] = store.add(name, frame)

    def __getitem__(self, name: str) -> pd.DataFrame:
        return self.store.get(name, self.slots[name])

    def __contains__(self, name: object) -> bool:
        return name in self.slots

    def __iter__(self) -> Iterator[str]:
        return iter(self.slots)

    def __len__(self) -> int:
        return len(self.slots)

    def rows(self, name: str) -> int:
        return self.slots[name].rows

    def of(self, node: str) -> Stored:
        """The same tables as those of a node, as `merge.concat` would write its name into each row."""
        found = Stored(self.store)
        found.slots = {name: _named(slot, node) for name, slot in self.slots.items()}
        return found


def _named(slot: Slot, node: str) -> Slot:
    constant = tuple(pair for pair in slot.constant if pair[0] != "node")
    columns = tuple(pair for pair in slot.columns if pair[0] != "node")
    return replace(slot, columns=columns, constant=(*constant, ("node", node)) if slot.rows else ())


class SpilledTables(Mapping[str, "pd.DataFrame"]):
    """All tables of a snapshot; those of node state lie in a `Store`, node by node.

    Asking for one of them as a whole puts it together anew each time: `Snapshot.chunks` is the way to go over it.
    """

    def __init__(
        self,
        small: Mapping[str, pd.DataFrame],
        nodes: Mapping[str, Stored],
        concat: Callable[[str, list[tuple[str, pd.DataFrame]]], pd.DataFrame],
    ) -> None:
        self.small = small
        self.nodes = nodes
        self._concat = concat
        self.stored = frozenset(name for own in nodes.values() for name in own) - small.keys()

    def replaced(self, tables: Mapping[str, pd.DataFrame]) -> SpilledTables:
        return SpilledTables({**self.small, **tables}, self.nodes, self._concat)

    def chunks(self, name: str) -> Iterator[tuple[str, pd.DataFrame]]:
        """(node, its rows) of a stored table."""
        for node, own in self.nodes.items():
            if name in own and own.rows(name):
                yield node, own[name]

    def rows(self, name: str) -> int:
        return sum(own.rows(name) for own in self.nodes.values() if name in own)

    def head(self, name: str, rows: int) -> pd.DataFrame:
        """The first rows of a stored table."""
        parts: list[tuple[str, pd.DataFrame]] = []
        for node, frame in self.chunks(name):
            parts.append((node, frame.head(rows)))
            rows -= len(parts[-1][1])
            if rows <= 0:
                break
        return self._concat(name, parts) if parts else TABLES[name].empty()

    def of_files(self, name: str, files: Collection[str]) -> pd.DataFrame:
        """The rows of a stored table that stand in some files; a node whose one file is another one is not read."""
        parts = []
        for node, own in self.nodes.items():
            if name in own and own.rows(name) and dict(own.slots[name].constant).get("file", "") in ("", *files):
                frame = own[name]
                parts.append((node, frame[frame["file"].astype("str").isin(files)]))
        parts = [(node, frame) for node, frame in parts if len(frame)]
        return self._concat(name, parts) if parts else TABLES[name].empty()

    def __getitem__(self, name: str) -> pd.DataFrame:
        if name in self.stored:
            return self._concat(name, list(self.chunks(name)))
        return self.small[name] if name in self.small else TABLES[name].empty()

    def __contains__(self, name: object) -> bool:
        return name in TABLES

    def __iter__(self) -> Iterator[str]:
        return iter(TABLES)

    def __len__(self) -> int:
        return len(TABLES)


class NodeTables(Mapping[str, "Mapping[str, pd.DataFrame]"]):
    """``by_node`` of a snapshot with spilled tables: the small ones split, the stored ones read when asked for."""

    def __init__(self, tables: SpilledTables, split: Mapping[str, Mapping[str, pd.DataFrame]]) -> None:
        self._tables = tables
        self._split = split

    def __getitem__(self, node: str) -> Mapping[str, pd.DataFrame]:
        if node not in self._split and node not in self._tables.nodes:
            raise KeyError(node)
        return NodeOwn(self._tables.nodes.get(node), self._tables.stored, self._split.get(node, {}))

    def __iter__(self) -> Iterator[str]:
        return iter(dict.fromkeys([*self._split, *self._tables.nodes]))

    def __len__(self) -> int:
        return len({*self._split, *self._tables.nodes})


class NodeOwn(Mapping[str, "pd.DataFrame"]):
    """One node's tables that have rows."""

    def __init__(self, stored: Stored | None, names: frozenset[str], small: Mapping[str, pd.DataFrame]) -> None:
        self._stored = stored
        self._names = [name for name in stored or () if name in names and stored is not None and stored.rows(name)]
        self._small = small

    def __getitem__(self, name: str) -> pd.DataFrame:
        if self._stored is not None and name in self._names:
            return self._stored[name]
        return self._small[name]

    def pick(self, name: str, columns: tuple[str, ...]) -> pd.DataFrame | None:
        """Some columns of a table, read for this call alone; null for a table without rows."""
        if self._stored is not None and name in self._names:
            return self._stored.store.pick(name, self._stored.slots[name], columns)
        found = self._small.get(name)
        return None if found is None else found[list(columns)]

    def __iter__(self) -> Iterator[str]:
        return iter([*self._names, *self._small])

    def __len__(self) -> int:
        return len(self._names) + len(self._small)
