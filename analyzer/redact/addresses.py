"""Addresses and MACs under a key: one to one, and what shares a prefix goes on sharing it.

Crypto-PAn (Xu, Fan, Ammar, Moon 2002): bit i of the result is bit i of the address, flipped by a keyed function of the
bits before it. Whatever that function is, the mapping is one to one and preserves prefixes, so a CIDR still holds its
members. Here it is a table per prefix of whole bytes, and it does not flip where the meaning would be lost:

* on the way to a block of `_BLOCKS4` or `_BLOCKS6`, so every block maps into itself: private stays private, public public;
* inside the blocks that mean the same everywhere (loopback, link-local of IPv4, multicast, broadcast);
* (an address of fe80::/64 made of a MAC becomes the one made of that MAC's image);
* along the zeros and the ones of the third and fourth byte of an IPv4 address, and of the second half of an IPv6 address:
  ``.0``, ``.1``, ``.254`` and ``.255`` stay, so networks, broadcasts and the `kubernetes` Service keep their form.

>>> one = Addresses(bytes(32))
>>> one.text("172.21.0.1")[:4], one.text("172.21.0.1")[-4:], one.text("127.0.0.1"), one.text("fe80::1")
('172.', '.0.1', '127.0.0.1', 'fe80::1')
>>> one.back(one.text("10.0.2.77"))
'10.0.2.77'
"""

from __future__ import annotations

import hashlib
import ipaddress
from functools import lru_cache

_KEPT4 = ("0.0.0.0/8", "127.0.0.0/8", "100.100.0.0/16", "169.254.0.0/16", "224.0.0.0/4", "240.0.0.0/4")
_MIXED4 = (
    "10.0.0.0/8", "100.64.0.0/10", "172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24", "192.168.0.0/16", "198.18.0.0/15",
    "198.51.100.0/24", "203.0.113.0/24",
)  # fmt: skip
# 100.100.0.0/16 is Alibaba Cloud's own (metadata, DNS, NTP); the rest of 100.64.0.0/10 may be a customer's.
_KEPT6 = ("::/8", "ff00::/8")
_MIXED6 = ("64:ff9b::/96", "2001:db8::/32", "2000::/3", "fc00::/7", "fd00::/8", "fe80::/10", "fe80::/64")
# Masks are written like addresses; nobody's address looks like one.
_MASKS = frozenset(str(ipaddress.IPv4Address(((1 << 32) - 1) ^ ((1 << host) - 1))) for host in range(33))


def _bits(block: str) -> str:
    network = ipaddress.ip_network(block)
    return format(int(network.network_address), f"0{network.max_prefixlen}b")[: network.prefixlen]


_KEPT = {4: tuple(map(_bits, _KEPT4)), 6: tuple(map(_bits, _KEPT6))}
_BLOCKS = {4: (*_KEPT[4], *map(_bits, _MIXED4)), 6: (*_KEPT[6], *map(_bits, _MIXED6))}
_SOLICITED = bytes.fromhex("ff0200000000000000000001ff")
_SOLICITED_MAC = bytes.fromhex("3333ff")
_LINK = bytes.fromhex("fe80000000000000")
_MAPPED = bytes(10) + b"\xff\xff"
_NAT64 = bytes.fromhex("0064ff9b0000000000000000")


def _uniform(bits: str) -> bool:
    return "0" not in bits or "1" not in bits


def _stays(version: int, byte: int, seen: str) -> bool:
    """Whether the bit behind the bits `seen` keeps its value; `byte` is the index of the byte it is in."""
    if any(block.startswith(seen) and len(block) > len(seen) for block in _BLOCKS[version]):
        return True
    if any(seen.startswith(block) for block in _KEPT[version]):
        return True
    inside = seen[8 * byte :]
    if version == 6:
        return byte >= 8 and _uniform(inside)
    if byte == 2:
        if seen.startswith("1100000010101000"):  # 192.168/16 has only this byte to hide a network in
            return False
        return _uniform(inside) or (len(inside) >= 4 and _uniform(inside[4:]))
    return byte == 3 and _uniform(inside)


