# ruff: noqa: E501  (captures keep the lengths the tools print)
"""`ip addr`, `ip link` and `ifconfig`; ids in test names are those of the catalogue of formats."""

from __future__ import annotations

import json
from typing import Any

import pandas as pd
import pytest

from analyzer.parsers import registry
from analyzer.parsers.base import Parsed

HEADER = "6: kube-ipvs0: <BROADCAST,NOARP> mtu 1500 qdisc noop state DOWN group default \n"
LINK = "    link/ether 00:00:5e:00:53:2a brd ff:ff:ff:ff:ff:ff\n"
LIFE = "       valid_lft forever preferred_lft forever\n"
IPVS = {"interface": "kube-ipvs0", "ifindex": 6}
DUMMY = {**IPVS, "flags": "BROADCAST,NOARP", "state": "DOWN", "mtu": 1500, "lladdr": "00:00:5e:00:53:2a"}
VIP = {**IPVS, "family": 4, "address": "203.0.113.10", "prefix_len": 32, "scope": "global", "label": "kube-ipvs0"}


def read(text: str, name: str = "capture.txt") -> Parsed:
    results = registry.parse_member(text.encode(), name)
    assert len(results) == 1
    return results[0][1]


def rows(frame: pd.DataFrame) -> list[dict[str, Any]]:
    return [
        {key: value for key, value in row.items() if not pd.isna(value) and key not in ("file", "line")}
        for row in frame.to_dict("records")
    ]


def interfaces(parsed: Parsed) -> list[dict[str, Any]]:
    return rows(parsed.tables["interfaces"])


def addresses(parsed: Parsed) -> list[dict[str, Any]]:
    return rows(parsed.tables["addresses"])


def reasons(parsed: Parsed) -> list[tuple[int, str]]:
    return [(note.line, note.reason) for note in parsed.notes]


def one(line: str, name: str = "eth1") -> tuple[dict[str, Any], list[tuple[int, str]]]:
    """The address of one line inside a block, without what every row has."""
    parsed = read(f"3: {name}: <UP> mtu 1500\n    {line}\n{LIFE}")
    (row,) = addresses(parsed)
    assert (row.pop("interface"), row.pop("ifindex")) == (name, 3)
    return row, reasons(parsed)


