"""Rows to drop from and to add to the tables of a snapshot, put together once at the end."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from analyzer.snapshot.model import Snapshot
from analyzer.tables import TABLES

if TYPE_CHECKING:
    import pandas as pd

FILE = "what-if"
"""Stands for the bundle's member in rows that no member holds."""


class TableSet:
    """The tables of one snapshot with changes pending."""

    def __init__(self, snapshot: Snapshot) -> None:
        self.snapshot = snapshot
        self._dropped: dict[str, set[Any]] = {}
        self._added: dict[str, list[dict[str, Any]]] = {}

    def drop(self, table: str, index: Iterable[Any]) -> None:
        """Drop the rows with these labels of the table's index."""
        self._dropped.setdefault(table, set()).update(index)

    def add(self, table: str, row: Mapping[str, Any]) -> None:
        self._added.setdefault(table, []).append({"file": FILE, "line": 0, **row})

    def add_frame(self, table: str, frame: pd.DataFrame) -> None:
        """Rows as a parser made them."""
        for row in frame.to_dict("records"):
            self.add(table, {str(name): value for name, value in row.items() if value is not None and value == value})

    def tables(self) -> dict[str, pd.DataFrame]:
        """The changed tables."""
        import pandas as pd

        found = {}
        for table in {*self._dropped, *self._added}:
            schema = TABLES[table]
            frame = self.snapshot[table].drop(index=list(self._dropped.get(table, ())))
            rows = self._added.get(table, [])
            if rows:
                frame = pd.concat([frame, schema.frame(rows)], ignore_index=True)
            found[table] = schema.conform(frame.reset_index(drop=True))
        return found

    def apply(self) -> Snapshot:
        changed = self.tables()
        return self.snapshot.with_tables(**changed) if changed else self.snapshot
