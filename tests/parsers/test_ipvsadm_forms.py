# ruff: noqa: E501  (captures keep the lengths the tools print)
"""The IPVS tables in all their forms; ids in test names are those of the catalogue of formats."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

from analyzer.parsers import registry
from analyzer.parsers.base import Parsed

BANNER = "IP Virtual Server version 1.2.1 (size=4096)\n"
TITLE = (
    "Prot LocalAddress:Port Scheduler Flags\n  -> RemoteAddress:Port           Forward Weight ActiveConn InActConn\n"
)
STATS = "Prot LocalAddress:Port               Conns   InPkts  OutPkts  InBytes OutBytes\n  -> RemoteAddress:Port\n"
SERVICE = "TCP  203.0.113.10:443 wrr\n"
REAL = "  -> 10.20.1.7:8443               Masq    3      12         4         \n"


def read(text: str, name: str = "capture.txt") -> Parsed:
    results = registry.parse_member(text.encode(), name)
    assert len(results) == 1
    return results[0][1]


def form(text: str, name: str = "capture.txt") -> str:
    return registry.parse_member(text.encode(), name)[0][0].name


def rows(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows without nulls, places and false booleans."""
    return [
        {
            key: value
            for key, value in row.items()
            if not pd.isna(value) and value is not False and key not in ("file", "line", "vs_line", "rounded", "ops")
        }
        for row in frame.to_dict("records")
    ]


def virtual(parsed: Parsed) -> list[dict[str, Any]]:
    return rows(parsed.tables["virtual_servers"])


def real(parsed: Parsed) -> list[dict[str, Any]]:
    return rows(parsed.tables["real_servers"])


def reasons(parsed: Parsed) -> list[tuple[int, str]]:
    return [(note.line, note.reason) for note in parsed.notes]


TCP = {"protocol": "tcp", "address": "203.0.113.10", "port": 443, "family": 4}
OF_TCP = {"vs_protocol": "tcp", "vs_address": "203.0.113.10", "vs_port": 443}
TO = {"address": "10.20.1.7", "port": 8443}

