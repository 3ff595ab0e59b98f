"""Connection tracking: ``conntrack -L``, ``-L -o extended``, ``-E``, ``/proc/net/nf_conntrack``.

One line per entry, the original tuple, the reply tuple, flags and a few values::

    tcp      6 86112 ESTABLISHED src=198.51.100.23 dst=203.0.113.10 sport=50122 dport=443
        src=10.20.1.7 dst=198.51.100.23 sport=8443 dport=50122 [ASSURED] mark=0 use=1     (on the same line)

Table ``connections``. Small captures are read line by line (`conntrack_slow`), large ones column by column
(`conntrack_fast`); lines without a regular shape go to the line reader in both cases, and both give equal frames.
The counters of ``conntrack -S`` are no entries; `conntrack_counters` reads them.

>>> line = b"unknown  2 417 src=0.0.0.0 dst=224.0.0.1 [UNREPLIED] src=224.0.0.1 dst=0.0.0.0 mark=0 use=1"
>>> parsed = parse(line, "conntrack-L.txt")
>>> parsed.tables["connections"].loc[0, ["protonum", "orig_dst", "mark"]].astype(str).tolist()
['2', '224.0.0.1', '0']
"""

from __future__ import annotations

import codecs
import re
from bisect import bisect_left
from dataclasses import replace
from typing import TYPE_CHECKING

from analyzer.parsers import conntrack_slow, envelope
from analyzer.parsers.base import Form, Head, Ledger, LineCount, Parsed, ParseNote
from analyzer.tables import CONNECTIONS

if TYPE_CHECKING:
    from analyzer.parsers.conntrack_columns import Columns

SMALL = 128 << 10
_FILLER = b"tcp      6 1 src=192.0.2.1 dst=192.0.2.2 src=192.0.2.2 dst=192.0.2.1 use=1"
_TRAILER = b"(conntrack-tools)"
_FLOW = re.compile(
    r"(?:\[\d+\.\d+\]\s+)?(?:\[(?:NEW|UPDATE|DESTROY)\]\s+)?(?:ipv[46]\s+\d{1,3}\s+)?[a-z][a-z0-9_-]{0,15}\s+\d{1,3}\s[^=]{0,80}\bsrc=\S"
)
_EXPECTATION = re.compile(r"(?:\d+|-) (?:l3proto = \d+ )?proto=\d+ src=")


def _sniff(head: Head) -> int:
    if "src=" in head.text and any(_FLOW.match(line.lstrip()) for line in head.lines):
        return 95
    if "conntrack-tools" in head.text and conntrack_slow.TRAILER.search(head.text):
        return 90
    return 80 if any(_EXPECTATION.match(line) for line in head.lines[:20]) else 0


def parse(data: bytes, file: str) -> Parsed:
    """Read one capture, by lines or by columns after its size."""
    return conntrack_slow.parse(data, file) if len(data) < SMALL else parse_columns(data, file)


def parse_columns(data: bytes, file: str) -> Parsed:
    """Read one capture column by column; what does not fit goes to the line reader."""
    from analyzer.parsers.conntrack_fast import read

    marked = data[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE) or data[:3] == codecs.BOM_UTF8
    if marked or b"\x1b" in data or b"\n" not in data:
        data = envelope.decode(data).encode("utf-8")
    columns = read(data)
    odd, texts = _odd(data, columns)
    continued = any(text.rstrip(b"\r").endswith(b"\\") for text in texts)
    if len(odd) * 2 <= len(columns.taken) and not continued:
        return _merge(columns, _unwrapped(columns, odd, texts), file)
    # Few rows fit: a quoted, framed, indented or wrapped paste, or not a regular table at all.
    whole = envelope.lines(data)
    bare = [""] * max((*(number for number, _ in whole.pairs[-1:]), *whole.furniture), default=0)
    for number, text in whole.pairs:
        bare[number - 1] = text
    stripped = "".join(f"{text}\n" for text in bare).encode("utf-8")
    columns = read(stripped)
    left = set(_odd(stripped, columns)[0])
    whole.pairs = [pair for pair in whole.pairs if pair[0] in left]
    return _merge(columns, whole, file)


