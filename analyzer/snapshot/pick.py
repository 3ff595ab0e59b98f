"""Some columns of one table of one node: of a table outside memory only these are read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from analyzer.snapshot import packing
from analyzer.snapshot.spill import NodeOwn

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa


def pick(tables: Mapping[str, pd.DataFrame], name: str, columns: tuple[str, ...]) -> pd.DataFrame | None:
    """The columns of a table of ``snapshot.by_node[node]``, in that order and with their declared dtypes.

    Null where the node has no rows of it.
    """
    if isinstance(tables, NodeOwn) and (found := tables.some(name, columns)) is not None:
        return found
    frame = tables.get(name)
    return None if frame is None else frame[list(columns)]


def arrays(tables: Mapping[str, pd.DataFrame], name: str, columns: tuple[str, ...]) -> Mapping[str, pa.Array] | None:
    """The same as Arrow has it, no frame is made: ``int64``, ``large_string``, ``bool``, categories as a dictionary."""
    import pyarrow as pa

    if isinstance(tables, NodeOwn) and (found := tables.arrays(name, columns)) is not None:
        return found
    frame = tables.get(name)
    return None if frame is None else {column: packing.whole(pa.array(frame[column].array)) for column in columns}
