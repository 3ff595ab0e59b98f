"""A capture's tables as columns, which become frames when somebody asks for one.

Node state of large bundles goes from the parser to a file: frames of tens of columns that are mostly null need not be made for that.

>>> from analyzer.tables import IPVS_TIMEOUTS
>>> tables = Tables({"ipvs_timeouts": columns(IPVS_TIMEOUTS, {"tcp_s": [900], "line": [1]}, 1)})
>>> tables.rows("ipvs_timeouts"), sorted(tables.arrays("ipvs_timeouts")), int(tables["ipvs_timeouts"].loc[0, "tcp_s"])
(1, ['line', 'tcp_s'], 900)
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from analyzer.parsers import frames
from analyzer.schema import TableSchema

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True)
class Columns:
    """A table before it is a frame: arrays of the declared dtypes by column; a column that is not there has no values."""

    schema: TableSchema
    arrays: Mapping[str, Any]
    rows: int


def columns(schema: TableSchema, values: Mapping[str, Any], rows: int) -> Columns:
    """Columns as `frames.frame` takes them."""
    return Columns(schema, frames.arrays(schema, values, rows) if rows else {}, rows)


class Tables(Mapping[str, "pd.DataFrame"]):
    """Frames by name; made when they are asked for the first time."""

    def __init__(self, tables: Mapping[str, Columns | pd.DataFrame]) -> None:
        self._tables = dict(tables)

    def __getitem__(self, name: str) -> pd.DataFrame:
        found = self._tables[name]
        if isinstance(found, Columns):
            found = self._tables[name] = frames.frame(found.schema, found.arrays, found.rows)
        return found

    def __iter__(self) -> Iterator[str]:
        return iter(self._tables)

    def __contains__(self, name: object) -> bool:
        return name in self._tables

    def __len__(self) -> int:
        return len(self._tables)

    def rows(self, name: str) -> int:
        found = self._tables[name]
        return found.rows if isinstance(found, Columns) else len(found)

    def arrays(self, name: str) -> Mapping[str, Any]:
        """The columns of a table, those without values perhaps left out."""
        found = self._tables[name]
        if isinstance(found, Columns):
            return found.arrays
        return {str(column): series.array for column, series in found.items()}

    def replaced(self, name: str, frame: pd.DataFrame) -> Tables:
        """The same with another frame of that name."""
        return Tables({**self._tables, name: frame})

    def moved(self, file: str) -> Tables:
        """The same rows pointing to another file; frames that were made are changed."""
        return Tables({name: _moved(table, file) for name, table in self._tables.items()})


def _moved(table: Columns | pd.DataFrame, file: str) -> Columns | pd.DataFrame:
    if not isinstance(table, Columns):
        return frames.moved(table, file)
    if not table.rows or "file" not in table.schema.names:
        return table
    return Columns(table.schema, {**table.arrays, "file": frames.constant(file, table.rows)}, table.rows)


def moved(tables: Mapping[str, pd.DataFrame], file: str) -> Mapping[str, pd.DataFrame]:
    """`Tables.moved` of any tables that a parser just made."""
    if isinstance(tables, Tables):
        return tables.moved(file)
    return {name: frames.moved(frame, file) for name, frame in tables.items()}
