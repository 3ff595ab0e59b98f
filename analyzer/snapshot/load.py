"""From members to a snapshot: parse each one, choose between several captures of one fact, put the tables together."""

from __future__ import annotations

import hashlib
import os
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING

from analyzer.bundle.model import Bundle, Member
from analyzer.parsers.base import Form, Parsed
from analyzer.parsers.built import Tables
from analyzer.progress import Report
from analyzer.snapshot import spill
from analyzer.snapshot.declared import Declared
from analyzer.snapshot.derive import derive_addresses, derive_endpoints
from analyzer.snapshot.identify import aliases
from analyzer.snapshot.merge import Piece as MergePiece
from analyzer.snapshot.merge import concat, merge_tables, of_node
from analyzer.snapshot.model import Snapshot
from analyzer.snapshot.regime import regimes
from analyzer.snapshot.spill import SpilledTables, Store, Stored
from analyzer.tables import CAPTURES, PARSE_NOTES, TABLES

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pandas as pd

UNNAMED = "unnamed"
TOO_LARGE = "reading it takes more memory than there is"
NEAR = 64
"""Lines up to which they are counted; beyond, the file's line ends are looked for once."""
_OF_THE_CLUSTER = ("objects", "cloud", "object-table", "proxy-config")


@dataclass(frozen=True, slots=True)
class Piece:
    """One capture: what a member (or a part of it) was read as."""

    member: Member
    node: str
    form: Form
    parsed: Parsed

    @property
    def of_cluster(self) -> bool:
        """Objects and the cloud's documents, which belong to no node."""
        return self.form.capture in _OF_THE_CLUSTER

    @property
    def tables(self) -> Mapping[str, pd.DataFrame]:
        return self.parsed.tables


def load(bundle: Bundle, *, node: str = "", progress: Report | None = None) -> Snapshot:
    """Parse every member of an opened bundle into a snapshot.

    Several captures of one fact on one node (`ip addr` and `ip -j addr`, a listing and its save form) are one fact: the
    most complete one fills the table, the others are noted in `captures` as not used. The bundle must stay open while
    lines are quoted.

    Args:
        node: the name for captures that nothing assigns to a node.
        progress: called with the bytes that are read and those that there are.
    """
    from analyzer.parsers.registry import parse_member

    pieces: list[Piece] = []
    rows: list[dict[str, object]] = []
    digests: list[tuple[str, str]] = []
    store: Store | None = None
    held = 0
    done, total = 0, sum(member.size for member in bundle.members)
    declared = Declared(bundle.manifest)
    for member in bundle.members:
        if progress is not None:
            progress(done, total)
        done += member.size
        unread = member.area == "manifest" or bool(member.unused)
        try:
            data = member.read()
            sha256 = hashlib.sha256(data).hexdigest()
            found = [] if unread else parse_member(data, member.path, member.command)
        except MemoryError:
            # Under a limit of memory, which the rest may still fit into.
            rows.append({"capture": "", "state": "refused", "file": member.path, "detail": TOO_LARGE, "rows": 0})
            digests.append((member.path, TOO_LARGE))
            continue
        digests.append((member.path, sha256))
        if not found:
            rows.append(_capture(member, None, None, sha256, member.unused if unread else "not recognised"))
        for form, parsed in found:
            if form.name == "kubectl-table":
                # A table leaves out policies, selectors and port names: no sound basis for what is expected.
                parsed = replace(parsed, complete=False)
            if member.partial:
                parsed = replace(parsed, complete=False, detail=parsed.detail or member.partial)
            parsed = declared.applied(parsed, member.path)
            piece = Piece(member, _node_of(member, form, parsed, node), form, parsed)
            rows.append(_capture(member, form, parsed, sha256, parsed.detail))
            held += 0 if piece.of_cluster else _rows(parsed)
            if store is None and held > spill.ROWS_IN_MEMORY:
                store = Store()
                pieces = [_stored(store, one) for one in pieces]
            pieces.append(_stored(store, piece) if store is not None else piece)
    if progress is not None:
        progress(total, total)
    for refused in bundle.refused:
        rows.append({"capture": "", "state": "refused", "file": refused.path, "detail": refused.why, "rows": 0})
    pieces = _name_the_unnamed(_with_node_names(pieces), node)
    captured = _captured(pieces)
    tables, unused = _merged(pieces, store, captured)
    by_file = {piece.member.path: piece.node for piece in pieces}
    for row in rows:
        row["node"] = by_file.get(str(row["file"])) or None
        if (row["file"], row.get("form")) in unused:
            row["detail"] = unused[(str(row["file"]), str(row.get("form")))]
    notes = PARSE_NOTES.frame(
        {
            "node": piece.node or None, "reason": note.reason, "text": note.text, "detail": note.detail,
            "file": piece.member.path, "line": note.line,
        }
        for piece in pieces for note in piece.parsed.notes
    )  # fmt: skip
    about = {"captures": CAPTURES.frame(rows), "parse_notes": notes}
    tables = tables.replaced(about) if isinstance(tables, SpilledTables) else {**tables, **about}
    digest = hashlib.sha256("".join(f"{path}\0{value}\n" for path, value in sorted(digests)).encode()).hexdigest()
    snapshot = Snapshot(
        source=os.path.basename(bundle.source.rstrip("/")) or bundle.source,
        layout=bundle.layout,
        digest=digest,
        tables=tables
        if isinstance(tables, SpilledTables)
        else {name: tables[name] if name in tables else schema.empty() for name, schema in TABLES.items()},
        node_names=_node_names(tables, pieces),
        captured=captured,
        read_line=_line_reader(bundle),
        manifest=bundle.manifest,
        parts=bundle.parts,
    )
    return _with_regimes(snapshot)


