"""What a bundle holds, on a terminal: facts of its nodes (alike ones together), what was captured, what could not be used."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from rich.console import Console
from rich.table import Table
from rich.text import Text

from analyzer.report.messages import Messages
from analyzer.report.plain import clean
from analyzer.report.terminal.style import text
from analyzer.report.view_inputs import COVERAGE_MARKS, EXPECTED
from analyzer.report.view_tables import texts
from analyzer.snapshot.model import REGIME_KEYS, Snapshot

NAMES = 6
CELL = 200
REPEATS = "same fact as"
"""How the detail of a capture begins that another one makes superfluous."""
FILES = 30
NODES = 40
_STATE = {"failed": "red", "refused": "red", "none": "red", "cut": "yellow", "ignored": "dim"}
"""Colour of what is not simply read."""


def show(console: Console, snapshot: Snapshot, messages: Messages) -> None:
    """Print it; columns in the order in which a reader asks: is it there, could it be read, what became of it."""
    told = messages.text("terminal.input", source=snapshot.source, layout=snapshot.layout, digest=snapshot.digest[:16])
    console.print(text(told, "bold"))
    groups: dict[tuple[str, ...], list[str]] = {}
    for node in snapshot.node_names:
        groups.setdefault(tuple(snapshot.regime(node).value(key) for key in REGIME_KEYS), []).append(node)
    sections = [_facts(names, snapshot, messages) for names in groups.values()]
    for section in (*sections, _coverage(snapshot, messages), _gaps(snapshot, messages), _notes(snapshot, messages)):
        for number, part in enumerate(section):
            if not number:
                console.print()
            console.print(part)


def _title(words: str) -> Text:
    return text(words, "bold")


def _table(heads: Iterable[str]) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    for head in heads:
        table.add_column(head, overflow="fold")
    return table


def _facts(names: list[str], snapshot: Snapshot, messages: Messages) -> Iterator[Table | Text]:
    shown = ", ".join(map(clean, names[:NAMES])) + (f" (+{len(names) - NAMES})" if len(names) > NAMES else "")
    yield _title(messages.text("terminal.nodes", list=shown))
    table = _table(("", "", "", ""))
    table.show_header = False
    regime = snapshot.regime(names[0])
    for key in REGIME_KEYS:
        fact = regime[key]
        place = fact.evidence[0].place if fact.evidence else ""
        value = text(fact.value, "" if fact.known else "magenta")
        table.add_row(
            text(messages.text(f"regime.{key}")),
            value,
            text(messages.text(f"how.{fact.how}"), "dim"),
            text(place, "dim"),
        )
    yield table


def _coverage(snapshot: Snapshot, messages: Messages) -> Iterator[Table | Text]:
    """Nodes against the captures a node's bundle should have, those with gaps first; then the captures of the cluster."""
    failed = {
        (node, capture)
        for node, capture, state in texts(snapshot["captures"], ("node", "capture", "state"), CELL) if state == "failed"
    }  # fmt: skip
    grid = {
        node: [_standing(snapshot, node, capture, (clean(node), capture) in failed) for capture in EXPECTED]
        for node in snapshot.node_names
    }
    yield _title(messages.text("terminal.coverage"))
    table = _table(("", *EXPECTED))
    for node in sorted(grid, key=lambda name: all(one in ("rows", "empty") for one in grid[name]))[:NODES]:
        table.add_row(
            text(node), *(Text(COVERAGE_MARKS[one], _STATE.get(one, ""), justify="center") for one in grid[node])
        )
    yield table
    if len(grid) > NODES:
        yield text(messages.text("terminal.more-nodes", n=len(grid) - NODES), "dim")
    used = dict.fromkeys(one for row in grid.values() for one in row)
    yield text("  ".join(f"{COVERAGE_MARKS[one]} {messages.text(f'report.coverage.{one}')}" for one in used), "dim")
    listed = ", ".join(sorted(map(clean, snapshot.captured.get("", {}))))
    yield text(messages.text("terminal.cluster", list=listed or "–"))


def _standing(snapshot: Snapshot, node: str, capture: str, failed: bool) -> str:
    if not snapshot.has(node, capture):
        return "failed" if failed else "none"
    return "rows" if snapshot.complete(node, capture) else "cut"


def _gaps(snapshot: Snapshot, messages: Messages) -> Iterator[Table | Text]:
    """Members that fill no table or not the whole of it, with the reason; one that only repeats another is none of them."""
    frame = snapshot["captures"].sort_values(["node", "file"], na_position="first", kind="stable")
    columns = ("file", "capture", "state", "complete", "detail")
    found = [
        (file, messages.text("report.coverage.cut" if state == "rows" else f"state.{state}"), detail, state)
        for file, capture, state, complete, detail in texts(frame, columns, CELL)
        if capture != "manifest"
        and (state not in ("rows", "empty") or (complete == "False" and not detail.startswith(REPEATS)))
    ]
    if not found:
        return
    yield _title(messages.text("terminal.gaps"))
    table = _table([messages.text(f"terminal.{slug}") for slug in ("file", "state", "detail")])
    for file, label, detail, state in found[:FILES]:
        table.add_row(text(file), Text(label, _STATE.get(state, "yellow")), text(detail, "dim"))
    yield table
    if len(found) > FILES:
        yield text(messages.text("terminal.more-files", n=len(found) - FILES), "dim")


def _notes(snapshot: Snapshot, messages: Messages) -> Iterator[Table | Text]:
    if not len(snapshot["parse_notes"]):
        return
    yield _title(messages.text("terminal.notes"))
    table = _table((messages.text("terminal.reason"), messages.text("terminal.lines")))
    for reason, count in snapshot["parse_notes"]["reason"].value_counts().items():
        table.add_row(text(reason), Text(str(count), justify="right"))
    yield table
