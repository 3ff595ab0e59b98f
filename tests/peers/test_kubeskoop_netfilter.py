"""W10: netfilter as the kernel runs it, a few rules per item, judged by what a client sees.

The peer evaluates `!` un-negated, ends a table at MARK, takes goto for a call, loops on nested calls, and drops a whole
ruleset for one module it does not know.
"""

from __future__ import annotations

import pytest

from tests.forwarding.cases import CLUSTER_IP, NODE_IP, PORT, TARGET_PORT, VIP, A, B, Cluster
from tests.forwarding.cases import POD as POD_IP
from tests.peers import bundles
from tests.peers.bundles import NODE_A, NODE_B, OUTSIDE, POD_A, POD_B, Case

WRONG, RIGHT = "-s 203.0.113.1/32", "-s 192.0.2.12/32"
"""A source nobody has, and node-b's."""

ITEMS: dict[str, tuple[dict[str, tuple[str, ...]], str]] = {
    # name: ({table: rules}, what node-b sees); {on} is `-p tcp -m tcp --dport PORT` with the item's own port
    "negated source": ({"filter": ("-A INPUT ! -s 192.0.2.0/24 {on} -j DROP",)}, "ok"),
    "negated set": ({"filter": ("-A INPUT {on} -m set ! --match-set KUBE-IPVS-IPS src -j DROP",)}, "timeout"),
    "mark goes on": (
        {
            "mangle": ("-A PREROUTING {on} -j MARK --set-xmark 0x8/0x8", "-A PREROUTING {on} -j ACCEPT"),
            "filter": ("-A INPUT {on} -m mark --mark 0x8/0x8 -j DROP",),
        },
        "timeout",
    ),
    "goto does not come back": (
        {"filter": (":G1 - [0:0]", ":G2 - [0:0]", "-A INPUT {on} -j G1", "-A INPUT {on} -j DROP", "-A G1 -g G2",
                    "-A G1 -j ACCEPT", f"-A G2 {WRONG} -j DROP")},
        "timeout",
    ),
    "a call comes back": (
        {"filter": (":C1 - [0:0]", ":C2 - [0:0]", "-A INPUT {on} -j C1", "-A INPUT {on} -j DROP", "-A C1 -j C2",
                    "-A C1 -j ACCEPT", f"-A C2 {WRONG} -j DROP")},
        "ok",
    ),
    "goto from a built-in chain meets the policy": (
        {"filter": (":B1 - [0:0]", "-A INPUT {on} -g B1", "-A INPUT {on} -j DROP", f"-A B1 {WRONG} -j DROP")},
        "ok",
    ),
    "nested calls": (
        {"filter": (":X - [0:0]", ":Y - [0:0]", ":Z - [0:0]", "-A INPUT {on} -j X", "-A INPUT {on} -j Y", "-A Y -j Z",
                    f"-A Z {RIGHT} -j DROP")},
        "timeout",
    ),
    # No kernel loads these; a damaged or forged capture may hold them.
    "chains that call each other": (
        {"filter": (":L1 - [0:0]", ":L2 - [0:0]", "-A INPUT {on} -j L1", "-A L1 -j L2", "-A L2 -j L1")},
        "unknown",
    ),
    "unknown module": ({"filter": ("-A INPUT -m strange --depth 3 {on} -j DROP",)}, "unknown"),
    "unknown module that changes nothing": (
        {"filter": ("-A INPUT -m strange --depth 3 {on} -j ACCEPT", "-A INPUT {on} -j ACCEPT")},
        "ok",
    ),
    "port range": ({"filter": ("-A INPUT -p tcp -m tcp --dport {below}:{port} -j DROP",)}, "timeout"),
    "flags of a SYN": ({"filter": ("-A INPUT {on} --tcp-flags FIN,SYN,RST,ACK SYN -j DROP",)}, "timeout"),
    "flags of a RST": ({"filter": ("-A INPUT {on} --tcp-flags FIN,SYN,RST,ACK RST -j DROP",)}, "ok"),
    "LOG": ({"filter": ('-A INPUT {on} -j LOG --log-prefix "seen "', "-A INPUT {on} -j DROP")}, "timeout"),
    "NFLOG": ({"filter": ("-A INPUT {on} -j NFLOG --nflog-group 2", "-A INPUT {on} -j DROP")}, "timeout"),
    "CONNMARK": ({"filter": ("-A INPUT {on} -j CONNMARK --set-xmark 0x1/0x1", "-A INPUT {on} -j DROP")}, "timeout"),
    "REJECT with reset": ({"filter": ("-A INPUT {on} -j REJECT --reject-with tcp-reset",)}, "refused"),
    "REJECT as prohibited": ({"filter": ("-A INPUT {on} -j REJECT --reject-with icmp-host-prohibited",)}, "unreachable"),
    "physdev": ({"filter": ("-A INPUT {on} -m physdev --physdev-is-bridged -j DROP",)}, "ok"),
    "ipvs": ({"filter": ("-A INPUT {on} -m ipvs --vdir REPLY -j DROP",)}, "ok"),
    "REDIRECT to a closed port": ({"nat": ("-A PREROUTING {on} -j REDIRECT --to-ports 9",)}, "refused"),
    "NOTRACK keeps nat away": (
        {"raw": ("-A PREROUTING {on} -j CT --notrack",), "nat": ("-A PREROUTING {on} -j REDIRECT --to-ports 9",)},
        "ok",
    ),
}  # fmt: skip
PORTS = {name: 5001 + 2 * number for number, name in enumerate(ITEMS)}