def _stored(store: Store, piece: Piece) -> Piece:
    """The piece with its tables in the store, if they are a node's state."""
    if piece.of_cluster:
        return piece
    return replace(piece, parsed=replace(piece.parsed, tables=Stored(store, piece.parsed.tables)))


def _merged(
    pieces: list[Piece], store: Store | None, captured: dict[str, dict[str, bool]]
) -> tuple[Mapping[str, pd.DataFrame], dict[tuple[str, str], str]]:
    """The tables, and which captures fill none of them and why. With a store, each node's state is merged by itself."""
    if store is None:
        whole_tables, lost = merge_tables(
            [(piece.node, piece.member.path, piece.form, piece.parsed) for piece in pieces]
        )
        derive_addresses(whole_tables, captured)
        derive_endpoints(whole_tables, captured)
        return whole_tables, lost
    small: list[MergePiece] = []
    grouped: dict[str, list[MergePiece]] = defaultdict(list)
    for piece in pieces:
        whole = (piece.node, piece.member.path, piece.form, piece.parsed)
        if piece.of_cluster:
            small.append(whole)
            continue
        shared = {name: piece.parsed.tables[name] for name in piece.parsed.tables if not of_node(name)}
        if shared or piece.parsed.state == "failed":
            small.append((*whole[:3], replace(piece.parsed, tables=shared)))
        if any(of_node(name) for name in piece.parsed.tables):
            grouped[piece.node].append(whole)
    tables, unused = merge_tables(small)
    derive_endpoints(tables, captured)
    nodes: dict[str, Stored] = {}
    for node, own in grouped.items():
        alone = _without_rivals(own, captured.get(node, {}))
        if alone is not None:
            nodes[node] = alone.of(node)
            continue
        merged, lost = merge_tables(own)
        derive_addresses(merged, {node: captured[node]} if node in captured else {})
        unused |= lost
        nodes[node] = Stored(store, {name: frame for name, frame in merged.items() if of_node(name)})
    return SpilledTables(tables, nodes, concat), unused


def _without_rivals(own: list[MergePiece], captures: Mapping[str, bool]) -> Stored | None:
    """A node's stored tables when each has one source and nothing follows from others: what merging would give.

    Null when they have to be read and merged.
    """
    pieces = [piece for piece in own if piece[3].state != "failed"]
    forms = [piece[2].capture for piece in pieces]
    names = [name for piece in pieces for name in piece[3].tables if of_node(name)]
    derived = "ip-route" in captures and not captures.get("ip-addr")
    if derived or not own[0][0] or len(set(forms)) < len(forms) or len(set(names)) < len(names):
        return None
    found: Stored | None = None
    for piece in pieces:
        tables = piece[3].tables
        if not isinstance(tables, Stored):
            return None
        found = found or Stored(tables.store)
        found.slots |= {name: slot for name, slot in tables.slots.items() if of_node(name)}
    return found


def _with_regimes(snapshot: Snapshot) -> Snapshot:
    found = replace(snapshot, regimes=regimes(snapshot))
    found.__dict__["by_node"] = snapshot.by_node  # the same tables: they need not be split again
    return found


