"""Which form a member has, and running its parser.

Every module of this package may declare ``FORMS: tuple[Form, ...]``. Content decides, because files named after one
command hold another one's output often enough; the name breaks ties and serves empty captures.
"""

from __future__ import annotations

import importlib
import pkgutil
import re
from collections.abc import Iterable
from dataclasses import replace
from functools import cache

import analyzer.parsers as package
from analyzer.parsers import built, envelope, frames, kubeskoop, transcript
from analyzer.parsers.base import Form, Head, LineCount, Parsed, ParseNote, Reason
from analyzer.parsers.collector import no_collection
from analyzer.tables import TABLES

_PIECES = 2000
_PADDING = 20_000_000
"""Commands of one transcript, and blank lines that all of them may be read behind, together."""


@cache
def forms() -> tuple[Form, ...]:
    """All forms of the package, sorted by name (the last tie-break)."""
    found: list[Form] = []
    for module in pkgutil.iter_modules(package.__path__):
        if module.name != "registry":
            found.extend(getattr(importlib.import_module(f"{package.__name__}.{module.name}"), "FORMS", ()))
    return tuple(sorted(found, key=lambda form: form.name))


@cache
def _surest_first() -> tuple[Form, ...]:
    return tuple(sorted(forms(), key=lambda form: -form.most))


@cache
def form(name: str) -> Form:
    """The form with that name.

    Raises:
        KeyError: there is none.
    """
    return {known.name: known for known in forms()}[name]


@cache
def _name_pattern(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern)


def _named(name: str, among: Iterable[Form] | None = None) -> list[tuple[int, Form]]:
    """Forms whose name patterns match, longest match first."""
    hits: list[tuple[int, Form]] = []
    for known in forms() if among is None else among:
        spans = [match.end() - match.start() for p in known.names if (match := _name_pattern(p).search(name))]
        if spans:
            hits.append((max(spans), known))
    return sorted(hits, key=lambda hit: (-hit[0], hit[1].name))


def _choose(head: Head) -> Form | None:
    """The form with the best score; among equals the one whose name fits best."""
    best, equal = 0, list[Form]()
    for known in _surest_first():
        if known.most < best:
            break
        score = known.sniff(head)
        if score > best:
            best, equal = score, [known]
        elif score == best and score:
            equal.append(known)
    if equal:
        equal.sort(key=lambda known: known.name)
        named = _named(head.name, equal) if len(equal) > 1 else []
        return named[0][1] if named else equal[0]
    if not any(line.strip() for line in head.lines):
        named = _named(head.name)
        return named[0][1] if named else None
    return None


def identify(data: bytes, path: str) -> tuple[Form | None, ...]:
    """The form of each piece of a member; one piece unless the member is a transcript of several commands."""
    return tuple(_choose(envelope.head(piece.data, path)) for piece in transcript.pieces(data))


def parse_member(data: bytes, path: str, command: str = "") -> list[tuple[Form, Parsed]]:
    """Parse a member with the form(s) found in it; an empty list when nothing recognises it.

    `command` is the command that wrote it, where the bundle's layout says so: it then speaks in place of the file's name.

    Error text instead of output gives a failed `Parsed` (note `error-text`) of the form the name or the text suggests:
    never an empty table, which would be knowledge. Content that no form recognises under a name that promises one is
    failed too (note `unusable`).
    """
    with no_collection():
        if (found := kubeskoop.read(data, path)) is not None:
            return found
        pieces = transcript.pieces(data)
        framed = len(pieces) > 1 or pieces[0].command
        return _transcript(pieces, path) if framed else _single(data, path, command)