CASES: dict[str, tuple[str, list[dict[str, Any]], list[dict[str, Any]], list[tuple[int, str]]]] = {
    "AD-01 plain block": (HEADER + LINK + "    inet 203.0.113.10/32 scope global kube-ipvs0\n" + LIFE, [DUMMY], [VIP], []),
    "AD-02 without addresses": (HEADER + LINK, [DUMMY], [], []),
    "AD-03 broadcast equal to the address": (
        HEADER + LINK + "    inet 203.0.113.10/32 brd 203.0.113.10 scope global kube-ipvs0\n",
        [DUMMY],
        [{**VIP, "broadcast": "203.0.113.10"}],
        [],
    ),
    "AD-04 missing parts": (
        "1234: eth0: <BROADCAST,M-DOWN> mtu 1500 state down qlen 1\n",
        [{"interface": "eth0", "ifindex": 1234, "flags": "BROADCAST,M-DOWN", "mtu": 1500, "state": "DOWN"}],
        [],
        [],
    ),
    "AD-06 names with a suffix": (
        "2: eth0@if17: <UP> mtu 1500\n3: tunl0@NONE: <NOARP> mtu 1480\n4: eth2.30@eth2: <UP> mtu 1500 master br0\n",
        [
            {"interface": "eth0", "ifindex": 2, "flags": "UP", "mtu": 1500, "peer": "if17"},
            {"interface": "tunl0", "ifindex": 3, "flags": "NOARP", "mtu": 1480, "peer": "NONE"},
            {"interface": "eth2.30", "ifindex": 4, "flags": "UP", "mtu": 1500, "peer": "eth2", "master": "br0"},
        ],
        [],
        [],
    ),
    "AD-11 altname": (
        HEADER + LINK + "    altname enp0s6\n    altname ens6\n    inet 203.0.113.10/32 scope global kube-ipvs0\n",
        [DUMMY],
        [VIP],
        [],
    ),
    "AD-12 detail": (
        HEADER
        + LINK.rstrip()
        + " promiscuity 0  allmulti 0 minmtu 0 maxmtu 0 \n    dummy numtxqueues 1 gso_max_size 65536 \n"
        + "    inet 203.0.113.10/32 scope global kube-ipvs0\n",
        [{**DUMMY, "kind": "dummy"}],
        [VIP],
        [],
    ),
    "AD-12 detail with a slave line": (
        "7: veth1@if2: <UP> mtu 1500 master cni0 state UP\n    link/ether 00:00:5e:00:53:01 brd ff:ff:ff:ff:ff:ff\n"
        "    veth addrgenmode eui64\n    bridge_slave state forwarding priority 32\n",
        [
            {
                "interface": "veth1", "ifindex": 7, "flags": "UP", "mtu": 1500, "peer": "if2", "master": "cni0", "state": "UP",
                "kind": "veth", "lladdr": "00:00:5e:00:53:01",
            }
        ],
        [],
        [],
    ),
    "AD-13 one line per address": (
        "1: lo    inet 127.0.0.1/8 scope host lo\\       valid_lft forever preferred_lft forever\n"
        "3: eth1    inet 198.51.100.20/24 brd 198.51.100.255 scope global eth1\\       valid_lft forever preferred_lft forever\n",
        [{"interface": "lo", "ifindex": 1}, {"interface": "eth1", "ifindex": 3}],
        [
            {"interface": "lo", "ifindex": 1, "family": 4, "address": "127.0.0.1", "prefix_len": 8, "scope": "host", "label": "lo"},
            {
                "interface": "eth1", "ifindex": 3, "family": 4, "address": "198.51.100.20", "prefix_len": 24, "scope": "global",
                "broadcast": "198.51.100.255", "label": "eth1",
            },
        ],
        [],
    ),
    "AD-15 counters": (
        HEADER + LINK + "    RX: bytes  packets  errors  dropped \n    0  0  0  0 \n    TX: bytes  packets\n    0  0\n",
        [DUMMY],
        [],
        [],
    ),
    "AD-15 brief": (
        "lo               UNKNOWN        127.0.0.1/8 ::1/128 \neth0@if8         UP             192.0.2.11/24 \nkube-ipvs0       DOWN           203.0.113.10/32 \n",
        [
            {"interface": "lo", "state": "UNKNOWN"},
            {"interface": "eth0", "state": "UP", "peer": "if8"},
            {"interface": "kube-ipvs0", "state": "DOWN"},
        ],
        [
            {"interface": "lo", "family": 4, "address": "127.0.0.1", "prefix_len": 8},
            {"interface": "lo", "family": 6, "address": "::1", "prefix_len": 128},
            {"interface": "eth0", "family": 4, "address": "192.0.2.11", "prefix_len": 24},
            {"interface": "kube-ipvs0", "family": 4, "address": "203.0.113.10", "prefix_len": 32},
        ],
        [],
    ),
    "AD-18 ifconfig old": (
        "eth0      Link encap:Ethernet  HWaddr 00:00:5E:00:53:01  \n"
        "          inet addr:192.0.2.11  Bcast:192.0.2.255  Mask:255.255.255.0\n"
        "          inet6 addr: fe80::200:5eff:fe00:5301/64 Scope:Link\n"
        "          UP BROADCAST RUNNING MULTICAST  MTU:1500  Metric:1\n"
        "          RX packets:1 errors:0 dropped:0 overruns:0 frame:0\n          collisions:0 txqueuelen:1000 \n\n"
        "eth0:1    Link encap:Ethernet  HWaddr 00:00:5E:00:53:01  \n"
        "          inet addr:192.0.2.77  Bcast:0.0.0.0  Mask:255.255.255.255\n",
        [{"interface": "eth0", "flags": "UP,BROADCAST,RUNNING,MULTICAST", "mtu": 1500, "lladdr": "00:00:5e:00:53:01"}],
        [
            {"interface": "eth0", "family": 4, "address": "192.0.2.11", "prefix_len": 24, "broadcast": "192.0.2.255", "label": "eth0"},
            {"interface": "eth0", "family": 6, "address": "fe80::200:5eff:fe00:5301", "prefix_len": 64, "scope": "link"},
            {"interface": "eth0", "family": 4, "address": "192.0.2.77", "prefix_len": 32, "broadcast": "0.0.0.0", "label": "eth0:1"},
        ],
        [],
    ),
    "AD-19 ifconfig new": (
        "eth0: flags=4163<UP,BROADCAST,RUNNING,MULTICAST>  mtu 1500\n"
        "        inet 192.0.2.11  netmask 255.255.255.0  broadcast 192.0.2.255\n"
        "        inet6 fe80::200:5eff:fe00:5301  prefixlen 64  scopeid 0x20<link>\n"
        "        ether 00:00:5e:00:53:01  txqueuelen 1000  (Ethernet)\n"
        "        RX packets 100  bytes 1000 (1000.0 B)\n        TX errors 0  dropped 0 overruns 0  carrier 0  collisions 0\n",
        [{"interface": "eth0", "flags": "UP,BROADCAST,RUNNING,MULTICAST", "mtu": 1500, "lladdr": "00:00:5e:00:53:01"}],
        [
            {"interface": "eth0", "family": 4, "address": "192.0.2.11", "prefix_len": 24, "broadcast": "192.0.2.255", "label": "eth0"},
            {"interface": "eth0", "family": 6, "address": "fe80::200:5eff:fe00:5301", "prefix_len": 64, "scope": "link"},
        ],
        [],
    ),
    "AD-21 masked parts": (
        HEADER + "    link/ether 00:00:5e:00:53:XX brd ff:ff:ff:ff:ff:ff\n    inet 203.0.113.XXX/XX scope global kube-ipvs0\n",
        [{key: value for key, value in DUMMY.items() if key != "lladdr"}],
        [{**IPVS, "family": 4, "scope": "global", "label": "kube-ipvs0"}],
        [(2, "masked"), (3, "masked")],
    ),
    "EN-09 rows removed by hand": (
        HEADER + LINK + "    inet 203.0.113.10/32 scope global kube-ipvs0\n       ...\n",
        [DUMMY],
        [VIP],
        [(4, "cut")],
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda name: name.replace(" ", "-"))
def test_addresses(case: str) -> None:
    text, links, found, notes = CASES[case]
    parsed = read(text)
    assert interfaces(parsed) == links
    assert addresses(parsed) == found
    assert reasons(parsed) == notes


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        pytest.param(
            "inet 192.0.2.5/24 scope global wlan9", {"scope": "global", "label": "wlan9"}, id="AD-07-label-differs"
        ),
        pytest.param("inet 192.0.2.5/24 scope global eth1:1", {"scope": "global", "label": "eth1:1"}, id="AD-07-alias"),
        pytest.param(
            "inet 192.0.2.5/24 scope global dynamic noprefixroute",
            {"scope": "global", "flags": "dynamic noprefixroute"},
            id="AD-08-no-label",
        ),
        pytest.param(
            "inet 192.0.2.5/24 brd 192.0.2.255 scope global secondary public",
            {"scope": "global", "flags": "secondary", "label": "public", "broadcast": "192.0.2.255"},
            id="AD-09-secondary-public",
        ),
        pytest.param(
            "inet 192.0.2.5/24 metric 100 brd 192.0.2.255 scope global dynamic eth1",
            {"scope": "global", "flags": "dynamic", "label": "eth1", "broadcast": "192.0.2.255"},
            id="AD-08-metric",
        ),
        pytest.param(
            "inet 192.0.2.5 peer 192.0.2.6/32 scope global eth1",
            {"scope": "global", "label": "eth1", "prefix_len": 32},
            id="peer",
        ),
    ],
)
def test_options_of_an_ipv4_line(line: str, expected: dict[str, Any]) -> None:
    row, notes = one(line)
    assert row == {"family": 4, "address": "192.0.2.5", "prefix_len": 24, **expected}
    assert notes == []