def _unwrapped(columns: Columns, odd: list[int], found: list[bytes]) -> envelope.Envelope:
    """The lines that no layout fits, unwrapped as the whole file would be.

    The envelope looks for what *every* line has, so regular rows are put between the odd ones: it sees a mixed file.
    """
    if not odd:
        return envelope.Envelope([])
    taken = columns.taken
    lead = bisect_left(odd, int(taken.argmax()) + 1 if taken.any() else len(taken) + 1)
    fillers = len(odd) + 2
    mixed = [*found[:lead], *([_FILLER] * fillers), *found[lead:]]
    numbers = [*odd[:lead], *([0] * fillers), *odd[lead:]]
    unwrapped = envelope.lines(b"\n".join(mixed) + b"\n")
    unwrapped.pairs = [(numbers[at - 1], text) for at, text in unwrapped.pairs if numbers[at - 1]]
    unwrapped.furniture = [numbers[at - 1] for at in unwrapped.furniture]
    unwrapped.notes = [ParseNote(numbers[n.line - 1], n.reason, n.text, n.detail) for n in unwrapped.notes]
    return unwrapped


def _odd(data: bytes, columns: Columns) -> tuple[list[int], list[bytes]]:
    """Numbers and texts of the lines that are not taken; with them the line after a trailer.

    Such a line may be the rest of the entry before it, however complete it looks.
    """
    for _ in range(2):
        odd = columns.left()
        found = _texts_of(data, odd) if odd else []
        joined = [n + 1 for n, text in zip(odd, found, strict=True) if _TRAILER in text]
        if not columns.forget(joined):
            break
    return odd, found


def _texts_of(data: bytes, numbers: list[int]) -> list[bytes]:
    """The texts of a few lines of a large text, by ascending number."""
    import numpy as np

    found: list[bytes] = []
    step, begin, number = 8 << 20, 0, 1  # `number` is that of the line at `begin`
    wanted = iter(numbers)
    target = next(wanted, 0)
    while target and begin < len(data):
        end = min(begin + step, len(data))
        end = data.find(b"\n", end - 1) + 1 or len(data)
        ends = np.flatnonzero(np.frombuffer(data, np.uint8, end - begin, begin) == 10) + begin
        if data[end - 1] != 10:
            ends = np.append(ends, end)
        while target and target < number + len(ends):
            at = target - number
            found.append(data[int(ends[at - 1]) + 1 if at else begin : int(ends[at])])
            target = next(wanted, 0)
        number, begin = number + len(ends), end
    return found


def _merge(columns: Columns, odd: envelope.Envelope, file: str) -> Parsed:
    """Read the odd lines, put their rows into the columns, and close the account of the whole file."""
    from analyzer.parsers.conntrack_frame import frame

    total, taken = len(columns.taken), int(columns.taken.sum())
    ledger = Ledger(file, (conntrack_slow.TABLE,))
    last_taken = total - int(columns.taken[::-1].argmax()) if taken else 0
    last = max(last_taken, conntrack_slow.last_flow(odd.pairs))
    outcome = conntrack_slow.read(odd.pairs, ledger, last=last, has_use=columns.has_use)
    rows = taken + len(outcome.rows)
    conntrack_slow.finish(ledger, outcome, rows)
    parsed = odd.close(ledger, state="failed" if outcome.statistics and not rows else None)
    count = parsed.lines
    table = frame(columns, outcome, file) if taken else parsed.tables[conntrack_slow.TABLE]
    return replace(
        parsed,
        tables={CONNECTIONS.name: table},
        lines=LineCount(
            total,
            total - taken - count.rows - count.furniture - count.noted,
            taken + count.rows,
            count.furniture,
            count.noted,
        ),
        state="rows" if rows else parsed.state,
    )


FORMS = (Form("conntrack", "conntrack", (CONNECTIONS.name,), (r"conntrack(?!.*-s\b)",), _sniff, parse),)
