"""A pointer to the line of the bundle that proves a statement."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, order=True)
class Evidence:
    """`file` is relative to the bundle's root, `line` counts from 1 (0 = the whole file), `text` is the quoted line.

    `text` may be empty; `Snapshot.quote` fills it from the bundle. `node` is empty for cluster-wide facts.
    """

    file: str
    line: int
    text: str = ""
    node: str = ""

    @property
    def place(self) -> str:
        return f"{self.file}:{self.line}" if self.line else self.file
