"""Some columns of one table of one node, as Arrow has them: of a table outside memory only these are read, no frame is made."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from analyzer.snapshot import packing
from analyzer.snapshot.spill import NodeOwn

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa


def pick(tables: Mapping[str, pd.DataFrame], name: str, columns: tuple[str, ...]) -> Mapping[str, pa.Array] | None:
    """The columns of a table of ``snapshot.by_node[node]``: ``int64``, ``large_string``, ``bool``, categories as a dictionary.

    Null where the node has no rows of it.
    """
    import pyarrow as pa

    if isinstance(tables, NodeOwn) and (found := tables.arrays(name, columns)) is not None:
        return found
    frame = tables.get(name)
    return None if frame is None else {column: packing.whole(pa.array(frame[column].array)) for column in columns}