def _rows(parsed: Parsed) -> int:
    tables = parsed.tables
    return sum(tables.rows(name) if isinstance(tables, Tables) else len(tables[name]) for name in tables)


def _capture(member: Member, form: Form | None, parsed: Parsed | None, sha256: str, detail: str) -> dict[str, object]:
    return {
        "capture": form.capture if form else ("manifest" if member.area == "manifest" else ""),
        "form": form.name if form else None,
        "state": parsed.state if parsed else "ignored",
        "complete": parsed.complete if parsed else None,
        "rows": _rows(parsed) if parsed else 0,
        "lines": parsed.lines.total if parsed else None,
        "furniture": parsed.lines.furniture if parsed else None,
        "notes": len(parsed.notes) if parsed else None,
        "bytes": member.size,
        "sha256": sha256,
        "detail": detail,
        "file": member.path,
    }


def _node_of(member: Member, form: Form, parsed: Parsed, node: str) -> str:
    if form.capture in _OF_THE_CLUSTER:
        return ""
    return member.node or parsed.facts.get("host", "") or node


def _with_node_names(pieces: list[Piece]) -> list[Piece]:
    """Captures under the name of the Node object they belong to, where it is known by another name."""
    local = [
        piece
        for piece in pieces
        if piece.form.capture not in _OF_THE_CLUSTER or "nodes" in piece.tables or "pods" in piece.tables
    ]
    names = aliases(local)
    return [
        replace(piece, node=names[piece.node])
        if piece.node in names and piece.form.capture not in _OF_THE_CLUSTER
        else piece
        for piece in pieces
    ]


def _name_the_unnamed(pieces: list[Piece], node: str) -> list[Piece]:
    """Node captures that nothing names belong to the only Node object, else to a node called "unnamed"."""
    names = [
        str(name)
        for piece in pieces
        if "nodes" in piece.parsed.tables
        for name in piece.parsed.tables["nodes"]["name"].dropna()
    ]
    fallback = node or (names[0] if len(set(names)) == 1 else UNNAMED)
    return [
        piece
        if piece.node or piece.form.capture in _OF_THE_CLUSTER
        else Piece(piece.member, fallback, piece.form, piece.parsed)
        for piece in pieces
    ]


def _node_names(tables: Mapping[str, pd.DataFrame], pieces: Iterable[Piece]) -> tuple[str, ...]:
    names = {piece.node for piece in pieces if piece.node}
    if "nodes" in tables:
        names.update(str(name) for name in tables["nodes"]["name"].dropna())
    return tuple(sorted(names))


def _captured(pieces: Iterable[Piece]) -> dict[str, dict[str, bool]]:
    """node -> capture -> whether it is complete; the best of several captures counts. "" holds the cluster's objects."""
    found: dict[str, dict[str, bool]] = defaultdict(dict)
    for piece in pieces:
        if piece.parsed.state == "failed":
            continue
        names = [piece.form.capture]
        if piece.form.capture in ("objects", "object-table"):
            names.extend(name for name, frame in piece.parsed.tables.items() if len(frame))
            names.extend(part for part in piece.parsed.facts.get("kinds", "").split(",") if part)
        for name in names:
            found[piece.node][name] = found[piece.node].get(name, False) or piece.parsed.complete
    return {node: dict(captures) for node, captures in found.items()}


def _line_reader(bundle: Bundle) -> Callable[[str, int], str]:
    import numpy as np

    members = {member.path: member for member in bundle.members}

    @lru_cache(maxsize=16)
    def content(path: str) -> bytes:
        member = members.get(path)
        return member.read() if member is not None else b""

    @lru_cache(maxsize=16)
    def starts(path: str) -> npt.NDArray[np.intp]:
        return np.flatnonzero(np.frombuffer(content(path), np.uint8) == ord("\n")) + 1

    def read_line(path: str, number: int) -> str:
        data, start = content(path), 0
        if number > NEAR:
            start = int(starts(path)[number - 2]) if number - 2 < len(starts(path)) else len(data)
        else:
            for _ in range(number - 1):
                start = data.find(b"\n", start) + 1 or len(data)
        end = data.find(b"\n", start)
        return (
            data[start : end if end >= 0 else len(data)].decode("utf-8", "replace").rstrip("\r") if number > 0 else ""
        )

    return read_line
