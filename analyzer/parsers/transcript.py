"""One file, several commands: a pasted session or a wrapper script's output, cut at its prompts and headings."""

from __future__ import annotations

from dataclasses import dataclass

from analyzer.parsers import dashed_runs, envelope
from analyzer.parsers.prompts import KNOWN, heading, prompt

_LOGS = b"==== START logs for container "


@dataclass(frozen=True, slots=True)
class Piece:
    """One command's output inside a file; `first` is the number of its first line, `cut` whether it ended too early."""

    first: int
    data: bytes
    command: str = ""
    host: str = ""
    cut: bool = False

    def padded(self) -> bytes:
        """The bytes with blank lines in front, so that line numbers stay those of the file."""
        return b"\n" * (self.first - 1) + self.data


def pieces(data: bytes) -> list[Piece]:
    """Split a transcript at its prompts and at headings that name a command; one piece when there are fewer than two.

    A prompt's host stays in force until another prompt names another one.
    """
    if _LOGS in data:
        return [Piece(1, data)]  # `kubectl cluster-info dump`: what a container logged is no command of ours
    if framed := dashed_runs.sections(data):
        return _framed(data, framed)
    if not _marked(data[: envelope.HEAD_BYTES]):
        return [Piece(1, data)]
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        data = envelope.decode(data).encode("utf-8")
    rows = data.split(b"\n")
    starts: list[tuple[int, str, str]] = []
    for index, row in enumerate(rows):
        if len(row) > 2000 or not _might_prompt(row):
            continue
        text = row.decode("utf-8", errors="replace").strip()
        if found := prompt(text):
            if found[0]:
                starts.append((index, *found))
        elif (title := heading(text)) and KNOWN.fullmatch(title):
            starts.append((index, title, ""))
    if len(starts) < 2:
        return [Piece(1, data)]
    result: list[Piece] = []
    if not any(row.strip() for row in rows[: starts[0][0]]):
        starts[0] = (0, *starts[0][1:])  # blank lines in front belong to the first piece
    if any(row.strip() for row in rows[: starts[0][0]]):
        result.append(Piece(1, b"\n".join(rows[: starts[0][0]]) + b"\n"))
    host = ""
    for (index, command, named), following in zip(starts, [*(s[0] for s in starts[1:]), len(rows)], strict=True):
        host = named or host
        end = b"\n" if following < len(rows) else b""  # so that a blank last line stays a line
        result.append(Piece(index + 1, b"\n".join(rows[index:following]) + end, command, host))
    return result


def _framed(data: bytes, sections: list[dashed_runs.Section]) -> list[Piece]:
    """The sections as pieces; lines between them belong to the piece before."""
    rows = data.split(b"\n")
    result: list[Piece] = []
    starts = [1, *(section.first for section in sections[1:])]
    for section, start, following in zip(sections, starts, [*starts[1:], len(rows) + 1], strict=True):
        end = b"\n" if following <= len(rows) else b""
        result.append(Piece(start, b"\n".join(rows[start - 1 : following - 1]) + end, section.command, "", section.cut))
    return result


# One character is found many times faster than two.
_MARKS = (
    (b"#", (b"# ", b"##")), (b"$", (b"$ ",)), (b"%", (b"% ",)), (b"=", (b"==",)), (b"*", (b"**",)), (b"-", (b"--",)),
    (b"[", (b"[+]",)), (b"\xe2", (b"\xe2\x9d\xaf", b"\xe2\x9e\x9c")),
)  # fmt: skip


def _marked(data: bytes) -> bool:
    return any(mark in data for sign, marks in _MARKS if sign in data for mark in marks)


def _might_prompt(row: bytes) -> bool:
    return b"> " in row or _marked(row)
