"""Netfilter on hand-written rules, read by the real parsers: every match that kube-proxy, CNIs and firewalls use."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import cache
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analyzer.forwarding.build import build_state
from analyzer.forwarding.model import Packet
from analyzer.forwarding.netfilter import Meta, Netfilter, Ruling
from analyzer.forwarding.state import NodeState
from tests.forwarding.cases import snapshot

TCP = Packet("tcp", "198.51.100.130", 40000, "203.0.113.10", 80)
UDP = replace(TCP, protocol="udp")
HOST = replace(TCP, src="203.0.113.10")
SETS = """\
create PAIRS hash:ip,port family inet hashsize 1024 maxelem 65536
add PAIRS 203.0.113.10,tcp:80
add PAIRS 198.51.100.130,tcp:80
create TRIPLES hash:ip,port,ip family inet hashsize 1024 maxelem 65536
add TRIPLES 203.0.113.10,tcp:80,198.51.100.130
create RANGES hash:ip,port,net family inet hashsize 1024 maxelem 65536
add RANGES 203.0.113.10,tcp:80,198.51.100.128/26
add RANGES 203.0.113.10,tcp:81,198.51.100.130
create PORTS bitmap:port range 0-65535
add PORTS 80
add PORTS 90-99
create ADDRESSES hash:ip family inet hashsize 1024 maxelem 65536
add ADDRESSES 203.0.113.10
create NETS hash:net family inet hashsize 1024 maxelem 65536
add NETS 203.0.113.0/24
add NETS 203.0.113.8/30 nomatch
add NETS 203.0.113.10
create SPARED hash:net family inet hashsize 1024 maxelem 65536
add SPARED 203.0.113.0/24
add SPARED 203.0.113.8/29 nomatch
create NETPORT hash:net,port family inet hashsize 1024 maxelem 65536
add NETPORT 203.0.113.0/25,tcp:70-90
create EMPTY hash:ip,port family inet hashsize 1024 maxelem 65536
create MIXED list:set size 8
add MIXED ADDRESSES
"""
ADDRESSES = """\
1: lo: <LOOPBACK,UP,LOWER_UP> mtu 65536 qdisc noqueue state UNKNOWN group default
    inet 127.0.0.1/8 scope host lo
2: eth0: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500 qdisc fq state UP group default
    inet 192.0.2.11/24 brd 192.0.2.255 scope global eth0
3: tunl0@NONE: <NOARP,UP,LOWER_UP> mtu 1480 qdisc noqueue state UNKNOWN group default
    inet 198.51.100.1/32 scope global tunl0
4: kube-ipvs0: <BROADCAST,NOARP> mtu 1500 qdisc noop state DOWN group default
    inet 203.0.113.10/32 scope global kube-ipvs0
