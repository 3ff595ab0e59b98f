"""The members of a node's captured ipsets, by set. Whether a set holds what it should is told by its columns."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any

from analyzer.evidence import Evidence
from analyzer.snapshot.arrow_columns import arrow
from analyzer.snapshot.objects import evidence_of, number, records, text
from analyzer.snapshot.pick import pick

if TYPE_CHECKING:
    import pandas as pd

_COLUMNS = ("set", "member", "address", "port", "port_end")


class Members:
    """Of one node, of which `own` are the tables."""

    def __init__(self, own: Mapping[str, pd.DataFrame]) -> None:
        self._own = own
        self._frame = pick(own, "ipset_members", _COLUMNS)

    @cached_property
    def _places(self) -> Mapping[str, Any]:
        """Set -> the numbers of its rows."""
        import numpy as np
        import pyarrow.compute as pc

        if self._frame is None or not len(self._frame):
            return {}
        encoded = pc.dictionary_encode(pc.fill_null(arrow(self._frame["set"]), ""))
        codes = np.asarray(encoded.indices)
        order = np.argsort(codes, kind="stable")
        names = encoded.dictionary.to_pylist()
        bounds = np.searchsorted(codes[order], np.arange(len(names) + 1))
        return {name: order[bounds[at] : bounds[at + 1]] for at, name in enumerate(names)}

    def __contains__(self, name: str) -> bool:
        return name in self._places

    def are(self, name: str, kind: str, wanted: tuple[str, ...]) -> bool:
        """Whether the set plainly holds these and no others; where not, `of` says what it holds."""
        import numpy as np
        import pyarrow.compute as pc

        rows = self._places.get(name)
        if rows is None or not len(wanted):
            return rows is None and not len(wanted)
        if kind == "bitmap:port":
            ports = self._column("port").take(rows)
            alone = pc.all(pc.equal(ports, self._column("port_end").take(rows)), skip_nulls=False).as_py()
            if not alone or pc.any(pc.fill_null(pc.not_equal(self._column("address").take(rows), ""), False)).as_py():
                return False
            return np.array_equal(np.unique(np.asarray(ports)), _numbers(wanted))
        if not pc.all(pc.not_equal(self._column("address").take(rows), ""), skip_nulls=False).as_py():
            return False  # a row without an address may be a range of ports
        known = _texts(wanted)
        found = pc.index_in(pc.ascii_lower(self._column("member").take(rows)), value_set=known)
        return found.null_count == 0 and len(pc.unique(found)) == len(known)

    def _column(self, name: str) -> Any:
        if name not in self._columns and self._frame is not None:
            self._columns[name] = arrow(self._frame[name])
        return self._columns[name]

    @cached_property
    def _columns(self) -> dict[str, Any]:
        return {}

    def of(self, name: str, node: str) -> Mapping[str, Evidence]:
        """Member in lower case (ipset has printed TCP and tcp) -> its line."""
        found: dict[str, Evidence] = {}
        rows = self._places.get(name)
        frame = pick(self._own, "ipset_members", (*_COLUMNS, "file", "line"))
        if rows is None or frame is None:
            return found
        for row in records(frame.iloc[rows]):
            first, last = number(row["port"]), number(row["port_end"])
            ports = not text(row["address"]) and first is not None and last is not None and first <= last <= 65535
            names = map(str, range(first or 0, (last or 0) + 1)) if ports else (text(row["member"]).lower(),)
            for member in names:
                found.setdefault(member, evidence_of(row, node))
        return found


@lru_cache(maxsize=64)
def _texts(members: tuple[str, ...]) -> Any:
    """Members of a set in lower case, each once: most nodes should hold the same."""
    import pyarrow as pa

    return pa.array(dict.fromkeys(member.lower() for member in members))


@lru_cache(maxsize=64)
def _numbers(members: tuple[str, ...]) -> Any:
    import numpy as np

    return np.unique(np.array([int(member) for member in members], dtype=np.int64))
