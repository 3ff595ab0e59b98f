"""kube-proxy without IPVS: iptables mode from captured and from computed rules, nftables mode, eBPF, foreign data paths.

What is expected follows the comments of pkg/proxy/iptables/proxier.go and pkg/proxy/nftables/proxier.go: who is short-cut
past a Local policy, who is masqueraded, what is dropped and what is rejected.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from functools import lru_cache

import pytest

from analyzer.findings import Findings, find
from analyzer.forwarding import World, build_world, chain_index, matrix
from analyzer.kubeproxy import proxy_node
from analyzer.kubeproxy.iptables_mode import iptables_rules
from analyzer.kubeproxy.model import ProxyNode
from analyzer.kubeproxy.nftables_mode import nftables_rules
from analyzer.parsers import iptables_save
from tests.forwarding import cases
from tests.forwarding.cases import CLIENT_POD, NODE_IP, POD, A, B
from tests.forwarding.proxy_cases import (
    CLUSTER_IP,
    ENDPOINTS,
    NODE_PORT,
    OUTSIDE,
    SAVED,
    SECOND_IP,
    VIP,
    Proxied,
    dial,
    servers,
    world,
)

RELEASES = ("1.22", "1.28", "1.30")
BOTH = ["web-node-a", "web-node-b"]
ON_A, ON_B, SERVER_B = "pod:client-node-a", "pod:client-node-b", "pod:web-node-b"


@lru_cache(maxsize=32)
def iptables_mode(release: str, saved: bool = True, internal: str = "Cluster") -> World:
    return world(Proxied(release=release, saved=saved, internal_policy=internal))


@lru_cache(maxsize=8)
def nftables_mode(version: str) -> World:
    one = Proxied(release=version.rpartition(".")[0], mode="nftables", second_ip=True)
    one.version = version
    return world(one)


@pytest.fixture(params=[(release, saved) for release in RELEASES for saved in (True, False)],
                ids=lambda one: f"{one[0]}-{'captured' if one[1] else 'computed'}")  # fmt: skip
def any_iptables(request: pytest.FixtureRequest) -> World:
    return iptables_mode(*request.param)


# ---------------------------------------------------------------------- iptables mode, captured and computed alike


@pytest.mark.parametrize(("source", "seen"), [(A, NODE_IP[A]), (B, NODE_IP[B]), (ON_A, CLIENT_POD[A])])
def test_a_cluster_ip_works_from_hosts_and_pods(any_iptables: World, source: str, seen: str) -> None:
    found = dial(any_iptables, source, f"{CLUSTER_IP['web']}:80")
    assert (found.verdict.outcome, servers(found), found.verdict.seen_source_ips) == ("ok", BOTH, (seen,))


def test_cluster_policy_masquerades_external_destinations(any_iptables: World) -> None:
    for source, target, seen in (
        (A, f"{VIP['web']}:80", A), (ON_B, f"{VIP['web']}:80", B), (OUTSIDE, f"{NODE_IP[A]}:{NODE_PORT['web']}", A),
        (ON_B, f"{NODE_IP[A]}:{NODE_PORT['web']}", A), (B, f"{NODE_IP[A]}:{NODE_PORT['web']}", A),
    ):  # fmt: skip
        found = dial(any_iptables, source, target)
        assert (found.verdict.outcome, servers(found)) == ("ok", BOTH), (source, target)
        assert found.verdict.seen_source_ips == (NODE_IP[seen],), (source, target)


def test_hairpin_is_masqueraded_by_the_endpoints_own_chain(any_iptables: World) -> None:
    found = dial(any_iptables, SERVER_B, f"{CLUSTER_IP['local']}:80")
    assert (found.verdict.outcome, servers(found)) == ("ok", ["web-node-b"])
    assert found.verdict.seen_source_ips == (NODE_IP[B],)


def test_affinity_leaves_every_endpoint_possible(any_iptables: World) -> None:
    found = dial(any_iptables, ON_A, f"{CLUSTER_IP['sticky']}:80")
    assert (found.verdict.outcome, servers(found)) == ("ok", BOTH)


@pytest.mark.parametrize("source", [A, ON_A])
def test_without_endpoints_the_cluster_ip_is_rejected(any_iptables: World, source: str) -> None:
    verdict = dial(any_iptables, source, f"{CLUSTER_IP['empty']}:80").verdict
    assert (verdict.outcome, verdict.mechanism) == ("refused", "rejected")


@pytest.mark.parametrize("source", [A, B, ON_B, OUTSIDE])
def test_without_endpoints_the_node_port_is_rejected(any_iptables: World, source: str) -> None:
    assert dial(any_iptables, source, f"{NODE_IP[A]}:{NODE_PORT['empty']}").verdict.outcome == "refused"


def test_without_endpoints_only_forwarded_clients_of_the_vip_are_rejected(any_iptables: World) -> None:
    """KUBE-EXTERNAL-SERVICES hangs on INPUT and FORWARD: a process of the node goes out to the real load balancer."""
    assert dial(any_iptables, ON_A, f"{VIP['empty']}:80").verdict.outcome == "refused"
    assert any(hop.place.startswith("lb:") for hop in dial(any_iptables, A, f"{VIP['empty']}:80").paths[0].hops)


@pytest.mark.parametrize(("source", "seen"), [(A, NODE_IP[A]), (ON_A, CLIENT_POD[A])])
def test_local_policy_is_short_cut_for_clients_of_the_node(any_iptables: World, source: str, seen: str) -> None:
    """A node without endpoint still serves its own pods (detector) and processes (--src-type LOCAL, masqueraded)."""
    for target in (f"{VIP['local']}:80", f"{NODE_IP[A]}:{NODE_PORT['local']}"):
        found = dial(any_iptables, source, target)
        assert (found.verdict.outcome, servers(found)) == ("ok", ["web-node-b"]), target
        assert found.verdict.seen_source_ips == (seen,)


@pytest.mark.parametrize("source", [B, OUTSIDE])
def test_local_policy_drops_others_where_no_endpoint_is(any_iptables: World, source: str) -> None:
    verdict = dial(any_iptables, source, f"{NODE_IP[A]}:{NODE_PORT['local']}").verdict
    assert (verdict.outcome, verdict.mechanism) == ("timeout", "dropped")


def test_local_policy_keeps_the_client_where_an_endpoint_is(any_iptables: World) -> None:
    found = dial(any_iptables, OUTSIDE, f"{NODE_IP[B]}:{NODE_PORT['local']}")
    assert (found.verdict.outcome, found.verdict.seen_source_ips) == ("ok", (OUTSIDE,))


def test_a_pod_behind_another_nodes_local_node_port_is_answered_past_that_node(any_iptables: World) -> None:
    """node-a takes the pod of node-b for a local one (cluster CIDR) and does not masquerade: the answer comes directly."""
    verdict = dial(any_iptables, ON_B, f"{NODE_IP[A]}:{NODE_PORT['local']}").verdict
    assert (verdict.outcome, verdict.mechanism) == ("timeout", "reply-mismatch")


def test_node_ports_work_on_the_loopback_address(any_iptables: World) -> None:
    for name in ("web", "local", "host"):
        found = dial(any_iptables, A, f"127.0.0.1:{NODE_PORT[name]}")
        assert found.verdict.outcome == "ok", name
        assert found.verdict.seen_source_ips == (NODE_IP[A],), name


def test_a_host_network_endpoint_is_a_local_process(any_iptables: World) -> None:
    for source in (A, B, ON_A, ON_B):
        found = dial(any_iptables, source, f"{CLUSTER_IP['host']}:80")
        assert (found.verdict.outcome, servers(found)) == ("ok", ["hosted"]), source


def test_source_ranges_hold_for_the_vip_and_not_for_the_node_port(any_iptables: World) -> None:
    assert dial(any_iptables, A, f"{VIP['ranges']}:80").verdict.outcome == "ok"
    dropped = dial(any_iptables, B, f"{VIP['ranges']}:80").verdict
    assert (dropped.outcome, dropped.mechanism) == ("timeout", "dropped")
    assert dial(any_iptables, OUTSIDE, f"{NODE_IP[A]}:{NODE_PORT['ranges']}").verdict.outcome == "ok"


@pytest.mark.parametrize("source", [A, ON_A])
def test_other_ports_of_a_vip_go_to_the_real_load_balancer(any_iptables: World, source: str) -> None:
    """The address is bound nowhere: only the Service's own port is taken off the way."""
    found = dial(any_iptables, source, f"{VIP['web']}:443")
    assert any(hop.place == f"lb:{VIP['web']}" for path in found.paths for hop in path.hops)
    assert found.verdict.mechanism == "backends-not-collected"


