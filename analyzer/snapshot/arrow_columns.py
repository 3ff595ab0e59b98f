"""Columns of frames as Arrow arrays and numbers, without a Python value per row: the fast way where only few rows matter."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import repeat
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    Ints = np.ndarray[Any, np.dtype[np.int64]]
    Words = np.ndarray[Any, np.dtype[np.uint64]]
    Flags = np.ndarray[Any, np.dtype[np.bool_]]


def arrow(series: pd.Series[Any]) -> Any:
    """A column as one Arrow array."""
    import pyarrow as pa

    found = pa.array(series.array)
    found = found.combine_chunks() if isinstance(found, pa.ChunkedArray) else found
    return found.dictionary_decode() if pa.types.is_dictionary(found.type) else found


def coded(values: Any, known: Mapping[str, int], other: int, null: int, own: Mapping[str, int] | None = None) -> Ints:
    """The number of each text of an Arrow array: `known`, then `own` say it, `other` stands for what neither knows."""
    import numpy as np
    import pyarrow.compute as pc

    encoded = pc.dictionary_encode(values)
    distinct = encoded.dictionary.to_pylist()
    codes = np.array([*map(known.get, distinct, repeat(other)), null], dtype=np.int64)
    if own:
        for place in np.flatnonzero(codes[:-1] == other).tolist():
            codes[place] = own.get(distinct[place], other)
    found: Ints = codes[np.asarray(pc.fill_null(encoded.indices, len(distinct)))]
    return found


def integers(values: Any) -> tuple[Ints, Flags]:
    """Values of an Arrow array, and where they are null (the value there means nothing)."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    return np.asarray(pc.fill_null(values.cast(pa.int64()), -1)), np.asarray(values.is_null())


def changes(values: Any) -> Flags:
    """Where a row of an Arrow array says something else than the one before; true at the first row, and next to nulls."""
    import numpy as np
    import pyarrow.compute as pc

    found = np.ones(len(values), dtype=np.bool_)
    if values.null_count == len(values):
        return found
    found[1:] = np.asarray(pc.fill_null(pc.not_equal(values.slice(1), values.slice(0, len(values) - 1)), True))
    return found
