"""Some columns of one table of one node: of a table outside memory only these are read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from analyzer.snapshot.spill import NodeOwn

if TYPE_CHECKING:
    import pandas as pd


def pick(tables: Mapping[str, pd.DataFrame], name: str, columns: tuple[str, ...]) -> pd.DataFrame | None:
    """The columns of a table of ``snapshot.by_node[node]``, in that order and with their declared dtypes.

    Null where the node has no rows of it.
    """
    if isinstance(tables, NodeOwn):
        return tables.pick(name, columns)
    found = tables.get(name)
    return None if found is None else found[list(columns)]
