"""Virtual and real servers, whatever printed them: collected per listing, merged, then written to a ledger.

One file may hold several listings of one fact (save lines, a table, statistics). They are merged by (protocol,
address, port) or firewall mark; where one listing has names for addresses, by position (note `assumed`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from analyzer.parsers.base import Ledger
from analyzer.parsers.fields import address, family, looks_masked, port, split_endpoint

TABLES = ("virtual_servers", "real_servers")
SCHEDULERS = frozenset(("rr", "wrr", "lc", "wlc", "lblc", "lblcr", "dh", "sh", "sed", "nq", "fo", "ovf", "mh", "twos"))
FORWARDING = frozenset(("Masq", "Route", "Tunnel", "Local"))
_SUFFIX = {"": 1, "K": 1_000, "M": 1_000_000, "G": 1_000_000_000, "T": 1_000_000_000_000}
COUNTERS = ("conns", "in_pkts", "out_pkts", "in_bytes", "out_bytes")


@dataclass(slots=True)
class Virtual:
    """One virtual server of one listing with the real servers below it."""

    line: int
    values: dict[str, Any]
    reals: list[tuple[int, dict[str, Any]]] = field(default_factory=list)

    @property
    def key(self) -> tuple[object, ...] | None:
        """Its identity; None when masked, named or cut, because nothing may be joined on null."""
        values = self.values
        if values.get("fwmark") is not None:
            return ("fwmark", values["fwmark"], values.get("family"))
        if values.get("address") is None or values.get("port") is None:
            return None
        return (values.get("protocol"), values["address"], values["port"])


@dataclass(slots=True)
class Listing:
    """One listing: its columns (`kind`) and its virtual servers; `begin` is its first line."""

    kind: str
    begin: int
    virtuals: list[Virtual] = field(default_factory=list)


def counter(text: str) -> tuple[int, bool] | None:
    """A counter of a statistics listing and whether it was rounded (ipvsadm.c: K from 10^8, M from 10^9, decimal).

    >>> counter("123456K"), counter("99"), counter("x")
    ((123456000, True), (99, False), None)
    """
    digits, suffix = (text[:-1], text[-1]) if text[-1:] in _SUFFIX and text[-1:] else (text, "")
    if not (digits.isascii() and digits.isdigit()) or len(digits) > 18:
        return None
    value = int(digits) * _SUFFIX[suffix]
    return (value, bool(suffix)) if value < 2**63 else None


def endpoint(ledger: Ledger, line: int, text: str, raw: str) -> dict[str, Any]:
    """Address and port of an endpoint; what cannot be read is null, noted, and kept in `extra`."""
    parts = split_endpoint(text)
    if parts is None:
        ledger.also(line, "name", raw, f"{text}: a name cut by its column, address and port unknown")
        ledger.also(line, "cut", raw, text)
        return {"extra": f"endpoint={text}"}
    host, port_text = parts
    number, resolved = port(port_text)
    values: dict[str, Any] = {"address": address(host), "port": number}
    if resolved:
        ledger.also(line, "assumed", raw, f"port {port_text} is {number}")
    elif number is None:
        masked = looks_masked(port_text) or port_text.upper() == "PORT"
        ledger.also(line, "masked" if masked else "name", raw, f"port {port_text}")
    if values["address"] is None:
        masked = looks_masked(host) or not host.strip("[]")
        ledger.also(line, "masked" if masked else "name", raw, f"address {host}")
    if values["address"] is None or number is None:
        values["extra"] = f"endpoint={text}"
    return values


def identity_of(values: dict[str, Any]) -> dict[str, Any]:
    """The columns by which a real server names its virtual server."""
    return {
        "vs_protocol": values.get("protocol"),
        "vs_address": values.get("address"),
        "vs_port": values.get("port"),
        "vs_fwmark": values.get("fwmark"),
    }


def with_family(values: dict[str, Any]) -> dict[str, Any]:
    if values.get("family") is None:
        values["family"] = family(values.get("address"))
    return values


def write(ledger: Ledger, listings: list[Listing]) -> None:
    """Merge the listings and add their rows; a line that only completes a row is accounted to it."""
    merged: list[Virtual] = []
    seen: dict[str, Listing] = {}
    for listing in listings:
        earlier = seen.get(listing.kind)
        if earlier is not None and {v.key for v in earlier.virtuals} & {v.key for v in listing.virtuals} - {None}:
            ledger.also(
                listing.begin, "repeated", f"listing of line {earlier.begin}", "captured twice, the later one used"
            )
            for virtual in earlier.virtuals:
                _claim(ledger, virtual)
            earlier.virtuals.clear()
        seen[listing.kind] = listing
    for listing in (listing for listing in listings if listing.virtuals):
        if not merged:
            merged = list(listing.virtuals)
        else:
            _merge(ledger, merged, listing)
    for virtual in merged:
        if virtual.line > 0:
            ledger.add("virtual_servers", virtual.line, **with_family(virtual.values))
        for line, real in virtual.reals:
            vs_line = virtual.line if virtual.line > 0 else None
            ledger.add("real_servers", line, **identity_of(virtual.values), vs_line=vs_line, **real)


def _claim(ledger: Ledger, virtual: Virtual) -> None:
    if virtual.line > 0:
        ledger.row(virtual.line)
    for line, _ in virtual.reals:
        ledger.row(line)


def _merge(ledger: Ledger, merged: list[Virtual], listing: Listing) -> None:
    by_key = {virtual.key: virtual for virtual in reversed(merged) if virtual.key is not None}
    in_order = len(merged) == len(listing.virtuals)
    for index, virtual in enumerate(listing.virtuals):
        base = by_key.get(virtual.key) if virtual.key is not None else None
        if base is None and in_order and _same_place(merged[index], virtual):
            base = merged[index]
            ledger.also(virtual.line, "assumed", "", f"same virtual server as line {base.line}, by position")
        if base is None:
            merged.append(virtual)
            continue
        if virtual.line > 0:
            ledger.row(virtual.line)
        _fill(base.values, virtual.values)
        _merge_reals(ledger, base, virtual)


def _same_place(one: Virtual, other: Virtual) -> bool:
    """Whether two entries at the same position can be the same: one lacks its identity, nothing readable differs."""
    if (one.key is not None and other.key is not None) or not (one.line and other.line):
        return False
    columns = ("protocol", "fwmark", "port", "address")
    return all(
        one.values.get(name) is None or other.values.get(name) is None or one.values[name] == other.values[name]
        for name in columns
    )


def _merge_reals(ledger: Ledger, base: Virtual, other: Virtual) -> None:
    known = {(real.get("address"), real.get("port")): real for _, real in reversed(base.reals) if real.get("address")}
    in_order = len(base.reals) == len(other.reals)
    for index, (line, real) in enumerate(other.reals):
        same = known.get((real.get("address"), real.get("port"))) if real.get("address") else None
        if same is None and in_order:
            candidate = base.reals[index][1]
            same = candidate if candidate.get("address") is None or real.get("address") is None else None
        if same is None:
            base.reals.append((line, real))
        else:
            ledger.row(line)
            _fill(same, real)


def _fill(into: dict[str, Any], values: dict[str, Any]) -> None:
    """The later reading wins where it has a value; a readable address replaces the text kept for an unreadable one."""
    for name, value in values.items():
        if value is not None:
            into[name] = value
    if (
        into.get("address") is not None
        and into.get("port") is not None
        and str(into.get("extra", "")).startswith("endpoint=")
    ):
        into["extra"] = None
