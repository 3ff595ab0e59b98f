"""`ip route` as text and as JSON, IPv4 and IPv6, one table or all.

Printing code: iproute2 ip/iproute.c. Rows of the main table carry no `table` word in `show table all`; when one other
table was asked for, its rows carry none either, so the file name or the command has to say it.

>>> table = parse(b"default via 192.0.2.1 dev eth0\\n", "ip-route.txt").tables["routes"]
>>> table.loc[0, ["dst", "gateway", "table"]].tolist()
['0.0.0.0/0', '192.0.2.1', 'main']
"""

from __future__ import annotations

import re
from typing import Any

from analyzer.parsers import envelope
from analyzer.parsers.base import Form, Head, Ledger, Parsed
from analyzer.parsers.fields import address, family, integer, looks_masked, prefix
from analyzer.parsers.json_items import account, arrays, numbered, objects, whole, word, words

TYPES = frozenset(
    ("unicast", "local", "broadcast", "multicast", "anycast", "blackhole", "unreachable", "prohibit", "throw", "nat")
)
_FLAGS = frozenset(
    ("onlink", "linkdown", "dead", "pervasive", "offload", "trap", "notify", "rt_offload", "rt_trap", "unresolved")
)
_VALUES = {"dev": "interface", "table": "table", "proto": "protocol", "scope": "scope"}
_OTHERS = frozenset(
    (
        "pref", "mtu", "advmss", "error", "expires", "rtt", "rttvar", "window", "cwnd", "initcwnd", "initrwnd",
        "ssthresh", "realm", "realms", "tos", "hoplimit", "reordering", "rto_min", "quickack", "congctl", "features",
        "nhid", "ttl-propagate",
        "fastopen_no_cookie", "iif", "uid", "mark", "users", "age", "from", "dsfield",
    )
)  # fmt: skip
_LOCAL_TYPES = frozenset(("local", "broadcast", "anycast"))
_ROW = re.compile(
    r"(?:(?:unicast|local|broadcast|multicast|anycast|blackhole|unreachable|prohibit|throw|nat) )?"
    r"(?:default|[0-9a-fA-F.:]{0,60}[.:][0-9a-fA-F.:]{0,60}(?:/\d+)?|\d+/\d+)(?: .*)?"
)
_KEYS = re.compile(r" (?:dev|via|proto|scope|src|metric|table|nhid) |^(?:blackhole|unreachable|prohibit|throw) ")
_TABLE_NAME = re.compile(r"table[-_ =]+(\w+)")


def sniff(head: Head) -> int:
    """Rows that begin with a prefix and have a route's keys."""
    filled = [line.strip() for line in head.lines if line.strip()]
    found = sum(bool(_ROW.fullmatch(line) and _KEYS.search(line)) for line in filled)
    neighbours = sum(" lladdr " in line for line in filled)
    if not found or neighbours:
        return 0
    return 88 if found * 2 > len(filled) else 40


def sniff_json(head: Head) -> int:
    """An array whose objects have `dst` and no link-layer state."""
    text = head.text.lstrip()
    if text[:1] != "[" or '"dst"' not in text or '"lladdr"' in text or '"priority"' in text or '"ifname"' in text:
        return 0
    routed = ('"protocol"', '"gateway"', '"scope"', '"metric"', '"prefsrc"', '"nexthops"', '"type"')
    return 93 if any(key in text for key in routed) else 0


def only_table(facts: dict[str, str], file: str) -> str | None:
    """The one table that was asked for, from the command or the file name; None for all or main."""
    for text in (facts.get("command", ""), file.rpartition("/")[2].rpartition(".")[0]):
        if match := _TABLE_NAME.search(text):
            return None if match[1] in ("all", "0", "main", "254") else match[1]
    return None


def destination(text: str, six: bool) -> str | None:
    """The prefix of a destination; `default` by family."""
    if text == "default":
        return "::/0" if six else "0.0.0.0/0"
    return prefix(text)


