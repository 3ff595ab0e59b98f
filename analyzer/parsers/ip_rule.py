"""`ip rule` as text and JSON: which routing table a packet is looked up in.

Printing code: iproute2 ip/iprule.c. `from all` means any source; selectors that have no column stay in `extra`.

>>> table = parse(b"512:\\tfrom all to 192.0.2.9 lookup main\\n", "ip-rule.txt").tables["rules"]
>>> table.loc[0, "dst"]
'192.0.2.9/32'
"""

from __future__ import annotations

import re
from typing import Any

from analyzer.parsers import envelope
from analyzer.parsers.base import Form, Head, Ledger, Parsed
from analyzer.parsers.fields import family, hexadecimal, integer, looks_masked, prefix
from analyzer.parsers.json_items import account, arrays, numbered, whole, word

_ROW = re.compile(r"(\d{1,10}):\s+((?:not )?from \S+.*)")
_ACTIONS = frozenset(("blackhole", "unreachable", "prohibit", "nop", "goto", "lookup", "table"))
_INTERFACES = {"iif": "iif", "oif": "oif"}
_EXTRA = (
    "tos",
    "dsfield",
    "ipproto",
    "sport",
    "dport",
    "uidrange",
    "suppress_prefixlength",
    "suppress_ifgroup",
    "realms",
    "proto",
    "protocol",
    "tun_id",
)


def sniff(head: Head) -> int:
    """Rows of a preference, a colon and `from`."""
    return 95 if any(_ROW.fullmatch(line.strip()) for line in head.lines) else 0


def sniff_json(head: Head) -> int:
    """An array whose objects have `priority` and `src`."""
    text = head.text.lstrip()
    return 93 if text[:1] == "[" and '"priority"' in text and '"src"' in text else 0


def _mark(text: str) -> tuple[int | None, int | None]:
    """Mark and mask of `0x1/0xff`; without a mask all bits count."""
    mark, slash, mask = text.partition("/")
    read = hexadecimal if mark[:2].lower() == "0x" else integer
    return read(mark), (hexadecimal(mask) if slash else None)


def _selectors(ledger: Ledger, line: int, text: str, tokens: list[str]) -> dict[str, Any]:
    values: dict[str, Any] = {"inverted": False}
    extra: list[str] = []
    index = 0
    while index < len(tokens):
        key = tokens[index]
        following = tokens[index + 1] if index + 1 < len(tokens) else ""
        if key == "not":
            values["inverted"] = True
            index += 1
            continue
        if key in ("from", "to") and following:
            column = "src" if key == "from" else "dst"
            values[column] = None if following == "all" else prefix(following)
            if following != "all" and values[column] is None:
                ledger.also(line, "masked" if looks_masked(following) else "unparsed", text, f"{key} {following[:60]}")
                extra.append(f"{key} {following}")
        elif key in _INTERFACES and following:
            values[key] = following
        elif key == "fwmark" and following:
            values["fwmark"], values["fwmask"] = _mark(following)
        elif key in ("lookup", "table", "goto") and following:
            values["action"] = "goto" if key == "goto" else "lookup"
            values["table"] = following
        elif key in _ACTIONS:
            values["action"] = key
            index += 1
            continue
        elif key in _EXTRA and following:
            extra.append(f"{key} {following}")
        else:
            extra.append(key)
            index += 1
            continue
        index += 2
    values["extra"] = " ".join(extra) or None
    return values


def _with_family(values: dict[str, Any], known: int | None) -> dict[str, Any]:
    return {**values, "family": family(values.get("src")) or family(values.get("dst")) or known}


def _asked_family(opened: envelope.Envelope, file: str) -> int | None:
    """The family from `ip -6` or `ip -4` in the command or the file name."""
    text = f" {opened.facts.get('command', '')} " + " " + re.sub(r"[-_.]", " -", file.rpartition("/")[2]) + " "
    return 6 if re.search(r" -6 ", text) else 4 if re.search(r" -4 ", text) else None


def parse(data: bytes, file: str) -> Parsed:
    """Read the text form."""
    opened = envelope.lines(data)
    ledger = Ledger(file, ("rules",))
    known = _asked_family(opened, file)
    filled = False
    for number, text in opened.pairs:
        bare = text.strip()
        if not bare:
            continue
        filled = True
        match = _ROW.fullmatch(bare)
        if match is None:
            ledger.note(number, "unparsed", text)
            continue
        values = _selectors(ledger, number, text, match[2].split())
        if "action" not in values:
            ledger.also(number, "cut", text, "no action")
        ledger.add("rules", number, priority=integer(match[1]), **_with_family(values, known))
    read = bool(ledger.count("rules"))  # every namespace has rules: none at all is no knowledge
    return opened.close(ledger, complete=read, state="failed" if filled and not read else None)


def _json_prefix(item: dict[str, Any], key: str) -> str | None:
    text = word(item.get(key))
    if text is None or text == "all":
        return None
    length = whole(item.get(f"{key}len"))
    return prefix(f"{text}/{length}" if length is not None and "/" not in text else text)


def parse_json(data: bytes, file: str) -> Parsed:
    """Read the JSON form; each kind of action has its own key."""
    opened = envelope.lines(data)
    ledger = Ledger(file, ("rules",))
    known = _asked_family(opened, file)
    found, why = arrays(numbered(opened))
    for line, item in found:
        if not isinstance(item, dict) or "priority" not in item:
            if item != {}:
                ledger.also(line, "unparsed", str(item)[:200], "no rule")
            continue
        table = word(item.get("table"))
        action = "lookup" if table else word(item.get("action"))
        if "goto" in item:
            action, table = "goto", word(item["goto"])
        mark = word(item.get("fwmark"))
        mask = word(item.get("fwmask"))
        extra = [f"{key} {item[key]}" for key in _EXTRA if word(item.get(key))]
        values: dict[str, Any] = {
            "priority": whole(item.get("priority")),
            "inverted": "not" in item,
            "src": _json_prefix(item, "src"),
            "dst": _json_prefix(item, "dst"),
            "iif": word(item.get("iif")),
            "oif": word(item.get("oif")),
            "fwmark": _mark(mark)[0] if mark else None,
            "fwmask": _mark(mask)[0] if mask else None,
            "action": action,
            "table": table,
            "extra": " ".join(extra) or None,
        }
        ledger.add("rules", line, **_with_family(values, known))
    read = bool(ledger.count("rules"))
    account(ledger, opened, why, read)
    return opened.close(ledger, complete=not why, state="failed" if why and not read else None, detail=why)


_NAMES = (r"ip[-_].*rules?", r"ip[-_]ru\b")
FORMS = (
    Form("ip-rule", "ip-rule", ("rules",), _NAMES, sniff, parse),
    Form("ip-rule-json", "ip-rule", ("rules",), (r"ip[-_].*rule.*\.json",), sniff_json, parse_json),
)
