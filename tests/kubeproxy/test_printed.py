"""The expected state in the tools' own form: equal to what the tools printed, and readable by our parsers."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analyzer.bundle import open_bundle
from analyzer.evidence import Evidence
from analyzer.kubeproxy import Expected, ExpectedServer, expected_on, printed
from analyzer.parsers import ipset, iptables_save, ipvsadm_list
from analyzer.snapshot import load

LAB = Path(__file__).parent.parent / "data" / "lab-truth"
SLOW = re.compile(
    "conntrack|Lnc|iptables|-j-|stats|^ss-|ipvsadm-save|ipset|netstat|^Describe|ip-route|ip-rule|ip-d-|kubectl-get|sysctl"
)
# Not noep: its addresses are spread over more than half of the number range, so the kernel's hash table decides the order.
CASES = sorted(folder.name for folder in LAB.iterdir() if re.search("-(cluster|udp|hostnet|two-clbs)$", folder.name))


@pytest.mark.parametrize("case", CASES)
def test_servers_are_printed_as_ipvsadm_printed_them(case: str) -> None:
    with open_bundle(LAB / case / "bundle.tar.gz") as bundle:
        members = tuple(member for member in bundle.members if not SLOW.search(member.name))
        snapshot = load(replace(bundle, members=members))
        texts = {member.node: member.read().decode() for member in bundle.members if member.name == "ipvsadm-Ln.txt"}
    for node, text in texts.items():
        idle = re.sub(r"(Masq    1      )\d+ +\d+ *$", r"\g<1>0          0         ", text, flags=re.MULTILINE)
        assert printed.servers(expected_on(snapshot, node)) == idle, node


ADDRESSES = st.one_of(st.ip_addresses(v=4), st.ip_addresses(v=6)).map(str)
ENDPOINTS = st.tuples(ADDRESSES, st.integers(1, 65535))
SERVERS = st.builds(
    lambda protocol, vip, reals, persistence, flags: ExpectedServer(
        protocol,
        vip[0],
        vip[1],
        "cluster-ip",
        "default/web",
        "mh",
        persistence,
        tuple(reals),
        (Evidence("f", 1),),
        flags,
    ),
    st.sampled_from(["tcp", "udp", "sctp"]),
    ENDPOINTS,
    st.lists(ENDPOINTS, max_size=3, unique=True),
    st.none() | st.integers(1, 86400),
    st.sampled_from([(), ("mh-port",)]),
)


@settings(max_examples=100, deadline=None)
@given(st.lists(SERVERS, max_size=6, unique_by=lambda one: one.key))
def test_what_is_printed_reads_back(servers: list[ExpectedServer]) -> None:
    text = printed.servers(Expected("node-a", servers={one.key: one for one in servers}))
    read = ipvsadm_list.parse(text.encode(), "ipvsadm-Ln.txt")
    assert not read.notes
    table = read.tables["virtual_servers"]
    columns = (table[name] for name in ("protocol", "address", "port", "scheduler", "scheduler_flags", "persistence_s"))
    got = {
        (p, a, int(port)): (s, f if isinstance(f, str) else "", None if str(t) == "<NA>" else int(t))
        for p, a, port, s, f, t in zip(*columns, strict=True)
    }
    assert got == {one.key: (one.scheduler, ",".join(one.flags), one.persistence_s) for one in servers}
    assert len(read.tables["real_servers"]) == sum(len(one.real_servers) for one in servers)


def test_addresses_are_ordered_by_the_sign_of_their_difference() -> None:
    vips = ("172.21.3.10", "10.0.0.171", "192.168.1.200", "172.16.0.129")
    made = [ExpectedServer("tcp", ip, 80, "node-port", "a/b", "rr", None, (), ()) for ip in vips]
    assert [one.address for one in printed.in_order(made)] == [
        "172.16.0.129",
        "172.21.3.10",
        "192.168.1.200",
        "10.0.0.171",
    ]


def test_sets_and_rules_read_back() -> None:
    state = Expected(
        "node-a",
        sets={
            "KUBE-NODE-PORT-TCP": ("bitmap:port", ("30080",)),
            "KUBE-CLUSTER-IP": ("hash:ip,port", ("192.0.2.1,tcp:80",)),
        },
        rules=(
            ("nat", "OUTPUT", "-j KUBE-SERVICES"),
            ("filter", "KUBE-FORWARD", "-m mark --mark 0x4000/0x4000 -j ACCEPT"),
        ),
        chains=(("nat", "KUBE-SERVICES"), ("filter", "KUBE-FORWARD")),
    )
    read = ipset.parse(printed.sets({4: state}).encode(), "ipset-save.txt")
    assert not read.notes
    assert sorted(read.tables["ipset_members"]["member"]) == ["192.0.2.1,tcp:80", "30080"]
    saved = iptables_save.parse(printed.rules(state).encode(), "iptables-save.txt")
    assert [note.reason for note in saved.notes] == []
    assert list(saved.tables["iptables_rules"]["rule"]) == [rule for _, _, rule in state.rules]
    assert printed.addresses(Expected("node-a", vips={"2001:db8::1": (), "192.0.2.1": ()})).splitlines() == [
        "kube-ipvs0    inet 192.0.2.1/32 scope global",
        "kube-ipvs0    inet6 2001:db8::1/128 scope global",
    ]