def test_other_ports_of_a_cluster_ip_lead_nowhere(any_iptables: World) -> None:
    verdict = dial(any_iptables, A, f"{CLUSTER_IP['web']}:81").verdict
    assert (verdict.outcome, verdict.mechanism) == ("timeout", "not-routed")


# ---------------------------------------------------------------------- captured


@pytest.mark.parametrize("release", RELEASES)
def test_a_complete_capture_gives_full_confidence(release: str) -> None:
    """Neither ipvsadm nor ipset is missed in iptables mode."""
    verdict = dial(iptables_mode(release), A, f"{CLUSTER_IP['web']}:80").verdict
    assert (verdict.confidence, verdict.layer, verdict.missing) == ("high", "captured", ())


def test_up_to_1_24_a_forwarded_packet_outlives_its_drop_mark() -> None:
    """KUBE-FIREWALL hangs on INPUT and OUTPUT only; from 1.25 KUBE-PROXY-FIREWALL hangs on FORWARD too."""
    old = dial(iptables_mode("1.22"), ON_A, f"{VIP['ranges']}:80")
    assert any(hop.place.startswith("lb:") for path in old.paths for hop in path.hops)
    new = dial(iptables_mode("1.28"), ON_A, f"{VIP['ranges']}:80").verdict
    assert (new.outcome, new.mechanism) == ("timeout", "dropped")


