"""`ifconfig`, old (`inet addr:A  Bcast:B  Mask:M`) and new (`inet A  netmask M  broadcast B`) net-tools.

Without `-a` interfaces that are down are missing, and kube-ipvs0 is down: its VIPs are unknown then, not absent.
Secondary addresses appear only as aliases (`eth0:1`), which are labels of the interface before the colon.

>>> text = b"eth0: flags=4163<UP>  mtu 1500\\n        inet 192.0.2.11  netmask 255.255.255.0  broadcast 192.0.2.255\\n"
>>> int(parse(text, "ifconfig.txt").tables["addresses"].loc[0, "prefix_len"])
24
"""

from __future__ import annotations

import re
from typing import Any

from analyzer.parsers import envelope
from analyzer.parsers.base import Form, Head, Ledger, Parsed
from analyzer.parsers.fields import address, integer, looks_masked, mask_length

_NEW = re.compile(r"(\S+?): flags=\d+<([^>]*)>\s+mtu (\d+).*")
_OLD = re.compile(r"(\S+)\s+Link encap:(\S.*)")
_INET_NEW = re.compile(r"inet6? (\S+)\s+(?:netmask (\S+)|prefixlen (\d+))(.*)")
_INET_OLD = re.compile(r"inet addr:\s?(\S+)(.*)")
_INET6_OLD = re.compile(r"inet6 addr:\s?(\S+?)/(\d+) Scope:(\S+)")
_MAC_NEW = re.compile(r"ether (\S+).*")
_MAC_OLD = re.compile(r"HWaddr\s+(\S+)")
_SCOPES = {"0x0": "global", "0x10": "host", "0x20": "link"}  # ipv6 scope bits of net-tools
_COUNTERS = re.compile(
    r"(?:[RT]X (?:packets|errors|bytes)|collisions[: ]|Interrupt:|device interrupt|Memory:|"
    r"Base address|loop |unspec |tunnel |ether |Scope:|inet6 addr|infiniband |ipip |sit |ppp ).*"
)
_FLAGS_OLD = re.compile(r"((?:[A-Z]+ )*[A-Z]+)\s+MTU:(\d+).*")
TABLES = ("interfaces", "addresses")


def sniff(head: Head) -> int:
    """An interface line of either generation."""
    if ": flags=" not in head.text and "Link encap:" not in head.text:
        return 0
    return 92 if any(_NEW.fullmatch(line.strip()) or _OLD.fullmatch(line.strip()) for line in head.lines) else 0


class _Reader:
    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self.interface: dict[str, Any] | None = None
        self.label = ""
        self.known: dict[str, dict[str, Any]] = {}

    def open(self, line: int, label: str, flags: str | None, mtu: int | None) -> None:
        """Begin a block; an alias belongs to the interface before its colon."""
        name = label.partition(":")[0] or label
        self.label = label
        if name in self.known:
            self.interface = self.known[name]
            self.ledger.row(line)
            return
        self.interface = self.known[name] = self.ledger.add("interfaces", line, interface=name, flags=flags, mtu=mtu)

    def mac(self, text: str) -> None:
        assert self.interface is not None
        if "x" not in text.lower():
            self.interface["lladdr"] = text.lower().replace("-", ":")[:64]

    def add(self, line: int, text: str, host: str, length: int | None, **values: Any) -> None:
        assert self.interface is not None
        found = address(host)
        six = ":" in host
        if found is None:
            self.ledger.also(line, "masked" if looks_masked(host) else "unparsed", text, f"address {host[:60]}")
        if length is None:
            self.ledger.also(line, "unparsed", text, "netmask")
        self.ledger.add(
            "addresses",
            line,
            interface=self.interface["interface"],
            family=6 if six else 4,
            address=found,
            prefix_len=length,
            label=None if six else self.label,
            **values,
        )

    def line(self, number: int, text: str) -> None:
        bare = text.strip()
        if match := _NEW.fullmatch(bare):
            self.open(number, match[1], match[2] or None, integer(match[3]))
        elif match := _OLD.fullmatch(bare):
            self.open(number, match[1], None, None)
            if mac := _MAC_OLD.search(match[2]):
                self.mac(mac[1])
        elif self.interface is None:
            self.ledger.note(number, "unparsed", text, "no interface above")
        else:
            self.inside(number, text, bare)

    def inside(self, number: int, text: str, bare: str) -> None:
        """A line inside a block."""
        assert self.interface is not None
        if match := _INET_NEW.fullmatch(bare):
            host, mask, length, rest = match.groups()
            scope = re.search(r"scopeid (0x[0-9a-f]+)<", rest)
            broadcast = re.search(r"broadcast (\S+)", rest)
            self.add(
                number,
                text,
                host,
                mask_length(mask) if mask else integer(length, 128),
                scope=_SCOPES.get(scope[1]) if scope else None,
                broadcast=address(broadcast[1]) if broadcast else None,
            )
        elif match := _INET6_OLD.fullmatch(bare):
            self.add(number, text, match[1], integer(match[2], 128), scope=match[3].lower())
        elif match := _INET_OLD.fullmatch(bare):
            netmask = re.search(r"Mask:(\S+)", match[2])
            broadcast = re.search(r"Bcast:(\S+)", match[2])
            self.add(
                number,
                text,
                match[1],
                mask_length(netmask[1]) if netmask else 32,
                broadcast=address(broadcast[1]) if broadcast else None,
            )
        elif match := _FLAGS_OLD.fullmatch(bare):
            self.interface["flags"] = self.interface.get("flags") or match[1].replace(" ", ",")
            self.interface["mtu"] = self.interface.get("mtu") or integer(match[2])
            self.ledger.row(number)
        elif match := _MAC_NEW.fullmatch(bare):
            self.mac(match[1])
            self.ledger.row(number)
        elif _COUNTERS.fullmatch(bare):
            self.ledger.furniture(number)
        else:
            self.ledger.note(number, "unparsed", text)


def parse(data: bytes, file: str) -> Parsed:
    """Read one capture; complete only if an interface that is down is listed, which proves `-a`."""
    opened = envelope.lines(data)
    ledger = Ledger(file, TABLES)
    reader = _Reader(ledger)
    for number, text in opened.pairs:
        if text.strip():
            reader.line(number, text)
    down = [row for row in reader.known.values() if "UP" not in str(row.get("flags") or "UP").split(",")]
    return opened.close(ledger, complete=bool(down))


FORMS = (Form("ifconfig", "ip-addr", TABLES, (r"ifconfig",), sniff, parse, 92),)
