"""The table of `ipvsadm -L` in all its column sets, alone or after save lines in one file.

Printing code: ipvsadm.c (1.26 to 1.31). Every line can be read by `ipvsadm_reader`; large listings of the ordinary
shape are read by columns (`ipvsadm_plain`), with equal results.

>>> table = b"TCP  203.0.113.10:443 wrr\\n  -> 10.20.1.7:8443               Masq    3      12         4\\n"
>>> int(parse(table, "ipvsadm-Ln.txt").tables["real_servers"].loc[0, "weight"])
3
"""

from __future__ import annotations

import re

from analyzer.parsers import envelope, ipvsadm_fast, ipvsadm_plain
from analyzer.parsers.base import Form, Head, Ledger, Parsed
from analyzer.parsers.ipvs_servers import TABLES, write
from analyzer.parsers.ipvsadm_reader import BANNER, Reader, line_ends_lost

SMALL = 200
_SERVICE = re.compile(r"(?:TCP|UDP|SCTP)\s+\S+:[\w-]+(?:\s.*)?|FWM\s+\d+\s.*")
_REAL = re.compile(r"->\s+\S+:[\w-]+(?:\s.*)?")


def sniff(head: Head) -> int:
    """A title or banner is certain, rows alone nearly."""
    text = head.text
    if "Prot LocalAddress:Port" in text or "-> RemoteAddress:Port" in text:
        return 94
    if BANNER.match(text.lstrip()):
        return 90
    service = real = 0
    for line in head.lines:
        bare = line.strip()
        service += bool(_SERVICE.fullmatch(bare))
        real += bool(_REAL.fullmatch(bare))
    return 75 if service and real else 65 if service else 45 if real else 0


def parse(data: bytes, file: str) -> Parsed:
    """Read all listings of a file and merge them.

    Without a banner (`-t address:port`, a fragment) the listing is not the whole table: `complete` is false. Lines
    whose line ends or addresses were lost make the capture failed (`unusable`), never rows.
    """
    if data.count(b"\n", 0, 1 << 16) >= SMALL and (ordinary := ipvsadm_fast.parse(data, file)) is not None:
        return ordinary
    opened = envelope.lines(data)
    cut = bool(data) and not data.endswith(b"\n")
    plain = ipvsadm_plain.parse(opened, file, cut=cut) if len(opened.pairs) >= SMALL else None
    return parse_lines(opened, file, cut=cut) if plain is None else plain


def parse_lines(opened: envelope.Envelope, file: str, *, cut: bool) -> Parsed:
    """Read line by line; `cut` when the file does not end with a line end."""
    ledger = Ledger(file, TABLES)
    reader = Reader(ledger)
    last = next((number for number, text in reversed(opened.pairs) if text.strip()), 0)
    for number, text in opened.pairs:
        bare = text.strip()
        if not bare:
            continue
        if line_ends_lost(bare):
            return _unusable(opened, file, number, text, "line ends lost")
        reader.step(number, text, cut=cut and number == last and not text.endswith((" ", "\t")))
    found = any(v.line or v.reals for listing in reader.listings for v in listing.virtuals)
    if reader.stripped and not found:
        return _unusable(opened, file, 0, "addresses were removed", "addresses were removed")
    write(ledger, reader.listings)
    known = reader.banner or reader.titled or reader.saved or found
    if found and not reader.saved:
        ipvsadm_plain.note_wrong_form(opened, ledger)
    return opened.close(ledger, complete=reader.banner or reader.saved, state=None if known or not last else "failed")


def _unusable(opened: envelope.Envelope, file: str, line: int, text: str, detail: str) -> Parsed:
    ledger = Ledger(file, TABLES)
    for number, content in opened.pairs:
        if content.strip() and number != line:
            ledger.note(number, "unparsed", content)
    first = next((number for number, content in opened.pairs if content.strip()), 1)
    ledger.note(line or first, "unusable", text, detail)
    return opened.close(ledger, complete=False, state="failed", detail=detail)


FORMS = (
    Form(
        name="ipvsadm-list",
        capture="ipvsadm",
        tables=TABLES,
        names=(r"ipvsadm[-_]*l[-_n]*", r"ipvsadm", r"^ipvs\b"),
        sniff=sniff,
        parse=parse,
    ),
)