@pytest.mark.parametrize(("value", "outcome", "confidence"), [("0", "timeout", "high"), ("", "ok", "medium")])
def test_the_loopback_address_needs_route_localnet(value: str, outcome: str, confidence: str) -> None:
    verdict = dial(world(Proxied(localnet=value)), A, f"127.0.0.1:{NODE_PORT['web']}").verdict
    assert (verdict.outcome, verdict.confidence) == (outcome, confidence)
    assert verdict.mechanism == ("route-localnet-off" if value else "served")


def test_counters_of_1_32_decide_nothing() -> None:
    files = Proxied(release="1.30").files()
    for name in (A, B):
        path = f"nodes/{name}/iptables-save.txt"
        counted = "-A KUBE-NODEPORTS -d 127.0.0.0/8 -p tcp -m tcp --dport 30080 -m nfacct --nfacct-name  localhost_nps_accepted_pkts "
        target = next(line.rpartition(" ")[2] for line in files[path].splitlines() if "--dport 30080" in line)
        files[path] = files[path].replace(
            "-A KUBE-NODEPORTS -p tcp", f"{counted}-j {target}\n-A KUBE-NODEPORTS -p tcp", 1
        )
    verdict = dial(cases.world(files), A, f"127.0.0.1:{NODE_PORT['web']}").verdict
    assert (verdict.outcome, verdict.missing) == ("ok", ())


def test_a_capture_without_kube_proxys_chains_decides_nothing() -> None:
    """The other variant of iptables was listed: its empty tables say nothing about kube-proxy's."""
    files = Proxied().files()
    for name in (A, B):
        files[f"nodes/{name}/iptables-save.txt"] = (
            "*nat\n:PREROUTING ACCEPT [0:0]\nCOMMIT\n*filter\n:INPUT ACCEPT [0:0]\nCOMMIT\n"
        )
    verdict = dial(cases.world(files), A, f"{CLUSTER_IP['web']}:80").verdict
    assert (verdict.outcome, verdict.mechanism) == ("unknown", "proxy-mode-not-walked")