"""
ROUTES = """\
default via 192.0.2.1 dev eth0
192.0.2.0/24 dev eth0 proto kernel scope link src 192.0.2.11
broadcast 192.0.2.255 dev eth0 table local proto kernel scope link src 192.0.2.11
local 192.0.2.11 dev eth0 table local proto kernel scope host src 192.0.2.11
local 198.51.100.1 dev tunl0 table local proto kernel scope host src 198.51.100.1
local 203.0.113.10 dev kube-ipvs0 table local proto kernel scope host src 203.0.113.10
local 127.0.0.0/8 dev lo table local proto kernel scope host src 127.0.0.1
"""
TUNNEL = "-o tunl0 -m addrtype ! --src-type LOCAL --limit-iface-out -m addrtype --src-type LOCAL"
IPVS = {"ipvs_vaddr": "203.0.113.10", "ipvs_vport": 80}
HIT, MISS, OPEN = True, False, None

# rule, packet, what else is known of it, the answer
MATCHES: list[tuple[str, Packet, dict[str, Any], bool | None]] = [
    # addresses, protocols, interfaces
    ("-s 198.51.100.128/25", TCP, {}, HIT),
    ("! -s 198.51.100.128/25", TCP, {}, MISS),
    ("-s 198.51.100.0/255.255.255.0", TCP, {}, HIT),
    ("-d 203.0.113.11/32", TCP, {}, MISS),
    ("! -d 224.0.0.0/4", TCP, {}, HIT),
    ("-d 203.0.113.10/32 -p tcp", UDP, {}, MISS),
    ("! -p tcp", UDP, {}, HIT),
    ("-p 17", UDP, {}, HIT),
    ("-p icmp", TCP, {}, MISS),
    ("-p icmp -m icmp --icmp-type 8", TCP, {}, MISS),
    ("-i eth0", TCP, {"iif": "eth0"}, HIT),
    ("! -i eth0", TCP, {"iif": "eth0"}, MISS),
    ("-i cali+", TCP, {"iif": "cali0123"}, HIT),
    ("-i cali+", TCP, {"iif": "eth0"}, MISS),
    ("-i eth0", TCP, {}, OPEN),  # the input interface is not known
    ("-i eth0", HOST, {"from_host": True}, MISS),
    ("! -i lo", HOST, {"from_host": True}, HIT),
    ("-o eth0", TCP, {"oif": "eth0"}, HIT),
    ("-f", TCP, {}, MISS),
    ("! -f", TCP, {}, HIT),
    # ports and flags
    ("-p tcp -m tcp --dport 80", TCP, {}, HIT),
    ("-p tcp -m tcp --dport 80", UDP, {}, MISS),
    ("-p tcp -m tcp ! --dport 80", UDP, {}, MISS),
    ("-p tcp -m tcp ! --dport 80", TCP, {}, MISS),
    ("-p tcp -m tcp --dport 30000:32767", replace(TCP, dport=30080), {}, HIT),
    ("-p tcp -m tcp --dport :1024", TCP, {}, HIT),
    ("-p tcp -m tcp --sport 1024:", TCP, {}, HIT),
    ("-p tcp -m multiport --dports 22,80,8000:8100", TCP, {}, HIT),
    ("-p tcp -m multiport ! --dports 22,80", TCP, {}, MISS),
    ("-p tcp -m multiport --ports 40000", TCP, {}, HIT),
    ("-p tcp -m multiport --sports 1:100", TCP, {}, MISS),
    ("-p tcp -m tcp --tcp-flags FIN,SYN,RST,ACK SYN", TCP, {}, HIT),
    ("-p tcp -m tcp --tcp-flags FIN,SYN,RST,ACK SYN", TCP, {"reply_direction": True}, MISS),
    ("-p tcp -m tcp ! --tcp-flags FIN,SYN,RST,ACK SYN", TCP, {}, MISS),
    ("-p tcp -m tcp --syn", TCP, {}, HIT),
    ("-p udp -m udp --dport 80", UDP, {}, HIT),
    # sets
    ("-m set --match-set PAIRS dst,dst", TCP, {}, HIT),
    ("-m set ! --match-set PAIRS dst,dst", TCP, {}, MISS),
    ("-m set --match-set PAIRS dst,dst", UDP, {}, MISS),
    ("-m set --match-set PAIRS dst,dst", replace(TCP, dport=81), {}, MISS),
    ("-m set --match-set PAIRS src,dst", TCP, {}, HIT),  # source address with destination port
    ("-m set --match-set PAIRS src,src", TCP, {}, MISS),
    ("-m set --match-set TRIPLES dst,dst,src", TCP, {}, HIT),
    ("-m set --match-set TRIPLES dst,dst,src", replace(TCP, src="198.51.100.131"), {}, MISS),
    ("-m set --match-set RANGES dst,dst,src", replace(TCP, src="198.51.100.131"), {}, HIT),
    ("-m set --match-set RANGES dst,dst,src", replace(TCP, src="198.51.100.200"), {}, MISS),
    ("-m set --match-set RANGES dst,dst,src", replace(TCP, dport=81), {}, HIT),  # a /32 is printed without length
    ("-m set --match-set RANGES dst,dst,src", replace(TCP, dport=81, src="198.51.100.131"), {}, MISS),
    ("-m set --match-set PORTS dst", TCP, {}, HIT),
    ("-m set --match-set PORTS dst", UDP, {}, HIT),  # a bitmap knows no protocol
    ("-m set --match-set PORTS dst", replace(TCP, dport=95), {}, HIT),
    ("-m set --match-set PORTS src", TCP, {}, MISS),
    ("-m set --match-set ADDRESSES dst", UDP, {}, HIT),
    ("-m set --match-set ADDRESSES src", TCP, {}, MISS),
    ("-m set --match-set NETS dst", TCP, {}, HIT),  # the most specific entry decides
    ("-m set --match-set NETS dst", replace(TCP, dst="203.0.113.9"), {}, MISS),
    ("-m set --match-set NETS dst", replace(TCP, dst="203.0.113.99"), {}, HIT),
    ("-m set --match-set SPARED dst", TCP, {}, MISS),
    ("-m set ! --match-set SPARED dst", TCP, {}, HIT),
    ("-m set --match-set NETPORT dst,dst", TCP, {}, HIT),
    ("-m set --match-set NETPORT dst,dst", replace(TCP, dport=99), {}, MISS),
    ("-m set --match-set EMPTY dst,dst", TCP, {}, MISS),
    ("-m set --match-set ABSENT dst,dst", TCP, {}, OPEN),
    ("-m set ! --match-set ABSENT dst,dst", TCP, {}, OPEN),
    ("-m set --match-set MIXED dst", TCP, {}, OPEN),
    ("-m set --match-set PAIRS dst,dst ! --update-counters", TCP, {}, HIT),
    ("-m set --match-set PAIRS dst,dst -m conntrack --ctstate NEW", TCP, {"icmp_error": True}, MISS),
    # addrtype
    ("-m addrtype --dst-type LOCAL", TCP, {}, HIT),
    ("-m addrtype ! --dst-type LOCAL", TCP, {}, MISS),
    ("-m addrtype --src-type LOCAL", TCP, {}, MISS),
    ("-m addrtype --dst-type LOCAL", replace(TCP, dst="127.5.5.5"), {}, HIT),
    ("-m addrtype --dst-type UNICAST", replace(TCP, dst="198.51.100.77"), {}, HIT),
    ("-m addrtype --dst-type UNICAST,LOCAL", TCP, {}, HIT),
    ("-m addrtype --dst-type BROADCAST", replace(TCP, dst="192.0.2.255"), {}, HIT),
    ("-m addrtype --dst-type MULTICAST", replace(TCP, dst="224.0.0.1"), {}, HIT),
    ("-m addrtype --dst-type UNICAST", replace(TCP, dst="192.0.2.255"), {}, MISS),
    ("-m addrtype --dst-type FOO", TCP, {}, OPEN),
    ("-m addrtype --dst-type LOCAL --limit-iface-in", TCP, {"iif": "eth0"}, MISS),
    ("-m addrtype --dst-type LOCAL --limit-iface-in", replace(TCP, dst="192.0.2.11"), {"iif": "eth0"}, HIT),
    ("-m addrtype --dst-type LOCAL --limit-iface-in", TCP, {}, OPEN),
    (TUNNEL, HOST, {"oif": "tunl0"}, HIT),  # owned by the host, not by the tunnel
    (TUNNEL, replace(TCP, src="198.51.100.1"), {"oif": "tunl0"}, MISS),  # the tunnel's own
    (TUNNEL, TCP, {"oif": "tunl0"}, MISS),  # a pod's
    (TUNNEL, HOST, {"oif": "eth0"}, MISS),
    ("-m addrtype --src-type LOCAL -m addrtype ! --dst-type LOCAL", HOST, {}, MISS),
    ("-m addrtype --src-type LOCAL -m addrtype ! --dst-type LOCAL", replace(HOST, dst="198.51.100.77"), {}, HIT),
    # bridge, ipvs, conntrack
    ("-m physdev ! --physdev-is-in", TCP, {}, HIT),
    ("-m physdev ! --physdev-is-in", TCP, {"physdev_in": "veth1"}, MISS),
    ("-m physdev --physdev-is-bridged", TCP, {"physdev_in": "veth1", "physdev_out": "veth2"}, HIT),
    ("-m physdev --physdev-is-bridged", TCP, {"physdev_in": "veth1"}, MISS),
    ("-m physdev --physdev-in veth+", TCP, {"physdev_in": "veth1"}, HIT),
    ("-m ipvs --ipvs", TCP, {}, MISS),
    ("-m ipvs ! --ipvs", TCP, {}, HIT),
    ("-m ipvs --ipvs", TCP, IPVS, HIT),
    ("-m ipvs --vaddr 203.0.113.10 --vport 80", replace(TCP, dst="198.51.100.194", dport=8080), IPVS, HIT),
    ("-m ipvs --vproto 6 --vaddr 203.0.113.10 --vport 80", TCP, IPVS, HIT),
    ("-m ipvs --vaddr 203.0.113.10 --vport 81", TCP, IPVS, MISS),
    ("-m ipvs --vaddr 203.0.113.10 ! --vport 81", TCP, IPVS, HIT),
    ("-m ipvs ! --vaddr 203.0.113.99", TCP, {}, MISS),  # no IPVS connection: nothing matches but `! --ipvs`
    ("-m ipvs --vdir ORIGINAL", TCP, IPVS, HIT),
    ("-m conntrack --ctstate NEW", TCP, {}, HIT),
    ("-m conntrack --ctstate RELATED,ESTABLISHED", TCP, {}, MISS),
    ("-m conntrack --ctstate RELATED,ESTABLISHED", TCP, {"state": "ESTABLISHED"}, HIT),
    ("-m conntrack ! --ctstate NEW", TCP, {"state": "INVALID"}, HIT),
    ("-m conntrack --ctstate DNAT", TCP, {"dnat": True}, HIT),
    ("-m conntrack --ctstate DNAT", TCP, {}, MISS),
    ("-m conntrack --ctstate UNTRACKED", TCP, {"state": "UNTRACKED"}, HIT),
    ("-m conntrack --ctorigdst 203.0.113.10", replace(TCP, dst="198.51.100.194"), {"orig_dst": "203.0.113.10"}, HIT),
    ("-m conntrack --ctorigdstport 80", replace(TCP, dport=8080), {"orig_dport": 80}, HIT),
    ("-m conntrack --ctdir REPLY", TCP, {}, MISS),
    ("-m state --state NEW", TCP, {}, HIT),
    # marks
    ("-m mark --mark 0x4000/0x4000", replace(TCP, mark=0x4001), {}, HIT),
    ("-m mark --mark 0x4000", replace(TCP, mark=0x4001), {}, MISS),
    ("-m mark ! --mark 0x4000/0x4000", TCP, {}, HIT),
    ("-m mark --mark nonsense", TCP, {}, OPEN),
    ("-m connmark --mark 0x80/0x80", TCP, {}, MISS),  # no rule of this node marks connections
    # other matches
    ("-m comment --comment \"x -j ACCEPT\"", TCP, {}, HIT),
    ("-m iprange --src-range 198.51.100.100-198.51.100.140", TCP, {}, HIT),
    ("-m iprange ! --dst-range 203.0.113.1-203.0.113.20", TCP, {}, MISS),
    ("-m pkttype --pkt-type broadcast", TCP, {}, MISS),
    ("-m owner --uid-owner 0", TCP, {}, MISS),
    ("-m owner ! --uid-owner 0", TCP, {}, HIT),
    ("-m owner --uid-owner 0", HOST, {"from_host": True}, OPEN),
    ("-m owner --socket-exists", HOST, {"from_host": True}, HIT),
    ("-m limit --limit 5/min", TCP, {}, OPEN),
    ("-m string --algo bm --string GET", TCP, {}, OPEN),
    ("-s 192.0.2.99/32 -m string --algo bm --string GET", TCP, {}, MISS),  # unknown, but another condition fails
    ("-m rpfilter --invert", TCP, {}, OPEN),
    ("-m statistic --mode random --probability 1.00000000000", TCP, {}, HIT),
    ("-m statistic --mode random --probability 0.00000000000", TCP, {}, MISS),
    ("-m statistic --mode random ! --probability 1.00000000000", TCP, {}, MISS),
    ("-m statistic --mode nth --every 1 --packet 0", TCP, {}, HIT),
]  # fmt: skip
CHAINS = {
    "RETURNS": ["-d 203.0.113.10/32 -j RETURN", "-j DROP"],
    "NESTED": ["-j OUTER", "-j DROP"],
    "OUTER": ["-j INNER", "-j ACCEPT"],
    "INNER": ["-p tcp -j RETURN", "-j DROP"],
    "GOES": ["-g GONE", "-j DROP"],
    "GONE": ["-p udp -j ACCEPT"],
    "CALLER": ["-j GOES", "-j REJECT --reject-with tcp-reset"],
    "LOOP": ["-j LOOP2"],
    "LOOP2": ["-j LOOP", "-j LOOP"],
    "EMPTIED": ["-j NOTHING", "-j DROP"],
    "NOTHING": [],
    "COUNTS": ["-p tcp", "-m string --string x -j LOG", "-m limit --limit 1/s -j NFLOG", "-j DROP"],
    "STRANGE": ["-j WHATEVER --to 1", "-j DROP"],
    "JUMPSAWAY": ["-j NOT-CAPTURED", "-j DROP"],
    "XMARK": ["-j MARK --set-xmark 0x4000/0x4000"],
    "TOGGLE": ["-j MARK --set-xmark 0x4000/0x0"],
    "SETMARK": ["-j MARK --set-mark 0x1/0xff"],
    "ORMARK": ["-j MARK --or-mark 0x10"],
    "ANDMARK": ["-j MARK --and-mark 0xfff0"],
    "XORMARK": ["-j MARK --xor-mark 0x3"],
    "RESTORE": ["-j CONNMARK --restore-mark --nfmask 0xff --ctmask 0xff"],
    "NOTRACKED": ["-j CT --notrack", "-j NOTRACK"],
    "SCOPED": ["-m string --string x -j DROP", "-d 203.0.113.10/32 -j ACCEPT", "-j DROP"],
}
NAT = {
    "DNAT1": ["-p tcp -m tcp --dport 80 -j DNAT --to-destination 198.51.100.194:8080"],
    "DNATPORT": ["-p tcp -m tcp --dport 80 -j DNAT --to-destination :8080"],
    "DNATRANGE": ["-p tcp -j DNAT --to-destination 198.51.100.194-198.51.100.196:8080"],
    "DNATBAD": ["-p tcp -j DNAT --to-destination :0 --random"],
    "SNAT1": ["-j SNAT --to-source 192.0.2.11"],
    "MASQ": ["-j MASQUERADE --random-fully"],
    "REDIR": ["-p tcp -j REDIRECT --to-ports 15001"],
    "NETMAPPED": ["-j NETMAP --to 198.51.100.0/24"],
}


class Chooser:
    """Takes the listed options in order (then the first) and remembers what was asked."""

    def __init__(self, *taken: int) -> None:
        self.taken = list(taken)
        self.asked: list[tuple[str, str, int]] = []

    def __call__(self, kind: str, what: str, options: int) -> int:
        self.asked.append((kind, what, options))
        return self.taken.pop(0) if self.taken else 0


@cache
def node() -> NodeState:
    lines = ["*filter", ":INPUT ACCEPT [0:0]", ":POLICY DROP [0:0]"]
    chains = {f"M{i}": [f"{rule} -j DROP"] for i, (rule, *_) in enumerate(MATCHES)} | CHAINS
    lines += [f":{chain} - [0:0]" for chain in chains]
    lines += [f"-A {chain} {rule}" for chain, rules in chains.items() for rule in rules]
    lines += ["-A POLICY -d 203.0.113.10/32 -j RETURN", "-A POLICY -j ACCEPT", "COMMIT", "*nat"]
    lines += [f":{chain} - [0:0]" for chain in NAT]
    lines += [f"-A {chain} {rule}" for chain, rules in NAT.items() for rule in rules] + ["COMMIT", ""]
    files = {
        "iptables-save.txt": "\n".join(lines),
        "ipset-save.txt": SETS,
        "ip-addr.txt": ADDRESSES,
        "ip-route-all.txt": ROUTES,
    }
    return build_state(snapshot({f"nodes/n/{name}": text for name, text in files.items()}), "n")


def run(chain: str, packet: Packet = TCP, *taken: int, table: str = "filter", **meta: Any) -> tuple[Ruling, Chooser]:
    chooser = Chooser(*taken)
    return Netfilter(node(), chooser).run(table, chain, packet, Meta(**meta)), chooser


@pytest.mark.parametrize("number", range(len(MATCHES)), ids=lambda number: MATCHES[number][0])
def test_match(number: int) -> None:
    rule, packet, meta, expected = MATCHES[number]
    ruling, chooser = run(f"M{number}", packet, **meta)
    asked = [kind for kind, _, _ in chooser.asked]
    if expected is None:
        assert asked == ["unknown"], rule
        assert rule in chooser.asked[0][1]
        assert run(f"M{number}", packet, 1, **meta)[0].action == "accept"
    else:
        assert not asked, chooser.asked
    assert ruling.action == ("accept" if expected is False else "drop")


@pytest.mark.parametrize(
    ("chain", "packet", "action"),
    [
        ("RETURNS", TCP, "accept"),  # a user chain's RETURN ends the run: nothing called it
        ("RETURNS", replace(TCP, dst="203.0.113.11"), "drop"),
        ("POLICY", TCP, "drop"),  # RETURN from a built-in chain meets the policy
        ("POLICY", replace(TCP, dst="203.0.113.11"), "accept"),
        ("NESTED", TCP, "accept"),
        ("NESTED", UDP, "drop"),
        ("GOES", TCP, "accept"),  # goto does not come back to the DROP behind it
        ("CALLER", TCP, "reject"),  # but to the caller of the chain that went away
        ("CALLER", UDP, "accept"),
        ("EMPTIED", TCP, "drop"),
        ("COUNTS", TCP, "drop"),
        ("NO-SUCH-CHAIN", TCP, "accept"),
    ],
)
def test_ways_through_chains(chain: str, packet: Packet, action: str) -> None:
    ruling, chooser = run(chain, packet)
    assert (ruling.action, chooser.asked) == (action, [])


def test_chains_that_call_each_other_end() -> None:
    ruling, _ = run("LOOP")
    assert ruling.action == "unknown"
    assert ruling.with_


@pytest.mark.parametrize("chain", ["STRANGE", "JUMPSAWAY"])
def test_an_unknown_target_may_go_on_drop_or_accept(chain: str) -> None:
    assert [run(chain, TCP, answer)[0].action for answer in range(3)] == ["drop", "drop", "accept"]
    assert "unknown" in {kind for kind, _, _ in run(chain)[1].asked}


def test_an_unknown_match_taints_only_its_rule() -> None:
    assert [run("SCOPED", TCP, answer)[0].action for answer in range(2)] == ["drop", "accept"]


@pytest.mark.parametrize(
    ("chain", "before", "after"),
    [
        ("XMARK", 0x1, 0x4001), ("TOGGLE", 0x4000, 0x0), ("SETMARK", 0x4022, 0x4001), ("ORMARK", 0x1, 0x11),
        ("ANDMARK", 0x401F, 0x4010), ("XORMARK", 0x1, 0x2), ("RESTORE", 0x40FF, 0x4000),
    ],
)  # fmt: skip
def test_marks(chain: str, before: int, after: int) -> None:
    assert run(chain, replace(TCP, mark=before))[0].packet.mark == after


def test_statistic_multiplies_and_is_no_unknown() -> None:
    state = replace_rule(
        "-m statistic --mode random --probability 0.5 -m statistic --mode nth --every 4 --packet 0 -j DROP"
    )
    chooser = Chooser(1)
    assert Netfilter(state, chooser).run("filter", "INPUT", TCP, Meta()).action == "accept"
    assert chooser.asked[0][0] == "random:0.125"


def test_connection_marks_are_open_once_some_rule_sets_them() -> None:
    state = replace_rule("-m connmark --mark 0x80/0x80 -j DROP", "-j CONNMARK --save-mark")
    chooser = Chooser()
    Netfilter(state, chooser).run("filter", "INPUT", TCP, Meta())
    assert chooser.asked[0][0] == "unknown"


def test_an_incomplete_ipset_capture_proves_no_absence() -> None:
    state = replace_rule("-m set --match-set EMPTY dst,dst -j DROP")
    state.sets = node().sets
    state.incomplete = frozenset({"ipset"})
    chooser = Chooser()
    Netfilter(state, chooser).run("filter", "INPUT", TCP, Meta())
    assert chooser.asked[0][0] == "unknown"


def replace_rule(*rules: str) -> NodeState:
    text = "\n".join(["*filter", ":INPUT ACCEPT [0:0]", *(f"-A INPUT {rule}" for rule in rules), "COMMIT", ""])
    return build_state(snapshot({"nodes/n/iptables-save.txt": text}), "n")


@pytest.mark.parametrize(
    ("chain", "action", "to"),
    [
        ("DNAT1", "dnat", ("198.51.100.194", 8080)), ("DNATPORT", "dnat", ("", 8080)), ("SNAT1", "snat", ("192.0.2.11", None)),
        ("MASQ", "masquerade", ("", None)), ("REDIR", "redirect", ("", 15001)),
    ],
)  # fmt: skip
def test_translations(chain: str, action: str, to: tuple[str, int | None]) -> None:
    ruling, chooser = run(chain, table="nat")
    assert (ruling.action, ruling.to, chooser.asked) == (action, to, [])


def test_a_range_of_destinations_is_met_everywhere() -> None:
    assert [run("DNATRANGE", TCP, answer, table="nat")[0].to for answer in range(3)] == [
        ("198.51.100.194", 8080), ("198.51.100.195", 8080), ("198.51.100.196", 8080),
    ]  # fmt: skip
    assert run("DNATRANGE", table="nat")[1].asked[0][0] == "random"


@pytest.mark.parametrize("chain", ["DNATBAD", "NETMAPPED"])
def test_a_translation_that_cannot_be_read_is_never_definite(chain: str) -> None:
    assert run(chain, TCP, table="nat")[0].action == "unknown"


def test_untracked() -> None:
    assert run("NOTRACKED")[0].untracked


WORDS = st.sampled_from(
    re.findall(
        r"\S+",
        """-s -d -i -o -p -m -j -g ! set addrtype --match-set PAIRS dst,dst --dst-type LOCAL --limit-iface-out tcp udp --dport 80 mark
        --mark 0x1/0x1 DROP ACCEPT RETURN INPUT MARK --set-xmark DNAT --to-destination :0 1-2:3 ipvs --vaddr statistic --probability
        -1 nan 1e999 physdev conntrack --ctstate NEW CONNMARK --restore-mark multiport --dports 1:x owner""",
    )
)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.lists(WORDS, max_size=12), max_size=6), st.integers(0, 1))
def test_any_rule_is_run_without_an_error(rules: list[list[str]], answer: int) -> None:
    state = replace_rule(*(" ".join(words) for words in rules))
    netfilter = Netfilter(state, lambda _kind, _what, options: min(answer, options - 1))
    ruling = netfilter.run("filter", "INPUT", TCP, Meta())
    assert ruling.action in ("accept", "drop", "reject", "dnat", "snat", "masquerade", "redirect", "unknown")
