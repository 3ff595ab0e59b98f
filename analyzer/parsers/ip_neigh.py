"""`ip neigh` as text and JSON: neighbour (ARP, NDP) entries.

Printing code: iproute2 ip/ipneigh.c; the states of include/uapi/linux/neighbour.h stand last.

>>> parse(b"192.0.2.1 dev eth0 lladdr 00:00:5e:00:53:01 STALE\\n", "ip-neigh.txt").tables["neighbours"].loc[0, "state"]
'STALE'
"""

from __future__ import annotations

import re

from analyzer.parsers import envelope
from analyzer.parsers.base import Form, Head, Ledger, Parsed
from analyzer.parsers.fields import address, family, looks_masked
from analyzer.parsers.json_items import account, arrays, numbered, word, words

_STATES = frozenset(("REACHABLE", "STALE", "DELAY", "PROBE", "FAILED", "INCOMPLETE", "PERMANENT", "NOARP", "NONE"))
_STATE_LIST = "|".join(sorted(_STATES))
_ROW = re.compile(rf"\S+ (?:dev \S+ )?(?:.* )?(?:{_STATE_LIST})(?: proto \S+)?")


def sniff(head: Head) -> int:
    """Rows that end with a neighbour state."""
    if " dev " not in head.text and " lladdr " not in head.text:
        return 0
    filled = [line.strip() for line in head.lines if line.strip()]
    found = sum(bool(_ROW.fullmatch(line) and (" dev " in line or " lladdr " in line)) for line in filled)
    return 92 if found and found * 2 > len(filled) else 0


def sniff_json(head: Head) -> int:
    """An array of objects with `dst` and a list of states."""
    text = head.text.lstrip()
    return 94 if text[:1] == "[" and '"dst"' in text and '"state"' in text else 0


def _host(ledger: Ledger, line: int, text: str, token: str) -> str | None:
    found = address(token)
    if found is None:
        ledger.also(line, "masked" if looks_masked(token) else "unparsed", text, f"address {token[:60]}")
    return found


def parse(data: bytes, file: str) -> Parsed:
    """Read the text form."""
    opened = envelope.lines(data)
    ledger = Ledger(file, ("neighbours",))
    filled = False
    for number, text in opened.pairs:
        tokens = text.split()
        if not tokens:
            continue
        filled = True
        states = [token for token in tokens if token in _STATES]
        if not states or (address(tokens[0]) is None and not looks_masked(tokens[0])):
            ledger.note(number, "unparsed", text)
            continue
        found = _host(ledger, number, text, tokens[0])
        named = {key: tokens[index + 1] for index, key in enumerate(tokens[:-1]) if key in ("dev", "lladdr")}
        lladdr = named.get("lladdr")
        ledger.add(
            "neighbours",
            number,
            family=family(found),
            address=found,
            interface=named.get("dev"),
            lladdr=lladdr.lower() if lladdr else None,
            state=states[-1],
        )
    return opened.close(ledger, state="failed" if filled and not ledger.count("neighbours") else None)


def parse_json(data: bytes, file: str) -> Parsed:
    """Read the JSON form."""
    opened = envelope.lines(data)
    ledger = Ledger(file, ("neighbours",))
    found, why = arrays(numbered(opened))
    for line, item in found:
        if not isinstance(item, dict) or "dst" not in item:
            if item != {}:
                ledger.also(line, "unparsed", str(item)[:200], "no neighbour")
            continue
        text = word(item["dst"]) or ""
        host = _host(ledger, line, text, text)
        lladdr = word(item.get("lladdr"))
        ledger.add(
            "neighbours",
            line,
            family=family(host),
            address=host,
            interface=word(item.get("dev")),
            lladdr=lladdr.lower() if lladdr else None,
            state=next(iter(reversed(words(item.get("state")))), None),
        )
    read = bool(ledger.count("neighbours"))
    account(ledger, opened, why, read)
    return opened.close(ledger, complete=not why, state="failed" if why and not read else None, detail=why)


_NAMES = (r"ip[-_].*neigh(?:bou?rs?)?", r"ip[-_]n\b")
FORMS = (
    Form("ip-neigh", "ip-neigh", ("neighbours",), _NAMES, sniff, parse, 92),
    Form("ip-neigh-json", "ip-neigh", ("neighbours",), (r"ip[-_].*neigh.*\.json",), sniff_json, parse_json),
)