class _Text:
    """Reads lines; `nexthop` lines repeat the route above, once per next hop."""

    def __init__(self, ledger: Ledger, table: str | None, six: bool) -> None:
        self.ledger, self.table, self.six = ledger, table, six
        self.above: tuple[int, dict[str, Any]] | None = None
        self.first_hop = False
        self.noted: set[str] = set()

    def options(self, line: int, text: str, tokens: list[str]) -> dict[str, Any]:
        values: dict[str, Any] = {}
        flags: list[str] = []
        extra: list[str] = []
        index = 0
        while index < len(tokens):
            key = tokens[index]
            following = tokens[index + 1] if index + 1 < len(tokens) else ""
            if key == "via" and following in ("inet", "inet6") and index + 2 < len(tokens):
                values["gateway"] = self.host(line, text, tokens[index + 2])
                index += 2
            elif key == "via" and following:
                values["gateway"] = self.host(line, text, following)
                index += 1
            elif key == "src" and following:
                values["prefsrc"] = self.host(line, text, following)
                index += 1
            elif key in _VALUES and following:
                values[_VALUES[key]] = following
                index += 1
            elif key in ("metric", "weight") and following:
                values[key] = integer(following)
                index += 1
            elif key in _FLAGS:
                flags.append(key)
            elif key in _OTHERS and following:
                extra.append(f"{key} {following}")
                index += 1
            elif key.startswith("[") or key == "cache":
                extra.append(key)
            else:
                extra.append(key)
                if key not in self.noted and len(self.noted) < 100:
                    self.noted.add(key)
                    self.ledger.also(line, "extra", text, key[:60])
            index += 1
        values["flags"] = " ".join(flags) or None
        values["extra"] = " ".join(extra) or None
        return values

    def host(self, line: int, text: str, token: str) -> str | None:
        found = address(token)
        if found is None:
            self.ledger.also(line, "masked" if looks_masked(token) else "unparsed", text, f"address {token[:60]}")
        return found

    def route(self, line: int, text: str, tokens: list[str], next_text: str) -> None:
        self.above = None
        kind = tokens[0] if tokens[0] in TYPES else "unicast"
        rest = tokens[1:] if tokens[0] in TYPES else tokens
        if not rest or (rest[0] != "default" and prefix(rest[0]) is None and not looks_masked(rest[0])):
            self.ledger.note(line, "unparsed", text, "no destination")
            return
        if "uid" in rest or next_text.startswith("cache"):
            # `ip route get` answers a question, it prints no row of a table.
            self.ledger.note(line, "not-a-table", text, "answer of `ip route get`")
            return
        values = self.options(line, text, rest[1:])
        gateway = values.get("gateway") or values.get("prefsrc")
        hop = next_text.split()
        if rest[0] == "default" and gateway is None and hop[:2] == ["nexthop", "via"] and len(hop) > 2:
            gateway = address(hop[2])
        six = ":" in rest[0] if rest[0] != "default" else family(gateway) == 6 or (
            gateway is None and ("pref" in rest or self.six)
        )  # fmt: skip
        values["type"] = kind
        values["family"] = 6 if six else 4
        values["dst"] = destination(rest[0], six)
        if values["dst"] is None:
            self.ledger.also(line, "masked", text, f"destination {rest[0][:60]}")
        values["table"] = values.get("table") or self.table or ("local" if kind in _LOCAL_TYPES else "main")
        if "gateway" not in values and "interface" not in values and hop[:1] == ["nexthop"]:
            self.above = (line, values)
            self.first_hop = True
            self.ledger.row(line)
            return
        self.ledger.add("routes", line, **values)
        self.above = (line, values)
        self.first_hop = False

    def nexthop(self, line: int, text: str, tokens: list[str]) -> None:
        if self.above is None:
            self.ledger.note(line, "unparsed", text, "a next hop without its route")
            return
        values = self.options(line, text, tokens[1:])
        base = {key: value for key, value in self.above[1].items() if key not in ("gateway", "interface", "weight")}
        merged = {**base, **{key: value for key, value in values.items() if value is not None}}
        self.ledger.add("routes", line, **merged)
        self.first_hop = False