def _transcript(pieces: list[transcript.Piece], path: str) -> list[tuple[Form, Parsed]]:
    """Each piece with its own form; text between them goes to the account of the first one."""
    results: list[tuple[Form, Parsed]] = []
    commands: list[str] = []
    hosts: list[str] = []
    strays: list[ParseNote] = []
    stray_blank = stray_furniture = stray_left = 0
    padding, left = _PADDING, list[ParseNote]()
    for at, piece in enumerate(pieces):
        padding -= piece.first
        if padding < 0 or at >= _PIECES:
            # Each piece is read behind as many blank lines: thousands of commands would cost their square.
            rows = list(enumerate(envelope.decode(piece.data).split("\n"), piece.first))
            filled = [(number, line) for number, line in rows if line.strip()]
            stray_blank += len(rows) - len(filled) - (not rows[-1][1])
            stray_left += len(filled)
            if filled and not left:
                detail = "too many commands in one file; from here on it was not read"
                left.append(ParseNote(filled[0][0], "unusable", filled[0][1].strip()[:200], detail))
            continue
        head = envelope.head(piece.data, path)
        known = _choose(head) if any(line.strip() for line in head.lines) else _by_command(piece.command)
        failed = envelope.error_text(head.lines) if known is None else ""
        if failed:
            known = _by_command(piece.command)
        if known is None:
            opened = envelope.lines(piece.data)
            stray_furniture += len(opened.furniture)
            for number, text in opened.pairs:
                if text.strip():
                    strays.append(ParseNote(piece.first + number - 1, "unparsed", text.strip()[:200], "no known form"))
                else:
                    stray_blank += 1
            continue
        padded = piece.padded()
        parsed = failure(known, padded, "error-text", failed) if failed else known.parse(padded, path)
        if piece.cut:
            parsed = replace(parsed, complete=False, detail=parsed.detail or "cut by the collector's time limit")
        count = parsed.lines
        pad = piece.first - 1
        parsed = replace(
            parsed,
            lines=replace(count, total=count.total - pad, blank=count.blank - pad),
            facts={
                "command": piece.command,
                "first": str(piece.first),
                **({"host": piece.host} if piece.host else {}),
                **parsed.facts,
            },
        )
        if piece.host and hosts and piece.host not in hosts:
            note = ParseNote(
                piece.first, "second-host", piece.command, f"output of {piece.host}, before of {hosts[-1]}"
            )
            parsed = replace(parsed, notes=(note, *parsed.notes))
        if piece.host:
            hosts.append(piece.host)
        for index, (earlier, old) in enumerate(results):
            same_host = old.facts.get("host", "") == parsed.facts.get("host", "")
            if earlier is known and same_host and commands[index] == piece.command and parsed.state != "failed":
                parsed = _superseding(parsed, old, piece.first)
                del results[index], commands[index]
                break
        results.append((known, parsed))
        commands.append(piece.command)
    stray_total = len(strays) + stray_blank + stray_furniture + stray_left
    if results and stray_total:
        known, parsed = results[0]
        count = parsed.lines
        lines = replace(
            count,
            total=count.total + stray_total,
            blank=count.blank + stray_blank,
            furniture=count.furniture + stray_furniture,
            noted=count.noted + len(strays) + stray_left,
        )
        notes = tuple(sorted((*parsed.notes, *strays, *left), key=lambda note: note.line))
        results[0] = (known, replace(parsed, lines=lines, notes=notes))
    if left:
        # Any of the captures may go on in what was not read.
        results = [(known, replace(parsed, complete=False)) for known, parsed in results]
    return results


def _single(data: bytes, path: str, command: str) -> list[tuple[Form, Parsed]]:
    head = envelope.head(data, _slug(command) or path)
    known = _choose(head)
    if known is not None:
        return [(known, _told(known, data, path, command))]
    failed = envelope.error_text(head.lines)
    named = _named(head.name) or (_named(failed.lower()) if failed else [])
    if not named:
        return []
    if failed:
        return [(named[0][1], failure(named[0][1], data, "error-text", failed))]
    first = next((line.strip() for line in head.lines if line.strip()), "")
    return [(named[0][1], failure(named[0][1], data, "unusable", first[:200]))]


def _by_command(command: str) -> Form | None:
    """The form of a command's empty or failed output."""
    named = _named(_slug(command))
    return named[0][1] if named else None


def _slug(command: str) -> str:
    """A command as a file name would spell it.

    >>> _slug("ip -6 route show table all"), _slug("kube-proxy.log")
    ('ip-6-route-show-table-all', 'kube-proxy.log')
    """
    return re.sub(r"[^a-z0-9.]+", "-", command.lower()).strip("-")


def _told(known: Form, data: bytes, path: str, command: str) -> Parsed:
    """Parse under the name of the command, which some parsers read options off, with the rows pointing to the file."""
    if not command:
        return known.parse(data, path)
    parsed = known.parse(data, _slug(command))
    return replace(parsed, tables=built.moved(parsed.tables, path), facts={"command": command, **parsed.facts})


def _superseding(parsed: Parsed, old: Parsed, line: int) -> Parsed:
    """The later run of a command on a host: the earlier one is not summed, its lines stay in the account."""
    first = int(old.facts.get("first", "1"))
    note = ParseNote(first, "repeated", old.facts.get("command", ""), f"captured again from line {line} on")
    one, other = old.lines, parsed.lines
    counts = LineCount(
        one.total + other.total,
        one.blank + other.blank,
        one.rows + other.rows,
        one.furniture + other.furniture,
        one.noted + other.noted,
    )
    return replace(parsed, lines=counts, notes=(note, *old.notes, *parsed.notes))


def failure(known: Form, data: bytes, reason: Reason, text: str) -> Parsed:
    """A capture that gives no knowledge: no rows, one note, every non-blank line accounted for."""
    rows = envelope.number_lines(envelope.decode(data))
    filled = [number for number, line in rows if line.strip()]
    note = ParseNote(filled[0] if filled else 1, reason, text.strip()[:200])
    return Parsed(
        tables={name: frames.empty(TABLES[name]) for name in known.tables},
        notes=(note,),
        lines=LineCount(len(rows), len(rows) - len(filled), 0, 0, len(filled)),
        state="failed",
        complete=False,
        detail=text.strip()[:200],
    )
