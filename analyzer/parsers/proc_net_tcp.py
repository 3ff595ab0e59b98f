"""Listening sockets of ``/proc/net/tcp``, ``tcp6``, ``udp``, ``udp6``, for systems without ss and netstat.

Addresses are hexadecimal in the byte order of the machine (little endian here), ports in network order
(Linux, Documentation/networking/proc_net_tcp.rst)::

       1: 0B0200C0:280A 00000000:0000 0A 00000000:00000002 00:00000000 00000000     0        0 31337 1

Table ``listeners``: state 0A is LISTEN; an unconnected UDP socket has state 07.

>>> row = b"  0: 0B0200C0:280A 00000000:0000 0A 00000000:00000002 00:00000000 00000000     0        0 31337 1"
>>> parse(row, "proc-net-tcp").tables["listeners"].loc[0, ["address", "port", "recv_q"]].astype(str).tolist()
['192.0.2.11', '10250', '2']
"""

from __future__ import annotations

import ipaddress
import re

from analyzer.parsers import envelope
from analyzer.parsers.base import Form, Head, Ledger, Parsed
from analyzer.parsers.endpoints_text import Skipped, local_endpoint
from analyzer.tables import LISTENERS

TABLE = LISTENERS.name
_TITLES = re.compile(r"sl\s+local_address\s+rem(?:ote)?_address\s+st\s")
_ROW = re.compile(
    r"\d+: ([0-9A-F]{8}|[0-9A-F]{32}):([0-9A-F]{4}) ([0-9A-F]{8}|[0-9A-F]{32}):([0-9A-F]{4}) ([0-9A-F]{2}) "
    r"([0-9A-F]{8}):([0-9A-F]{8}) [0-9A-F]{2}:[0-9A-F]{8} [0-9A-F]{8}\s+(\d+)\s+\d+\s+(\d+)(?:\s.*)?"
)


def address_of(text: str) -> str:
    """The address of 8 or 32 hexadecimal digits: 32-bit words, each with its bytes reversed.

    >>> address_of("0B0200C0"), address_of("B80D0120000000000000000001000000")
    ('192.0.2.11', '2001:db8::1')
    """
    raw = b"".join(bytes.fromhex(text[at : at + 8])[::-1] for at in range(0, len(text), 8))
    return ipaddress.ip_address(raw).compressed


def parse(data: bytes, file: str) -> Parsed:
    """Read one of the four files (or several, one after the other, each with its title row)."""
    unwrapped = envelope.lines(data)
    ledger = Ledger(file, (TABLE,))
    skipped = Skipped(ledger)
    named = "udp" if "udp" in file.rpartition("/")[2].lower() else ""
    udp = named == "udp"
    last = next((number for number, text in reversed(unwrapped.pairs) if text.strip()), 0)
    told = False
    for number, text in unwrapped.pairs:
        bare = text.strip()
        if not bare:
            continue
        if _TITLES.match(bare):
            udp = bare.endswith("drops")  # only the UDP files count drops
            ledger.furniture(number)
            continue
        match = _ROW.fullmatch(bare)
        if match is None:
            ledger.note(number, "cut" if number == last and ledger.count(TABLE) else "unparsed", bare)
            continue
        state, free_peer = match[5], not int(match[3], 16) and match[4] == "0000"
        if not free_peer or state != ("07" if udp else "0A"):
            skipped.line(number, bare, "sockets that do not listen")
            continue
        local = local_endpoint(f"[{address_of(match[1])}]:{int(match[2], 16)}", any6_is_dual=True)
        if local is None:
            ledger.note(number, "unparsed", bare)
            continue
        ledger.add(
            TABLE,
            number,
            protocol="udp" if udp else "tcp",
            family=local.family,
            address=local.address,
            port=local.port,
            state="UNCONN" if udp else "LISTEN",
            recv_q=int(match[7], 16),
            send_q=int(match[6], 16) if udp else None,  # for LISTEN the file has no backlog limit
            extra=f"uid={match[8]} inode={match[9]}",
        )
        if local.address == "*" and not told:
            told = True
            ledger.also(number, "assumed", bare, "`::` serves IPv4 too; an IPv6-only socket would look the same")
    skipped.close()
    return unwrapped.close(ledger)


def _sniff(head: Head) -> int:
    if any(_TITLES.match(line.strip()) for line in head.lines):
        return 95
    return 85 if any(_ROW.fullmatch(line.strip()) for line in head.lines[:20]) else 0


FORMS = (
    Form("proc-net-tcp", "sockets", (TABLE,), (r"(?:proc.?net.?)(?:tcp|udp)6?", r"^(?:tcp|udp)6?$"), _sniff, parse),
)
