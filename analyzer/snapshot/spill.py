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
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from functools import cache, partial
from typing import TYPE_CHECKING, Any, NamedTuple

from analyzer.parsers import frames
from analyzer.parsers.built import Tables
from analyzer.schema import Dtype
from analyzer.snapshot import packing
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
FEW_ROWS = 2_000
"""Rows up to which a table is stored as one piece."""
READ_ROWS = 100_000
"""Rows of several nodes that are read together, unless one node has more."""


class Place(NamedTuple):
    """Where a piece of the file lies, and its size as it is in memory."""

    at: int
    size: int
    whole: int


class Held(NamedTuple):
    """A stored column: its piece, in which form it is there, and which of the columns it is that make one piece."""

    place: Place
    form: packing.Form = "plain"
    part: int = 0


class Slot(NamedTuple):
    """A stored table: its rows, the columns that differ between rows, and those that say the same in each."""

    rows: int
    columns: tuple[tuple[str, Held], ...] = ()
    constant: tuple[tuple[str, packing.Value], ...] = ()


class Store:
    """The temporary file."""

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile(buffering=0, prefix="ipvscope-")  # noqa: SIM115 - lives as long as the snapshot
        self._end = 0
        self._known: dict[bytes, Place] = {}
        self._pieces: OrderedDict[tuple[Place, packing.Form], list[pa.Array]] = OrderedDict()
        self._bytes = 0
        self._frames: OrderedDict[tuple[str, Slot], pd.DataFrame] = OrderedDict()
        self._rows = 0

    def add(self, table: str, arrays: Mapping[str, Any], rows: int) -> Slot:
        """Store a table by its columns (an absent one has no values); those equal to stored ones are not stored again."""
        few = rows <= FEW_ROWS
        constant: list[tuple[str, packing.Value]] = []
        varied: list[tuple[str, packing.Form, pa.Array]] = []
        for column in TABLES[table].columns if rows else ():
            array = arrays.get(column.name)
            if array is None:
                continue
            found = packing.plain(array, column.dtype) if few else packing.packed(array, column.dtype)
            if isinstance(found, tuple):
                varied.append((column.name, *found))
            elif found is not None:
                constant.append((column.name, found))
        if few:
            place = self._put([array for _, _, array in varied]) if varied else Place(0, 0, 0)
            columns = [(name, Held(place, form, at)) for at, (name, form, _) in enumerate(varied)]
        else:
            columns = [(name, Held(self._put([array]), form)) for name, form, array in varied]
        return Slot(rows, tuple(columns), tuple(constant))

    def _put(self, arrays: list[pa.Array]) -> Place:
        import pyarrow as pa

        sink = pa.BufferOutputStream()
        batch = pa.RecordBatch.from_arrays(arrays, [str(at) for at in range(len(arrays))])
        with pa.ipc.new_stream(sink, batch.schema) as out:
            out.write_batch(batch)
        data = sink.getvalue()
        key = hashlib.sha256(data).digest()
        place = self._known.get(key)
        if place is None:
            packed = pa.Codec("lz4").compress(data, asbytes=True)
            place = self._known[key] = Place(self._end, len(packed), data.size)
            self._write(packed)
        return place

    def _write(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            written = os.pwrite(self._file.fileno(), view, self._end)
            view, self._end = view[written:], self._end + written

    def _array(self, held: Held) -> pa.Array:
        """A stored column as `packing.opened` gives it; equal ones of several nodes are one object."""
        import pyarrow as pa

        key, place = (held.place, held.form), held.place
        found = self._pieces.get(key)
        if found is not None:
            self._pieces.move_to_end(key)
            return found[held.part]
        data = pa.Codec("lz4").decompress(os.pread(self._file.fileno(), place.size, place.at), place.whole)
        batch = pa.ipc.open_stream(data).read_next_batch()
        found = self._pieces[key] = [packing.opened(held.form, array) for array in batch.columns]
        self._bytes += _bytes(found)
        while self._bytes > KEPT_BYTES and len(self._pieces) > 1:
            self._bytes -= _bytes(self._pieces.popitem(last=False)[1])
        return found[held.part]

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

    def _frame(self, table: str, slot: Slot) -> pd.DataFrame:
        return frames.frame(TABLES[table], self._data(table, slot), slot.rows)

    def _data(self, table: str, slot: Slot, names: Collection[str] | None = None) -> dict[str, Any]:
        """The columns that have values (of `names`), with their declared dtypes."""
        dtypes = dtypes_of(table)
        data: dict[str, Any] = {}
        for name, value in slot.constant:
            if names is None or name in names:
                data[name] = packing.filled(value, slot.rows, dtypes[name])
        for name, held in slot.columns:
            if names is None or name in names:
                data[name] = packing.unpacked(held.form, self._array(held), dtypes[name])
        return data

    def some(self, table: str, slots: Sequence[Slot], names: Sequence[str]) -> pd.DataFrame:
        """Some columns of several stored tables of one kind, below each other."""
        import pandas as pd

        dtypes = dtypes_of(table)
        rows = sum(slot.rows for slot in slots)
        if len(slots) == 1:
            known = self._data(table, slots[0], names)
            data = {name: known[name] if name in known else frames.nulls(dtypes[name], rows) for name in names}
        else:
            data = {name: packing.united(self._parts(name, dtypes[name], slots), dtypes[name]) for name in names}
        return pd.DataFrame(data, index=pd.RangeIndex(rows), columns=list(names), copy=False)

    def arrays(self, table: str, slot: Slot, names: Sequence[str]) -> dict[str, pa.Array]:
        """Some columns of a stored table as Arrow has them."""
        dtypes = dtypes_of(table)
        return {name: self._parts(name, dtypes[name], (slot,))[0] for name in names}

    def _parts(self, name: str, dtype: Dtype, slots: Sequence[Slot]) -> list[pa.Array]:
        """A column of each of the tables as Arrow has it."""
        parts = []
        for slot in slots:
            held = next((held for column, held in slot.columns if column == name), None)
            if held is not None:
                parts.append(packing.arrow(held.form, self._array(held), dtype))
            else:
                value = next((value for column, value in slot.constant if column == name), None)
                parts.append(packing.repeated(value, slot.rows, dtype))
        return parts


def _bytes(arrays: list[pa.Array]) -> int:
    return sum(array.nbytes for array in arrays)


@cache
def dtypes_of(table: str) -> Mapping[str, Dtype]:
    return {column.name: column.dtype for column in TABLES[table].columns}


class Stored(Mapping[str, "pd.DataFrame"]):
    """Tables by name, each read when asked for."""

    def __init__(self, store: Store, tables: Mapping[str, pd.DataFrame] | None = None) -> None:
        self.store = store
        self.slots: dict[str, Slot] = {}
        made = tables if isinstance(tables, Tables) else Tables(tables or {})
        for name in made:
            self.slots[name] = store.add(name, made.arrays(name), made.rows(name))

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

    def some(self, name: str, *columns: str) -> pd.DataFrame:
        """Some columns of a table."""
        return self.store.some(name, (self.slots[name],), columns)

    def of(self, node: str) -> Stored:
        """The same tables as those of a node, as `merge.concat` would write its name into each row."""
        found = Stored(self.store)
        found.slots = {name: _named(slot, node) for name, slot in self.slots.items()}
        return found


def _named(slot: Slot, node: str) -> Slot:
    constant = tuple(pair for pair in slot.constant if pair[0] != "node")
    columns = tuple(pair for pair in slot.columns if pair[0] != "node")
    return Slot(slot.rows, columns, (*constant, ("node", node)) if slot.rows else ())


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

    def some(self, name: str, columns: Sequence[str]) -> Iterator[pd.DataFrame]:
        """Some columns of a stored table, those of several nodes together where they have few rows."""
        slots: list[Slot] = []
        rows = 0
        for own in self.nodes.values():
            slot = own.slots.get(name)
            if slot is None or not slot.rows:
                continue
            if slots and rows + slot.rows > READ_ROWS:
                yield own.store.some(name, slots, columns)
                slots, rows = [], 0
            slots.append(slot)
            rows += slot.rows
        if slots:
            yield own.store.some(name, slots, columns)

    def readers(self, name: str) -> Iterator[Callable[..., pd.DataFrame]]:
        """For each node with rows of a stored table what reads some of its columns."""
        for own in self.nodes.values():
            if name in own and own.rows(name):
                yield partial(own.some, name)

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

    def some(self, name: str, columns: Sequence[str]) -> pd.DataFrame | None:
        """Some columns of a stored table; null for a table that is not stored."""
        return self._stored.some(name, *columns) if self._stored is not None and name in self._names else None

    def arrays(self, name: str, columns: Sequence[str]) -> dict[str, pa.Array] | None:
        """Some columns of a stored table as `packing.arrow` gives them; null for a table that is not stored."""
        if self._stored is None or name not in self._names:
            return None
        return self._stored.store.arrays(name, self._stored.slots[name], columns)

    def __iter__(self) -> Iterator[str]:
        return iter([*self._names, *self._small])

    def __len__(self) -> int:
        return len(self._names) + len(self._small)
