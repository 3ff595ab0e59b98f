"""IPVS connections and persistence templates: `ipvsadm -Lnc`.

Printing code: ipvsadm.c, `print_conn`. Six tokens; newer versions append engine name and data. A template has client
port 0 and state NONE or ASSURED: it remembers the real server of a client, it is no connection.

>>> row = b"TCP 14:58  ESTABLISHED 198.51.100.23:50122 203.0.113.10:443   10.20.1.7:8443"
>>> int(parse(row, "ipvsadm-Lnc.txt").tables["ipvs_connections"].loc[0, "expires_s"])
898
"""

from __future__ import annotations

import re
from typing import Any

from analyzer.parsers import envelope
from analyzer.parsers.base import Form, Head, Ledger, Parsed
from analyzer.parsers.fields import address, integer, looks_masked, port, split_endpoint

_ROW = re.compile(r"(?:TCP|UDP|SCTP|IP)\s+(?:\d+:)?\d+:\d\d\s+[A-Z_0-9]+\s+\S+\s+\S+\s+\S+(?:\s.*)?")
_SIDES = ("client", "virtual", "real")
_PROTOCOLS = {"TCP": "tcp", "UDP": "udp", "SCTP": "sctp", "IP": "ip"}


def sniff(head: Head) -> int:
    """The banner, the title row, or rows with an expiry."""
    for line in head.lines[:20]:
        tokens = line.split()
        if tokens[:3] == ["IPVS", "connection", "entries"] or tokens[:3] == ["pro", "expire", "state"]:
            return 96
    return 85 if any(_ROW.fullmatch(line.strip()) for line in head.lines[:20]) else 0


def seconds(text: str) -> int | None:
    """Seconds of `mm:ss` (minutes may exceed 99) or `hh:mm:ss`.

    >>> seconds("178:03"), seconds("1:00:00"), seconds("x")
    (10683, 3600, None)
    """
    total = 0
    for part in text.split(":"):
        number = integer(part, 10**9)
        if number is None or total > 10**9:
            return None
        total = total * 60 + number
    return total if ":" in text else None


def _row(ledger: Ledger, number: int, text: str, tokens: list[str], cut: bool) -> None:
    expires = seconds(tokens[1]) if len(tokens) > 1 else None
    if len(tokens) < 6 or expires is None or tokens[0] not in _PROTOCOLS:
        ledger.note(number, "cut" if cut else "unparsed", text)
        return
    if cut and len(tokens) == 6 and text.endswith(":"):
        ledger.note(number, "cut", text, "the line ends inside its real server")
        return
    values: dict[str, Any] = {"protocol": _PROTOCOLS[tokens[0]], "expires_s": expires, "state": tokens[2]}
    extra = tokens[6:]
    for side, token in zip(_SIDES, tokens[3:6], strict=True):
        parts = split_endpoint(token)
        if parts is None:
            ledger.note(number, "cut" if cut else "unparsed", text, f"{side} {token[:60]}")
            return
        values[f"{side}_address"] = address(parts[0])
        values[f"{side}_port"], resolved = port(parts[1])
        if resolved:
            ledger.also(number, "assumed", text, f"port {parts[1]} is {values[f'{side}_port']}")
        if values[f"{side}_address"] is None or values[f"{side}_port"] is None:
            ledger.also(number, "masked" if looks_masked(token) else "name", text, f"{side} {token[:60]}")
            extra = [*extra, f"{side}={token}"]
    values["template"] = values["client_port"] == 0 and tokens[2] in ("NONE", "ASSURED")
    ledger.add("ipvs_connections", number, **values, extra=" ".join(extra) or None)


def parse(data: bytes, file: str) -> Parsed:
    """Read the entries; without banner and title the listing was filtered."""
    opened = envelope.lines(data)
    ledger = Ledger(file, ("ipvs_connections",))
    titled = False
    unfinished = bool(data) and not data.endswith(b"\n")
    last = opened.pairs[-1][0] if opened.pairs else 0
    for number, text in opened.pairs:
        tokens = text.split()
        if not tokens:
            continue
        if tokens[:3] == ["IPVS", "connection", "entries"] or tokens[:3] == ["pro", "expire", "state"]:
            titled = True
            ledger.furniture(number)
        else:
            _row(ledger, number, text, tokens, unfinished and number == last)
    return opened.close(ledger, complete=titled)


FORMS = (
    Form(
        "ipvsadm-connections",
        "ipvs-connections",
        ("ipvs_connections",),
        (r"ipvsadm[-_]*l[-_]?n?[-_]?c\b", r"ipvsadm.*conn(?:ection)?s?"),
        sniff,
        parse,
    ),
)
