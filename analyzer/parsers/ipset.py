"""Sets of addresses and ports: `ipset save`, `ipset list`, also both in one file.

    create KUBE-LOAD-BALANCER hash:ip,port family inet hashsize 1024 maxelem 65536
    add KUBE-LOAD-BALANCER 203.0.113.10,tcp:443

Tables: ipsets, ipset_members. A member's parts are read by the type of its set. Only `list` tells references and the
number of entries; where a file holds both forms the list counts, and a difference between them is noted.

>>> text = b"create N bitmap:port range 0-65535\\nadd N 30443\\n"
>>> print(*parse(text, "ipset-save.txt").tables["ipset_members"].loc[0, ["set", "port", "port_end"]])
N 30443 30443
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from analyzer.parsers.base import Form, Head, Ledger, Parsed
from analyzer.parsers.envelope import lines
from analyzer.parsers.fields import address, integer, looks_masked, prefix

TABLES = ("ipsets", "ipset_members")

_CREATE = re.compile(r"create\s+(\S+)\s+([a-z]+:[a-z,]+)\s*(.*)")
_ADD = re.compile(r"add\s+(\S+)\s+(\S+)\s*(.*)")
_HEADER = re.compile(
    r"(Name|Type|Revision|Header|Size in memory|References|Number of entries|Default binding|Members|Bindings):\s*(.*)"
)
_TYPE = re.compile(r"(?:hash|bitmap|list):[a-z]+(?:,[a-z]+)*")
_FAMILY = re.compile(r"(?:^|\s)family (inet6?)(?:\s|$)")
_OPTIONS = re.compile(
    r"(?:(?:timeout|packets|bytes|skbmark|skbprio|skbqueue) \S+|comment (?:\"[^\"]*\"|\S+)|nomatch|-exist|-!)(?:\s+|$)"
)
_PROTOCOLS = {"6": "tcp", "17": "udp", "132": "sctp", "1": "icmp", "58": "icmpv6", "136": "udplite"}


@dataclass
class _Set:
    """One set as one form shows it."""

    name: str
    line: int
    listed: bool
    type: str | None = None
    header: str = ""
    references: int | None = None
    declared: int | None = None
    terse: bool = False
    own_lines: list[int] = field(default_factory=list)
    members: list[tuple[int, str, str]] = field(default_factory=list)


@lru_cache(maxsize=65536)
def member_parts(kind: str | None, member: str) -> tuple[dict[str, Any], bool]:
    """The typed parts of a member, and whether all of them were understood.

    >>> member_parts("hash:ip,port", "203.0.113.53,17:53")[0]
    {'address': '203.0.113.53', 'protocol': 'udp', 'port': 53, 'port_end': 53}
    """
    names = kind.partition(":")[2].split(",") if kind else []
    texts = member.split(",")
    parts: dict[str, Any] = {}
    if not names or len(names) != len(texts):
        return parts, False
    clear = True
    for name, text in zip(names, texts, strict=True):
        if name in ("ip", "net"):
            key = "address2" if "address" in parts else "address"
            parts[key] = _place(text)
            clear = clear and parts[key] is not None
        elif name == "port":
            clear = _port(text, parts) and clear
        else:
            clear = False
    return parts, clear


def _place(text: str) -> str | None:
    """An address, a prefix, or a range of addresses as printed."""
    found = address(text) or prefix(text)
    if found is None and "-" in text:
        ends = [address(end) for end in text.split("-", 1)]
        return "-".join(end for end in ends if end) if all(ends) else None
    return found


def _port(text: str, parts: dict[str, Any]) -> bool:
    protocol, colon, numbers = text.rpartition(":")
    if colon:
        parts["protocol"] = _PROTOCOLS.get(protocol, protocol.lower())
    low, _, high = numbers.partition("-")
    parts["port"] = integer(low, 65535)
    parts["port_end"] = integer(high, 65535) if high else parts["port"]
    return parts["port"] is not None and parts["port_end"] is not None


def parse(data: bytes, file: str) -> Parsed:
    """Read one capture."""
    envelope = lines(data)
    ledger = Ledger(file, TABLES)
    saved: list[_Set] = []
    listed: list[_Set] = []
    by_name: dict[str, _Set] = {}
    current: _Set | None = None
    inside = False
    for number, raw in envelope.pairs:
        line = raw.strip()
        if not line:
            if inside:
                current, inside = None, False
        elif match := _CREATE.fullmatch(line):
            current, inside = None, False
            made = _Set(match[1], number, False, match[2], match[3].removesuffix("-exist").strip())
            saved.append(made)
            by_name[match[1]] = made
        elif (match := _ADD.fullmatch(line)) and match[1] in by_name:
            by_name[match[1]].members.append((number, match[2], match[3]))
        elif match := _HEADER.fullmatch(line):
            key, value = match.groups()
            if key == "Name":
                current, inside = _Set(value, number, True, terse=True), False
                listed.append(current)
            elif current is None:
                ledger.note(number, "unparsed", line, "no set to belong to")
                continue
            else:
                inside = key == "Members"
                _fact(current, key, value, number)
        elif inside and current is not None:
            member, _, options = line.partition(" ")
            current.members.append((number, member, options.strip()))
        elif line.startswith("#") or line == "COMMIT":
            ledger.furniture(number)
        else:
            ledger.note(number, "unparsed", line, "no set to belong to")
    _merge(ledger, listed, saved)
    return envelope.close(ledger)


def _fact(made: _Set, key: str, value: str, number: int) -> None:
    made.own_lines.append(number)
    if key == "Type" and _TYPE.fullmatch(value):
        made.type = value
    elif key == "Header":
        made.header = value
    elif key == "References":
        made.references = integer(value)
    elif key == "Number of entries":
        made.declared = integer(value)
    elif key == "Members":
        made.terse = False


def _merge(ledger: Ledger, listed: list[_Set], saved: list[_Set]) -> None:
    """The list form counts before the save form, a later capture before an earlier one."""
    chosen: dict[str, _Set] = {}
    for made in (*saved, *listed):
        earlier = chosen.get(made.name)
        if earlier is not None:
            for number in (earlier.line, *earlier.own_lines, *(n for n, _, _ in earlier.members)):
                ledger.row(number)
            if earlier.listed == made.listed:
                ledger.also(earlier.line, "repeated", made.name, "captured again later, that one is used")
            elif not made.terse and {m for _, m, _ in earlier.members} != {m for _, m, _ in made.members}:
                ledger.also(earlier.line, "suspect", made.name, "list and save differ; the list is used")
            if made.terse and earlier.members and not made.members:
                made.members, made.terse = earlier.members, False
        chosen[made.name] = made
    noted: set[str | None] = set()
    for made in sorted(chosen.values(), key=lambda made: made.line):
        _rows(ledger, made, noted)


def _rows(ledger: Ledger, made: _Set, noted: set[str | None]) -> None:
    family = _FAMILY.search(made.header)
    ledger.add(
        "ipsets", made.line, set=made.name, type=made.type, references=made.references, declared_entries=made.declared,
        family={"inet": 4, "inet6": 6}[family[1]] if family else None, extra=made.header or None,
        entries=None if made.terse else len(made.members),
    )  # fmt: skip
    for number in made.own_lines:
        ledger.row(number)
    if made.terse and made.declared:
        ledger.also(made.line, "count", made.name, f"{made.declared} entries declared, no members shown")
    elif made.declared is not None and made.declared != len(made.members):
        ledger.also(made.line, "count", made.name, f"{made.declared} entries declared, {len(made.members)} read")
    for number, member, options in made.members:
        parts, clear = member_parts(made.type, member)
        known = [match[0].strip() for match in _OPTIONS.finditer(options)]
        rest = _OPTIONS.sub("", options).strip()
        extra = " ".join(text for text in (*known, rest) if text not in ("", "nomatch")) or None
        ledger.add(
            "ipset_members",
            number,
            set=made.name,
            member=member,
            nomatch="nomatch" in known,
            extra=extra,
            **parts,
        )
        if rest:
            ledger.also(number, "extra", rest, "text behind the member")
        if not clear:
            names = (made.type or "").partition(":")[2].split(",")
            if looks_masked(member):
                ledger.also(number, "masked", member)
            elif made.type is None or set(names) - {"ip", "net", "port"}:
                if made.type not in noted:
                    ledger.also(number, "extra", member, f"members of type {made.type or 'unknown'} are kept as text")
                noted.add(made.type)
            elif not member.startswith(("icmp", "vrrp", "gre", "esp", "ah")) and ",icmp" not in member:
                ledger.also(number, "suspect", member, f"does not fit the type {made.type}")


def _sniff_save(head: Head) -> int:
    return 95 if any(_CREATE.fullmatch(line.strip()) for line in head.lines[:60]) else 0


def _sniff_list(head: Head) -> int:
    names = any(line.startswith("Name: ") for line in head.lines)
    return (
        95
        if names and any(line.startswith(("Members:", "Type: ", "Number of entries: ")) for line in head.lines)
        else 0
    )


FORMS = (
    Form("ipset-save", "ipset", TABLES, (r"ipset[\w.-]*save", r"ipset"), _sniff_save, parse),
    Form("ipset-list", "ipset", TABLES, (r"ipset[\w.-]*l(?:ist)?\b", r"ipset"), _sniff_list, parse),
)
