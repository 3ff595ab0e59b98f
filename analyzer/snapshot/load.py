"""From members to a snapshot: parse each one, choose between several captures of one fact, put the tables together."""

from __future__ import annotations

import hashlib
import os
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from analyzer.bundle.model import Bundle, Member
from analyzer.parsers.base import Form, Parsed
from analyzer.snapshot.declared import Declared
from analyzer.snapshot.merge import merge_tables
from analyzer.snapshot.model import Snapshot
from analyzer.snapshot.regime import regimes
from analyzer.tables import CAPTURES, PARSE_NOTES, TABLES

if TYPE_CHECKING:
    import pandas as pd

UNNAMED = "unnamed"


@dataclass(frozen=True, slots=True)
class Piece:
    """One capture: what a member (or a part of it) was read as."""

    member: Member
    node: str
    form: Form
    parsed: Parsed


def load(bundle: Bundle, *, node: str = "") -> Snapshot:
    """Parse every member of an opened bundle into a snapshot.

    Several captures of one fact on one node (`ip addr` and `ip -j addr`, a listing and its save form) are one fact: the
    most complete one fills the table, the others are noted in `captures` as not used. The bundle must stay open while
    lines are quoted.

    Args:
        node: the name for captures that nothing assigns to a node.
    """
    from analyzer.parsers.registry import parse_member

    pieces: list[Piece] = []
    rows: list[dict[str, object]] = []
    digests: list[tuple[str, str]] = []
    declared = Declared(bundle.manifest)
    for member in bundle.members:
        data = member.read()
        sha256 = hashlib.sha256(data).hexdigest()
        digests.append((member.path, sha256))
        found = [] if member.area == "manifest" else parse_member(data, member.path)
        if not found:
            rows.append(_capture(member, None, None, sha256, "" if member.area == "manifest" else "not recognised"))
        for form, parsed in found:
            parsed = declared.applied(parsed, member.path)
            pieces.append(Piece(member, _node_of(member, form, parsed, node), form, parsed))
            rows.append(_capture(member, form, parsed, sha256, parsed.detail))
    for refused in bundle.refused:
        rows.append({"capture": "", "state": "refused", "file": refused.path, "detail": refused.why, "rows": 0})
    pieces = _name_the_unnamed(pieces, node)
    tables, unused = merge_tables([(piece.node, piece.member.path, piece.form, piece.parsed) for piece in pieces])
    by_file = {piece.member.path: piece.node for piece in pieces}
    for row in rows:
        row["node"] = by_file.get(str(row["file"])) or None
        if (row["file"], row.get("form")) in unused:
            row["detail"] = unused[(str(row["file"]), str(row.get("form")))]
    tables["captures"] = CAPTURES.frame(rows)
    tables["parse_notes"] = PARSE_NOTES.frame(
        {
            "node": piece.node or None, "reason": note.reason, "text": note.text, "detail": note.detail,
            "file": piece.member.path, "line": note.line,
        }
        for piece in pieces for note in piece.parsed.notes
    )  # fmt: skip
    digest = hashlib.sha256("".join(f"{path}\0{value}\n" for path, value in sorted(digests)).encode()).hexdigest()
    snapshot = Snapshot(
        source=os.path.basename(bundle.source.rstrip("/")) or bundle.source,
        layout=bundle.layout,
        digest=digest,
        tables={name: tables[name] if name in tables else schema.empty() for name, schema in TABLES.items()},
        node_names=_node_names(tables, pieces),
        captured=_captured(pieces),
        read_line=_line_reader(bundle),
        manifest=bundle.manifest,
    )
    return _with_regimes(snapshot)


def _with_regimes(snapshot: Snapshot) -> Snapshot:
    from dataclasses import replace

    return replace(snapshot, regimes=regimes(snapshot))


def _capture(member: Member, form: Form | None, parsed: Parsed | None, sha256: str, detail: str) -> dict[str, object]:
    count = sum(len(frame) for frame in parsed.tables.values()) if parsed else 0
    return {
        "capture": form.capture if form else ("manifest" if member.area == "manifest" else ""),
        "form": form.name if form else None,
        "state": parsed.state if parsed else "ignored",
        "complete": parsed.complete if parsed else None,
        "rows": count,
        "lines": parsed.lines.total if parsed else None,
        "furniture": parsed.lines.furniture if parsed else None,
        "notes": len(parsed.notes) if parsed else None,
        "bytes": member.size,
        "sha256": sha256,
        "detail": detail,
        "file": member.path,
    }


def _node_of(member: Member, form: Form, parsed: Parsed, node: str) -> str:
    if form.capture in ("objects", "cloud", "object-table", "proxy-config"):
        return ""
    return member.node or parsed.facts.get("host", "") or node


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
        if piece.node or piece.form.capture in ("objects", "cloud", "object-table", "proxy-config")
        else Piece(piece.member, fallback, piece.form, piece.parsed)
        for piece in pieces
    ]


def _node_names(tables: Mapping[str, pd.DataFrame], pieces: Iterable[Piece]) -> tuple[str, ...]:
    names = {piece.node for piece in pieces if piece.node}
    if "nodes" in tables:
        names.update(str(name) for name in tables["nodes"]["name"].dropna())
    return tuple(sorted(names))


def _captured(pieces: Iterable[Piece]) -> Mapping[str, Mapping[str, bool]]:
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
    members = {member.path: member for member in bundle.members}

    @lru_cache(maxsize=32)
    def lines(path: str) -> list[bytes]:
        member = members.get(path)
        return member.read().split(b"\n") if member is not None else []

    def read_line(path: str, number: int) -> str:
        text = lines(path)
        return text[number - 1].decode("utf-8", "replace").rstrip("\r") if 0 < number <= len(text) else ""

    return read_line