def test_a_capture_of_one_table_decides_nothing_about_the_other() -> None:
    files = Proxied().files()
    for name in (A, B):
        path = f"nodes/{name}/iptables-save.txt"
        files[path] = files[path][files[path].index("*nat") :]
    assert dial(cases.world(files), A, f"{CLUSTER_IP['web']}:80").verdict.outcome == "unknown"


def test_searching_a_chain_by_destination_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    plain, searched = iptables_mode("1.28"), build_world(iptables_mode("1.28").snapshot)
    asked = [(source, f"{address}:{port}") for source in (A, ON_B, OUTSIDE) for name in ("web", "local", "empty", "ranges")
             for address, port in ((CLUSTER_IP[name], 80), (VIP[name], 80), (VIP[name], 81), (NODE_IP[A], NODE_PORT[name]))]  # fmt: skip
    wanted = [dial(plain, source, target).verdict for source, target in asked]
    monkeypatch.setattr(chain_index, "LONG_CHAIN", 1)
    assert [dial(searched, source, target).verdict for source, target in asked] == wanted
    assert searched.state(A).dispatch


def test_many_alike_endpoints_share_a_walk() -> None:
    many = tuple((A if number % 2 else B, f"198.51.101.{number}", 8080) for number in range(1, 61))
    built = world(Proxied(saved=False, endpoints={**ENDPOINTS, "web": (*ENDPOINTS["web"], *many), "sticky": many}))
    for name in ("web", "sticky"):
        found = dial(built, A, f"{CLUSTER_IP[name]}:80")
        assert len(found.paths) <= 4, name
        assert (found.verdict.outcome, len(found.verdict.servers)) == ("ok", 62 if name == "web" else 60)


# ---------------------------------------------------------------------- computed rules


@pytest.mark.parametrize("release", RELEASES)
@pytest.mark.parametrize("node", [A, B])
def test_computed_rules_are_those_kube_proxy_writes(release: str, node: str) -> None:
    """Each chain has the rules of the text in tests/data, in their order; between Services kube-proxy keeps none."""
    snapshot = iptables_mode(release, saved=False).snapshot
    made = iptables_rules(snapshot.objects.services, proxy_node(snapshot, node))
    saved = iptables_save.parse((SAVED / f"{release}-{node}.txt").read_bytes(), "iptables-save.txt").tables
    got: dict[tuple[str, str], list[str]] = defaultdict(list)
    wanted: dict[tuple[str, str], list[str]] = defaultdict(list)
    for table, chain, rule in made.rules:
        if release != "1.30" or "INVALID" not in rule:  # nf_conntrack_tcp_be_liberal is no matter of the objects
            got[table, chain].append(rule)
    rows = saved["iptables_rules"]
    for table, chain, rule in zip(rows["table"], rows["chain"], rows["rule"], strict=True):
        wanted[table, chain].append(rule)
    assert got.keys() == wanted.keys()
    for key, rules in wanted.items():
        unordered = key[1] in ("KUBE-SERVICES", "KUBE-NODEPORTS", "KUBE-EXTERNAL-SERVICES")
        assert (sorted(got[key]) if unordered else got[key]) == (sorted(rules) if unordered else rules), key
    assert got["nat", "KUBE-SERVICES"][-1].endswith("-j KUBE-NODEPORTS")


def test_computed_rules_say_so() -> None:
    found = dial(iptables_mode("1.28", saved=False), A, f"{CLUSTER_IP['web']}:80")
    verdict = found.verdict
    assert (verdict.outcome, verdict.confidence, verdict.layer) == ("ok", "medium", "inferred")
    assert verdict.missing[0] == "iptables of node-a"
    assert any(step.slug == "expected-rules" for hop in found.paths[0].hops for step in hop.steps)