def test_ad_08_and_10_ipv6_has_flags_and_no_label() -> None:
    row, notes = one("inet6 2001:db8::5/64 scope global tentative dadfailed mngtmpaddr noprefixroute")
    assert row == {
        "family": 6,
        "address": "2001:db8::5",
        "prefix_len": 64,
        "scope": "global",
        "flags": "dadfailed mngtmpaddr noprefixroute tentative",
    }
    assert notes == []


def test_ad_20_broadcast_of_another_network_is_suspect() -> None:
    row, notes = one("inet 192.0.2.5/27 brd 255.255.255.255 scope global eth1")
    assert row["broadcast"] == "255.255.255.255"
    assert notes == [(2, "suspect")]
    assert one("inet 192.0.2.5/24 brd 192.0.2.255 scope global eth1")[1] == []


def test_ad_14_json_with_a_filter_is_partial() -> None:
    parsed = read(
        '[{},{},{"ifindex":6,"ifname":"kube-ipvs0","operstate":"DOWN","addr_info":'
        '[{"family":"inet","local":"203.0.113.10","prefixlen":32}]}]\n'
    )
    assert addresses(parsed) == [{**IPVS, "family": 4, "address": "203.0.113.10", "prefix_len": 32}]
    assert not parsed.complete
    assert parsed.notes == ()


