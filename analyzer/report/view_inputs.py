"""What the analysis rests on: regimes of the nodes, captures taken and not taken, lines that were not understood."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from analyzer.findings.model import Skipped
from analyzer.report.limits import Limits
from analyzer.report.messages import Messages
from analyzer.report.plain import clean, cut
from analyzer.report.view_tables import texts
from analyzer.snapshot.model import REGIME_KEYS, Snapshot

EXPECTED = ("ipvsadm", "ip-addr", "ip-route", "ip-rule", "iptables", "ipset", "conntrack", "sockets", "sysctl")
"""Captures a node's bundle should have."""

REASONS = (
    "corrupt", "cut", "suspect", "unparsed", "error-text", "unusable", "wrong-form", "not-a-table", "count",
    "second-host", "repeated", "not-live", "masked", "assumed", "name", "extra",
)  # fmt: skip
"""Reasons of parse notes, those that cost most knowledge first."""

COVERAGE_MARKS = {"rows": "●", "empty": "○", "cut": "◐", "failed": "✗", "none": "–"}
_BEST = {"rows": 4, "cut": 3, "empty": 2, "failed": 1, "none": 0}


@dataclass(frozen=True, slots=True)
class FactView:
    """One fact of a group of nodes."""

    value: str
    known: bool
    how: str
    how_label: str
    place: str


@dataclass(frozen=True, slots=True)
class NodeGroup:
    """Nodes whose facts have equal values; `names` may be shortened by `more`."""

    names: tuple[str, ...]
    more: int
    facts: tuple[FactView, ...]


@dataclass(frozen=True, slots=True)
class Environment:
    """Facts (label, meaning) by groups of nodes, and the versions found in the cluster."""

    facts: tuple[tuple[str, Markup], ...]
    groups: tuple[NodeGroup, ...]
    nodes_left_out: int
    versions: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class CoverageCell:
    """One capture of one node."""

    state: str
    mark: str
    tip: str


@dataclass(frozen=True, slots=True)
class Coverage:
    """Nodes by expected captures, objects of the cluster, members that could not be used."""

    captures: tuple[str, ...]
    rows: tuple[tuple[str, tuple[CoverageCell, ...]], ...]
    nodes_left_out: int
    complete_nodes: int
    legend: tuple[tuple[str, str], ...]
    cluster: tuple[tuple[str, str, str], ...]
    unused: tuple[tuple[str, str, str], ...]
    unused_left_out: int


@dataclass(frozen=True, slots=True)
class SkippedView:
    """A rule that could not be decided."""

    rule: str
    missing: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class NotesOfFile:
    """(line, text, detail) of the first notes of a file; `more` are not shown."""

    file: str
    lines: tuple[tuple[str, str, str], ...]
    more: int


@dataclass(frozen=True, slots=True)
class NotesOfReason:
    """Parse notes with one reason."""

    reason: str
    label: str
    total: int
    files: tuple[NotesOfFile, ...]
    files_left_out: int


@dataclass(frozen=True, slots=True)
class Notes:
    """All parse notes by reason."""

    total: int
    reasons: tuple[NotesOfReason, ...]


def environment(snapshot: Snapshot, messages: Messages, limits: Limits) -> Environment:
    """Nodes with the same facts stand together, the largest group first."""
    members: dict[tuple[str, ...], list[str]] = {}
    for node in snapshot.node_names:
        regime = snapshot.regime(node)
        members.setdefault(tuple(regime.value(key) for key in REGIME_KEYS), []).append(node)
    ranked = sorted(members.values(), key=lambda names: (-len(names), names))
    groups = []
    for names in ranked[: limits.groups]:
        regime = snapshot.regime(names[0])
        facts = []
        for key in REGIME_KEYS:
            fact = regime[key]
            place = clean(fact.evidence[0].place) if fact.evidence else ""
            value = cut(clean(fact.value), 80) if fact.known else messages.text("regime.unknown")
            facts.append(
                FactView(value, fact.known, fact.how, messages.text(f"how.{fact.how}") if fact.known else "", place)
            )
        shown = [cut(clean(name), 80) for name in names[: limits.names]]
        groups.append(NodeGroup(tuple(shown), len(names) - len(shown), tuple(facts)))
    versions = [(row[0], row[1]) for row in texts(snapshot["versions"], ("component", "version"), limits.cell)]
    return Environment(
        tuple((messages.text(f"regime.{key}"), messages.html(f"regime.{key}.meaning")) for key in REGIME_KEYS),
        tuple(groups),
        sum(map(len, ranked[limits.groups :])),
        tuple(sorted(set(versions))),
    )


def complete_nodes(snapshot: Snapshot) -> int:
    """How many nodes have every expected capture, uncut."""
    whole: dict[str, set[str]] = {}
    for node, capture, state, complete in texts(snapshot["captures"], ("node", "capture", "state", "complete"), 400):
        if state in ("rows", "empty") and complete != "False":
            whole.setdefault(node, set()).add(capture)
    return sum(whole.get(clean(node), set()).issuperset(EXPECTED) for node in snapshot.node_names)


