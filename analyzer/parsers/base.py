"""What every parser gives back, and how it is registered.

A parser knows bytes and lines, nothing of nodes, clusters or other files. It never raises on input text:
each non-blank line ends up as part of a row, as furniture (banner, title, comment, prompt), or as a note.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from analyzer.parsers import built, frames
from analyzer.tables import TABLES

if TYPE_CHECKING:
    import pandas as pd

Reason = Literal[
    "unparsed", "cut", "masked", "name", "assumed", "wrong-form", "not-a-table", "count", "second-host", "repeated",
    "not-live", "suspect", "corrupt", "error-text", "unusable", "extra",
]  # fmt: skip
State = Literal["rows", "empty", "failed"]

MAX_NOTES = 10_000
"""Notes that are kept of one capture; further ones are counted."""


@dataclass(frozen=True, slots=True)
class ParseNote:
    """A line (or field) that could not be taken as it stands: where, why, and what was assumed."""

    line: int
    reason: Reason
    text: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class LineCount:
    """How the lines of a capture were accounted for: `total == blank + rows + furniture + noted`."""

    total: int = 0
    blank: int = 0
    rows: int = 0
    furniture: int = 0
    noted: int = 0


@dataclass(frozen=True, slots=True)
class Parsed:
    """The outcome of one capture.

    `state` is "empty" for a capture that was taken and holds nothing (knowledge), "failed" for an error text or
    an unusable capture (no knowledge). `complete` is false when the capture was filtered or cut, so that the absence
    of a row proves nothing. `facts` are hints found on the way, for example `command`, `host`, `time`.
    """

    tables: Mapping[str, pd.DataFrame]
    notes: tuple[ParseNote, ...] = ()
    lines: LineCount = field(default_factory=LineCount)
    state: State = "rows"
    complete: bool = True
    detail: str = ""
    facts: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Head:
    """The beginning of a member, for recognition: its base name (lower case) and its first lines, envelope removed."""

    name: str
    lines: tuple[str, ...]
    text: str


@dataclass(frozen=True, slots=True)
class Form:
    """One form of one command's output.

    `names` are regular expressions searched in the lower-case base name (a hint only); `sniff` looks at the content and
    answers 0 (no) to 100 (certain). The content decides; the name breaks ties and serves empty captures. `most` is the highest
    answer it ever gives: it is not asked where another form is surer.
    """

    name: str
    capture: str
    tables: tuple[str, ...]
    names: tuple[str, ...]
    sniff: Callable[[Head], int]
    parse: Callable[[bytes, str], Parsed]
    most: int = 100


class Ledger:
    """Collects rows and notes of a line-by-line parser and keeps the account of its lines.

    Call exactly one of `row`, `furniture` or `note` for each non-blank line that begins a record; `also` notes
    something about a line that is accounted for already (a masked value in a kept row).
    """

    def __init__(self, file: str, tables: Iterable[str]) -> None:
        self.file = file
        self._rows: dict[str, list[dict[str, Any]]] = {name: [] for name in tables}
        self._fate: dict[int, str] = {}
        self._notes: list[ParseNote] = []
        self._more = 0
        self._absent = False

    def add(self, table: str, line: int, /, **values: Any) -> dict[str, Any]:
        """Add a row that was read from `line` and give it back for later completion."""
        row = {**values, "file": self.file, "line": line}
        self._rows[table].append(row)
        self._fate[line] = "row"
        return row

    def row(self, line: int) -> None:
        """The line completes a row that another line began."""
        self._fate[line] = "row"

    def furniture(self, line: int) -> None:
        self._fate.setdefault(line, "furniture")

    def note(self, line: int, reason: Reason, text: str, detail: str = "") -> None:
        """The line as a whole ends as a note (unless a row was already read from it)."""
        self._fate.setdefault(line, "note")
        self.also(line, reason, text, detail)

    def also(self, line: int, reason: Reason, text: str, detail: str = "") -> None:
        self._absent |= reason in ("cut", "count")
        if len(self._notes) < MAX_NOTES:
            self._notes.append(ParseNote(line, reason, text.strip()[:200], detail))
            return
        # A file of another kind may give a note for each of its lines.
        if not self._more:
            self._notes.append(ParseNote(line, reason, text.strip()[:200], ""))
        self._more += 1

    def count(self, table: str) -> int:
        return len(self._rows[table])

    def parsed(
        self,
        lines: Iterable[tuple[int, str]],
        *,
        complete: bool = True,
        state: State | None = None,
        detail: str = "",
        facts: Mapping[str, str] | None = None,
    ) -> Parsed:
        """Close the account: a non-blank line that nobody claimed becomes an `unparsed` note."""
        total = blank = 0
        for number, text in lines:
            total += 1
            if not text.strip():
                blank += 1
            elif number not in self._fate:
                self.note(number, "unparsed", text)
        fates = list(self._fate.values())
        tables = built.Tables(
            {
                name: built.columns(TABLES[name], frames.by_column(TABLES[name], rows), len(rows))
                for name, rows in self._rows.items()
            }
        )
        found = any(len(rows) for rows in self._rows.values())
        if self._more:
            last = self._notes.pop()
            told = f"and {self._more - 1} more notes of this capture that are not listed"
            self._notes.append(ParseNote(last.line, last.reason, last.text, told))
        notes = tuple(sorted(self._notes, key=lambda note: note.line))
        return Parsed(
            tables=tables,
            notes=notes,
            lines=LineCount(total, blank, fates.count("row"), fates.count("furniture"), fates.count("note")),
            state=state or ("rows" if found else "empty"),
            complete=complete and not self._absent,
            detail=detail,
            facts=facts or {},
        )