@pytest.mark.parametrize("version", [(1, minor) for minor in range(22, 34)])
@pytest.mark.parametrize("internal", ["Cluster", "Local"])
def test_every_jump_has_its_chain(version: tuple[int, int], internal: str) -> None:
    snapshot = iptables_mode("1.28", False, internal).snapshot
    for make in (iptables_rules, nftables_rules):
        for family in (4, 6):
            for node in (A, B):
                held = replace(proxy_node(snapshot, node), version=version)
                made = make(snapshot.objects.services, held, family=family)
                chains = set(made.chains)
                for table, chain, rule in made.rules:
                    assert (table, chain) in chains
                    target = rule.rpartition(" ")[2]
                    if target.startswith("KUBE-") and ("-j KUBE-" in rule or "-g " in rule):
                        assert (table, target) in chains, rule


@pytest.mark.parametrize("release", ["1.22", "1.24", "1.28", "1.33"])
def test_internal_policy_local_without_local_endpoint(release: str) -> None:
    """Dropped from 1.24 on. 1.22 and 1.23 filter the endpoints of the whole Service (M6b) and so reject it."""
    built = iptables_mode(release, False, "Local")
    verdict = dial(built, A, f"{CLUSTER_IP['local']}:80").verdict
    assert verdict.outcome == ("refused" if release == "1.22" else "timeout")
    assert dial(built, B, f"{CLUSTER_IP['local']}:80").verdict.outcome == "ok"


def test_without_objects_nothing_is_computed() -> None:
    files = Proxied(saved=False).files()
    del files["cluster/endpointslices.json"]
    verdict = dial(cases.world(files), A, f"{CLUSTER_IP['web']}:80").verdict
    assert (verdict.outcome, verdict.mechanism) == ("unknown", "proxy-mode-not-walked")


def test_node_port_addresses_choose_where_node_ports_are_open() -> None:
    snapshot = iptables_mode("1.28", saved=False).snapshot
    for addresses, wanted in (
        (("192.0.2.0/24",), [NODE_IP[A]]),
        (("primary",), [NODE_IP[A]]),
        (("127.0.0.0/8",), ["127.0.0.1"]),
    ):
        held = replace(proxy_node(snapshot, A), node_port_addresses=addresses)
        rules = iptables_rules(snapshot.objects.services, held).rules
        last = [
            rule.split()[1] for _, chain, rule in rules if chain == "KUBE-SERVICES" and rule.endswith("KUBE-NODEPORTS")
        ]
        assert last == [f"{address}/32" for address in wanted]
    everywhere = replace(proxy_node(snapshot, A), node_port_addresses=("0.0.0.0/0",))
    rules = iptables_rules(snapshot.objects.services, everywhere).rules
    assert any("--dst-type LOCAL -j KUBE-NODEPORTS" in rule for _, _, rule in rules)


def test_no_services_still_give_the_fixed_chains() -> None:
    node = ProxyNode("node-a", (NODE_IP[A],), None)
    assert ("nat", "KUBE-NODEPORTS") in iptables_rules((), node).chains
    assert ("nat", "services") in nftables_rules((), node).chains


# ---------------------------------------------------------------------- nftables mode


def test_nftables_serves_what_iptables_serves() -> None:
    built = nftables_mode("1.33.9")
    for source, target, seen in (
        (A, f"{CLUSTER_IP['web']}:80", NODE_IP[A]), (ON_A, f"{CLUSTER_IP['web']}:80", CLIENT_POD[A]),
        (ON_A, f"{VIP['web']}:80", NODE_IP[A]), (OUTSIDE, f"{NODE_IP[A]}:{NODE_PORT['web']}", NODE_IP[A]),
    ):  # fmt: skip
        found = dial(built, source, target)
        assert (found.verdict.outcome, servers(found), found.verdict.seen_source_ips) == ("ok", BOTH, (seen,)), target
        assert (found.verdict.layer, found.verdict.confidence) == ("inferred", "medium")
    hairpin = dial(built, SERVER_B, f"{CLUSTER_IP['local']}:80").verdict
    assert (hairpin.outcome, hairpin.seen_source_ips) == ("ok", (NODE_IP[B],))
    assert dial(built, OUTSIDE, f"{NODE_IP[A]}:{NODE_PORT['local']}").verdict.mechanism == "dropped"
    assert dial(built, OUTSIDE, f"{NODE_IP[A]}:{NODE_PORT['empty']}").verdict.outcome == "refused"
    assert dial(built, B, f"{VIP['ranges']}:80").verdict.mechanism == "dropped"
    assert dial(built, A, f"{VIP['ranges']}:80").verdict.outcome == "ok"


