"""The addresses of a text, where their form tells that they are addresses: to find them again where it does not.

In hexadecimal, behind a `v`, in a row of more than four numbers, with dashes for colons, any of these may be something else.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator

from analyzer.redact.scanner import QUAD, is_doubtful

_DUMP = re.compile(r"(?:\bIP|>) ([0-9]{1,3}(?:\.[0-9]{1,3}){3})\.[0-9]{1,5}(?![0-9.])")
_SIX = re.compile(r"(?<![0-9A-Za-z:.])[0-9A-Fa-f]{0,4}(?::[0-9A-Fa-f]{0,4}){2,7}(?![0-9A-Za-z:])")


def addresses_in(text: str) -> Iterator[bytes]:
    """Packed addresses, not always different ones. `IP 10.0.0.1.443 > ...` of tcpdump is an address and a port.

    >>> sorted(".".join(map(str, one)) for one in addresses_in("v10.0.0.1 10.0.0.2 1.10.0.0.3 010.000.000.004"))
    ['10.0.0.2', '10.0.0.4']
    """
    pieces = set(text.split(" "))
    yield from _quads("\n".join(pieces))
    if " > " in text:
        for quad in set(_DUMP.findall(text)):
            yield from _usable(quad.split("."))
    for piece in pieces:
        if "::" in piece or piece.count(":") >= 7:
            yield from _sixes(piece)


def _quads(text: str) -> Iterator[bytes]:
    for quad in {match["quad"] for match in QUAD.finditer(text) if not is_doubtful(match)}:
        numbers = re.split("[._-]", quad)
        padded = any(len(one) > 1 and one[0] == "0" for one in numbers)
        if not padded or len(quad) == 15:
            yield from _usable(numbers)


def _usable(numbers: list[str]) -> Iterator[bytes]:
    """What can be the address of a machine."""
    if max(map(int, numbers)) < 256:
        packed = bytes(map(int, numbers))
        if 0 < packed[0] < 224 and packed[0] != 127:
            yield packed


def _sixes(text: str) -> Iterator[bytes]:
    for six in _SIX.findall(text):
        try:
            packed = ipaddress.ip_address(six).packed
        except ValueError:
            continue
        if any(packed[:8]) and packed[0] != 0xFF:
            yield packed
