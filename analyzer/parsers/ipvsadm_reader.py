"""Reads the table of `ipvsadm -L` line by line, in all its column sets.

A title row says which columns follow; tokens are split at blanks, because long endpoints push the columns to the right.
"""

from __future__ import annotations

import re
from typing import Any

from analyzer.parsers import ipvsadm_save
from analyzer.parsers.base import Ledger
from analyzer.parsers.fields import integer
from analyzer.parsers.ipvs_servers import COUNTERS, FORWARDING, SCHEDULERS, Listing, Virtual, counter, endpoint

BANNER = re.compile(r"IP Virtual Server version \S+(?: \(size=\d+\))?")
PROTOCOLS = frozenset(("TCP", "UDP", "SCTP", "FWM"))
_RATES = ("cps", "in_pps", "out_pps", "in_bps", "out_bps")
_TUNNELED = "tunnel"
_TITLE_WORDS = frozenset(("IP", "Prot", "->"))
_NUMBERS = {
    "list": ("weight", "active", "inactive"),
    _TUNNELED: ("weight", "active", "inactive"),
    "persistent": ("weight", "persistent_conns", "active", "inactive"),
    "thresholds": ("upper_threshold", "lower_threshold", "active", "inactive"),
}


def line_ends_lost(bare: str) -> bool:
    """Whether several rows stand on one line."""
    return bare.count("->") > 1 and bare.count(":") > 3 and ("LocalAddress" in bare or bare.count("Masq") > 1)


def kind_of(title: str) -> str:
    """The column set a title row announces."""
    for word, kind in (
        ("InPkts", "stats"),
        ("InPPS", "rate"),
        ("PersistConn", "persistent"),
        ("Uthreshold", "thresholds"),
        ("TunnelInfo", _TUNNELED),
    ):
        if word in title:
            return kind
    return "list"