def test_ad_14_json_pretty_printed_keeps_lines() -> None:
    document = [
        {"ifindex": 1, "ifname": "lo", "addr_info": []},
        {
            "ifindex": 6,
            "ifname": "kube-ipvs0",
            "addr_info": [{"family": "inet", "local": "203.0.113.10", "prefixlen": 32}],
        },
    ]
    parsed = read(json.dumps(document, indent=4))
    assert parsed.tables["interfaces"]["line"].tolist() == [2, 7]
    assert parsed.complete


def test_ad_14_invalid_json_keeps_what_was_read() -> None:
    parsed = read('[{"ifindex":1,"ifname":"lo","addr_info":[]},{"ifindex":2,"ifname":"eth')
    assert [row["interface"] for row in interfaces(parsed)] == ["lo"]
    assert reasons(parsed) == [(1, "cut")]
    assert not parsed.complete


def test_ad_16_without_loopback_the_listing_was_filtered() -> None:
    assert not read(HEADER + LINK).complete
    assert read("1: lo: <LOOPBACK,UP> mtu 65536\n" + HEADER + LINK).complete


def test_ad_19_without_a_down_interface_vips_are_unknown() -> None:
    up = "eth0: flags=4163<UP,RUNNING>  mtu 1500\n        inet 192.0.2.11  netmask 255.255.255.0\n"
    down = "kube-ipvs0: flags=130<BROADCAST,NOARP>  mtu 1500\n        inet 203.0.113.10  netmask 255.255.255.255\n"
    assert not read(up).complete
    assert read(up + down).complete


def test_en_03_the_same_interface_twice_is_one() -> None:
    parsed = read(HEADER + HEADER.replace("DOWN", "UNKNOWN"))
    assert [row["state"] for row in interfaces(parsed)] == ["UNKNOWN"]
    assert reasons(parsed) == [(2, "repeated")]


def test_ip_link_says_nothing_about_addresses() -> None:
    text = "1: lo: <LOOPBACK,UP> mtu 65536 qdisc noqueue state UNKNOWN mode DEFAULT group default\n" + LINK.replace(
        "ether", "loopback"
    )
    ((known, parsed),) = registry.parse_member(text.encode(), "x.txt")
    assert known.capture == "ip-link"
    assert set(parsed.tables) == {"interfaces"}


def test_ip_link_one_line_form() -> None:
    text = "1: lo: <LOOPBACK,UP> mtu 65536 state UNKNOWN mode DEFAULT\\    link/loopback 00:00:00:00:00:00 brd 00:00:00:00:00:00\n"
    ((known, parsed),) = registry.parse_member(text.encode(), "x.txt")
    assert known.name == "ip-link"
    assert interfaces(parsed)[0]["lladdr"] == "00:00:00:00:00:00"