def every_item() -> Case:
    """All items in one ruleset of node-a, each with a port and a listening process of its own."""
    files = Cluster(policy="Cluster", listeners=tuple(f"0.0.0.0:{port}" for port in PORTS.values())).files()
    for name, (tables, _) in ITEMS.items():
        port = PORTS[name]
        for table, lines in tables.items():
            filled = [line.format(on=f"-p tcp -m tcp --dport {port}", port=port, below=port - 1) for line in lines]
            files = bundles.rule(files, table, *filled)
    return Case(files)


@pytest.mark.parametrize("name", ITEMS)
def test_w10_each_item_as_the_kernel_runs_it(name: str) -> None:
    verdict = every_item().dial(NODE_B, NODE_IP[A], PORTS[name])
    assert verdict.outcome == ITEMS[name][1], verdict
    if "unknown" not in name and verdict.outcome != "unknown":
        assert (verdict.confidence, verdict.missing) == ("high", ())


def test_w10_a_negated_match_hits_who_it_should() -> None:
    assert every_item().dial(OUTSIDE, NODE_IP[A], PORTS["negated source"]).outcome == "timeout"


def test_w10_an_unknown_match_taints_its_rule_and_nothing_else() -> None:
    one = every_item()
    tainted = one.dial(NODE_B, NODE_IP[A], PORTS["unknown module"])
    (named,) = tainted.missing
    assert named.startswith(f"nodes/{A}/iptables-save.txt:")
    assert named.endswith(f"-m strange --depth 3 -p tcp -m tcp --dport {PORTS['unknown module']} -j DROP")
    assert (one.dial(POD_A).outcome, one.dial(POD_A).missing) == ("ok", ())
    assert one.dial(POD_A, VIP, 443).mechanism == "ipvs-filter-reject", "the rest of the table still counts"


# ---------------------------------------------------------------------- the order of the hooks

TO_SERVER = f"-d {POD_IP[B]}/32 -p tcp -m tcp --dport {TARGET_PORT} -j DROP"
TO_VIP = f"-d {VIP}/32 -p tcp -m tcp --dport {PORT} -j DROP"


def ruled(*lines: str) -> Case:
    return Case(bundles.rule(Cluster(policy="Cluster").files(), "filter", *lines, first=True))


def test_w10_a_request_to_a_vip_does_not_pass_forward_nor_output_untranslated() -> None:
    one = ruled(f"-A FORWARD {TO_SERVER}", f"-A OUTPUT {TO_VIP}")
    assert (one.dial(POD_A).outcome, one.dial(NODE_A).outcome) == ("ok", "ok")


def test_w10_a_pods_packet_passes_input_and_a_hosts_does_not() -> None:
    one = ruled(f"-A INPUT {TO_VIP}")
    assert (one.dial(POD_A).outcome, one.dial(NODE_A).outcome) == ("timeout", "ok")


def test_w10_both_pass_output_with_the_real_servers_address() -> None:
    one = ruled(f"-A OUTPUT {TO_SERVER}")
    assert one.dial(POD_A).mechanism == one.dial(NODE_A).mechanism == "dropped"


def test_w10_the_answer_passes_forward_with_the_real_servers_address() -> None:
    """IPVS gives the answer its source back after packet filtering (ip_vs_reply4)."""
    one = ruled(f"-A FORWARD -s {POD_IP[B]}/32 -j DROP", f"-A FORWARD -s {CLUSTER_IP}/32 -j ACCEPT")
    verdict = one.dial(POD_A, CLUSTER_IP)
    assert (verdict.outcome, verdict.mechanism) == ("timeout", "reply-dropped")
    assert one.dial(POD_B, CLUSTER_IP).outcome == "ok", "another node's rules do not matter"
    spared = ruled(f"-A FORWARD -s {CLUSTER_IP}/32 -j DROP")
    assert spared.dial(POD_A, CLUSTER_IP).outcome == "ok"