def parse(data: bytes, file: str) -> Parsed:
    """Read the text form."""
    opened = envelope.lines(data)
    ledger = Ledger(file, ("routes",))
    command = opened.facts.get("command", "")
    name = file.rpartition("/")[2].lower()
    six = bool(re.search(r"(?:^| )-6(?: |$)", command) or re.search(r"ip[-_]*6[-_]", name))
    reader = _Text(ledger, only_table(opened.facts, file), six)
    filled = [(number, text.strip()) for number, text in opened.pairs if text.strip()]
    for index, (number, bare) in enumerate(filled):
        tokens = bare.split()
        next_text = filled[index + 1][1] if index + 1 < len(filled) else ""
        if tokens[0] == "nexthop":
            reader.nexthop(number, bare, tokens)
        elif tokens[0] == "cache":
            ledger.furniture(number)
        else:
            reader.route(number, bare, tokens, next_text)
    return opened.close(ledger, state="failed" if filled and not ledger.count("routes") else None)


def _json_route(ledger: Ledger, line: int, item: dict[str, Any], table: str | None, six: bool) -> bool:
    dst = word(item.get("dst")) or ""
    via = item.get("via")
    gateway = address(word(item.get("gateway")) or "")
    if gateway is None and isinstance(via, dict):
        gateway = address(word(via.get("host")) or "")
    hops = objects(item.get("nexthops"))
    known = gateway or address(word(item.get("prefsrc")) or "")
    if known is None and hops:
        known = address(word(hops[0].get("gateway")) or "")
    is_six = ":" in dst if dst != "default" else family(known) == 6 or (known is None and ("pref" in item or six))
    kind = word(item.get("type")) or "unicast"
    values: dict[str, Any] = {
        "type": kind,
        "family": 6 if is_six else 4,
        "dst": destination(dst, is_six),
        "gateway": gateway,
        "interface": word(item.get("dev")),
        "table": word(item.get("table")) or table or ("local" if kind in _LOCAL_TYPES else "main"),
        "protocol": word(item.get("protocol")),
        "scope": word(item.get("scope")),
        "prefsrc": address(word(item.get("prefsrc")) or ""),
        "metric": whole(item.get("metric")),
        "weight": whole(item.get("weight")),
        "flags": " ".join(words(item.get("flags"))) or None,
        "extra": " ".join(f"{key} {item[key]}" for key in ("pref", "mtu", "error", "nhid") if word(item.get(key)))
        or None,
    }
    if values["dst"] is None:
        ledger.also(line, "masked" if looks_masked(dst) else "unparsed", dst, "destination")
        if not looks_masked(dst):
            return False
    for hop in hops or [{}]:
        own: dict[str, Any] = {}
        if hops:
            hop_via = hop.get("via")
            inner = word(hop_via.get("host")) if isinstance(hop_via, dict) else None
            own = {
                "gateway": address(word(hop.get("gateway")) or inner or ""),
                "interface": word(hop.get("dev")),
                "weight": whole(hop.get("weight")),
                "flags": " ".join(words(hop.get("flags"))) or values["flags"],
            }
        ledger.add("routes", line, **{**values, **own})
    return True


def parse_json(data: bytes, file: str) -> Parsed:
    """Read the JSON form."""
    opened = envelope.lines(data)
    ledger = Ledger(file, ("routes",))
    table = only_table(opened.facts, file)
    six = bool(re.search(r"ip[-_].*6[-_]", file.rpartition("/")[2].lower()))
    found, why = arrays(numbered(opened))
    read = 0
    for line, item in found:
        if isinstance(item, dict) and "dst" in item:
            read += _json_route(ledger, line, item, table, six)
        elif item != {}:
            ledger.also(line, "unparsed", str(item)[:200], "no route")
    account(ledger, opened, why, bool(read))
    return opened.close(ledger, complete=not why, state="failed" if why and not read else None, detail=why)


_NAMES = (r"ip[-_].*routes?", r"ip[-_]r\b", r"^routes?\b")
FORMS = (
    Form("ip-route", "ip-route", ("routes",), _NAMES, sniff, parse, 88),
    Form("ip-route-json", "ip-route", ("routes",), (r"ip[-_].*route.*\.json",), sniff_json, parse_json),
)
