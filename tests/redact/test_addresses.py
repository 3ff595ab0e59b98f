"""The mapping of addresses: one to one, prefixes kept, kinds kept, for any key."""

from __future__ import annotations

import ipaddress

from hypothesis import example, given, settings
from hypothesis import strategies as st

from analyzer.redact.addresses import Addresses

KEYS = [Addresses(bytes([number]) * 32) for number in range(4)]
ANY_KEY = st.sampled_from(KEYS)
V4 = st.binary(min_size=4, max_size=4)
V6 = st.binary(min_size=16, max_size=16)
PRIVATE = st.sampled_from(
    ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7", "fd00::/8", "fe80::/64")
)


def _shared(one: bytes, two: bytes) -> int:
    """Leading bits that two addresses have in common."""
    size = 8 * len(one)
    return size - (int.from_bytes(one, "big") ^ int.from_bytes(two, "big")).bit_length()


@settings(deadline=None)
@given(ANY_KEY, V4, V4)
def test_ipv4_prefixes_stay_as_long_as_they_were(key: Addresses, one: bytes, two: bytes) -> None:
    assert _shared(key.raw(one), key.raw(two)) == _shared(one, two)


@settings(deadline=None)
@given(ANY_KEY, V4, st.integers(0, 31), st.binary(min_size=4, max_size=4))
def test_near_ipv4_addresses_stay_near(key: Addresses, one: bytes, length: int, noise: bytes) -> None:
    mask = (1 << (32 - length)) - 1
    two = ((int.from_bytes(one, "big") & ~mask) | (int.from_bytes(noise, "big") & mask)).to_bytes(4, "big")
    assert _shared(key.raw(one), key.raw(two)) == _shared(one, two)


@settings(deadline=None)
@given(ANY_KEY, V6, st.integers(0, 127), V6)
def test_ipv6_prefixes_stay_as_long_as_they_were(key: Addresses, one: bytes, length: int, noise: bytes) -> None:
    mask = (1 << (128 - length)) - 1
    two = ((int.from_bytes(one, "big") & ~mask) | (int.from_bytes(noise, "big") & mask)).to_bytes(16, "big")
    if one[0] in (0, 0xFE, 0xFF) or two[0] in (0, 0xFE, 0xFF):
        return  # embedded IPv4 addresses and MACs have rules of their own, tested below
    assert _shared(key.raw(one), key.raw(two)) == _shared(one, two)


@settings(deadline=None)
@given(ANY_KEY, st.one_of(V4, V6))
def test_every_image_has_one_original(key: Addresses, address: bytes) -> None:
    assert key.unraw(key.raw(address)) == address or address[:13] == bytes.fromhex("ff0200000000000000000001ff")


@settings(deadline=None)
@given(ANY_KEY, st.binary(min_size=3, max_size=3), st.binary(min_size=3, max_size=3))
def test_a_link_local_address_of_a_mac_is_that_of_its_image(key: Addresses, vendor: bytes, number: bytes) -> None:
    mac = vendor + number
    address = bytes.fromhex("fe80000000000000") + bytes((vendor[0] ^ 2,)) + vendor[1:] + b"\xff\xfe" + number
    image = key.mac(mac)
    assert key.raw(address)[8:] == bytes((image[0] ^ 2,)) + image[1:3] + b"\xff\xfe" + image[3:]
    assert key.unmac(image) == mac


@settings(deadline=None)
@given(ANY_KEY, V4)
def test_ipv4_keeps_its_kind(key: Addresses, packed: bytes) -> None:
    was, image = ipaddress.IPv4Address(packed), ipaddress.IPv4Address(key.raw(packed))
    for kind in (
        "is_private",
        "is_global",
        "is_loopback",
        "is_link_local",
        "is_multicast",
        "is_reserved",
        "is_unspecified",
    ):
        assert getattr(was, kind) == getattr(image, kind), kind


@settings(deadline=None)
@given(ANY_KEY, V6)
def test_ipv6_keeps_its_kind(key: Addresses, packed: bytes) -> None:
    was, image = ipaddress.IPv6Address(packed), ipaddress.IPv6Address(key.raw(packed))
    for kind in ("is_link_local", "is_multicast", "is_loopback", "is_unspecified"):
        assert getattr(was, kind) == getattr(image, kind), kind
    ula = ipaddress.ip_network("fc00::/7")
    assert (was in ula) == (image in ula)


@settings(deadline=None)
@given(ANY_KEY, PRIVATE, st.binary(min_size=16, max_size=16))
def test_blocks_map_into_themselves(key: Addresses, block: str, noise: bytes) -> None:
    network = ipaddress.ip_network(block)
    offset = int.from_bytes(noise, "big") % network.num_addresses
    assert ipaddress.ip_address(key.raw(network[offset].packed)) in network


@settings(deadline=None)
@example(KEYS[0], bytes((128, 0, 0, 0)), 8)
@given(ANY_KEY, V4, st.integers(8, 32))
def test_a_network_holds_the_images_of_its_members(key: Addresses, packed: bytes, length: int) -> None:
    network = ipaddress.ip_network((packed, length), strict=False)
    image = ipaddress.ip_network(f"{key.text(str(network.network_address), length)}/{length}")
    assert ipaddress.ip_address(key.raw(packed)) in image
    assert key.back(str(image.network_address), length) == str(network.network_address)


@settings(deadline=None)
@given(
    ANY_KEY,
    st.integers(0, 255),
    st.sampled_from(("10.{}.0.1", "172.20.0.1", "10.{}.255.255", "192.168.7.1", "10.3.{}.254")),
)
def test_ends_of_networks_keep_their_form(key: Addresses, number: int, form: str) -> None:
    address = form.format(number)
    assert key.text(address).rpartition(".")[2] == address.rpartition(".")[2]
    if address.endswith(".0.1"):
        assert key.text(address).endswith(".0.1")


def test_what_means_the_same_everywhere_stays() -> None:
    for address in ("0.0.0.0", "127.0.0.1", "169.254.169.254", "100.100.100.200", "224.0.0.18", "255.255.255.255", "255.255.240.0",
                    "::", "::1", "fe80::1", "ff02::1", "::ffff:127.0.0.1"):  # fmt: skip
        assert {key.text(address) for key in KEYS} == {address}


def test_an_address_inside_another_maps_like_itself() -> None:
    assert KEYS[1].text("::ffff:10.0.2.77") == "::ffff:" + KEYS[1].text("10.0.2.77")
    assert KEYS[1].text("64:ff9b::10.0.2.77") == "64:ff9b::" + KEYS[1].text("10.0.2.77")


def test_two_keys_give_two_mappings() -> None:
    assert len({key.text("10.1.2.3") for key in KEYS}) == len(KEYS)
