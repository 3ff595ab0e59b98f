"""`ip addr` and `ip link` as text: plain, `-d`, `-o`, `-br`, `-s`.

Printing code: iproute2 ip/ipaddress.c. An address belongs to the interface of its block, never to the label at the
end of its line: labels are free text and interface names can be any word.

>>> block = b"6: kube-ipvs0: <BROADCAST,NOARP> mtu 1500\\n    inet 203.0.113.10/32 scope global kube-ipvs0\\n"
>>> parse(block, "ip-addr.txt").tables["addresses"].loc[0, "address"]
'203.0.113.10'
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from itertools import pairwise
from typing import Any

from analyzer.parsers import built, envelope, ip_addr_runs
from analyzer.parsers.base import Form, Head, Ledger, Parsed
from analyzer.parsers.fields import address, family, integer, looks_masked
from analyzer.parsers.ip_addr_runs import Run

_HEADER = re.compile(r"(?:(\d{1,9}): )?([^\s:@<>]\S{0,63}?)(?:@([^\s:@]{1,64}))?: <([^<>]*)>(.*)")
_ONE_LINE = re.compile(r"(\d{1,9}):\s+([^\s@:]+)(?:@(\S+?))?\s+(inet6?)\s+(\S.*)")
_BRIEF = re.compile(
    r"([^\s@]{1,64})(?:@(\S{1,64}))?\s+(UP|DOWN|UNKNOWN|LOWERLAYERDOWN|DORMANT|NOTPRESENT|TESTING)(?:\s+(\S.*))?"
)
_MAC = re.compile(r"[0-9a-fA-F]{2}(?::[0-9a-fA-F]{2}){3,19}")
_KINDS = frozenset(
    (
        "dummy", "veth", "bridge", "vxlan", "ipip", "sit", "gre", "gretap", "erspan", "vlan", "bond", "macvlan",
        "ipvlan", "ipvtap", "macvtap", "tun", "ifb", "wireguard", "geneve", "vrf", "ip6tnl", "ip6gre", "ip6gretap",
        "ip6erspan", "vti", "vti6", "nlmon", "team", "netdevsim", "can", "vcan", "xfrm", "bareudp", "wwan", "amt",
        "hsr", "netkit", "gtp", "batadv", "ipoib", "lowpan", "macsec", "rmnet", "dsa",
    )
)  # fmt: skip
ADDRESS_FLAGS = frozenset(
    (
        "secondary", "temporary", "dynamic", "tentative", "dadfailed", "deprecated", "permanent", "mngtmpaddr",
        "noprefixroute", "home", "nodad", "optimistic", "autojoin", "mcautojoin", "stable-privacy", "managetempaddr",
    )
)  # fmt: skip
_DETAIL = (
    "altname",
    "vf",
    "alias",
    "prog/xdp",
    "xdp",
    "parentbus",
    "link-netns",
    "link-netnsid",
    "promiscuity",
    "addrgenmode",
)
INTERFACE_TABLES = ("interfaces", "addresses")


def flag_text(words: list[str]) -> str | None:
    """Address flags in one order, so that text and JSON agree."""
    return " ".join(sorted(set(words))) or None


@lru_cache(maxsize=2)
def _counts(head: Head) -> tuple[int, int, int, int, int]:
    headers = modes = addresses = one_line = brief = 0
    for line in head.lines:
        bare = line.strip()
        if match := _HEADER.fullmatch(bare):
            headers += 1
            modes += " mode " in match[5] or "\\" in match[5]
        elif bare.startswith(("inet ", "inet6 ")):
            addresses += 1
        elif _ONE_LINE.fullmatch(bare):
            one_line += 1
        elif _BRIEF.fullmatch(bare):
            brief += 1
    return headers, modes, addresses, one_line, brief


def sniff(head: Head) -> int:
    """Interface headers without the link mode that only `ip link` prints, address lines, or brief lines."""
    headers, modes, addresses, one_line, brief = _counts(head)
    if headers and (addresses or not modes):
        return 90
    filled = sum(bool(line.strip()) for line in head.lines)
    if one_line and one_line * 2 > filled:
        return 90
    if brief and brief == filled:
        has_address = any(re.search(r"\s\d+\.\d+\.\d+\.\d+/\d+", line) for line in head.lines)
        return 80 if has_address else 30
    return 0


def sniff_link(head: Head) -> int:
    """Headers with a link mode and no addresses, or brief lines with flags."""
    headers, modes, addresses, _, brief = _counts(head)
    if headers and modes and not addresses:
        return 92
    return 85 if brief and any(line.rstrip().endswith(">") for line in head.lines) and not headers else 0


class _Reader:
    def __init__(self, ledger: Ledger, runs: Sequence[Run] = ()) -> None:
        self.ledger = ledger
        self.waiting: list[Run] | None = list(runs)
        """Runs below the lines read so far; null when one of them is in no block."""
        self.interface: dict[str, Any] | None = None
        self.known: dict[str, dict[str, Any]] = {}
        self.counters = 0
        self.extra_seen: set[str] = set()
        self.lost = False
        self.detailed = False
        self.suspected = False

    def runs_above(self, line: int | None) -> None:
        """Give the runs above a line (all when there is none) to the open block."""
        while self.waiting and (line is None or self.waiting[0].line < line):
            if self.interface is None or self.lost:
                self.waiting = None
                return
            run = self.waiting.pop(0)
            run.interface, run.ifindex = str(self.interface["interface"]), self.interface.get("ifindex")
            run.before = self.ledger.count("addresses")

    def header(self, line: int, text: str, match: re.Match[str]) -> None:
        index, name, peer, flags, rest = match.groups()
        one, _, link = rest.partition("\\")
        pairs = one.split()
        values: dict[str, Any] = {"flags": flags or None, "peer": peer, "ifindex": integer(index or "")}
        for key, value in pairwise(pairs):
            if key == "mtu":
                values["mtu"] = integer(value)
            elif key == "state":
                values["state"] = value.upper()
            elif key == "master":
                values["master"] = value
        self.counters = 0
        self.lost = False
        self.open(line, text, name, values)
        if link.strip():
            self.link(line, text, link.split())

    def open(self, line: int, text: str, name: str, values: dict[str, Any]) -> None:
        """Begin a block; an interface that was there already is the same one, captured again."""
        if name in self.known:
            self.interface = self.known[name]
            self.interface.update({key: value for key, value in values.items() if value is not None})
            self.ledger.row(line)
            self.ledger.also(line, "repeated", text, f"{name} is listed already")
            return
        self.interface = self.ledger.add("interfaces", line, interface=name, **values)
        self.known[name] = self.interface
        self.detailed = False

    def link(self, line: int, text: str, tokens: list[str]) -> None:
        """The `link/…` line: the address after the type, then `brd` and details."""
        assert self.interface is not None
        self.ledger.row(line)
        if len(tokens) < 2:
            return
        if _MAC.fullmatch(tokens[1]) or address(tokens[1]):
            self.interface["lladdr"] = tokens[1].lower()
        elif looks_masked(tokens[1]):
            self.ledger.also(line, "masked", text, f"link-layer address {tokens[1][:60]}")

    def address(self, line: int, text: str, tokens: list[str], name: str, ifindex: int | None) -> None:
        """One `inet` or `inet6` line; `tokens` begin with the family."""
        ledger = self.ledger
        if len(tokens) < 2 or tokens[1] in ("scope", "brd"):
            ledger.note(line, "unparsed", text, "no address")
            return
        host, slash, length = tokens[1].partition("/")
        values: dict[str, Any] = {
            "interface": name,
            "ifindex": ifindex,
            "family": 6 if tokens[0] == "inet6" else 4,
            "address": address(host),
        }
        bits = 128 if values["family"] == 6 else 32
        values["prefix_len"] = integer(length, bits) if slash else bits
        if values["address"] is None or family(values["address"]) != values["family"]:
            values["address"] = None
            ledger.also(line, "masked" if looks_masked(host) else "cut", text, f"address {host[:60]}")
        elif values["prefix_len"] is None:
            ledger.also(line, "masked" if looks_masked(length) else "cut", text, f"prefix length {length[:20]}")
        self.options(line, text, tokens[2:], values)
        self.check_broadcast(line, text, values)
        ledger.add("addresses", line, **values)

    def check_broadcast(self, line: int, text: str, values: dict[str, Any]) -> None:
        """A broadcast of another network is readable but cannot be right; noted once, never used."""
        broadcast = values.get("broadcast")
        known = values["address"] and values["prefix_len"] is not None
        if broadcast is None or not known or broadcast == values["address"] or self.suspected:
            return
        network = ipaddress.ip_network(f"{values['address']}/{values['prefix_len']}", strict=False)
        if network.prefixlen < network.max_prefixlen and ipaddress.ip_address(broadcast) not in network:
            self.suspected = True
            self.ledger.also(line, "suspect", text, f"broadcast {broadcast} is not in {network}")

    def options(self, line: int, text: str, rest: list[str], values: dict[str, Any]) -> None:
        flags: list[str] = []
        left: list[str] = []
        index = 0
        while index < len(rest):
            word = rest[index]
            following = rest[index + 1] if index + 1 < len(rest) else ""
            if word == "brd" and following:
                values["broadcast"] = address(following)
                if values["broadcast"] is None:
                    self.ledger.also(line, "masked", text, f"broadcast {following[:60]}")
                index += 1
            elif word == "scope" and following:
                values["scope"] = following
                index += 1
            elif word == "peer" and following:
                values["prefix_len"] = 128 if values["family"] == 6 else 32
                index += 1
            elif word in ("any", "metric", "proto") and following:
                index += 1
            elif (
                index == len(rest) - 1
                and values["family"] == 4
                and (word == values["interface"] or word not in ADDRESS_FLAGS)
            ):
                values["label"] = word
            elif word in ADDRESS_FLAGS:
                flags.append(word)
            else:
                left.append(word)
            index += 1
        values["flags"] = flag_text(flags)
        if left:
            if "label" not in values and values["family"] == 4 and left[0][0].isalnum():
                values["label"] = left.pop(0)
            if left and left[0] not in self.extra_seen:
                self.extra_seen.add(left[0])
                self.ledger.also(line, "extra", text, " ".join(left)[:100])

    def brief(self, line: int, text: str, match: re.Match[str]) -> None:
        """`name state addresses…` or `name state lladdr <flags>`."""
        name, peer, state, rest = match.groups()
        self.open(line, text, name, {"state": state, "peer": peer})
        assert self.interface is not None
        tokens = (rest or "").split()
        if tokens and _MAC.fullmatch(tokens[0]):
            self.interface["lladdr"] = tokens[0].lower()
            tokens = tokens[1:]
        if tokens and tokens[-1].startswith("<"):
            self.interface["flags"] = tokens[-1].strip("<>")
            tokens = tokens[:-1]
        index = 0
        while index < len(tokens):
            word = tokens[index]
            if word in ("metric", "peer"):
                index += 1
            elif "/" in word or address(word) or looks_masked(word):
                self.address(line, text, ["inet6" if ":" in word else "inet", word], name, None)
            index += 1

    def detail(self, line: int, text: str, tokens: list[str]) -> None:
        """Every other line inside a block."""
        assert self.interface is not None
        first = tokens[0]
        if first == "valid_lft" or first.startswith("valid_lft"):
            self.ledger.row(line)
        elif first in ("RX:", "TX:") or first in ("RX", "TX"):
            self.counters = 1
            self.ledger.furniture(line)
        elif self.counters and all(token.isdigit() for token in tokens):
            self.counters = 0
            self.ledger.furniture(line)
        elif first in _KINDS and (self.interface.get("kind") is None):
            self.interface["kind"] = first
            self.detailed = True
            self.ledger.row(line)
        elif first.endswith("_slave") or first in _DETAIL or (self.detailed and text[:1] in " \t"):
            self.ledger.row(line)
        else:
            self.ledger.note(line, "unparsed", text)


def _read(reader: _Reader, number: int, text: str) -> bool:
    """One line; false when it is a one-line record, which lists interfaces with addresses only."""
    bare = text.strip()
    tokens = bare.split()
    if match := _HEADER.fullmatch(bare):
        reader.header(number, text, match)
    elif match := _ONE_LINE.fullmatch(bare):
        index, name, peer, kind, rest = match.groups()
        ifindex = integer(index)
        if name not in reader.known:
            reader.known[name] = reader.ledger.add("interfaces", number, interface=name, ifindex=ifindex, peer=peer)
        reader.address(number, text, [kind, *rest.partition("\\")[0].split()], name, ifindex)
        return False
    elif reader.interface is None and (match := _BRIEF.fullmatch(bare)):
        reader.brief(number, text, match)
        reader.interface = None
    elif reader.interface is None or reader.lost:
        reader.ledger.note(number, "unparsed", text, "no interface above")
    elif tokens[0].startswith("link/"):
        reader.link(number, text, tokens)
    elif tokens[0] in ("inet", "inet6"):
        interface = reader.interface
        reader.address(number, text, tokens, str(interface["interface"]), interface.get("ifindex"))
    elif re.match(r"\d+: ", bare):  # a header that cannot be read: what follows is not the interface above
        reader.lost = True
        reader.ledger.note(number, "unparsed", text, "an interface header")
    else:
        reader.detail(number, text, tokens)
    return True


def _parse(data: bytes, file: str, tables: tuple[str, ...]) -> Parsed:
    return _parsed(envelope.lines(data), file, tables)[0]


def _fast(data: bytes, file: str) -> Parsed | None:
    """A listing with many addresses alike, these read all at once; null when every line has to be read."""
    found = ip_addr_runs.cut(data)
    if found is None:
        return None
    opened, runs = found
    parsed, reader = _parsed(opened, file, INTERFACE_TABLES, runs)
    if reader.waiting is None:
        return None
    taken = sum(2 * len(run.addresses) for run in runs)
    tables = built.Tables(parsed.tables) if not isinstance(parsed.tables, built.Tables) else parsed.tables
    tables = tables.replaced("addresses", ip_addr_runs.with_runs(tables["addresses"], runs, file))
    lines = replace(parsed.lines, total=parsed.lines.total + taken, rows=parsed.lines.rows + taken)
    return replace(parsed, tables=tables, lines=lines)


def _parsed(
    opened: envelope.Envelope, file: str, tables: tuple[str, ...], runs: Sequence[Run] = ()
) -> tuple[Parsed, _Reader]:
    ledger = Ledger(file, INTERFACE_TABLES)
    reader = _Reader(ledger, runs)
    whole = True
    for number, text in opened.pairs:
        reader.runs_above(number)
        if text.strip():
            whole = _read(reader, number, text) and whole
    reader.runs_above(None)
    # Every namespace has a loopback device; a listing without it was filtered (`show dev X`, grep).
    complete = whole and any(name == "lo" or row.get("ifindex") == 1 for name, row in reader.known.items())
    filled = any(text.strip() for _, text in opened.pairs)
    parsed = opened.close(ledger, complete=complete, state=None if reader.known or not filled else "failed")
    if "addresses" not in tables:
        parsed = Parsed(
            {name: parsed.tables[name] for name in tables},
            parsed.notes,
            parsed.lines,
            parsed.state,
            parsed.complete,
            parsed.detail,
            parsed.facts,
        )
    return parsed, reader


def parse(data: bytes, file: str) -> Parsed:
    """Read `ip addr`. In `-o` form interfaces without addresses do not appear, so it is never complete."""
    return _fast(data, file) or _parse(data, file, INTERFACE_TABLES)


def parse_link(data: bytes, file: str) -> Parsed:
    """Read `ip link`: interfaces only, it says nothing about addresses."""
    return _parse(data, file, ("interfaces",))


FORMS = (
    Form(
        "ip-addr",
        "ip-addr",
        INTERFACE_TABLES,
        (r"ip[-_].*addr(?:ess)?", r"ip[-_]ad?\b", r"^ip_?addr"),
        sniff,
        parse,
        90,
    ),
    Form("ip-link", "ip-link", ("interfaces",), (r"ip[-_].*link", r"ip[-_]l\b"), sniff_link, parse_link, 92),
)
