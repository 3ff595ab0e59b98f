"""Small readers for the values all tools print: addresses, prefixes, endpoints, numbers. None means "not one"."""

from __future__ import annotations

import ipaddress
import re
from functools import lru_cache

_INT64 = 2**63 - 1
_MASK = re.compile(
    r"(?i)(?:^|[.:/\d])x{1,4}(?![a-z0-9])|\*{2,}|hidden|redacted|masked|^(?:lb|vip|node|pod|my|public|private)?[-_]?ip$|^vip$"
    r"|<[^<>]{0,60}>"
)


@lru_cache(maxsize=16384)
def integer(text: str, maximum: int = _INT64) -> int | None:
    """A plain decimal number from 0 to `maximum` (Int64 columns hold no more).

    >>> integer("443"), integer("44x"), integer("99999999999999999999")
    (443, None, None)
    """
    if not text or len(text) > 20 or not (text.isascii() and text.isdigit()):
        return None
    value = int(text)
    return value if value <= maximum else None


def hexadecimal(text: str, maximum: int = _INT64) -> int | None:
    """A number written with hexadecimal digits, with or without `0x`."""
    digits = text[2:] if text[:2] in ("0x", "0X") else text
    if not digits or len(digits) > 16 or not all(c in "0123456789abcdefABCDEF" for c in digits):
        return None
    value = int(digits, 16)
    return value if value <= maximum else None


@lru_cache(maxsize=65536)
def address(text: str) -> str | None:
    """The canonical form (RFC 5952, no brackets, no zone) of an address.

    >>> address("[2001:0DB8:0:0::A]"), address("192.0.2.300"), address("fe80::1%eth0")
    ('2001:db8::a', None, 'fe80::1')
    """
    if len(text) > 100:
        return None
    bare = text[1:-1] if text.startswith("[") and text.endswith("]") else text
    try:
        return ipaddress.ip_address(bare.partition("%")[0]).compressed
    except ValueError:
        return None


def family(canonical: str | None) -> int | None:
    """4 or 6 of an address or prefix in canonical form."""
    if not canonical:
        return None
    return 6 if ":" in canonical else 4


@lru_cache(maxsize=65536)
def prefix(text: str) -> str | None:
    """The canonical prefix, always with a length; host bits are kept out only if they are zero already.

    >>> prefix("192.0.2.7"), prefix("192.0.2.0/24"), prefix("2001:db8::/32"), prefix("x/8")
    ('192.0.2.7/32', '192.0.2.0/24', '2001:db8::/32', None)
    """
    host, slash, length = text.partition("/")
    if host.count(".") in (1, 2) and ":" not in host and slash:  # old tools shorten 10.0.0.0/8 to 10/8 or 10.1/16
        host = host + ".0" * (3 - host.count("."))
    canonical = address(host)
    if canonical is None:
        return None
    bits = 128 if ":" in canonical else 32
    if not slash:
        return f"{canonical}/{bits}"
    number = integer(length, bits)
    return None if number is None else f"{canonical}/{number}"


def mask_length(mask: str) -> int | None:
    """The prefix length of a dotted mask; None for a mask with holes.

    >>> mask_length("255.255.255.0"), mask_length("255.0.255.0")
    (24, None)
    """
    try:
        return ipaddress.ip_network(f"0.0.0.0/{mask}").prefixlen if mask.count(".") == 3 else None
    except ValueError:
        return None


def looks_masked(text: str) -> bool:
    """Whether a person or a redactor replaced the value.

    >>> [looks_masked(text) for text in ("10.x.7.8", "***HIDDEN***", "VIP", "203.0.113.299", "host.example")]
    [True, True, True, True, False]
    """
    return bool(_MASK.search(text)) or (
        text.count(".") == 3 and text.replace(".", "").isdigit() and address(text) is None
    )


def split_endpoint(text: str) -> tuple[str, str] | None:
    """Host and port of `host:port`, split at the last colon; None without a colon.

    >>> split_endpoint("[2001:db8::1]:53"), split_endpoint("host.example:https"), split_endpoint("cut.example.n")
    (('[2001:db8::1]', '53'), ('host.example', 'https'), None)
    """
    host, colon, port = text.rpartition(":")
    return (host, port) if colon and host else None


# Names that `-n`-less tools print for ports (IANA; `webcache` and `distinct` are Debian's). Fixed: the machine that
# analyses is not the machine that printed.
_PORT_NAMES = {
    "ftp": 21, "ssh": 22, "telnet": 23, "smtp": 25, "domain": 53, "bootps": 67, "bootpc": 68, "tftp": 69, "http": 80,
    "www": 80, "kerberos": 88, "pop3": 110, "sunrpc": 111, "ntp": 123, "imap2": 143, "snmp": 161, "ldap": 389,
    "https": 443, "syslog": 514, "submission": 587, "ldaps": 636, "imaps": 993, "pop3s": 995, "ms-sql-s": 1433,
    "nfs": 2049, "mysql": 3306, "ms-wbt-server": 3389, "diameter": 3868, "epmd": 4369, "mdns": 5353, "postgresql": 5432,
    "amqp": 5672, "x11": 6000, "redis": 6379, "sun-sr-https": 6443, "http-alt": 8080, "webcache": 8080,
    "pcsync-https": 8443, "tproxy": 8081, "us-srv": 8083, "bacula-fd": 9102, "jetdirect": 9100, "xmltec-xmlmail": 9091,
    "snapenetio": 22000,
}  # fmt: skip


@lru_cache(maxsize=16384)
def port(text: str) -> tuple[int | None, bool]:
    """A port and whether it was resolved from a name (to be noted as assumed).

    >>> port("443"), port("https"), port("70000"), port("n")
    ((443, False), (443, True), (None, False), (None, False))
    """
    number = integer(text, 65535)
    if number is not None:
        return number, False
    named = _PORT_NAMES.get(text)
    return named, named is not None