@pytest.mark.parametrize(("version", "second"), [("1.29.0", "ok"), ("1.30.0", "refused"), ("1.33.9", "refused")])
def test_nftables_opens_node_ports_on_primary_addresses(version: str, second: str) -> None:
    built = nftables_mode(version)
    assert dial(built, A, f"{NODE_IP[A]}:{NODE_PORT['web']}").verdict.outcome == "ok"
    assert dial(built, A, f"{SECOND_IP}:{NODE_PORT['web']}").verdict.outcome == second
    assert dial(built, A, f"127.0.0.1:{NODE_PORT['web']}").verdict.outcome == "refused"


@pytest.mark.parametrize("source", [A, ON_A])
@pytest.mark.parametrize(("version", "outcome"), [("1.29.0", "timeout"), ("1.30.0", "refused"), ("1.33.9", "refused")])
def test_nftables_rejects_other_ports_of_a_cluster_ip(version: str, outcome: str, source: str) -> None:
    assert dial(nftables_mode(version), source, f"{CLUSTER_IP['web']}:81").verdict.outcome == outcome
    vip = dial(nftables_mode(version), source, f"{VIP['web']}:443")
    assert any(hop.place.startswith("lb:") for path in vip.paths for hop in path.hops)


@pytest.mark.parametrize(
    ("version", "outcome"),
    [("1.29.0", "timeout"), ("1.33.2", "timeout"), ("1.33.9", "ok"), ("1.34.0", "ok")],
)
def test_nftables_drops_the_nodes_own_clients_of_a_local_vip(version: str, outcome: str) -> None:
    """kubernetes#131765: the check for endpoints ran before DNAT; pods were always short-cut."""
    assert dial(nftables_mode(version), A, f"{VIP['local']}:80").verdict.outcome == outcome
    assert dial(nftables_mode(version), ON_A, f"{VIP['local']}:80").verdict.outcome == "ok"


def test_nftables_is_read_off_its_own_table() -> None:
    """The mode is known without a configuration, and the captured rules are what is walked."""
    files = Proxied(release="1.33", mode="nftables", nft=True).files()
    del files["cluster/configmaps.json"]
    built = cases.world(files)
    bare = built.snapshot
    fact = bare.regime(A)["proxy_mode"]
    assert (fact.value, fact.how) == ("nftables", "state")
    assert bare.quote(fact.evidence[0]).text == "map service-ips {"
    verdict = dial(built, A, f"{CLUSTER_IP['web']}:80").verdict
    assert verdict.layer == "captured"
    assert not any("nft" in name for name in verdict.missing)


@pytest.mark.parametrize("source", [A, B, ON_A, OUTSIDE])
def test_the_captured_table_does_what_the_computed_one_does(source: str) -> None:
    captured = cases.world(Proxied(release="1.33", mode="nftables", second_ip=True, nft=True).files())
    computed = nftables_mode("1.33.5")
    targets = [f"{address}:{port}" for address in (*CLUSTER_IP.values(), *VIP.values()) for port in (80, 81)]
    targets += [f"{NODE_IP[node]}:{port}" for node in (A, B) for port in NODE_PORT.values()]
    for target in targets:
        one, other = dial(captured, source, target).verdict, dial(computed, source, target).verdict
        seen = (one.outcome, one.outcomes, one.servers, one.seen_source_ips, one.mechanism)
        assert seen == (other.outcome, other.outcomes, other.servers, other.seen_source_ips, other.mechanism), target


