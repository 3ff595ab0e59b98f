"""Frames of declared tables, built column by column.

A bundle holds tens of thousands of small captures and a few huge ones; both spend their time on making frames. Columns
come here as lists or arrays, become the declared dtype by the shortest way, and absent ones are null.

>>> from analyzer.tables import TABLES
>>> built = frame(TABLES["ipvs_timeouts"], {"tcp_s": [900], "udp_s": [None], "file": ["t.txt"], "line": [1]}, 1)
>>> built["tcp_s"].tolist(), int(built["udp_s"].isna().sum()), str(built["node"].dtype)
([900], 1, 'category')
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any

from analyzer.schema import Dtype, TableSchema

if TYPE_CHECKING:
    import pandas as pd

_PIECE = 1 << 16


def frame(schema: TableSchema, columns: Mapping[str, Any], size: int) -> pd.DataFrame:
    """A frame of `size` rows; a column is a list of plain values, an array of integers, or one of the declared dtype."""
    import pandas as pd

    if not size:
        return empty(schema)
    known = arrays(schema, columns, size)
    data = {
        column.name: known[column.name] if column.name in known else nulls(column.dtype, size)
        for column in schema.columns
    }
    return pd.DataFrame(data, index=pd.RangeIndex(size), copy=False)


def arrays(schema: TableSchema, columns: Mapping[str, Any], size: int) -> dict[str, Any]:
    """The columns that are there, as arrays of the declared dtypes."""
    import numpy as np
    import pandas as pd

    data = {}
    for column in schema.columns:
        values = columns.get(column.name)
        if isinstance(values, np.ndarray):
            data[column.name] = pd.arrays.IntegerArray(values, np.zeros(size, dtype=np.bool_))
        elif values is not None:
            data[column.name] = array(values, column.dtype) if isinstance(values, (list, tuple)) else values
    return data


def from_rows(schema: TableSchema, rows: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """The same from row mappings; absent keys become null.

    Raises:
        KeyError: a row has a key that is no column (a programming error).
    """
    return frame(schema, by_column(schema, rows), len(rows))


def by_column(schema: TableSchema, rows: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
    """The values of row mappings by column.

    Raises:
        KeyError: a row has a key that is no column (a programming error).
    """
    known = set(schema.names)
    for row in rows:
        if not known.issuperset(row):
            raise KeyError(f"{schema.name}: no column {sorted(set(row) - known)}")
    used = set().union(*rows)
    return {name: [row.get(name) for row in rows] for name in schema.names if name in used}


def empty(schema: TableSchema) -> pd.DataFrame:
    """`schema.empty()`, made once per table."""
    return _empty(schema).copy(deep=False)


@cache
def _empty(schema: TableSchema) -> pd.DataFrame:
    return schema.empty()


def array(values: Sequence[Any], dtype: Dtype) -> Any:
    """Plain values as an extension array of a declared dtype; what is not plain goes through pandas."""
    import pandas as pd

    missing = values.count(None)
    if missing == len(values):
        return nulls(dtype, len(values))
    made = None
    if dtype == "str":
        made = _texts(values)
    elif dtype in ("Int64", "boolean"):
        made = _numbers(values, dtype, missing)
    elif dtype == "category":
        made = _coded(values, missing)
    return pd.Series(list(values), dtype=dtype).array if made is None else made


def _texts(values: Sequence[Any]) -> Any:
    import pyarrow as pa

    dtype = _string_dtype()
    if not hasattr(dtype, "__from_arrow__"):
        return None
    try:
        return dtype.__from_arrow__(pa.array(values, pa.large_string()))
    except (pa.ArrowInvalid, pa.ArrowTypeError, UnicodeEncodeError):
        return None


def _coded(values: Sequence[Any], missing: int) -> Any:
    """Categories in the order pandas gives them: sorted."""
    import numpy as np
    import pandas as pd

    if not missing and values.count(values[0]) == len(values):
        return constant(values[0], len(values))
    names = set(values) - {None}
    if not all(isinstance(name, str) for name in names):
        return None
    known = {name: code for code, name in enumerate(sorted(names))}
    codes = np.fromiter((known.get(value, -1) for value in values), dtype=np.int32, count=len(values))
    dtype = _categories(*known) if len(known) < 16 else pd.CategoricalDtype(pd.Index(list(known), dtype="str"))
    return pd.Categorical.from_codes(codes, dtype=dtype, validate=False)


def _numbers(values: Sequence[Any], dtype: Dtype, missing: int) -> Any:
    import numpy as np
    import pandas as pd

    wanted: type = int if dtype == "Int64" else bool
    if missing:
        found = np.array([wanted() if value is None else value for value in values])
        mask = np.fromiter((value is None for value in values), dtype=np.bool_, count=len(values))
    else:
        found, mask = np.array(values), np.zeros(len(values), dtype=np.bool_)
    if found.dtype != (np.int64 if dtype == "Int64" else np.bool_):
        return None  # another type, or beyond 64 bits: pandas decides
    return pd.arrays.IntegerArray(found, mask) if dtype == "Int64" else pd.arrays.BooleanArray(found, mask)


@cache
def _string_dtype() -> Any:
    import pandas as pd

    return pd.Series([], dtype="str").dtype


def coded(names: Any, codes: Any) -> Any:
    """A text column by the place of each value among `names` (a list, or Arrow's `large_string`)."""
    import pyarrow as pa

    texts = (pa.array(names, pa.large_string()) if isinstance(names, list) else names).take(pa.array(codes))
    dtype = _string_dtype()
    return dtype.__from_arrow__(texts) if hasattr(dtype, "__from_arrow__") else array(texts.to_pylist(), "str")


def from_arrow(column: Any, dtype: Dtype) -> Any:
    """An Arrow column as an extension array of a declared dtype."""
    import pandas as pd

    if dtype in ("str", "Int64", "boolean"):
        kind = _string_dtype() if dtype == "str" else pd.Int64Dtype() if dtype == "Int64" else pd.BooleanDtype()
        if hasattr(kind, "__from_arrow__"):
            return kind.__from_arrow__(column)
    return column.to_pandas().astype(dtype).array


def nulls(dtype: Dtype, size: int) -> Any:
    """A column without values. Each call makes its own arrays, because frames may be written to."""
    import numpy as np
    import pandas as pd

    if dtype == "Int64":
        return pd.arrays.IntegerArray(np.zeros(size, dtype=np.int64), np.ones(size, dtype=np.bool_))
    if dtype == "boolean":
        return pd.arrays.BooleanArray(np.zeros(size, dtype=np.bool_), np.ones(size, dtype=np.bool_))
    if dtype == "category":
        return pd.Categorical.from_codes(np.full(size, -1, dtype=np.int8), dtype=_categories(), validate=False)
    if dtype == "str":
        import pyarrow as pa

        if hasattr(_string_dtype(), "__from_arrow__"):
            # pieces of one array: nulls have offsets too, eight bytes each
            piece = pa.nulls(min(size, _PIECE), pa.large_string())
            pieces = [piece] * (size // _PIECE) + [piece.slice(0, size % _PIECE)] * (size % _PIECE > 0)
            return _string_dtype().__from_arrow__(pa.chunked_array(pieces, pa.large_string()))
    return pd.Series([None] * size, dtype=dtype).array


def constant(name: str, size: int) -> Any:
    """A category column that says the same in every row."""
    import numpy as np
    import pandas as pd

    return pd.Categorical.from_codes(np.zeros(size, dtype=np.int8), dtype=_categories(name), validate=False)


@lru_cache(maxsize=256)
def _categories(*names: str) -> pd.CategoricalDtype:
    import pandas as pd

    return pd.CategoricalDtype(pd.Index(list(names), dtype="str"))


def moved(built: pd.DataFrame, file: str, line: int | None = None) -> pd.DataFrame:
    """A frame that a parser just made, its rows now pointing to another file, and to one line of it where `line` is given.

    The frame itself is changed: a copy of tens of columns costs more than reading a small capture.
    """
    import pandas as pd

    if "file" not in built.columns or not len(built):
        return built
    names = built.columns.tolist()
    built.isetitem(names.index("file"), constant(file, len(built)))
    if line is not None:
        built.isetitem(names.index("line"), pd.array([line] * len(built), dtype="Int64"))
    return built
