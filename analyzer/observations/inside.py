"""The networks of a cluster, asked for many addresses: whether something lies in one of them, or beside it.

>>> inside = Inside(["10.64.3.0/24", "192.0.2.7/28", "2001:db8::/64"])
>>> inside.near("10.64.3"), inside.near("192.0.2"), inside.near("10.64.4"), inside.near("2001:db8::5")
(True, True, False, True)
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from itertools import accumulate

from analyzer.forwarding.addresses import network, number

_BITS = {4: 32, 6: 128}


class Inside:
    """Prefixes as sorted spans of numbers, so that thousands of areas against thousands of prefixes are quick."""

    def __init__(self, prefixes: Iterable[str]) -> None:
        spans: dict[int, list[tuple[int, int]]] = {4: [], 6: []}
        hosts: list[int] = []
        for prefix in prefixes:
            family, first, _, length = network(prefix)
            if family:
                spans[family].append((first, first + (1 << _BITS[family] - length) - 1))
            version, value = number(prefix.partition("/")[0])
            if version == 4:
                hosts.append(value)
        self._firsts = {family: sorted(first for first, _ in found) for family, found in spans.items()}
        self._lasts = {
            family: list(accumulate((last for _, last in sorted(found)), max)) for family, found in spans.items()
        }
        self._hosts = sorted(hosts)

    def near(self, part: str) -> bool:
        """Whether an IPv6 address, or the /24 of the first three parts of an IPv4 address, is inside or has an address that is."""
        if ":" in part:
            return self._holds(*number(part))
        version, value = number(f"{part}.0")
        at = bisect_left(self._hosts, value)
        beside = version == 4 and at < len(self._hosts) and self._hosts[at] <= value + 255
        return beside or self._holds(version, value)

    def _holds(self, version: int, value: int) -> bool:
        """Whether some span does: the furthest end of those that begin before it."""
        at = bisect_right(self._firsts.get(version, ()), value)
        return at > 0 and self._lasts[version][at - 1] >= value
