"""Declared tables: every column has a name, a dtype, a unit and a meaning, also in an empty frame.

The declaration *is* the documentation: `docs/tables.md` is generated from it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import pandas as pd

Dtype = Literal["str", "Int64", "boolean", "category", "float64"]


@dataclass(frozen=True, slots=True)
class Column:
    """One column: `dtype` is a pandas dtype name, `unit` is empty for plain values."""

    name: str
    dtype: Dtype
    meaning: str
    unit: str = ""


@dataclass(frozen=True)
class TableSchema:
    """A table's name, what one row is, and its columns in display order."""

    name: str
    row: str
    columns: tuple[Column, ...]

    @cached_property
    def names(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.columns)

    @cached_property
    def _empty(self) -> pd.DataFrame:
        return self._build(())

    def empty(self) -> pd.DataFrame:
        """The table without rows, every column present with its dtype."""
        return self._empty.copy(deep=False)

    def frame(self, rows: Iterable[Mapping[str, Any]]) -> pd.DataFrame:
        """A frame of this schema from row mappings; absent keys become null.

        Raises:
            KeyError: a row has a key that is no column (a programming error).
        """
        listed = rows if isinstance(rows, list | tuple) else list(rows)
        if not listed:
            return self.empty()
        known = set(self.names)
        for row in listed:
            if not known.issuperset(row):
                raise KeyError(f"{self.name}: no column {sorted(set(row) - known)}")
        return self._build(listed)

    def _build(self, rows: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
        import pandas as pd

        nothing = [None] * len(rows)
        data: dict[str, Any] = {}
        for column in self.columns:
            values = [row.get(column.name) for row in rows] if rows else nothing
            if column.dtype == "category":
                # Text categories even when there is none, so that tables of several captures can be united.
                present = list(dict.fromkeys(str(value) for value in values if value is not None))
                codes = {value: code for code, value in enumerate(present)}
                array: Any = pd.Categorical.from_codes(
                    [-1 if value is None else codes[str(value)] for value in values],
                    categories=pd.Index(present, dtype="str"),
                )
            else:
                array = pd.array(values, dtype=column.dtype)
            data[column.name] = array
        return pd.DataFrame(data, copy=False)

    def conform(self, frame: pd.DataFrame) -> pd.DataFrame:
        """The same rows with exactly the declared columns, order and dtypes; absent columns become null."""
        import pandas as pd

        data: dict[str, pd.Series[Any]] = {}
        for column in self.columns:
            if column.name in frame.columns:
                series = frame[column.name]
                data[column.name] = series if str(series.dtype) == column.dtype else series.astype(column.dtype)
            else:
                data[column.name] = pd.Series([None] * len(frame), index=frame.index, dtype=column.dtype)
        return pd.DataFrame(data, columns=list(self.names))