def coverage(snapshot: Snapshot, messages: Messages, limits: Limits) -> Coverage:
    """The captures table turned: what is there, per node; nodes with gaps first when not all can be shown."""
    found: dict[tuple[str, str], tuple[str, str]] = {}
    cluster: dict[str, tuple[str, int, int]] = {}
    unused: list[tuple[str, str, str]] = []
    columns = ("node", "capture", "state", "complete", "rows", "notes", "file", "detail")
    for node, capture, state, complete, rows, noted, file, detail in texts(snapshot["captures"], columns, limits.cell):
        if state in ("failed", "ignored", "refused"):
            unused.append((file, state, detail))
        if state not in ("rows", "empty", "failed"):
            continue
        shown = "cut" if state != "failed" and complete == "False" else state
        tip = messages.text("report.coverage.tip", file=file, rows=rows or "0", notes=noted or "0")
        if node and _BEST[shown] > _BEST[found.get((node, capture), ("none", ""))[0]]:
            found[node, capture] = (shown, tip)
        elif not node:
            before = cluster.get(capture, ("none", 0, 0))
            best = max(before[0], shown, key=_BEST.__getitem__)
            cluster[capture] = (best, before[1] + int(rows or 0), before[2] + 1)
    names = list(snapshot.node_names)
    if len(names) > limits.nodes:
        names.sort(key=lambda node: _whole(node, found))
    table = []
    for node in names[: limits.nodes]:
        cells = []
        for capture in EXPECTED:
            state, tip = found.get((clean(node), capture), ("none", ""))
            label = messages.text(f"report.coverage.{state}")
            cells.append(
                CoverageCell(state, COVERAGE_MARKS[state], f"{capture}: {label}" + (f" ({tip})" if tip else ""))
            )
        table.append((clean(node), tuple(cells)))
    return Coverage(
        captures=EXPECTED,
        rows=tuple(table),
        nodes_left_out=len(names) - len(table),
        complete_nodes=complete_nodes(snapshot),
        legend=tuple((mark, messages.text(f"report.coverage.{state}")) for state, mark in COVERAGE_MARKS.items()),
        cluster=tuple(
            (
                capture,
                messages.text(f"report.coverage.{state}"),
                messages.text("report.coverage.files", rows=rows, n=files),
            )
            for capture, (state, rows, files) in sorted(cluster.items())
        ),
        unused=tuple(
            (file, messages.text(f"state.{state}"), detail) for file, state, detail in sorted(unused)[: limits.rows]
        ),
        unused_left_out=max(0, len(unused) - limits.rows),
    )


def _whole(node: str, found: dict[tuple[str, str], tuple[str, str]]) -> bool:
    return all(found.get((clean(node), capture), ("none", ""))[0] in ("rows", "empty") for capture in EXPECTED)


def skipped(rules: Sequence[Skipped]) -> tuple[SkippedView, ...]:
    return tuple(SkippedView(clean(item.rule), tuple(map(clean, item.missing))) for item in rules)


def notes(snapshot: Snapshot, messages: Messages, limits: Limits) -> Notes:
    """Notes by reason and file; the first of each file, at most `limits.notes` in all, the rest counted."""
    frame = snapshot["parse_notes"]
    if not len(frame):
        return Notes(0, ())
    frame = frame.assign(reason=frame["reason"].astype("str"), file=frame["file"].astype("str"))
    sizes = frame.groupby(["reason", "file"], sort=True, dropna=False).size()
    first = frame.sort_values(["reason", "file", "line"], kind="stable").groupby(
        ["reason", "file"], sort=False, dropna=False
    )
    lines: dict[tuple[str, str], list[tuple[str, str, str]]] = {}
    for reason, file, line, text, detail in texts(
        first.head(limits.notes_per_file), ("reason", "file", "line", "text", "detail"), limits.cell
    ):
        lines.setdefault((reason, file), []).append((line, text, detail))
    totals: dict[str, dict[str, int]] = {}
    for key, size in zip(sizes.index.tolist(), sizes.tolist(), strict=True):
        totals.setdefault(clean(key[0]), {})[clean(key[1])] = int(size)
    rank = {reason: number for number, reason in enumerate(REASONS)}
    room = limits.notes
    result = []
    for reason in sorted(totals, key=lambda reason: (rank.get(reason, len(rank)), reason)):
        files = []
        for file, size in totals[reason].items():
            shown = lines.get((reason, file), [])[:room]
            if not shown:
                break
            room -= len(shown)
            files.append(NotesOfFile(file, tuple(shown), size - len(shown)))
        label = messages.text(f"report.note.{reason}") if reason in rank else reason
        result.append(
            NotesOfReason(reason, label, sum(totals[reason].values()), tuple(files), len(totals[reason]) - len(files))
        )
    return Notes(int(sizes.sum()), tuple(result))


HARMLESS = frozenset({"extra", "assumed", "repeated", "wrong-form", "not-live"})
"""Reasons of notes that cost no row: something was assumed, or stands elsewhere."""


def unread_lines(snapshot: Snapshot) -> int:
    """How many notes mean that something on a line is not known."""
    notes = snapshot["parse_notes"]
    return int((~notes["reason"].isin(list(HARMLESS))).sum())