LISTINGS: dict[str, tuple[str, list[dict[str, Any]], list[dict[str, Any]], list[tuple[int, str]]]] = {
    "IV-01 plain": (
        BANNER + TITLE + SERVICE + REAL,
        [{**TCP, "scheduler": "wrr"}],
        [{**OF_TCP, **TO, "forwarding": "Masq", "weight": 3, "active": 12, "inactive": 4}],
        [],
    ),
    "IV-03 no title at all": (
        SERVICE + REAL,
        [{**TCP, "scheduler": "wrr"}],
        [{**OF_TCP, **TO, "forwarding": "Masq", "weight": 3, "active": 12, "inactive": 4}],
        [],
    ),
    "IV-04 without real servers": (
        BANNER + TITLE + SERVICE + "UDP  203.0.113.53:53 rr\n",
        [{**TCP, "scheduler": "wrr"}, {"protocol": "udp", "address": "203.0.113.53", "port": 53, "family": 4, "scheduler": "rr"}],
        [],
        [],
    ),
    "IV-05 weight 0": (
        BANNER + TITLE + SERVICE + "  -> 10.20.1.7:8443 Masq 0 4711 1200\n",
        [{**TCP, "scheduler": "wrr"}],
        [{**OF_TCP, **TO, "forwarding": "Masq", "weight": 0, "active": 4711, "inactive": 1200}],
        [],
    ),
    "IV-06 unknown forwarding word": (
        BANNER + TITLE + SERVICE + "  -> 10.20.1.7:8443 Route 1 0 0\n  -> 10.20.1.8:8443 Teleport 1 0 0\n",
        [{**TCP, "scheduler": "wrr"}],
        [
            {**OF_TCP, **TO, "forwarding": "Route", "weight": 1, "active": 0, "inactive": 0},
            {**OF_TCP, "address": "10.20.1.8", "port": 8443, "extra": "Teleport", "weight": 1, "active": 0, "inactive": 0},
        ],
        [(6, "extra")],
    ),
    "IV-07 flags": (
        BANNER + TITLE + "UDP  203.0.113.53:53 mh (mh-fallback,mh-port) persistent 420 mask 255.255.255.0 pe sip ops\n",
        [
            {
                "protocol": "udp", "address": "203.0.113.53", "port": 53, "family": 4, "scheduler": "mh",
                "scheduler_flags": "mh-fallback,mh-port", "persistence_s": 420, "persistence_mask": "255.255.255.0", "pe": "sip",
            }
        ],
        [],
        [],
    ),
    "IV-08 sctp": (
        BANNER + TITLE + "SCTP 203.0.113.11:3868 rr\n",
        [{"protocol": "sctp", "address": "203.0.113.11", "port": 3868, "family": 4, "scheduler": "rr"}],
        [],
        [],
    ),
    "IV-09 firewall mark": (
        BANNER + TITLE + "FWM  7 IPv6 wlc\n  -> [2001:db8:5::21]:0           Tunnel  5      0          0\nFWM  8 wlc\n",
        [{"fwmark": 7, "family": 6, "scheduler": "wlc"}, {"fwmark": 8, "family": 4, "scheduler": "wlc"}],
        [{"vs_fwmark": 7, "address": "2001:db8:5::21", "port": 0, "forwarding": "Tunnel", "weight": 5, "active": 0, "inactive": 0}],
        [],
    ),
    "IV-10 ipv6": (
        BANNER + TITLE + "TCP  [2001:db8::A]:443 rr\n  -> [2001:db8:200:300:400:500:600:17]:8443 Masq 1 0 0\n",
        [{"protocol": "tcp", "address": "2001:db8::a", "port": 443, "family": 6, "scheduler": "rr"}],
        [
            {
                "vs_protocol": "tcp", "vs_address": "2001:db8::a", "vs_port": 443, "port": 8443, "forwarding": "Masq",
                "address": "2001:db8:200:300:400:500:600:17", "weight": 1, "active": 0, "inactive": 0,
            }
        ],
        [],
    ),
    "IV-11 names": (
        BANNER + TITLE + "TCP  node-a.example:30443 rr\n  -> 10.20.1.7:https Masq 1 0 0\n",
        [{"protocol": "tcp", "port": 30443, "scheduler": "rr", "extra": "endpoint=node-a.example:30443"}],
        [{"vs_protocol": "tcp", "vs_port": 30443, "address": "10.20.1.7", "port": 443, "forwarding": "Masq", "weight": 1,
          "active": 0, "inactive": 0}],
        [(4, "name"), (5, "assumed")],
    ),
    "IV-12 names cut by the column": (
        BANNER + TITLE + SERVICE + "  -> web-7.prod.cluster.example.n Masq    1      0          0\n",
        [{**TCP, "scheduler": "wrr"}],
        [{**OF_TCP, "forwarding": "Masq", "weight": 1, "active": 0, "inactive": 0, "extra": "endpoint=web-7.prod.cluster.example.n"}],
        [(5, "name"), (5, "cut")],
    ),
    "IV-13 unusual addresses": (
        BANNER + TITLE + "TCP  10.20.4.0:30080 rr\nTCP  127.0.0.1:30080 rr\nTCP  [::1]:30080 rr\nUDP  169.254.20.10:53 rr\n",
        [
            {"protocol": "tcp", "address": "10.20.4.0", "port": 30080, "family": 4, "scheduler": "rr"},
            {"protocol": "tcp", "address": "127.0.0.1", "port": 30080, "family": 4, "scheduler": "rr"},
            {"protocol": "tcp", "address": "::1", "port": 30080, "family": 6, "scheduler": "rr"},
            {"protocol": "udp", "address": "169.254.20.10", "port": 53, "family": 4, "scheduler": "rr"},
        ],
        [],
        [],
    ),
    "IV-14 collapsed columns": (
        "IP Virtual Server version 1.2.1 (size=4096)\nTCP 203.0.113.10:443 wrr\n-> 10.20.1.7:8443 Masq 3 12 4\n",
        [{**TCP, "scheduler": "wrr"}],
        [{**OF_TCP, **TO, "forwarding": "Masq", "weight": 3, "active": 12, "inactive": 4}],
        [],
    ),
    "IV-15 the command says something else": (
        "[root@node-a ~]# ipvsadm --save -n\n" + BANNER + TITLE + SERVICE,
        [{**TCP, "scheduler": "wrr"}],
        [],
        [(2, "wrong-form")],
    ),
    "IV-20 stats": (
        BANNER + STATS + "TCP  203.0.113.10:443   812    51200    49980  123456K    5123M\n  -> 10.20.1.7:8443 401 25600 24990 61728394 2G\n",
        [{**TCP, "conns": 812, "in_pkts": 51200, "out_pkts": 49980, "in_bytes": 123456000, "out_bytes": 5123000000}],
        [{**OF_TCP, **TO, "conns": 401, "in_pkts": 25600, "out_pkts": 24990, "in_bytes": 61728394, "out_bytes": 2000000000}],
        [],
    ),
    "IV-21 rate": (
        BANNER + "Prot LocalAddress:Port                 CPS    InPPS   OutPPS    InBPS   OutBPS\n  -> RemoteAddress:Port\n"
        "TCP  203.0.113.10:443 1 20 18 1500 2M\n",
        [{**TCP, "extra": "cps=1 in_pps=20 out_pps=18 in_bps=1500 out_bps=2M"}],
        [],
        [],
    ),
    "IV-23 exact": (
        BANNER + STATS + "TCP  203.0.113.10:443   812    51200    49980 123456789 5123456789\n",
        [{**TCP, "conns": 812, "in_pkts": 51200, "out_pkts": 49980, "in_bytes": 123456789, "out_bytes": 5123456789}],
        [],
        [],
    ),
    "IV-24 persistent-conn": (
        BANNER + "Prot LocalAddress:Port            Weight    PersistConn ActiveConn InActConn\n  -> RemoteAddress:Port\n"
        + SERVICE + "  -> 10.20.1.7:8443               3         2           12         4\n",
        [{**TCP, "scheduler": "wrr"}],
        [{**OF_TCP, **TO, "weight": 3, "persistent_conns": 2, "active": 12, "inactive": 4}],
        [],
    ),
    "IV-25 thresholds": (
        BANNER + "Prot LocalAddress:Port            Uthreshold Lthreshold ActiveConn InActConn\n  -> RemoteAddress:Port\n"
        + SERVICE + "  -> 10.20.1.7:8443               5000       4000       12         4\n",
        [{**TCP, "scheduler": "wrr"}],
        [{**OF_TCP, **TO, "upper_threshold": 5000, "lower_threshold": 4000, "active": 12, "inactive": 4}],
        [],
    ),
    "IV-26 tunnel information": (
        BANNER + "Prot LocalAddress:Port Scheduler Flags\n  -> RemoteAddress:Port  Forward TunnelInfo Weight ActiveConn InActConn\n"
        + SERVICE + "  -> 10.20.1.7:8443 Tunnel gue:5555:csum 1 0 0\n  -> 10.20.1.8:8443 Masq n/a 1 0 0\n",
        [{**TCP, "scheduler": "wrr"}],
        [
            {**OF_TCP, **TO, "forwarding": "Tunnel", "tunnel": "gue:5555:csum", "weight": 1, "active": 0, "inactive": 0},
            {**OF_TCP, "address": "10.20.1.8", "port": 8443, "forwarding": "Masq", "weight": 1, "active": 0, "inactive": 0},
        ],
        [],
    ),
    "IV-50 save": (
        "-A -t 203.0.113.10:443 -s wrr -p 10800 -M 255.255.255.0\n-a -t 203.0.113.10:443 -r 10.20.1.7:8443 -m -w 3\n"
        "-A -f 7 -6 -s wlc\n-a -f 7 -6 -r [2001:db8:5::21]:0 -i -w 5\n"
        "-A -u 203.0.113.53:53 -s mh -b mh-fallback,mh-port ops\n-A --sctp-service 203.0.113.11:3868 -s rr\n",
        [
            {**TCP, "scheduler": "wrr", "persistence_s": 10800, "persistence_mask": "255.255.255.0"},
            {"fwmark": 7, "family": 6, "scheduler": "wlc"},
            {"protocol": "udp", "address": "203.0.113.53", "port": 53, "family": 4, "scheduler": "mh",
             "scheduler_flags": "mh-fallback,mh-port"},
            {"protocol": "sctp", "address": "203.0.113.11", "port": 3868, "family": 4, "scheduler": "rr"},
        ],
        [
            {**OF_TCP, **TO, "forwarding": "Masq", "weight": 3},
            {"vs_fwmark": 7, "address": "2001:db8:5::21", "port": 0, "forwarding": "Tunnel", "weight": 5},
        ],
        [],
    ),
    "IV-50 real server without its virtual server": (
        "-a -t 203.0.113.10:443 -r 10.20.1.7:8443 -m -w 3\n",
        [TCP],
        [{**OF_TCP, **TO, "forwarding": "Masq", "weight": 3}],
        [(1, "cut")],
    ),
    "IV-51 save with names": (
        "-A -t 203.0.113.10:https -s rr\n-a -t 203.0.113.10:https -r api-1.example:https -m -w 1\n",
        [{**TCP, "scheduler": "rr"}],
        [{**OF_TCP, "port": 443, "forwarding": "Masq", "weight": 1, "extra": "endpoint=api-1.example:https"}],
        [(1, "assumed"), (2, "assumed"), (2, "assumed"), (2, "name")],
    ),
    "IV-52 joint file": (
        "-A -t vip.example:https -s rr\n-a -t vip.example:https -r 10.20.1.7:8443 -m -w 1\n\n"
        + BANNER + "Prot LocalAddress:Port                 CPS    InPPS   OutPPS    InBPS   OutBPS\n  -> RemoteAddress:Port\n"
        "TCP  203.0.113.10:443 1 2 3 4 5\n  -> 10.20.1.7:8443 1 2 3 4 5\n\n"
        + BANNER + STATS + "TCP  203.0.113.10:443 9 8 7 6 5\n  -> 10.20.1.7:8443 9 8 7 6 5\n",
        [
            {
                **TCP, "scheduler": "rr", "conns": 9, "in_pkts": 8, "out_pkts": 7, "in_bytes": 6, "out_bytes": 5,
                "extra": "cps=1 in_pps=2 out_pps=3 in_bps=4 out_bps=5",
            }
        ],
        [
            {
                **OF_TCP, **TO, "forwarding": "Masq", "weight": 1, "conns": 9, "in_pkts": 8, "out_pkts": 7, "in_bytes": 6,
                "out_bytes": 5, "extra": "cps=1 in_pps=2 out_pps=3 in_bps=4 out_bps=5",
            }
        ],
        [(1, "assumed"), (1, "name"), (2, "assumed"), (2, "name"), (7, "assumed")],
    ),
    "IV-60 proc": (
        BANNER + TITLE + "TCP  CB00710A:01BB rr persistent 10800 FFFFFFFF\n  -> 0A140107:20FB      Masq    1      0          0\n"
        "TCP  [2001:0db8:0000:0000:0000:0000:0000:000a]:01BB rr ops\nFWM  0000001F wlc\n  -> 0A140107:0000      Route   1 0 0\n",
        [
            {**TCP, "scheduler": "rr", "persistence_s": 10800, "persistence_mask": "255.255.255.255"},
            {"protocol": "tcp", "address": "2001:db8::a", "port": 443, "family": 6, "scheduler": "rr"},
            {"fwmark": 31, "family": 4, "scheduler": "wlc"},
        ],
        [
            {**OF_TCP, **TO, "forwarding": "Masq", "weight": 1, "active": 0, "inactive": 0},
            {"vs_fwmark": 31, "address": "10.20.1.7", "port": 0, "forwarding": "Route", "weight": 1, "active": 0, "inactive": 0},
        ],
        [],
    ),
    "IV-60 hexadecimal that looks decimal": (
        BANNER + TITLE + "TCP  10000000:0050 rr\n",
        [{"protocol": "tcp", "address": "16.0.0.0", "port": 80, "family": 4, "scheduler": "rr"}],
        [],
        [],
    ),
    "EN-12 last line cut": (
        BANNER + TITLE + SERVICE + REAL + "  -> 10.20.1.8:84",
        [{**TCP, "scheduler": "wrr"}],
        [{**OF_TCP, **TO, "forwarding": "Masq", "weight": 3, "active": 12, "inactive": 4}],
        [(6, "cut")],
    ),
    "EN-13 annotation": (
        BANNER + TITLE + SERVICE + REAL.rstrip() + "   <<== deleted\n",
        [{**TCP, "scheduler": "wrr"}],
        [{**OF_TCP, **TO, "forwarding": "Masq", "weight": 3, "active": 12, "inactive": 4, "extra": "<<== deleted"}],
        [(5, "extra")],
    ),
    "EN-14 masked virtual server with real servers below": (
        BANNER + TITLE + "TCP  x.x.x.x:443 rr\n" + REAL,
        [{"protocol": "tcp", "port": 443, "scheduler": "rr", "extra": "endpoint=x.x.x.x:443"}],
        [{"vs_protocol": "tcp", "vs_port": 443, **TO, "forwarding": "Masq", "weight": 3, "active": 12, "inactive": 4}],
        [(4, "masked")],
    ),
    "EN-05 prose inside a quoted table": (
        "> TCP  203.0.113.10:8443 mh (mh-port)\n  Should the fallback flag be set here as well?\n"
        ">   -> 10.20.1.7:8443               Route   100    0          0\n",
        [{**TCP, "port": 8443, "scheduler": "mh", "scheduler_flags": "mh-port"}],
        [{**OF_TCP, "vs_port": 8443, **TO, "forwarding": "Route", "weight": 100, "active": 0, "inactive": 0}],
        [(2, "unparsed")],
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", LISTINGS, ids=lambda name: name.replace(" ", "-"))
def test_listing(case: str) -> None:
    text, virtuals, reals, notes = LISTINGS[case]
    parsed = read(text)
    assert virtual(parsed) == virtuals
    assert real(parsed) == reals
    assert reasons(parsed) == notes


def test_iv_02_without_banner_is_one_service_only() -> None:
    assert read(BANNER + TITLE + SERVICE).complete
    assert not read(TITLE + SERVICE).complete
    assert read("-A -t 203.0.113.10:443 -s rr\n").complete


def test_iv_07_one_packet_mode() -> None:
    frame = read(BANNER + TITLE + "UDP  203.0.113.53:53 rr ops\nUDP  203.0.113.54:53 rr\n").tables["virtual_servers"]
    assert frame["ops"].tolist() == [True, False]


def test_iv_20_rounded_is_marked() -> None:
    frame = read(BANNER + STATS + "TCP  203.0.113.10:443 1 1 1 123456K 1\nTCP  203.0.113.11:443 1 1 1 1 1\n").tables[
        "virtual_servers"
    ]
    assert frame["rounded"].tolist() == [True, False]
    assert frame["scheduler"].isna().all()


def test_iv_30_empty_table_is_knowledge() -> None:
    parsed = read(BANNER + TITLE)
    assert (parsed.state, parsed.complete, parsed.notes) == ("empty", True, ())


def test_iv_31_timeout_the_last_line_counts() -> None:
    parsed = read("Timeout (tcp tcpfin udp): 900 120 300\nTimeout (tcp tcpfin udp): 1800 60 240\n")
    assert rows(parsed.tables["ipvs_timeouts"]) == [{"tcp_s": 1800, "tcpfin_s": 60, "udp_s": 240}]
    assert reasons(parsed) == [(1, "repeated")]


def test_iv_32_daemon_is_not_a_table() -> None:
    parsed = read("master sync daemon (mcast=eth0, syncid=1)\n")
    assert reasons(parsed) == [(1, "not-a-table")]
    assert parsed.state == "empty"


def test_iv_40_and_41_connections_and_templates() -> None:
    parsed = read(
        "IPVS connection entries\npro expire state       source             virtual            destination\n"
        "TCP 14:58  ESTABLISHED 198.51.100.23:50122 203.0.113.10:443   10.20.1.7:8443\n"
        "UDP 178:03  UDP         [2001:db8::1]:53001 [2001:db8::53]:53    [2001:db8:1::9]:53\n"
        "TCP 00:41  NONE        198.51.100.23:0 203.0.113.10:443   10.20.1.9:8443 sip 01234\n"
    )
    assert rows(parsed.tables["ipvs_connections"]) == [
        {
            "protocol": "tcp", "expires_s": 898, "state": "ESTABLISHED", "client_address": "198.51.100.23", "client_port": 50122,
            "virtual_address": "203.0.113.10", "virtual_port": 443, "real_address": "10.20.1.7", "real_port": 8443,
        },
        {
            "protocol": "udp", "expires_s": 10683, "state": "UDP", "client_address": "2001:db8::1", "client_port": 53001,
            "virtual_address": "2001:db8::53", "virtual_port": 53, "real_address": "2001:db8:1::9", "real_port": 53,
        },
        {
            "protocol": "tcp", "expires_s": 41, "state": "NONE", "client_address": "198.51.100.23", "client_port": 0,
            "virtual_address": "203.0.113.10", "virtual_port": 443, "real_address": "10.20.1.9", "real_port": 8443,
            "template": True, "extra": "sip 01234",
        },
    ]  # fmt: skip
    assert parsed.notes == ()
    assert parsed.complete


def test_iv_61_proc_connections() -> None:
    title = "Pro FromIP   FPrt ToIP     TPrt DestIP   DPrt State       Expires PEName PEData\n"
    parsed = read(title + "TCP C6336417 C3CA CB00710A 01BB 0A140107 20FB SYN_RECV         57\n")
    assert rows(parsed.tables["ipvs_connections"]) == [
        {
            "protocol": "tcp", "expires_s": 57, "state": "SYN_RECV", "client_address": "198.51.100.23", "client_port": 50122,
            "virtual_address": "203.0.113.10", "virtual_port": 443, "real_address": "10.20.1.7", "real_port": 8443,
        }
    ]  # fmt: skip
    sync = title.replace(" Expires PEName PEData", " Origin Expires")
    parsed = read(sync + "TCP C6336417 C3CA CB00710A 01BB 0A140107 20FB ESTABLISHED LOCAL 57\n")
    assert rows(parsed.tables["ipvs_connections"])[0]["extra"] == "Origin=LOCAL"


def test_en_03_listing_captured_twice_is_not_summed() -> None:
    later = BANNER + TITLE + SERVICE + REAL.replace("3      12", "0      12")
    parsed = read(BANNER + TITLE + SERVICE + REAL + later)
    assert [row["weight"] for row in real(parsed)] == [0]
    assert len(virtual(parsed)) == 1
    assert reasons(parsed) == [(6, "repeated")]


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(
            BANNER + TITLE + "UDP wrr\n  -> Route 2 0 0\nTCP rr\n  -> Masq 1 0 0\n", id="EN-15-addresses-stripped"
        ),
        pytest.param((BANNER + TITLE + SERVICE + REAL + REAL).replace("\n", ""), id="EN-16-line-ends-lost"),
    ],
)
def test_structure_lost_is_unusable(text: str) -> None:
    parsed = read(text, "ipvsadm-Ln.txt")
    assert parsed.state == "failed"
    assert not virtual(parsed)
    assert not real(parsed)
    assert "unusable" in {note.reason for note in parsed.notes}


def test_real_servers_below_an_unreadable_virtual_server_belong_to_nobody() -> None:
    parsed = read(BANNER + TITLE + SERVICE + REAL + "TCP rr\n  -> 10.20.9.9:80 Masq 1 0 0\n")
    assert [row.get("vs_address") for row in real(parsed)] == ["203.0.113.10", None]
    assert parsed.tables["real_servers"]["vs_line"].tolist() == [4, pd.NA]


@pytest.mark.parametrize(
    ("text", "name"),
    [
        (BANNER + TITLE + SERVICE, "ipvsadm-list"),
        ("-A -t 203.0.113.10:443 -s wrr\n", "ipvsadm-save"),
        ("Timeout (tcp tcpfin udp): 1800 60 240\n", "ipvsadm-timeout"),
        ("IPVS connection entries\n", "ipvsadm-connections"),
        (BANNER + TITLE + "TCP  CB00710A:01BB rr\n", "ipvs-proc"),
    ],
)
def test_content_decides_against_the_name(text: str, name: str) -> None:
    assert form(text, "nodes/node-a/ip-route.txt") == name
