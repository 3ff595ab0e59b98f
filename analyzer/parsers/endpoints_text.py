"""Local endpoints as socket listings print them: wildcards, scopes, v4-mapped addresses, names."""

from __future__ import annotations

import re
from dataclasses import dataclass

from analyzer.parsers.base import Ledger, Reason
from analyzer.parsers.fields import address, looks_masked
from analyzer.parsers.fields import port as port_of

DUAL = "*"
ANY4 = "0.0.0.0"  # noqa: S104  (nothing is bound here)
_HOST = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,252}")
_SCOPE = re.compile(r"[A-Za-z0-9_.:-]{1,15}")


@dataclass(frozen=True, slots=True)
class Local:
    """A local endpoint; `address` is `*` where it serves both families; `notes` say what is assumed or unknown."""

    address: str | None
    family: int | None
    port: int | None
    scope: str | None
    notes: tuple[tuple[Reason, str], ...] = ()


def local_endpoint(text: str, *, star_is_dual: bool = True, any6_is_dual: bool = False) -> Local | None:
    """Read `address:port`; None when the text is no endpoint.

    `*` means both families in current ss and IPv4 in old ones (`star_is_dual`); `::` serves both families in netstat,
    old ss and /proc unless the socket is IPv6-only, which they do not show (`any6_is_dual`).

    >>> local_endpoint("[::ffff:192.0.2.31]:9090")
    Local(address='192.0.2.31', family=4, port=9090, scope=None, notes=())
    >>> local_endpoint("192.0.2.53%eth0:domain").port
    53
    """
    host, colon, port_text = text.rpartition(":")
    if not colon or not host or not port_text or len(text) > 300:
        return None
    notes: list[tuple[Reason, str]] = []
    port, named = port_of(port_text)
    if named:
        notes.append(("assumed", f"port {port_text} is {port}"))
    elif port is None:
        if looks_masked(port_text):
            notes.append(("masked", port_text))
        elif _HOST.fullmatch(port_text) and not port_text.isdigit():
            notes.append(("name", port_text))
        else:
            return None
    bare, percent, scope = host.partition("%")
    if percent:
        scope = scope.removesuffix("]")
        if bare.startswith("[") and not bare.endswith("]"):  # `[fe80::1%eth0]`
            bare += "]"
        if not _SCOPE.fullmatch(scope):
            return None
    found: str | None
    family: int | None
    if bare == "*":
        found, family = (DUAL, None) if star_is_dual else (ANY4, 4)
    else:
        found = _unmapped(address(bare))
        family = None if found is None else 6 if ":" in found else 4
        if found == "::" and any6_is_dual:
            found, family = DUAL, None
        elif found is None and looks_masked(bare):
            notes.append(("masked", bare[:100]))
        elif found is None and _HOST.fullmatch(bare):
            notes.append(("name", bare[:100]))
        elif found is None:
            return None
    return Local(found, family, port, scope or None, tuple(notes))


def _unmapped(text: str | None) -> str | None:
    """The IPv4 address inside `::ffff:a.b.c.d` (RFC 4291, 2.5.5.2): such a socket serves IPv4 only."""
    if text is None or not text.startswith("::ffff:"):
        return text
    tail = text[7:]
    if "." in tail:
        return tail
    high, _, low = tail.partition(":")
    value = int(high, 16) << 16 | int(low or "0", 16)
    return ".".join(str(value >> shift & 255) for shift in (24, 16, 8, 0)) if low else text


class Skipped:
    """Sockets that are no rows of `listeners`: furniture line by line, one note per kind and file."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._seen: dict[str, tuple[int, str, int]] = {}

    def line(self, number: int, text: str, kind: str) -> None:
        self._ledger.furniture(number)
        first, shown, count = self._seen.get(kind, (number, text, 0))
        self._seen[kind] = (first, shown, count + 1)

    def close(self) -> None:
        for kind, (number, text, count) in self._seen.items():
            self._ledger.also(number, "extra", text, f"{count} {kind}")
