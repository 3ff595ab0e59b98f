"""Address arithmetic on text, cached: the walker compares the same few addresses very often."""

from __future__ import annotations

import ipaddress
from functools import lru_cache


@lru_cache(maxsize=200_000)
def number(address: str) -> tuple[int, int]:
    """(family, integer) of an address, (0, 0) for text that is none."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return (0, 0)
    return (parsed.version, int(parsed))


@lru_cache(maxsize=50_000)
def network(prefix: str) -> tuple[int, int, int, int]:
    """(family, first, mask, length) of a prefix or single address, family 0 for text that is neither."""
    try:
        parsed = ipaddress.ip_network(prefix, strict=False)
    except ValueError:
        return (0, 0, 0, 0)
    return (parsed.version, int(parsed.network_address), int(parsed.netmask), parsed.prefixlen)


def contains(prefix: str, address: str) -> bool:
    """Whether `address` lies in `prefix`.

    >>> contains("10.0.0.0/8", "10.1.2.3"), contains("10.0.0.0/8", "2001:db8::1")
    (True, False)
    """
    family, first, mask, _ = network(prefix)
    version, value = number(address)
    return family != 0 and family == version and value & mask == first


def is_loopback(address: str) -> bool:
    version, value = number(address)
    return (version == 4 and value >> 24 == 127) or (version == 6 and value == 1)


def is_multicast(address: str) -> bool:
    version, value = number(address)
    return (version == 4 and value >> 28 == 0xE) or (version == 6 and value >> 120 == 0xFF)


def family_of(address: str) -> int:
    return number(address)[0]
