"""Counters of connection tracking, summed over the CPUs: ``conntrack -S`` and ``/proc/net/stat/nf_conntrack``.

One line per CPU, the first form with names, the second a title and hexadecimal columns::

    cpu=0   \tfound=7 invalid=2 insert=0 insert_failed=0 drop=0 early_drop=0 error=0 search_restart=9
    entries  clashres found new invalid ignore delete chainlength insert insert_failed drop early_drop icmp_error ...

They are no entries and say nothing about single connections; what was dropped because the table was full is a fact of
the node (`conntrack-early_drop` and so on).

>>> parse(b"cpu=0 found=7 drop=1 early_drop=2\\ncpu=1 found=1 drop=0 early_drop=3\\n", "").tables["host_facts"]["value"].tolist()
['1', '5']
"""

from __future__ import annotations

import re

from analyzer.parsers import envelope
from analyzer.parsers.base import Form, Head, Ledger, Parsed

TABLES = ("host_facts",)
KEPT = ("invalid", "insert_failed", "drop", "early_drop", "error", "clash_resolve", "chaintoolong")
_NAMED = re.compile(r"cpu=\d+\s+(?:found|searched)=\d+.*")
_TITLE = re.compile(r"entries\s+(?:clashres|searched)\s+found\s.*")
_HEX = re.compile(r"[0-9a-f]{8}(?:\s+[0-9a-f]{8})+")


def sniff(head: Head) -> int:
    """A line of counters per CPU, or the title of the kernel's own table."""
    filled = [line.strip() for line in head.lines[:20] if line.strip()]
    return 90 if filled and (_NAMED.fullmatch(filled[0]) or _TITLE.fullmatch(filled[0])) else 0


def _counters(text: str, names: list[str]) -> dict[str, int] | None:
    if _NAMED.fullmatch(text):
        pairs = (word.partition("=") for word in text.split())
        return {name: int(value) for name, _, value in pairs if value.isascii() and value.isdigit()}
    if names and _HEX.fullmatch(text):
        return dict(zip(names, (int(word, 16) for word in text.split()), strict=False))
    return None


def parse(data: bytes, file: str) -> Parsed:
    """The sums of the counters that tell of trouble, as facts; without counters there is no knowledge."""
    opened = envelope.lines(data)
    ledger = Ledger(file, TABLES)
    names: list[str] = []
    sums: dict[str, int] = {}
    first = 0
    for number, text in opened.pairs:
        bare = text.strip()
        if not bare:
            continue
        if _TITLE.fullmatch(bare):
            names = bare.split()
            ledger.furniture(number)
            continue
        found = _counters(bare, names)
        if found is None:
            ledger.note(number, "unparsed", text)
            continue
        first = first or number
        ledger.row(number)
        for name, value in found.items():
            sums[name] = sums.get(name, 0) + value
    for name in KEPT:
        if name in sums:
            ledger.add("host_facts", first, fact=f"conntrack-{name}", value=str(sums[name]))
    return opened.close(ledger, state=None if first else "failed")


FORMS = (
    Form(
        "conntrack-stats",
        "conntrack-stats",
        TABLES,
        (r"conntrack[-_ ]?(?:s|stats?)\b",),
        sniff,
        parse,
    ),
)
