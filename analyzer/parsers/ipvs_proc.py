"""The kernel's own IPVS files: `/proc/net/ip_vs` and `/proc/net/ip_vs_conn`.

Source: net/netfilter/ipvs/ip_vs_ctl.c (`ip_vs_info_seq_show`) and ip_vs_conn.c (`ip_vs_conn_seq_show`). IPv4
addresses and all ports are hexadecimal; IPv6 addresses are text, bracketed in ip_vs and bare in ip_vs_conn.

>>> line = b"TCP  CB00710A:01BB rr persistent 10800 FFFFFFFF\\n"
>>> parse(line, "ip_vs").tables["virtual_servers"].loc[0, "address"]
'203.0.113.10'
"""

from __future__ import annotations

import ipaddress
import re
from typing import Any

from analyzer.parsers import envelope
from analyzer.parsers.base import Form, Head, Ledger, Parsed
from analyzer.parsers.fields import address, family, hexadecimal, integer
from analyzer.parsers.ipvs_servers import FORWARDING, TABLES, Listing, Virtual, write
from analyzer.parsers.ipvsadm_reader import BANNER

_HEX_ENDPOINT = re.compile(r"(?:[0-9A-F]{8}|\[[0-9a-fA-F:.]+\]):[0-9A-F]{4}")
_HEX_ROW = re.compile(
    r"(?:(?:TCP|UDP|SCTP)|->)\s+(?:[0-9A-F]{8}|\[(?:[0-9a-f]{4}:){7}[0-9a-f]{4}\]):[0-9A-F]{4}\s.*|FWM\s+[0-9A-F]{8}\s.*"
)
_DECIMAL_ROW = re.compile(r"(?:(?:TCP|UDP|SCTP)|->)\s+\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3}:.*")
_CONN_TITLE = ("Pro", "FromIP", "FPrt", "ToIP")
_CONN_ROW = re.compile(r"(?:TCP|UDP|SCTP|IP)\s+\S+\s+[0-9A-F]{4}\s+\S+\s+[0-9A-F]{4}\s+\S+\s+[0-9A-F]{4}\s+\w+\s+\d+.*")


def hex_address(text: str) -> str | None:
    """An address of these files: eight hexadecimal digits, or IPv6 text.

    >>> hex_address("CB00710A"), hex_address("[2001:0db8::000a]")
    ('203.0.113.10', '2001:db8::a')
    """
    if re.fullmatch(r"[0-9A-Fa-f]{8}", text):
        return str(ipaddress.IPv4Address(int(text, 16)))
    return address(text) if ":" in text else None


def sniff(head: Head) -> int:
    """Hexadecimal endpoints and no decimal one."""
    rows = [line.strip() for line in head.lines]
    found = any(_HEX_ROW.fullmatch(row) for row in rows)
    return 96 if found and not any(_DECIMAL_ROW.fullmatch(row) for row in rows) else 0


def _endpoint(ledger: Ledger, line: int, token: str, text: str) -> dict[str, Any]:
    host, _, port = token.rpartition(":")
    values: dict[str, Any] = {"address": hex_address(host), "port": hexadecimal(port, 65535)}
    if values["address"] is None or values["port"] is None:
        ledger.also(line, "unparsed", text, f"endpoint {token[:60]}")
        values["extra"] = f"endpoint={token}"
    return values


def _virtual(ledger: Ledger, listing: Listing, line: int, text: str, tokens: list[str]) -> None:
    if tokens[0] == "FWM":
        mark = hexadecimal(tokens[1])
        if mark is None:
            ledger.note(line, "unparsed", text, "no firewall mark")
            listing.virtuals.append(Virtual(0, {}))
            return
        values: dict[str, Any] = {"fwmark": mark}
    else:
        values = {"protocol": tokens[0].lower(), **_endpoint(ledger, line, tokens[1], text)}
    rest = tokens[2:]
    if rest and rest[0] == "IPv6":
        values["family"] = 6
        rest = rest[1:]
    values["scheduler"] = rest[0] if rest else None
    values["ops"] = "ops" in rest[1:]
    rest = [word for word in rest[1:] if word != "ops"]
    if rest[:1] == ["persistent"] and len(rest) > 1:
        values["persistence_s"] = integer(rest[1])
        mask = hexadecimal(rest[2], 0xFFFFFFFF) if len(rest) > 2 else None
        if mask is not None:
            # For IPv6 the kernel stores a prefix length in the same field.
            six = family(values.get("address")) == 6 or values.get("family") == 6
            values["persistence_mask"] = str(mask) if six and mask <= 128 else str(ipaddress.IPv4Address(mask))
        rest = rest[3:]
    if rest:
        values["extra"] = " ".join(filter(None, [values.get("extra"), *rest]))
        ledger.also(line, "extra", text, " ".join(rest)[:100])
    listing.virtuals.append(Virtual(line, values))
    ledger.row(line)


