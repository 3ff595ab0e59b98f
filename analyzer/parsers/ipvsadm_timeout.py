"""How long IPVS keeps an idle connection: `ipvsadm -L --timeout`, and the daemon state, which is no table at all.

One line with three numbers of seconds. The last such line counts (before and after a `--set`).

>>> int(parse(b"Timeout (tcp tcpfin udp): 1800 60 240", "t.txt").tables["ipvs_timeouts"].loc[0, "udp_s"])
240
"""

from __future__ import annotations

import re

from analyzer.parsers import envelope
from analyzer.parsers.base import Form, Head, Ledger, Parsed
from analyzer.parsers.fields import integer

_LINE = re.compile(r"Timeout \(tcp tcpfin udp\):\s+(\d+)\s+(\d+)\s+(\d+)")
_DAEMON = re.compile(r"(?:master|backup) sync daemon\b.*")


def sniff(head: Head) -> int:
    """The timeout line or a sync daemon's line."""
    bare = [line.strip() for line in head.lines[:20]]
    if any(_LINE.fullmatch(line) for line in bare):
        return 96
    return 80 if any(_DAEMON.fullmatch(line) for line in bare) else 0


def parse(data: bytes, file: str) -> Parsed:
    """Read one capture; the last timeout line counts."""
    opened = envelope.lines(data)
    ledger = Ledger(file, ("ipvs_timeouts",))
    found: tuple[int, list[int | None]] | None = None
    for number, text in opened.pairs:
        bare = text.strip()
        if match := _LINE.fullmatch(bare):
            if found is not None:
                ledger.note(found[0], "repeated", bare, f"line {number} is used")
            found = (number, [integer(group) for group in match.groups()])
        elif _DAEMON.fullmatch(bare):
            ledger.note(number, "not-a-table", bare, "state of the sync daemon")
        elif bare:
            ledger.note(number, "unparsed", text)
    if found is not None:
        tcp, fin, udp = found[1]
        ledger.add("ipvs_timeouts", found[0], tcp_s=tcp, tcpfin_s=fin, udp_s=udp)
    return opened.close(ledger)


FORMS = (
    Form(
        "ipvsadm-timeout",
        "ipvs-timeouts",
        ("ipvs_timeouts",),
        (r"ipvsadm.*timeouts?", r"ipvsadm.*daemon"),
        sniff,
        parse,
    ),
)