class Reader:
    """Reads line by line; a banner or a first title row begins a new listing."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self.listings: list[Listing] = []
        self.titled = False
        self.banner = False
        self.stripped = 0
        self.extra_noted = False
        self.guessed = False
        self.saved = False

    def step(self, line: int, text: str, *, cut: bool) -> None:
        """Take one non-blank line; `cut` when the file ends inside it."""
        tokens = text.split()
        if tokens[0] in _TITLE_WORDS and self.title(line, text.strip()):
            return
        if tokens[0].upper() in PROTOCOLS:
            tokens[0] = tokens[0].upper()
            self.virtual(line, text, tokens, cut)
        elif tokens[0] == "->":
            self.real(line, text, tokens, cut)
        elif tokens[0] in ("-A", "-a", "-C"):
            self.saved = True
            ipvsadm_save.read_line(self.ledger, self.listing(line, "save"), line, text, cut)
        else:
            self.ledger.note(line, "cut" if cut else "unparsed", text)

    def listing(self, line: int, kind: str | None = None) -> Listing:
        last = self.listings[-1].kind if self.listings else ""
        if not last or (kind is None and last == "save") or (kind is not None and last not in (kind, "new")):
            self.listings.append(Listing(kind or "new", line))
        elif kind is not None:
            self.listings[-1].kind = kind
        return self.listings[-1]

    def title(self, line: int, bare: str) -> bool:
        """Take a banner or title row."""
        tokens = bare.split(maxsplit=2)
        if BANNER.fullmatch(bare):
            self.banner = True
            self.listings.append(Listing("new", line))
        elif len(tokens) > 1 and tokens[0] == "Prot" and tokens[1].startswith("LocalAddress"):
            self.titled = True
            if not self.listings or self.listings[-1].kind != "new":
                self.listings.append(Listing("new", line))
            self.listings[-1].kind = kind_of(bare)
        elif len(tokens) > 1 and tokens[0] == "->" and tokens[1].startswith("RemoteAddress"):
            self.titled = True
            current = self.listing(line)
            if (kind := kind_of(bare)) != "list" or current.kind == "new":
                current.kind = kind
        else:
            return False
        self.ledger.furniture(line)
        return True

    def lost(self, line: int) -> None:
        """A virtual server that cannot be read: the real servers below it belong to nobody else."""
        self.listing(line).virtuals.append(Virtual(0, {}))

    def virtual(self, line: int, text: str, tokens: list[str], cut: bool) -> None:
        ledger = self.ledger
        if len(tokens) < 3 and cut:
            ledger.note(line, "cut", text, "the line ends inside a virtual server")
            return
        if len(tokens) < 2 or (tokens[0] != "FWM" and ":" not in tokens[1]):
            if len(tokens) > 1 and tokens[1] in SCHEDULERS:
                self.stripped += 1
            ledger.note(line, "unparsed", text, "a virtual server without address")
            self.lost(line)
            return
        rest = tokens[2:]
        if tokens[0] == "FWM":
            mark = integer(tokens[1])
            if mark is None:
                ledger.note(line, "unparsed", text, "no firewall mark")
                self.lost(line)
                return
            six = bool(rest) and rest[0] == "IPv6"
            values: dict[str, Any] = {"fwmark": mark, "family": 6 if six else 4}
            rest = rest[1:] if six else rest
        else:
            values = {"protocol": tokens[0].lower(), **endpoint(ledger, line, tokens[1], text)}
        current = self.listing(line)
        if current.kind == "new":
            current.kind = "stats" if len(rest) >= 5 and all(counter(token) for token in rest[:5]) else "list"
            if current.kind == "stats" and not self.guessed:
                self.guessed = True
                ledger.also(line, "assumed", text, "five counters without a title are statistics")
        if current.kind in ("stats", "rate"):
            self.counters(line, text, rest, values, current.kind)
        elif rest:
            self.flags(line, text, rest, values, cut)
        current.virtuals.append(Virtual(line, values))
        ledger.row(line)

    def flags(self, line: int, text: str, rest: list[str], values: dict[str, Any], cut: bool) -> None:
        """Scheduler, then flags, persistence, mask, engine and one-packet mode in any order."""
        if cut and rest[0] not in SCHEDULERS:
            self.ledger.also(line, "cut", text, f"scheduler {rest[0]}")
            return
        values["scheduler"] = rest[0]
        index = 1
        while index < len(rest):
            word = rest[index]
            following = rest[index + 1] if index + 1 < len(rest) else ""
            if word.startswith("(") and word.endswith(")") and "scheduler_flags" not in values:
                values["scheduler_flags"] = word[1:-1]
            elif word == "persistent" and (seconds := integer(following)) is not None:
                values["persistence_s"] = seconds
                index += 1
            elif word == "mask" and following:
                values["persistence_mask"] = following
                index += 1
            elif word == "pe" and following:
                values["pe"] = following
                index += 1
            elif word == "ops":
                values["ops"] = True
            else:
                self.annotate(line, text, rest[index:], values)
                return
            index += 1
        values.setdefault("ops", False)

    def counters(self, line: int, text: str, rest: list[str], values: dict[str, Any], kind: str) -> None:
        numbers = [counter(token) for token in rest[:5]]
        if len(numbers) < 5 or None in numbers:
            self.ledger.also(line, "cut" if len(numbers) < 5 else "unparsed", text, "five counters expected")
        read = [number for number in numbers if number is not None] if None not in numbers else []
        if kind == "rate":
            shown = [f"{name}={token}" for name, token in zip(_RATES, rest, strict=False)]
            values["extra"] = " ".join(filter(None, [values.get("extra"), *shown])) or None
        elif len(read) == 5:
            values.update(zip(COUNTERS, (value for value, _ in read), strict=True))
            values["rounded"] = any(rounded for _, rounded in read)
        if len(rest) > 5:
            self.annotate(line, text, rest[5:], values)

    def annotate(self, line: int, text: str, tokens: list[str], values: dict[str, Any]) -> None:
        """Text after the known columns: an annotation or a newer version's column; noted once per file."""
        values["extra"] = " ".join(filter(None, [values.get("extra"), *tokens]))
        if not self.extra_noted:
            self.extra_noted = True
            self.ledger.also(line, "extra", text, " ".join(tokens)[:100])

    def real(self, line: int, text: str, tokens: list[str], cut: bool) -> None:
        ledger = self.ledger
        if len(tokens) < 2 or tokens[1] in FORWARDING:
            self.stripped += len(tokens) > 1
            ledger.note(line, "cut" if cut else "unparsed", text, "a real server without address")
            return
        if len(tokens) == 2:
            ledger.note(line, "cut" if cut else "unparsed", text, "a real server without its columns")
            return
        current = self.listing(line)
        if current.kind == "new":
            current.kind = "list"
        if not current.virtuals:
            current.virtuals.append(Virtual(0, {}))
            ledger.also(line, "cut", text, "its virtual server is not in the file")
        values = endpoint(ledger, line, tokens[1], text)
        rest = tokens[2:]
        if current.kind in ("stats", "rate"):
            self.counters(line, text, rest, values, current.kind)
        else:
            self.columns(line, text, rest, values, kind=current.kind, cut=cut)
        current.virtuals[-1].reals.append((line, values))
        ledger.row(line)

    def columns(self, line: int, text: str, rest: list[str], values: dict[str, Any], *, kind: str, cut: bool) -> None:
        if kind in ("list", _TUNNELED):
            place = next((index for index, word in enumerate(rest[:6]) if word in FORWARDING), None)
            if place:  # an annotation between endpoint and columns
                self.annotate(line, text, rest[:place], values)
                rest = rest[place:]
            if place is None:
                self.annotate(line, text, rest[:1], values)
            else:
                values["forwarding"] = rest[0]
            rest = rest[1:]
            if kind == _TUNNELED and rest:
                values["tunnel"] = None if rest[0] == "n/a" else rest[0]
                rest = rest[1:]
        names = _NUMBERS[kind]
        if cut and len(rest) < len(names):
            ledger_text = f"{len(rest)} of {len(names)} columns"
            self.ledger.also(line, "cut", text, ledger_text)
            rest = rest[:-1]  # the last number may lack digits
        elif len(rest) < len(names):
            self.ledger.also(line, "unparsed", text, f"{len(rest)} of {len(names)} columns")
        for name, token in zip(names, rest, strict=False):
            values[name] = integer(token)
            if values[name] is None:
                self.ledger.also(line, "unparsed", text, f"{name} {token[:60]}")
        if len(rest) > len(names):
            self.annotate(line, text, rest[len(names) :], values)