class Addresses:
    """The mapping of one key (32 bytes)."""

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._table = lru_cache(maxsize=1 << 17)(self._make_table)
        self._back = lru_cache(maxsize=1 << 14)(self._make_back)

    def _make_table(self, version: int, prefix: bytes) -> bytes:
        """What each value of the next byte becomes behind `prefix`."""
        digest = hashlib.blake2b(prefix, key=self._key, digest_size=32, person=b"ipv%d" % version).digest()
        flips = int.from_bytes(digest, "big")
        before = "".join(format(byte, "08b") for byte in prefix)
        rows = [0]
        for depth in range(8):
            after = []
            for seen, value in enumerate(rows):
                bits = format(seen, f"0{depth}b") if depth else ""
                flip = 0 if _stays(version, len(prefix), before + bits) else flips >> ((1 << depth) + seen) & 1
                after += [value << 1 | flip, value << 1 | (1 ^ flip)]
            rows = after
        return bytes(rows)

    def _make_back(self, version: int, prefix: bytes) -> bytes:
        table = self._table(version, prefix)
        return bytes(sorted(range(256), key=table.__getitem__))

    def raw(self, packed: bytes) -> bytes:
        """The image of 4 or 16 bytes in network order."""
        if embeds(packed):
            return packed[:12] + self.raw(packed[12:])
        if packed.startswith(_SOLICITED):
            # The last 24 bits of a neighbour's address: a hash of them, no address of anybody.
            digest = hashlib.blake2b(packed, key=self._key, digest_size=3, person=b"solicited").digest()
            return packed[:13] + digest
        if packed.startswith(_LINK) and packed[11:13] == b"\xff\xfe":
            return _LINK + _eui(self.mac(_uneui(packed[8:])))
        version = 4 if len(packed) == 4 else 6
        return bytes(self._table(version, packed[:at])[value] for at, value in enumerate(packed))

    def unraw(self, packed: bytes) -> bytes:
        """The address whose image this is (not for solicited-node multicast, which stays as it is)."""
        if embeds(packed):
            return packed[:12] + self.unraw(packed[12:])
        if packed.startswith(_SOLICITED):
            return packed
        if packed.startswith(_LINK) and packed[11:13] == b"\xff\xfe":
            return _LINK + _eui(self.unmac(_uneui(packed[8:])))
        version = 4 if len(packed) == 4 else 6
        found = b""
        for value in packed:
            found += bytes((self._back(version, found)[value],))
        return found

    def text(self, text: str, length: int = -1) -> str:
        """The image of an address; with a prefix length (0 to 32 or 128) of the network, host bits as they were zero.

        Raises:
            ValueError: it is no address.
        """
        return text if _is_mask(text, length) else self._text(text, length, back=False)

    def back(self, text: str, length: int = -1) -> str:
        """The address behind an image."""
        return text if _is_mask(text, length) else self._text(text, length, back=True)

    def _text(self, text: str, length: int, *, back: bool) -> str:
        address = ipaddress.ip_address(text)
        packed = address.packed
        image = ipaddress.ip_address(self.unraw(packed) if back else self.raw(packed))
        if 0 <= length < address.max_prefixlen:
            host = (1 << (address.max_prefixlen - length)) - 1
            if not int(address) & host:
                image = type(image)(int(image) & ~host)
        if isinstance(image, ipaddress.IPv6Address):
            return _six(image, text)
        return str(image)

    def mac(self, packed: bytes) -> bytes:
        """A MAC under the key: group and local bits stay, as do those that mean the same everywhere."""
        return self._mac(packed, (0, 1, 2, 3))

    def unmac(self, packed: bytes) -> bytes:
        """The MAC whose image this is."""
        return self._mac(packed, (3, 2, 1, 0))

    def _mac(self, packed: bytes, rounds: tuple[int, ...]) -> bytes:
        if packed.startswith(_SOLICITED_MAC) and rounds[0] == 0:
            return _SOLICITED_MAC + self.raw(_SOLICITED + packed[3:])[13:]
        if _same_mac(packed):
            return packed
        image = self._feistel(packed, rounds)
        while (image[0] ^ packed[0]) & 3 or _same_mac(image):
            image = self._feistel(image, rounds)  # walk on until it is of the same kind: one to one all the same
        return image

    def _feistel(self, packed: bytes, rounds: tuple[int, ...]) -> bytes:
        """A keyed permutation of the halves; the rounds in reverse undo it."""
        half = len(packed) // 2
        left, right = packed[:half], packed[half:]
        if rounds[0]:
            left, right = right, left
        for number in rounds:
            digest = hashlib.blake2b(right, key=self._key, digest_size=len(left), person=b"mac%d" % number).digest()
            left, right = right, bytes(one ^ two for one, two in zip(left, digest, strict=True))
        return right + left if rounds[0] else left + right


def embeds(packed: bytes) -> bool:
    """Whether an IPv6 address is a form of the IPv4 address in its last four bytes (mapped, NAT64, compatible)."""
    return len(packed) == 16 and (packed[:12] in (_MAPPED, _NAT64) or (not any(packed[:12]) and packed[12] != 0))


def _same_mac(packed: bytes) -> bool:
    """Zeros, groups and broadcast, and the one that Calico and Terway give to every host side."""
    return bool(packed[0] & 1) or not any(packed) or packed.startswith(b"\xee\xff\xff\xff\xff")


def _eui(mac: bytes) -> bytes:
    return bytes((mac[0] ^ 2,)) + mac[1:3] + b"\xff\xfe" + mac[3:]


def _uneui(identifier: bytes) -> bytes:
    return bytes((identifier[0] ^ 2,)) + identifier[1:3] + identifier[5:]


def _six(image: ipaddress.IPv6Address, like: str) -> str:
    """As the original was written: all digits, a dotted tail, or short."""
    if len(like) == 39:
        return image.exploded.upper() if like.isupper() else image.exploded
    if "." in like and embeds(image.packed):
        return like[: like.rindex(":") + 1] + str(ipaddress.IPv4Address(image.packed[12:]))
    return image.compressed


def _is_mask(text: str, length: int) -> bool:
    """128.0.0.0/8 is a network, 128.0.0.0 alone a mask, 128.0.0.0/1 half of everything."""
    return text in _MASKS and length < 2
