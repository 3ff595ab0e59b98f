"""The virtual servers of a capture by key, made when a packet meets one: a node has thousands, a walk meets a few.

The rows of real servers stay in columns; those of one virtual server are read as values when it is made.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from analyzer.evidence import Evidence
from analyzer.forwarding.state import LiveServer, RealServer, ServerKey, Servers, VirtualServer

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa

IDENTITY = ("vs_protocol", "vs_address", "vs_port")
REAL = ("address", "port", "weight", "forwarding", "file", "line", "active")
VIRTUAL = ("scheduler", "persistence_s", "file", "line")
REAL_COLUMNS = (*IDENTITY, "vs_line", *REAL)
"""Of the table of real servers, what `CapturedServers` reads."""
FILE, LINE = VIRTUAL.index("file"), VIRTUAL.index("line")
Columns = Mapping[str, "pa.Array"]
VIRTUAL_COLUMNS = ("protocol", "address", "port", "fwmark", *VIRTUAL)


@dataclass(frozen=True, slots=True)
class _ByLine:
    """`starts` of the real servers of each virtual server, which stands on the line `heads`; the last one is the end."""

    heads: npt.NDArray[np.int64]
    starts: npt.NDArray[np.int64]

    def of(self, _: ServerKey, line: int | None) -> Sequence[tuple[int, int]]:
        at = int(self.heads.searchsorted(line)) if line is not None else len(self.heads)
        found = at < len(self.heads) and self.heads[at] == line
        return ((int(self.starts[at]), int(self.starts[at + 1])),) if found else ()


@dataclass(frozen=True, slots=True)
class _ByKey:
    """Where the real servers stand, told by the key that each row repeats."""

    known: Mapping[ServerKey, Sequence[tuple[int, int]]]

    def of(self, key: ServerKey, _: int | None) -> Sequence[tuple[int, int]]:
        return self.known.get(key, ())


class CapturedServers(Servers):
    """`virtual` has the columns VIRTUAL_COLUMNS.

    `read_real` gives the table of real servers with REAL_COLUMNS; it is called when the first virtual server is made.
    """

    def __init__(self, node: str, virtual: Columns, read_real: Callable[[], Columns | None]) -> None:
        super().__init__()
        self._node = node
        self._read_real = read_real
        self._virtual = [virtual[name] for name in VIRTUAL]
        self._real: list[Any] = []
        self._runs: _ByLine | _ByKey | None = None
        names = [virtual[name].to_pylist() for name in ("protocol", "address", "port")]
        self._place: dict[ServerKey, int] = dict(zip(zip(*names, strict=True), range(len(names[0])), strict=True))
        self._families = frozenset(6 if ":" in address else 4 for address in set(names[1]) if address)
        self._single = len(self._place) == len(names[0])
        """Each row has a key of its own."""
        for key in [key for key in self._place if None in key]:
            place = self._place.pop(key)
            if key[1] and key[2] is not None:
                self._place[("", *key[1:])] = place

    def _make(self, key: ServerKey) -> VirtualServer:
        place = self._place[key]
        scheduler, persistence, file, line = (column[place].as_py() for column in self._virtual)
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

    def live(self, key: ServerKey) -> tuple[LiveServer, ...]:
        """As `VirtualServer.live`; the virtual server is not made for it."""
        return tuple(
            (address, port or key[2], 1 if weight is None else weight, forwarding or "Masq")
            for address, port, weight, forwarding in (self._below(key, 4) if key in self._place else ())
            if address and (weight is None or weight > 0)
        )

    def filled(self, key: ServerKey) -> tuple[bool, bool] | None:
        """The same as of the virtual server, which is not made for it."""
        if key not in self._place:
            return None
        weights = [weight for address, _, weight in self._below(key, 3) if address]
        return (any(weight is None or weight > 0 for weight in weights), bool(weights))

    def _below(self, key: ServerKey, width: int = len(REAL)) -> Iterator[tuple[Any, ...]]:
        """The rows of a virtual server's real servers, the first columns of REAL."""
        if self._runs is None:
            real = self._read_real()
            self._real = [] if real is None else [real[name] for name in REAL]
            self._runs = _ByKey({}) if real is None else self._by_line(real) or _ByKey(runs(real))
        for begin, end in self._runs.of(key, self._virtual[LINE][self._place[key]].as_py()):
            yield from zip(*(one.slice(begin, end - begin).to_pylist() for one in self._real[:width]), strict=True)

    def _by_line(self, real: Columns) -> _ByLine | None:
        """Where real servers stand by the line of the virtual server's own row.

        Null where lines do not say it: keys listed twice, several files, lines that are not known, not in order or not of
        one virtual server each (a document on one line).
        """
        import numpy as np

        lines, own = real["vs_line"], self._virtual[LINE]
        apart = not own.null_count and len(own.unique()) == len(own)
        one_file = len(real["file"].unique()) == 1 and len(self._virtual[FILE].unique()) == 1
        if not len(lines) or not self._single or not one_file or not apart or lines.null_count:
            return None
        numbers = lines.to_numpy()
        steps = np.diff(numbers)
        if (steps < 0).any():
            return None
        starts = np.concatenate(([0], np.flatnonzero(steps) + 1, [len(lines)]))
        return _ByLine(numbers[starts[:-1]], starts)

    def families(self) -> frozenset[int]:
        return self._families

    @property
    def weight(self) -> int:
        return len(self._place) * 3 // 4  # with the columns of its real servers

    def __contains__(self, key: object) -> bool:
        return key in self._place

    def __iter__(self) -> Iterator[ServerKey]:
        return iter(self._place)

    def __len__(self) -> int:
        return len(self._place)


def runs(real: Columns) -> dict[ServerKey, list[tuple[int, int]]]:
    """Virtual server -> where its real servers stand, as (first row, row after the last)."""
    import numpy as np
    import pyarrow as pa

    rows = len(real[IDENTITY[0]])
    if not rows:
        return {}
    new = np.zeros(rows, dtype=np.bool_)
    new[0] = True
    for name in IDENTITY:
        codes = real[name].dictionary_encode().indices.fill_null(-1).to_numpy()
        new[1:] |= codes[1:] != codes[:-1]
    starts = np.flatnonzero(new)
    heads = zip(*(real[name].take(pa.array(starts)).to_pylist() for name in IDENTITY), strict=True)
    found: dict[ServerKey, list[tuple[int, int]]] = {}
    for (protocol, address, port), begin, end in zip(heads, starts.tolist(), [*starts[1:].tolist(), rows], strict=True):
        if address and port is not None:
            found.setdefault((protocol or "", address, port), []).append((begin, end))
    return found
