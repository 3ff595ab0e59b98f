"""Declared tables: every column has a name, a dtype, a unit and a meaning, also in an empty frame.

The declaration *is* the documentation: `docs/tables.md` is generated from it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
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

    def empty(self) -> pd.DataFrame:
        """The table without rows, every column present with its dtype."""
        return self.frame(())

    def frame(self, rows: Iterable[Mapping[str, Any]]) -> pd.DataFrame:
        """A frame of this schema from row mappings; absent keys become null.

        Raises:
            KeyError: a row has a key that is no column (a programming error).
        """
        import pandas as pd

        listed = list(rows)
        known = set(self.names)
        for row in listed:
            if not known.issuperset(row):
                raise KeyError(f"{self.name}: no column {sorted(set(row) - known)}")
        data = {
            column.name: pd.Series([row.get(column.name) for row in listed], dtype=column.dtype)
            for column in self.columns
        }
        return pd.DataFrame(data, columns=list(self.names))

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