def test_a_changed_element_of_the_captured_table_decides() -> None:
    """The captured table is walked, not what kube-proxy should have written; the step quotes the element's line."""
    files = Proxied(release="1.33", mode="nftables", nft=True).files()
    path = f"nodes/{A}/nft-list-ruleset.txt"
    line = f"{CLUSTER_IP['web']} . tcp . 80 : goto service-"
    lines = files[path].splitlines()
    number = next(index for index, text in enumerate(lines) if line in text)
    lines[number] = "\t\telements = { " + f"{CLUSTER_IP['web']} . tcp . 80 : drop,"
    files[path] = "\n".join(lines) + "\n"
    got = dial(cases.world(files), A, f"{CLUSTER_IP['web']}:80")
    assert (got.verdict.outcome, got.verdict.mechanism) == ("timeout", "dropped")
    steps = [step for hop in got.paths[0].hops for step in hop.steps if step.slug == "drop"]
    assert [(one.file, one.line) for one in steps[0].evidence] == [(path, number + 1)]


def test_a_line_of_nftables_that_is_not_read_leaves_the_answer_open() -> None:
    files = Proxied(release="1.33", mode="nftables", nft=True).files()
    path = f"nodes/{A}/nft-list-ruleset.txt"
    files[path] = files[path].replace("\tchain services {\n", "\tchain services {\n\t\tmeta cpu 1 drop\n")
    verdict = dial(cases.world(files), A, f"{CLUSTER_IP['web']}:80").verdict
    assert verdict.outcome == "unknown"
    assert any("meta cpu 1 drop" in name for name in verdict.missing)


def test_a_firewall_in_a_table_of_its_own_counts() -> None:
    """Beside IPVS as well: an accept in one table does not save the packet from the next."""
    files = cases.Cluster(policy="Cluster").files()
    files[f"nodes/{A}/nft-list-ruleset.txt"] = (
        "table inet guard {\n\tset closed {\n\t\ttype inet_service\n\t\telements = { 80, 8000-8090 }\n\t}\n\n"
        "\tchain first {\n\t\ttype filter hook output priority -10; policy accept;\n\t\taccept\n\t}\n\n"
        "\tchain second {\n\t\ttype filter hook output priority filter + 5; policy accept;\n"
        "\t\tct state established,related accept\n\t\tmeta nfproto ipv6 accept\n"
        "\t\ttcp dport @closed counter packets 7 bytes 420 drop\n\t}\n}\n"
    )
    target = f"{cases.CLUSTER_IP}:80"
    assert dial(cases.world(files), A, target).verdict.mechanism == "dropped"
    assert dial(cases.world(files), B, target).verdict.outcome == "ok"


def test_a_firewall_of_the_node_counts_in_nftables_mode() -> None:
    """Nothing in kube-proxy's table accepts forwarded packets."""
    files = Proxied(release="1.33", mode="nftables").files()
    for name in (A, B):
        files[f"nodes/{name}/iptables-save.txt"] = (
            "*filter\n:INPUT ACCEPT [0:0]\n:FORWARD DROP [0:0]\n:OUTPUT ACCEPT [0:0]\nCOMMIT\n"
        )
    verdict = dial(cases.world(files), ON_A, f"{CLUSTER_IP['web']}:80").verdict
    assert (verdict.outcome, verdict.mechanism) == ("timeout", "dropped")


# ---------------------------------------------------------------------- what stays open


def test_an_ebpf_replacement_stays_unknown_with_its_reason() -> None:
    built = world(Proxied(saved=False, labels={"k8s.aliyun.com/no-kube-proxy": "true"}))
    for source, target in (
        (A, f"{CLUSTER_IP['web']}:80"),
        (A, f"127.0.0.1:{NODE_PORT['web']}"),
        (OUTSIDE, f"{NODE_IP[A]}:{NODE_PORT['web']}"),
    ):
        verdict = dial(built, source, target).verdict
        assert (verdict.outcome, verdict.mechanism) == ("unknown", "proxy-mode-not-walked")
        assert "a walk of its proxy mode of node-a" in verdict.missing


