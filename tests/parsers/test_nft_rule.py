"""Lines of nftables in the language of iptables."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analyzer.parsers.nft_rule import Element, elements_of, nft_rules, nft_rules_with_place

SETS = {
    "cluster-ips": tuple(Element((f"10.0.0.{number}",), (), number) for number in range(1, 13)),
    "few": (Element(("10.0.0.1",)), Element(("10.0.0.2",))),
    "service-ips": (
        Element(("10.0.0.1", "tcp", "80"), ("goto", "web"), 0),
        Element(("10.0.0.2", "udp", "53"), ("drop",), 4),
    ),
}  # fmt: skip


def said(text: str, family: int = 4) -> list[str]:
    found = []
    for rule in nft_rules(text, SETS, family):
        parts = [f"{'! ' if one.inverted else ''}{one.option} {' '.join(one.values)}".strip() for one in rule.matches]
        parts.append(f"{'-g' if rule.goto else '-j'} {rule.target}")
        parts += [f"{option} {' '.join(values)}" for option, values in rule.target_options]
        parts += [f"?{name}" for name in rule.unknown]
        found.append(" ".join(parts))
    return found


@pytest.mark.parametrize(
    ("text", "rules"),
    [
        ("ct state new jump services", ["--ctstate NEW -j services"]),
        ("ct state established,related accept", ["--ctstate ESTABLISHED,RELATED -j ACCEPT"]),
        ("ip saddr != 10.0.0.0/8 ip daddr 10.1.2.3 drop", ["! -s 10.0.0.0/8 -d 10.1.2.3 -j DROP"]),
        ("ip saddr { 10.0.0.1, 10.0.0.2 } return", ["-s 10.0.0.1,10.0.0.2 -j RETURN"]),
        ("ip daddr != @few accept", ["! -d 10.0.0.1,10.0.0.2 -j ACCEPT"]),
        ("ip daddr 10.0.0.1-10.0.0.9 drop", ["--dst-range 10.0.0.1-10.0.0.9 -j DROP"]),
        ("tcp dport { 80, 8000-8010 } accept", ["-p tcp --dports 80,8000:8010 -j ACCEPT"]),
        ("udp dport domain reject", ["-p udp --dports 53 -j REJECT --reject-with icmp-port-unreachable"]),
        ("reject with tcp reset", ["-j REJECT --reject-with tcp-reset"]),
        ("reject with icmp host-unreachable", ["-j REJECT --reject-with icmp-host-unreachable"]),
        ("meta l4proto tcp dnat to 10.0.0.1:8080", ["-p tcp -j DNAT --to-destination 10.0.0.1:8080"]),
        ("dnat ip to 10.0.0.1", ["-j DNAT --to-destination 10.0.0.1"]),
        ("meta mark set meta mark | 0x00004000", ["-j MARK --or-mark 0x4000"]),
        ("mark set mark xor 0x4000", ["-j MARK --xor-mark 0x4000"]),
        ("meta mark & 0x00004000 == 0x00000000 return", ["--mark 0x0/0x4000 -j RETURN"]),
        ("meta mark 0x1 accept", ["--mark 0x1 -j ACCEPT"]),
        ("fib daddr type local ip daddr != 127.0.0.0/8 drop", ["--dst-type LOCAL ! -d 127.0.0.0/8 -j DROP"]),
        ('iifname "cali*" oifname != "eth0" drop', ["-i cali+ ! -o eth0 -j DROP"]),
        ("icmp type { echo-request, echo-reply } accept", ["type -j ACCEPT"]),
        ("ip daddr . meta l4proto . th dport vmap @service-ips",
         ["-d 10.0.0.1 -p tcp --dports 80 -g web", "-d 10.0.0.2 -p udp --dports 53 -j DROP"]),
        ("ct state vmap { established : accept, invalid : drop }",
         ["--ctstate ESTABLISHED -j ACCEPT", "--ctstate INVALID -j DROP"]),
        ("numgen random mod 2 vmap { 0 : goto a, 1 : goto b }",
         ["--mode random --probability 0.50000000000 -g a", "-g b"]),
        ("ip saddr @affinity-x goto a", ["--rcheck -g a"]),
        ("update @affinity-x { ip saddr }", []),
        ("counter packets 5 bytes 300", []),
        ('counter packets 1 bytes 2 drop comment "a { b"', ["-j DROP"]),
        ("meta cpu 1 drop", ["-j DROP ?nft"]),
        ("tcp flags syn meter x { ip saddr limit rate 5/second } accept", ["-j ACCEPT ?nft"]),
        ("ip daddr @nowhere jump chain", ["-j NFT ?nft"]),
    ],
)  # fmt: skip
def test_a_line(text: str, rules: list[str]) -> None:
    assert said(text) == rules


def test_many_addresses_are_a_rule_each() -> None:
    assert len(said("ip daddr @cluster-ips reject")) == 12
    assert len(said("ip daddr != @cluster-ips reject")) == 1


@pytest.mark.parametrize(("family", "rules"), [(4, 0), (6, 1)])
def test_a_line_for_one_family(family: int, rules: int) -> None:
    assert len(said("meta nfproto ipv6 tcp dport 80 drop", family)) == rules


def test_an_element_knows_its_line() -> None:
    places = [place for _, place in nft_rules_with_place("ip daddr . meta l4proto . th dport vmap @service-ips", SETS)]
    assert places == [("service-ips", 0), ("service-ips", 4)]
    text = '10.0.0.1 . tcp . 80 comment "ns/a, b:c" timeout 3h expires 2h59m counter packets 0 bytes 0 : goto x'
    assert elements_of(text, 3) == (Element(("10.0.0.1", "tcp", "80"), ("goto", "x"), 3),)


VOCABULARY = (
    "ip ip6 saddr daddr tcp udp th dport sport meta mark l4proto set & | == != 0x4000 80 ct state new fib type "
    "local { } , . vmap : goto jump a drop accept reject with numgen random mod 2 @few @service-ips @x dnat to "
    '10.0.0.1:80 masquerade redirect :80 limit rate log prefix "x" counter notrack iifname "eth0" update nfproto '
    "ipv4 icmp - "
)
WORDS = st.sampled_from([*VOCABULARY.split(), "\x00"])


@given(st.lists(WORDS, max_size=12))
def test_any_line_gives_rules_or_an_open_one(words: list[str]) -> None:
    for rule in nft_rules(" ".join(words), SETS):
        assert rule.target
        assert all(match.known for match in rule.matches)
