"""The virtual servers of a capture by key, made when a packet meets one: a node has thousands, a walk meets a few.

The rows of real servers stay in columns; those of one virtual server are read as values when it is made.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from analyzer.evidence import Evidence
from analyzer.forwarding.state import RealServer, ServerKey, Servers, VirtualServer
from analyzer.snapshot.objects import columns

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

IDENTITY = ("vs_protocol", "vs_address", "vs_port")
REAL = ("address", "port", "weight", "forwarding", "file", "line", "active")
VIRTUAL = ("scheduler", "persistence_s", "file", "line")


class CapturedServers(Servers):
    """`read_real` gives the table of real servers; it is called when the first virtual server is made."""

    def __init__(self, node: str, virtual: pd.DataFrame, read_real: Callable[[], pd.DataFrame | None]) -> None:
        super().__init__()
        self._node = node
        self._read_real = read_real
        self._virtual = _table(virtual, VIRTUAL)
        self._real: pa.Table | None = None
        self._runs: dict[ServerKey, list[tuple[int, int]]] | None = None
        self._place: dict[ServerKey, int] = {
            (protocol or "", address, port): place
            for place, (protocol, address, port) in enumerate(columns(virtual, "protocol", "address", "port"))
            if address and port is not None
        }

    def _make(self, key: ServerKey) -> VirtualServer:
        place = self._place[key]
        (scheduler, persistence, file, line), *_ = _rows(self._virtual, place, place + 1)
        servers = tuple(
            RealServer(
                address, port or key[2], 1 if weight is None else weight, forwarding or "Masq",
                Evidence(str(where), number or 0, "", self._node), active,
            )
            for address, port, weight, forwarding, where, number, active in self._below(key)
            if address
        )  # fmt: skip
        evidence = Evidence(str(file), line or 0, "", self._node)
        return VirtualServer(*key, scheduler or "", persistence is not None, servers, evidence)

    def _below(self, key: ServerKey) -> Iterator[tuple[Any, ...]]:
        """The rows of a virtual server's real servers."""
        if self._runs is None:
            real = self._read_real()
            self._runs = {} if real is None else runs(real)
            self._real = None if real is None else _table(real, REAL)
        for begin, end in self._runs.get(key, ()) if self._real is not None else ():
            yield from _rows(self._real, begin, end)

    def __contains__(self, key: object) -> bool:
        return key in self._place

    def __iter__(self) -> Iterator[ServerKey]:
        return iter(self._place)

    def __len__(self) -> int:
        return len(self._place)


def runs(real: pd.DataFrame) -> dict[ServerKey, list[tuple[int, int]]]:
    """Virtual server -> where its real servers stand, as (first row, row after the last)."""
    import numpy as np

    if not len(real):
        return {}
    new = np.zeros(len(real), dtype=np.bool_)
    new[0] = True
    for name in IDENTITY:
        codes = real[name].factorize(use_na_sentinel=True)[0]
        new[1:] |= codes[1:] != codes[:-1]
    starts = np.flatnonzero(new)
    ends = [*starts[1:].tolist(), len(real)]
    found: dict[ServerKey, list[tuple[int, int]]] = {}
    heads = columns(real.iloc[starts], *IDENTITY)
    for (protocol, address, port), begin, end in zip(heads, starts.tolist(), ends, strict=True):
        if address and port is not None:
            found.setdefault((protocol or "", address, port), []).append((begin, end))
    return found


def _table(frame: pd.DataFrame, names: tuple[str, ...]) -> pa.Table:
    import pyarrow as pa

    return pa.Table.from_pandas(frame[list(names)], preserve_index=False).combine_chunks()


def _rows(table: pa.Table, begin: int, end: int) -> Iterator[tuple[Any, ...]]:
    return zip(*(column.slice(begin, end - begin).to_pylist() for column in table.columns), strict=True)
