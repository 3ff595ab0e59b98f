"""Tables of large bundles outside memory: each node's rows as compressed Arrow in an unnamed temporary file.

A cluster of thousands of nodes has hundreds of millions of rows of node state, of which one node's are needed at a time.
Equal tables (of nodes with the same content) are stored once. The file has no name from the start, so nothing of it stays
behind however the process ends.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from analyzer.tables import TABLES

if TYPE_CHECKING:
    import pandas as pd

ROWS_IN_MEMORY = 600_000
"""Rows of node state up to which everything stays in memory (about 250 bytes each, and as much again while they are put together)."""
KEPT_ROWS = 400_000
"""Rows of the tables that were read back last and are still at hand."""


@dataclass(frozen=True, slots=True)
class Slot:
    """Where a stored table lies, and how many rows it has."""

    at: int
    size: int
    rows: int


class Store:
    """The temporary file."""

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile(prefix="ipvscope-")  # noqa: SIM115 - lives as long as the snapshot
        self._end = 0
        self._known: dict[tuple[str, bytes], Slot] = {}
        self._kept: OrderedDict[tuple[str, Slot], pd.DataFrame] = OrderedDict()
        self._rows = 0

    def add(self, table: str, frame: pd.DataFrame) -> Slot:
        """Store a frame of that table; an equal one is not stored again."""
        import pyarrow as pa

        listed = pa.Table.from_pandas(frame.reset_index(drop=True), preserve_index=False)
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, listed.schema, options=pa.ipc.IpcWriteOptions(compression="zstd")) as out:
            out.write_table(listed)
        data = sink.getvalue()
        key = (table, hashlib.blake2b(data, digest_size=20).digest())
        slot = self._known.get(key)
        if slot is None:
            slot = self._known[key] = Slot(self._end, data.size, len(frame))
            self._file.seek(self._end)
            self._file.write(data)
            self._file.flush()
            self._end += data.size
        return slot

    def get(self, table: str, slot: Slot) -> pd.DataFrame:
        """The frame again, with the declared columns and dtypes."""
        import pyarrow as pa

        key = (table, slot)
        found = self._kept.get(key)
        if found is not None:
            self._kept.move_to_end(key)
            return found
        data = os.pread(self._file.fileno(), slot.size, slot.at)
        frame = TABLES[table].conform(pa.ipc.open_stream(data).read_all().to_pandas())
        self._kept[key] = frame
        self._rows += slot.rows
        while self._rows > KEPT_ROWS and len(self._kept) > 1:
            (_, old), _ = self._kept.popitem(last=False)
            self._rows -= old.rows
        return frame


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
        return _Own(self._tables.nodes.get(node), self._tables.stored, self._split.get(node, {}))

    def __iter__(self) -> Iterator[str]:
        return iter(dict.fromkeys([*self._split, *self._tables.nodes]))

    def __len__(self) -> int:
        return len({*self._split, *self._tables.nodes})


class _Own(Mapping[str, "pd.DataFrame"]):
    """One node's tables that have rows."""

    def __init__(self, stored: Stored | None, names: frozenset[str], small: Mapping[str, pd.DataFrame]) -> None:
        self._stored = stored
        self._names = [name for name in stored or () if name in names and stored is not None and stored.rows(name)]
        self._small = small

    def __getitem__(self, name: str) -> pd.DataFrame:
        if self._stored is not None and name in self._names:
            return self._stored[name]
        return self._small[name]

    def __iter__(self) -> Iterator[str]:
        return iter([*self._names, *self._small])

    def __len__(self) -> int:
        return len(self._names) + len(self._small)