def _real(ledger: Ledger, listing: Listing, line: int, text: str, tokens: list[str]) -> None:
    if len(tokens) < 6:
        ledger.note(line, "cut", text, "a real server without its columns")
        return
    if not listing.virtuals:
        listing.virtuals.append(Virtual(0, {}))
        ledger.also(line, "cut", text, "its virtual server is not in the file")
    values = _endpoint(ledger, line, tokens[1], text)
    if tokens[2] in FORWARDING:
        values["forwarding"] = tokens[2]
    else:
        values["extra"] = " ".join(filter(None, [values.get("extra"), tokens[2]]))
    for name, token in zip(("weight", "active", "inactive"), tokens[3:6], strict=True):
        values[name] = integer(token)
        if values[name] is None:
            ledger.also(line, "unparsed", text, f"{name} {token[:60]}")
    owner = listing.virtuals[-1]
    if owner.values.get("fwmark") is not None and owner.values.get("family") is None:
        owner.values["family"] = family(values.get("address"))  # the file does not say it for a mark
    owner.reals.append((line, values))
    ledger.row(line)


def parse(data: bytes, file: str) -> Parsed:
    """Read `/proc/net/ip_vs`."""
    opened = envelope.lines(data)
    ledger = Ledger(file, TABLES)
    listing = Listing("proc", 1)
    titled = False
    for number, text in opened.pairs:
        tokens = text.split()
        if not tokens:
            continue
        bare = text.strip()
        if BANNER.fullmatch(bare) or tokens[0] == "Prot" or tokens[:2] == ["->", "RemoteAddress:Port"]:
            titled = True
            ledger.furniture(number)
        elif tokens[0] in ("TCP", "UDP", "SCTP", "FWM") and len(tokens) > 2:
            _virtual(ledger, listing, number, text, tokens)
        elif tokens[0] == "->" and len(tokens) > 1 and _HEX_ENDPOINT.fullmatch(tokens[1]):
            _real(ledger, listing, number, text, tokens)
        else:
            ledger.note(number, "unparsed", text)
            if tokens[0] in ("TCP", "UDP", "SCTP", "FWM"):
                listing.virtuals.append(Virtual(0, {}))
    write(ledger, [listing])
    return opened.close(ledger, complete=titled)


def sniff_connections(head: Head) -> int:
    """The title row, or rows of hexadecimal ports."""
    for line in head.lines[:20]:
        tokens = line.split()
        if tuple(tokens[:4]) == _CONN_TITLE:
            return 97
    return 85 if any(_CONN_ROW.fullmatch(line.strip()) for line in head.lines[:20]) else 0


def parse_connections(data: bytes, file: str) -> Parsed:
    """Read `/proc/net/ip_vs_conn` or `ip_vs_conn_sync`; the expiry is in seconds already."""
    opened = envelope.lines(data)
    ledger = Ledger(file, ("ipvs_connections",))
    columns = ["Pro", "FromIP", "FPrt", "ToIP", "TPrt", "DestIP", "DPrt", "State", "Expires"]
    titled = False
    for number, text in opened.pairs:
        tokens = text.split()
        if not tokens:
            continue
        if tuple(tokens[:4]) == _CONN_TITLE:
            columns, titled = tokens, True
            ledger.furniture(number)
            continue
        fields = dict(zip(columns, tokens, strict=False))
        values: dict[str, Any] = {
            "protocol": tokens[0].lower(),
            "expires_s": integer(fields.get("Expires", "")),
            "state": fields.get("State"),
            "client_address": hex_address(fields.get("FromIP", "")),
            "client_port": hexadecimal(fields.get("FPrt", ""), 65535),
            "virtual_address": hex_address(fields.get("ToIP", "")),
            "virtual_port": hexadecimal(fields.get("TPrt", ""), 65535),
            "real_address": hex_address(fields.get("DestIP", "")),
            "real_port": hexadecimal(fields.get("DPrt", ""), 65535),
        }
        if any(value is None for value in values.values()):
            last = number == opened.pairs[-1][0]
            ledger.note(number, "cut" if last and not data.endswith(b"\n") else "unparsed", text)
            continue
        values["template"] = values["client_port"] == 0 and values["state"] in ("NONE", "ASSURED")
        names = ("Origin", "PEName", "PEData")
        rest = [f"{name}={fields[name]}" for name in names if name in fields] + tokens[len(columns) :]
        ledger.add("ipvs_connections", number, **values, extra=" ".join(rest) or None)
    return opened.close(ledger, complete=titled)


FORMS = (
    Form("ipvs-proc", "ipvsadm", TABLES, (r"^ip_vs$", r"ip_vs(?:\.txt)?$", r"proc.*ip[-_]vs$"), sniff, parse),
    Form(
        "ipvs-proc-connections",
        "ipvs-connections",
        ("ipvs_connections",),
        (r"ip_vs_conn",),
        sniff_connections,
        parse_connections,
    ),
)