def test_an_unknown_mode_stays_unknown() -> None:
    verdict = dial(world(Proxied(mode="", saved=False)), A, f"{CLUSTER_IP['web']}:80").verdict
    assert (verdict.outcome, verdict.mechanism) == ("unknown", "proxy-mode-not-walked")


@pytest.mark.parametrize("path", ["ipvlan", "datapathv2", "exclusive-eni"])
def test_pods_past_the_host_stack(path: str) -> None:
    """As clients they are not followed; as servers they answer past their node, which is known with low confidence only."""
    built = world(Proxied(path=path))
    client = dial(built, ON_A, f"{CLUSTER_IP['web']}:80").verdict
    assert (client.outcome, client.mechanism, client.missing) == (
        "unknown",
        "data-path-not-modelled",
        ("pod data path",),
    )
    # The node is the client, or masquerades: the answer comes back to the node that translated.
    for source, target in ((A, f"{CLUSTER_IP['web']}:80"), (OUTSIDE, f"{NODE_IP[A]}:{NODE_PORT['web']}")):
        found = dial(built, source, target)
        assert (found.verdict.outcome, found.verdict.confidence) == ("ok", "low")
        assert any(step.slug == "bypass" for path_ in found.paths for hop in path_.hops for step in hop.steps)
    # Local keeps the client's address: nobody undoes the translation.
    kept = dial(built, OUTSIDE, f"{NODE_IP[B]}:{NODE_PORT['local']}").verdict
    assert (kept.outcome, kept.mechanism, kept.confidence) == ("timeout", "reply-mismatch", "low")


# ---------------------------------------------------------------------- findings


def findings(cluster: Proxied) -> Findings:
    snapshot = cases.snapshot(cluster.files())
    built = build_world(snapshot)
    return find(snapshot, built, matrix(built))


@pytest.mark.parametrize("saved", [True, False])
def test_a_healthy_iptables_cluster_is_only_told_its_mode(saved: bool) -> None:
    found = findings(Proxied(saved=saved))
    mode = next(one for one in found.findings if one.rule == "MODE-001")
    assert (mode.severity, mode.about, mode.fixes) == ("info", "iptables", ())
    # What IPVS does with a Local policy (REACH-003 to 010) is not said of another mode.
    ipvs_only = {"MODE-002", "REACH-001", *(f"REACH-{number:03}" for number in range(3, 11))}
    assert not ipvs_only & {one.rule for one in found.findings}
    assert not any(one.rule.startswith("DRIFT") for one in found.findings)
    missing = next(one for one in found.findings if one.rule == "INPUT-001").values["missing"]
    assert "ipvsadm" not in missing
    assert "ipset" not in missing


def test_left_over_vips_of_ipvs_are_a_fault() -> None:
    cluster = Proxied()
    files = cluster.files()
    files[f"nodes/{A}/ip-addr.txt"] += (
        "12: kube-ipvs0: <BROADCAST,NOARP> mtu 1500 qdisc noop state DOWN group default\n"
        f"    inet {VIP['web']}/32 scope global kube-ipvs0\n"
    )
    files[f"nodes/{A}/ip-route-all.txt"] += (
        f"local {VIP['web']} dev kube-ipvs0 table local proto kernel scope host src {VIP['web']}\n"
    )
    snapshot = cases.snapshot(files)
    built = build_world(snapshot)
    mode = next(one for one in find(snapshot, built, matrix(built)).findings if one.rule == "MODE-001")
    assert (mode.severity, mode.values["left_over"]) == ("warning", A)
    assert dial(built, A, f"{VIP['web']}:443").verdict.outcome == "refused"


def test_pods_of_the_fixture_are_where_the_texts_say() -> None:
    assert {address for places in ENDPOINTS.values() for _, address, _ in places} == {*POD.values(), NODE_IP[B]}
