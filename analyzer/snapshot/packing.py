"""A column of a node's table as a small Arrow array for the store, and back.

State of kube-proxy repeats itself: the real servers of one virtual server stand together, weights are alike, lines ascend. So
numbers are kept as narrow integers, as differences where that is narrower; text by its distinct values. Reading gives
exactly what was written: values, nulls and the declared dtype.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from analyzer.parsers import frames
from analyzer.schema import Dtype

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pandas as pd
    import pyarrow as pa

Form = Literal["plain", "differences", "texts"]
"""As it is, differences between rows, text by its distinct values."""
Value = str | int
"""What a column says in each row."""

_WIDTHS = ("int8", "int16", "int32")


def packed(array: Any, dtype: Dtype) -> tuple[Form, pa.Array] | Value | None:
    """The column as its form and Arrow array; a plain value where each row has it, null where no row has one."""
    import pyarrow as pa

    if dtype == "category" and len(array.categories) == 1 and (array.codes == 0).all():
        return str(array.categories[0])
    nothing = array.isna()
    if nothing.all():
        return None
    if dtype == "Int64" and not nothing.any():
        return _numbers(array.to_numpy("int64"))
    if dtype == "str":
        return _texts(whole(pa.array(array)))
    return "plain", whole(pa.array(array))


def plain(array: Any, dtype: Dtype) -> tuple[Form, pa.Array] | Value | None:
    """The same for tables of few rows, where looking at the values costs more than it saves."""
    import pyarrow as pa

    if dtype == "category" and len(array.categories) == 1 and (array.codes == 0).all():
        return str(array.categories[0])
    return None if array.isna().all() else ("plain", whole(pa.array(array)))


def _numbers(values: npt.NDArray[np.int64]) -> tuple[Form, pa.Array] | int:
    import numpy as np
    import pyarrow as pa

    low, high = int(values.min()), int(values.max())
    if low == high:
        return low
    steps = np.diff(values, prepend=0) if max(abs(low), abs(high)) < 1 << 62 else values
    if _width(int(steps.min()), int(steps.max())) < _width(low, high):
        return "differences", pa.array(_narrow(steps, int(steps.min()), int(steps.max())))
    return "plain", pa.array(_narrow(values, low, high))


def _width(low: int, high: int) -> int:
    return next((at for at in range(3) if -(1 << (8 << at) - 1) <= low and high < 1 << (8 << at) - 1), 3)


def _narrow(values: npt.NDArray[np.int64], low: int, high: int) -> npt.NDArray[Any]:
    width = _width(low, high)
    return values.astype(_WIDTHS[width]) if width < len(_WIDTHS) else values


def _texts(texts: pa.Array) -> tuple[Form, pa.Array] | str:
    import pyarrow as pa

    if _alike(texts):
        return str(texts[0].as_py())
    coded = texts.dictionary_encode()
    if len(coded.dictionary) * 2 > len(texts):
        return "plain", texts
    small = pa.int16() if len(coded.dictionary) < 1 << 15 else pa.int32()
    return "texts", pa.DictionaryArray.from_arrays(coded.indices.cast(small), coded.dictionary)


def _alike(texts: pa.Array) -> bool:
    """Whether all rows have one text; a few rows tell mostly."""
    import pyarrow.compute as pc

    if texts.null_count or len(pc.unique(texts.slice(0, 64))) > 1:
        return False
    return bool(pc.all(pc.equal(texts, texts[0])).as_py())


def whole(array: Any) -> pa.Array:
    """One array of several pieces."""
    import pyarrow as pa

    if isinstance(array, pa.ChunkedArray):
        return array.chunk(0) if array.num_chunks == 1 else pa.concat_arrays(array.chunks or [array.combine_chunks()])
    return array


def opened(form: Form, stored: pa.Array) -> pa.Array:
    """A stored array as it is kept in memory: text in full, because equal columns of several nodes are one object."""
    return stored.dictionary.take(stored.indices) if form == "texts" else stored


def numbers(form: Form, stored: pa.Array) -> npt.NDArray[np.int64]:
    """Stored numbers without nulls, as an array of one's own."""
    import numpy as np

    narrow = stored.to_numpy()
    return np.cumsum(narrow, dtype=np.int64) if form == "differences" else narrow.astype(np.int64)


def unpacked(form: Form, stored: pa.Array, dtype: Dtype) -> Any:
    """A column of the declared dtype."""
    import numpy as np
    import pandas as pd

    if dtype == "Int64" and not stored.null_count:
        values = numbers(form, stored)
        return pd.arrays.IntegerArray(values, np.zeros(len(values), dtype=np.bool_))
    return _categories(stored) if dtype == "category" else frames.from_arrow(stored, dtype)


def _categories(coded: pa.DictionaryArray) -> pd.Categorical[Any]:
    import pandas as pd
    import pyarrow as pa

    names = pd.Index(frames.from_arrow(coded.dictionary.cast(pa.large_string()), "str"))
    return pd.Categorical.from_codes(coded.indices.fill_null(-1).to_numpy(), dtype=pd.CategoricalDtype(names))


def arrow(form: Form, stored: pa.Array, dtype: Dtype) -> pa.Array:
    """A column as Arrow has it: ``int64``, ``large_string``, ``bool``, categories as a dictionary of ``large_string``."""
    import pyarrow as pa

    if dtype == "Int64":
        return stored.cast(pa.int64()) if stored.null_count else pa.array(numbers(form, stored))
    if dtype == "category":
        values = stored.dictionary.cast(pa.large_string())
        return pa.DictionaryArray.from_arrays(stored.indices.cast(pa.int32()), values)
    return stored


def filled(value: Value, size: int, dtype: Dtype) -> Any:
    """A column of the declared dtype that says the same in each row."""
    import numpy as np
    import pandas as pd

    if dtype == "Int64":
        return pd.arrays.IntegerArray(np.full(size, int(value), dtype=np.int64), np.zeros(size, dtype=np.bool_))
    if dtype == "category":
        return frames.constant(str(value), size)
    return frames.from_arrow(repeated(value, size, dtype), dtype)


def repeated(value: Value | None, size: int, dtype: Dtype) -> pa.Array:
    """The same as Arrow has it; null for a column without values."""
    import numpy as np
    import pyarrow as pa

    if dtype == "category":
        names = pa.array([] if value is None else [str(value)], pa.large_string())
        codes = pa.array(np.zeros(size, dtype=np.int32), mask=np.full(size, value is None))
        return pa.DictionaryArray.from_arrays(codes, names)
    kind = _kinds()[dtype]
    return pa.nulls(size, kind) if value is None else pa.repeat(pa.scalar(value, kind), size)


def _kinds() -> dict[str, pa.DataType]:
    import pyarrow as pa

    return {"Int64": pa.int64(), "str": pa.large_string(), "boolean": pa.bool_(), "float64": pa.float64()}


def united(parts: list[pa.Array], dtype: Dtype) -> Any:
    """Columns of several nodes below each other, of the declared dtype."""
    import pyarrow as pa

    if dtype != "category":
        return frames.from_arrow(pa.concat_arrays(parts), dtype)
    one = pa.chunked_array(parts).unify_dictionaries()
    return _categories(one.combine_chunks() if one.num_chunks > 1 else one.chunk(0))
