"""Which virtual servers of a node have to be looked at one by one: those that are not plainly as expected.

Thousands of nodes hold tens of thousands of rows each, and nearly all are as expected. So the rows become numbers: of a virtual
server its position among the expected ones, of its real servers a sum, of its scheduler, flags and persistence the few
combinations that occur. Rows become values only where the numbers differ.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet
from typing import TYPE_CHECKING, NamedTuple
from weakref import WeakKeyDictionary

from analyzer.findings.drift_numbers import NOT_EXPECTED, Key, Numbers, Settings, Wanted
from analyzer.findings.drift_sums import ODD, Sums
from analyzer.kubeproxy import Expected, ExpectedServer
from analyzer.kubeproxy.servers import Common, NodeServers
from analyzer.snapshot import Snapshot
from analyzer.snapshot.arrow_columns import arrow, changes

if TYPE_CHECKING:
    import pandas as pd

    from analyzer.snapshot.arrow_columns import Flags, Ints, Words

VIRTUAL_NUMBERS = ("protocol", "address", "port", "scheduler", "scheduler_flags", "persistence_s")
REAL_NUMBERS = ("vs_protocol", "vs_address", "vs_port", "address", "port", "weight")
"""Columns that are compared"""
Captured = tuple[str | None, str | None, int | None, bool]
"""Scheduler, flags and persistence as captured, and whether the file is /proc/net/ip_vs"""
Differs = Callable[[Settings, Captured], bool]


class Doubts(NamedTuple):
    """Expected virtual servers to look at, in order, and the rows (by number) about them and about unexpected ones."""

    servers: Mapping[Key, ExpectedServer]
    virtual: Ints
    real: Ints


class _Known:
    """Of one snapshot: numbers of real servers, and of each kind of node."""

    def __init__(self, snapshot: Snapshot) -> None:
        self.sums = Sums(snapshot)
        self.numbers: dict[Common, Numbers] = {}


_KNOWN: WeakKeyDictionary[Snapshot, _Known] = WeakKeyDictionary()


def doubts(
    snapshot: Snapshot,
    expected: Expected,
    virtual: pd.DataFrame,
    real: pd.DataFrame | None,
    plain: AbstractSet[str],
    differs: Differs,
) -> Doubts | None:
    """What is not plainly as expected; null where that cannot be told by numbers.

    `plain` are files of /proc/net/ip_vs; the column `file` is read where there are any.
    """
    import numpy as np

    wanted = _wanted(snapshot, expected)
    if wanted is None:
        return None
    places = wanted.places(*(arrow(virtual[name]) for name in ("protocol", "address", "port")))
    named = np.flatnonzero(places >= 0)
    rows = np.full(wanted.size, -1, dtype=np.int64)
    rows[places[named]] = named  # of several rows the last counts
    doubtful = wanted.exists & (rows < 0)
    held = np.flatnonzero(rows >= 0)
    of_proc = virtual["file"].isin(plain).to_numpy(dtype=np.bool_) if plain else np.zeros(len(virtual), dtype=np.bool_)
    doubtful[held] = _settings_differ(virtual, of_proc, rows[held], wanted, held, differs)
    starts, below = _below(real, wanted)
    counts, sums = _held(_KNOWN[snapshot].sums, real, starts, below, wanted.size)
    others = (counts != wanted.counts) | (sums != wanted.sums)
    doubtful[held] |= (others & ~wanted.contested)[held]
    return Doubts(
        {key: expected.servers[key] for key in map(wanted.key, np.flatnonzero(doubtful).tolist())},
        np.flatnonzero((places == NOT_EXPECTED) | _among(places, doubtful)),
        np.flatnonzero(
            np.repeat(_among(below, doubtful), np.diff(np.append(starts, 0 if real is None else len(real))))
        ),
    )


def _wanted(snapshot: Snapshot, expected: Expected) -> Wanted | None:
    known = _KNOWN.get(snapshot)
    if known is None:
        known = _KNOWN[snapshot] = _Known(snapshot)
    servers = expected.servers
    if isinstance(servers, NodeServers):
        numbers = known.numbers.get(servers.common)
        if numbers is None:
            numbers = known.numbers[servers.common] = Numbers(servers.common, known.sums)
    else:
        servers = NodeServers(Common(servers, ()), {}, {}, ())
        numbers = Numbers(servers.common, known.sums)
    return Wanted(numbers, servers, expected.contested) if numbers.sound else None


def _settings_differ(
    virtual: pd.DataFrame, plain: Flags, rows: Ints, wanted: Wanted, places: Ints, differs: Differs
) -> Flags:
    """Whether each row says something else than what is wanted at its place; each combination is compared once."""
    import numpy as np
    import pyarrow.compute as pc

    columns = [arrow(virtual[name]) for name in ("scheduler", "scheduler_flags", "persistence_s")]
    encoded = [pc.dictionary_encode(column) for column in columns]
    if 2 * len(wanted.numbers.settings) * math.prod(len(one.dictionary) + 1 for one in encoded) >= 1 << 63:
        return np.ones(len(rows), dtype=np.bool_)  # more combinations than there are numbers for
    codes = wanted.settings[places] * 2 + plain[rows]
    for one in encoded:
        own = np.asarray(pc.fill_null(one.indices, len(one.dictionary))).astype(np.int64)
        codes = codes * (len(one.dictionary) + 1) + own[rows]
    _, first, which = np.unique(codes, return_index=True, return_inverse=True)
    settings = list(wanted.numbers.settings)
    found = [
        differs(
            settings[wanted.settings[places[one]]],
            (*(column[rows[one]].as_py() for column in columns), bool(plain[rows[one]])),
        )
        for one in first.tolist()
    ]
    differing: Flags = np.array(found, dtype=np.bool_)[which]
    return differing


def _below(real: pd.DataFrame | None, wanted: Wanted) -> tuple[Ints, Ints]:
    """Where each run of real servers of one virtual server starts, and the place of that virtual server."""
    import numpy as np

    if real is None or not len(real):
        return np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64)
    columns = [arrow(real[name]) for name in ("vs_protocol", "vs_address", "vs_port")]
    starts = np.flatnonzero(changes(columns[0]) | changes(columns[1]) | changes(columns[2]))
    return starts, wanted.places(*(column.take(starts) for column in columns))


def _held(sums: Sums, real: pd.DataFrame | None, starts: Ints, below: Ints, size: int) -> tuple[Ints, Words]:
    """How many real servers are captured of each virtual server, and their sum; `ODD` where rows have to be looked at."""
    import numpy as np

    counts, totals = np.zeros(size, dtype=np.int64), np.zeros(size, dtype=np.uint64)
    if real is not None and len(starts):
        own_counts, own_sums = sums.captured(real, starts)
        named = below >= 0
        counts[below[named]], totals[below[named]] = own_counts[named], own_sums[named]
        counts[np.bincount(below[named], minlength=size) > 1] = ODD
    return counts, totals


def _among(places: Ints, doubtful: Flags) -> Flags:
    import numpy as np

    found: Flags = (places >= 0) & np.append(doubtful, False)[places]
    return found
