# ruff: noqa: E501  (captures keep the lengths the tools print)
"""`ip route`, `ip rule` and `ip neigh`, text and JSON."""

from __future__ import annotations

import json
from typing import Any

import pandas as pd
import pytest

from analyzer.parsers import registry
from analyzer.parsers.base import Parsed


def read(text: str, name: str = "capture.txt") -> Parsed:
    results = registry.parse_member(text.encode(), name)
    assert len(results) == 1
    return results[0][1]


def rows(parsed: Parsed, table: str) -> list[dict[str, Any]]:
    return [
        {key: value for key, value in row.items() if not pd.isna(value) and key not in ("file", "line")}
        for row in parsed.tables[table].to_dict("records")
    ]


DEFAULT = {"family": 4, "type": "unicast", "dst": "0.0.0.0/0", "table": "main"}
ROUTES: dict[str, tuple[str, list[dict[str, Any]]]] = {
    "default": ("default via 192.0.2.1 dev eth0 \n", [{**DEFAULT, "gateway": "192.0.2.1", "interface": "eth0"}]),
    "default of a numbered table": (
        "default via 192.0.2.1 dev eth1 table 1003 onlink \n",
        [{**DEFAULT, "gateway": "192.0.2.1", "interface": "eth1", "table": "1003", "flags": "onlink"}],
    ),
    "default of IPv6": (
        "default via fe80::1 dev eth0 proto ra metric 100 pref medium\n",
        [
            {
                "family": 6, "type": "unicast", "dst": "::/0", "gateway": "fe80::1", "interface": "eth0", "table": "main",
                "protocol": "ra", "metric": 100, "extra": "pref medium",
            }
        ],
    ),
    "AD-22 local route": (
        "local 203.0.113.10 dev kube-ipvs0 table local proto kernel scope host src 203.0.113.10 \n",
        [
            {
                "family": 4, "type": "local", "dst": "203.0.113.10/32", "interface": "kube-ipvs0", "table": "local",
                "protocol": "kernel", "scope": "host", "prefsrc": "203.0.113.10",
            }
        ],
    ),
    "AD-22 local route without its table": (
        "local 203.0.113.10 dev kube-ipvs0 proto kernel scope host src 203.0.113.10 \n",
        [
            {
                "family": 4, "type": "local", "dst": "203.0.113.10/32", "interface": "kube-ipvs0", "table": "local",
                "protocol": "kernel", "scope": "host", "prefsrc": "203.0.113.10",
            }
        ],
    ),
    "multipath": (
        "default proto static metric 20 \n\tnexthop via 192.0.2.1 dev eth0 weight 1 \n"
        "\tnexthop via 192.0.2.2 dev eth1 weight 2 linkdown \n198.51.100.0/24 via 192.0.2.9 dev eth0\n",
        [
            {**DEFAULT, "protocol": "static", "metric": 20, "gateway": "192.0.2.1", "interface": "eth0", "weight": 1},
            {**DEFAULT, "protocol": "static", "metric": 20, "gateway": "192.0.2.2", "interface": "eth1", "weight": 2,
             "flags": "linkdown"},
            {**DEFAULT, "dst": "198.51.100.0/24", "gateway": "192.0.2.9", "interface": "eth0"},
        ],
    ),
    "no way out": (
        "blackhole 10.20.0.0/16\nunreachable default dev lo metric 4294967295 error -101 pref medium\n",
        [
            {**DEFAULT, "type": "blackhole", "dst": "10.20.0.0/16"},
            {
                "family": 6, "type": "unreachable", "dst": "::/0", "interface": "lo", "table": "main", "metric": 4294967295,
                "extra": "error -101 pref medium",
            },
        ],
    ),
    "IPv4 over an IPv6 next hop": (
        "198.51.100.0/24 via inet6 fe80::1 dev eth0\n",
        [{**DEFAULT, "dst": "198.51.100.0/24", "gateway": "fe80::1", "interface": "eth0"}],
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", ROUTES)
def test_routes(case: str) -> None:
    text, expected = ROUTES[case]
    parsed = read(text)
    assert rows(parsed, "routes") == expected
    assert parsed.notes == ()


def test_one_table_is_named_by_file_or_command() -> None:
    text = "default via 192.0.2.1 dev eth0\n"
    assert rows(read(text, "ip-route-show-table-1003.txt"), "routes")[0]["table"] == "1003"
    assert rows(read("[root@node-a ~]# ip route show table 1003\n" + text), "routes")[0]["table"] == "1003"
    assert rows(read(text, "ip-route-table-all.txt"), "routes")[0]["table"] == "main"


def test_ad_22_route_get_is_not_a_table() -> None:
    parsed = read("local 203.0.113.10 dev lo src 203.0.113.10 uid 0 \n    cache <local> \n", "ip-route-get.txt")
    assert rows(parsed, "routes") == []
    assert parsed.state == "failed"
    assert [(note.line, note.reason) for note in parsed.notes] == [(1, "not-a-table")]


def test_routes_as_json_equal_text() -> None:
    text = (
        "default via 192.0.2.1 dev eth0 \n"
        "local 203.0.113.10 dev kube-ipvs0 table local proto kernel scope host src 203.0.113.10 \n"
        "198.51.100.0/24 metric 20 \n\tnexthop via 192.0.2.1 dev eth0 weight 1 \n\tnexthop via 192.0.2.2 dev eth1 weight 2 \n"
    )
    document = [
        {"dst": "default", "gateway": "192.0.2.1", "dev": "eth0", "flags": []},
        {
            "type": "local", "dst": "203.0.113.10", "dev": "kube-ipvs0", "table": "local", "protocol": "kernel", "scope": "host",
            "prefsrc": "203.0.113.10", "flags": [],
        },
        {
            "dst": "198.51.100.0/24", "metric": 20, "flags": [],
            "nexthops": [
                {"gateway": "192.0.2.1", "dev": "eth0", "weight": 1, "flags": []},
                {"gateway": "192.0.2.2", "dev": "eth1", "weight": 2, "flags": []},
            ],
        },
    ]  # fmt: skip
    assert rows(read(json.dumps(document)), "routes") == rows(read(text), "routes")
    assert rows(read(json.dumps(document) + "\n[ ]\n"), "routes") == rows(read(text), "routes")


RULE = {"inverted": False, "action": "lookup"}
RULES: dict[str, tuple[str, dict[str, Any]]] = {
    "local": ("0:\tfrom all lookup local\n", {**RULE, "priority": 0, "table": "local"}),
    "to": ("512:\tfrom all to 192.0.2.9 lookup main\n", {**RULE, "priority": 512, "dst": "192.0.2.9/32", "family": 4, "table": "main"}),
    "from and iif": (
        "2048:\tfrom 192.0.2.9 iif cali1 lookup 1003\n",
        {**RULE, "priority": 2048, "src": "192.0.2.9/32", "family": 4, "iif": "cali1", "table": "1003"},
    ),
    "not and mark": (
        "100:\tnot from all fwmark 0x200/0xf00 lookup 2004\n",
        {**RULE, "inverted": True, "priority": 100, "fwmark": 0x200, "fwmask": 0xF00, "table": "2004"},
    ),
    "action": ("9:\tfrom 2001:db8::/32 unreachable\n", {"inverted": False, "action": "unreachable", "priority": 9, "src": "2001:db8::/32", "family": 6}),
    "goto": ("9:\tfrom all goto 100\n", {"inverted": False, "action": "goto", "priority": 9, "table": "100"}),
    "extra": (
        "9:\tfrom all ipproto tcp dport 443 lookup 7 suppress_prefixlength 0\n",
        {**RULE, "priority": 9, "table": "7", "extra": "ipproto tcp dport 443 suppress_prefixlength 0"},
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", RULES)
def test_rules(case: str) -> None:
    text, expected = RULES[case]
    parsed = read(text)
    assert rows(parsed, "rules") == [expected]
    assert parsed.notes == ()


def test_rules_as_json_equal_text() -> None:
    text = (
        "0:\tfrom all lookup local\n2048:\tfrom 192.0.2.9 iif cali1 lookup 1003\n100:\tnot from all fwmark 0x200/0xf00 lookup 2004\n"
        "9:\tfrom 2001:db8::/32 unreachable\n"
    )
    document = [
        {"priority": 0, "src": "all", "table": "local"},
        {"priority": 2048, "src": "192.0.2.9", "iif": "cali1", "table": "1003"},
        {"priority": 100, "not": None, "src": "all", "fwmark": "0x200", "fwmask": "0xf00", "table": "2004"},
        {"priority": 9, "src": "2001:db8::", "srclen": 32, "action": "unreachable"},
    ]
    assert rows(read(json.dumps(document)), "rules") == rows(read(text), "rules")


def test_rules_know_their_family_from_the_command() -> None:
    assert rows(read("root@node-a:~# ip -6 rule\n0:\tfrom all lookup local\n"), "rules")[0]["family"] == 6
    assert rows(read("0:\tfrom all lookup local\n", "ip-6-rule.txt"), "rules")[0]["family"] == 6


NEIGHBOURS = (
    "192.0.2.1 dev eth0 lladdr 00:00:5E:00:53:01 REACHABLE\n192.0.2.9 dev eth0  FAILED\n"
    "fe80::1 dev eth0 lladdr 00:00:5e:00:53:02 router STALE\n"
)


def test_neighbours() -> None:
    assert rows(read(NEIGHBOURS), "neighbours") == [
        {"family": 4, "address": "192.0.2.1", "interface": "eth0", "lladdr": "00:00:5e:00:53:01", "state": "REACHABLE"},
        {"family": 4, "address": "192.0.2.9", "interface": "eth0", "state": "FAILED"},
        {"family": 6, "address": "fe80::1", "interface": "eth0", "lladdr": "00:00:5e:00:53:02", "state": "STALE"},
    ]


def test_neighbours_as_json_equal_text() -> None:
    document = [
        {"dst": "192.0.2.1", "dev": "eth0", "lladdr": "00:00:5e:00:53:01", "state": ["REACHABLE"]},
        {"dst": "192.0.2.9", "dev": "eth0", "state": ["FAILED"]},
        {"dst": "fe80::1", "dev": "eth0", "lladdr": "00:00:5e:00:53:02", "router": None, "state": ["STALE"]},
    ]
    assert rows(read(json.dumps(document)), "neighbours") == rows(read(NEIGHBOURS), "neighbours")


@pytest.mark.parametrize("name", ["ip-rule.txt", "ip-route.txt", "ip-neigh.txt", "sysctl.txt"])
def test_prose_under_a_promising_name_is_no_empty_table(name: str) -> None:
    parsed = read("collected later, see ticket\n", name)
    assert parsed.state == "failed"
    assert [note.reason for note in parsed.notes] == ["unusable"]
