"""Files of ACK's ``diagnose_k8s.sh``: each command between a line ``---run <argv>---`` and one ``---End of <argv0>---``.

The dashes are fixed (17 and 18, 12 and 16), so an argv that holds dashes is taken literally. A section that never ends, or
has ``failed to collect info: <argv>`` at its end after some output, was cut by the script's time limit. What follows the
last section without a frame are listings of netstat.

>>> data = b"-----------------run ip route show------------------\\ndefault via 192.0.2.1\\n------------End of ip----------------\\n"
>>> [(section.first, section.last, section.command, section.cut) for section in sections(data)]
[(1, 3, 'ip route show', False)]
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_RUN = re.compile(rb"-{17}run (.+?)-{18}\r?")
_END = re.compile(rb"-{12}End of (\S+?)-{16}\r?")
_FAILED = b"failed to collect info: "
_TITLES = (b"Active Internet connections", b"Active UNIX domain sockets")
MARK = b"-" * 17 + b"run "


@dataclass(frozen=True, slots=True)
class Section:
    """Lines `first` to `last` of the file, counted from 1, frame included."""

    first: int
    last: int
    command: str
    cut: bool


def sections(data: bytes) -> list[Section]:
    """All sections in order, none when the file does not begin with one: logs inside another file may hold anything."""
    if not data[:4096].lstrip(b"\r\n\t ").startswith(MARK):
        return []
    rows = data.split(b"\n")
    if rows and not rows[-1]:
        rows.pop()
    found: list[Section] = []
    start = 0  # of the open section, from 1
    command = b""
    failed = False
    tail = 0
    for number, row in enumerate(rows, 1):
        if row.startswith(MARK) and (run := _RUN.fullmatch(row)):
            if start:
                found.append(_section(start, number - 1, command, cut=True))
            start, command, failed, tail = number, run[1], False, 0
        elif start and row.startswith(b"------------End of ") and (end := _END.fullmatch(row)):
            if end[1] == command.split()[0]:
                found.append(_section(start, number, command, cut=failed))
                start = 0
        elif start and row.startswith(_FAILED):
            failed = True
        elif not start and not tail and row.startswith(_TITLES):
            tail = number
    if start:
        found.append(_section(start, len(rows), command, cut=True))
    elif tail:
        found.append(Section(tail, len(rows), "netstat -ln", False))
    return found


def _section(first: int, last: int, command: bytes, *, cut: bool) -> Section:
    return Section(first, last, command.decode("utf-8", "replace").strip(), cut)
