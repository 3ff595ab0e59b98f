"""The version matrix of kube-proxy's IPVS mode on hand-made Services, row by row (docs/kube-proxy-versions.md)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from analyzer.evidence import Evidence
from analyzer.kubeproxy.expected import ProxyNode, expected
from analyzer.kubeproxy.model import Expected
from analyzer.snapshot.objects import EndpointAddress, Service, ServicePort

VERSIONS = (20, 22, 23, 24, 26, 28, 30)
HERE, THERE = "node-a", "node-b"
NODE_IP, CLUSTER_IP, VIP, EXTERNAL = "192.0.2.11", "198.51.100.10", "203.0.113.10", "203.0.113.99"
LOCAL_POD, REMOTE_POD, FADING_POD = "198.51.100.130", "198.51.100.194", "198.51.100.135"
NOWHERE = Evidence("objects", 1)


def endpoint(address: str, node: str, **more: Any) -> EndpointAddress:
    one = EndpointAddress(
        address,
        6 if ":" in address else 4,
        "web",
        "tcp",
        8080,
        node,
        True,
        True,
        False,
        "",
        "",
        (),
        "EndpointSlice",
        NOWHERE,
    )
    return replace(one, **more)


REMOTE = endpoint(REMOTE_POD, THERE)
LOCAL = endpoint(LOCAL_POD, HERE)
FADING = endpoint(FADING_POD, HERE, ready=False, serving=True, terminating=True)
FADING_THERE = endpoint("198.51.100.199", THERE, ready=False, serving=True, terminating=True)


def service(*endpoints: EndpointAddress, protocol: str = "tcp", **more: Any) -> Service:
    one = Service(
        "default", "web", "LoadBalancer", (CLUSTER_IP,), (EXTERNAL,), ((VIP, ""),), (), "Cluster", "Cluster", None, None, (), "",
        {}, {}, (ServicePort("web", protocol, 80, "8080", 30080, NOWHERE),),
        tuple(replace(one, protocol=protocol) for one in endpoints), "", NOWHERE,
    )  # fmt: skip
    return replace(one, **more)


def on(minor: int, *services: Service, **more: Any) -> Expected:
    node = ProxyNode(HERE, (NODE_IP, "192.0.2.65"), (1, minor), cluster_cidr="198.51.100.128/25", node_ip=NODE_IP)
    return expected(services, replace(node, **more))


def real(state: Expected, address: str, port: int = 80, protocol: str = "tcp") -> list[str]:
    return [ip for ip, _ in state.servers[(protocol, address, port)].real_servers]


def members(state: Expected, name: str) -> tuple[str, ...]:
    return state.sets[name][1]


def has_rule(state: Expected, chain: str, part: str, table: str = "filter") -> bool:
    return any((table, chain) == (t, c) and part in rule for t, c, rule in state.rules)


pytestmark = pytest.mark.parametrize("minor", VERSIONS)


def external_servers(state: Expected) -> list[list[str]]:
    return [real(state, VIP), real(state, EXTERNAL), real(state, NODE_IP, 30080)]


def test_m1_local_policy_lists_local_endpoints_only(minor: int) -> None:
    state = on(minor, service(LOCAL, REMOTE, external_policy="Local"))
    assert external_servers(state) == [[LOCAL_POD]] * 3
    assert real(state, CLUSTER_IP) == [LOCAL_POD, REMOTE_POD]


def test_m2_local_policy_without_local_endpoint(minor: int) -> None:
    state = on(minor, service(REMOTE, external_policy="Local"))
    assert external_servers(state) == [[REMOTE_POD] if minor >= 24 else []] * 3


@pytest.mark.parametrize(("seen", "wanted"), [("none", []), ("all", [REMOTE_POD])])
def test_m2_what_the_node_shows_beats_the_version(minor: int, seen: str, wanted: list[str]) -> None:
    assert external_servers(on(minor, service(REMOTE, external_policy="Local"), local_fallback=seen)) == [wanted] * 3


def test_m3_terminating_local_endpoints(minor: int) -> None:
    state = on(minor, service(FADING, REMOTE, external_policy="Local"))
    assert real(state, VIP) == ([FADING_POD] if minor >= 26 else [REMOTE_POD] if minor >= 24 else [])


def test_m4_only_terminating_endpoints_left(minor: int) -> None:
    state = on(minor, service(FADING, FADING_THERE))
    wanted = [FADING_POD, "198.51.100.199"] if minor >= 26 else []
    assert real(state, VIP) == real(state, CLUSTER_IP) == wanted


def test_m5_internal_policy_of_a_plain_service(minor: int) -> None:
    plain = service(REMOTE, type="ClusterIP", external_ips=(), ingress=(), internal_policy="Local")
    assert real(on(minor, plain), CLUSTER_IP) == ([] if minor >= 22 else [REMOTE_POD])


@pytest.mark.parametrize("policy", ["Cluster", "Local"])
def test_m6a_internal_policy_of_a_service_open_to_the_outside(minor: int, policy: str) -> None:
    state = on(minor, service(REMOTE, internal_policy="Local", external_policy=policy))
    assert real(state, CLUSTER_IP) == ([] if minor in (22, 23) else [REMOTE_POD])


def test_m6b_internal_policy_leaks_to_external_servers(minor: int) -> None:
    state = on(minor, service(REMOTE, LOCAL, internal_policy="Local"))
    wanted = [LOCAL_POD] if minor in (22, 23) else [REMOTE_POD, LOCAL_POD]
    assert external_servers(state) == [wanted] * 3


def test_m7_zone_hints(minor: int) -> None:
    near, far = replace(REMOTE, hint_zones=("z1",)), replace(LOCAL, hint_zones=("z2",))
    hinted = service(near, far, annotations={"service.kubernetes.io/topology-aware-hints": "auto"})
    assert real(on(minor, hinted, zone="z1"), VIP) == ([REMOTE_POD] if minor >= 24 else [REMOTE_POD, LOCAL_POD])
    assert len(real(on(minor, hinted, zone="z3"), VIP)) == 2  # no endpoint for this zone
    assert len(real(on(minor, replace(hinted, annotations={}), zone="z1"), VIP)) == 2


def test_m8_hostname_and_ip_mode(minor: int) -> None:
    state = on(minor, service(REMOTE, ingress=(), hostnames=("lb.example",)))
    assert VIP not in state.vips
    proxied = on(minor, service(REMOTE, ingress=((VIP, "Proxy"),)))
    assert (VIP in proxied.vips) == (("tcp", VIP, 80) in proxied.servers) == (minor < 30)


def test_m9_an_address_of_another_interface(minor: int) -> None:
    state = on(minor, service(REMOTE, ingress=((NODE_IP, ""),)))
    assert (NODE_IP in state.vips) == (minor < 28)
    assert real(state, NODE_IP) == [REMOTE_POD]


def test_m10_servers_of_a_port(minor: int) -> None:
    state = on(minor, service(REMOTE))
    addresses = {(CLUSTER_IP, 80), (EXTERNAL, 80), (VIP, 80), (NODE_IP, 30080), ("192.0.2.65", 30080)}
    if minor < 22:  # M11
        addresses.add(("127.0.0.1", 30080))
    assert {key[1:] for key in state.servers} == addresses
    assert not on(minor, service(REMOTE, cluster_ips=("None",))).servers
    assert not on(minor, service(REMOTE, type="ExternalName", cluster_ips=())).servers


def test_m11_no_link_local_addresses(minor: int) -> None:
    six = service(cluster_ips=("2001:db8:c::10",), external_ips=(), ingress=())
    state = on(minor, six, addresses=("2001:db8:1::11", "fe80::1", "::1"))
    assert {address for _, address, port in state.servers if port == 30080 and ":" in address} == {"2001:db8:1::11"}


def test_m11b_a_nic_address_that_is_also_a_vip(minor: int) -> None:
    state = on(minor, service(REMOTE, ingress=((NODE_IP, ""),)))
    assert (("tcp", NODE_IP, 30080) in state.servers) == (minor not in (23, 24, 26))


def test_m11c_node_port_addresses(minor: int) -> None:
    narrow = on(minor, service(REMOTE), node_port_addresses=("192.0.2.64/26",))
    assert {address for _, address, port in narrow.servers if port == 30080} == {"192.0.2.65"}
    wide = on(minor, service(REMOTE), node_port_addresses=("198.51.100.0/24",))
    assert {address for _, address, port in wide.servers if port == 30080} == {CLUSTER_IP}


def test_m12_m13_no_node_port_and_a_class(minor: int) -> None:
    port = ServicePort("web", "tcp", 80, "8080", None, NOWHERE)
    state = on(minor, service(REMOTE, ports=(port,), load_balancer_class="example.com/lb"))
    assert {key[1] for key in state.servers} == {CLUSTER_IP, EXTERNAL, VIP}


def test_m14_m15_affinity_and_scheduler(minor: int) -> None:
    state = on(minor, service(REMOTE, affinity_s=600), scheduler="wrr")
    assert {(one.persistence_s, one.scheduler) for one in state.servers.values()} == {(600, "wrr")}


def test_m17_marks_by_set(minor: int) -> None:
    cluster, local = on(minor, service(REMOTE)), on(minor, service(REMOTE, external_policy="Local"))
    pair = f"{VIP},tcp:80"
    assert members(cluster, "KUBE-LOAD-BALANCER") == members(local, "KUBE-LOAD-BALANCER") == (pair,)
    assert (members(cluster, "KUBE-LOAD-BALANCER-LOCAL"), members(local, "KUBE-LOAD-BALANCER-LOCAL")) == ((), (pair,))
    assert (members(cluster, "KUBE-NODE-PORT-LOCAL-TCP"), members(local, "KUBE-NODE-PORT-LOCAL-TCP")) == (
        (),
        ("30080",),
    )
    assert members(cluster, "KUBE-EXTERNAL-IP") == members(local, "KUBE-EXTERNAL-IP-LOCAL") == (f"{EXTERNAL},tcp:80",)
    assert not members(local, "KUBE-EXTERNAL-IP")
    assert has_rule(local, "KUBE-LOAD-BALANCER", "KUBE-LOAD-BALANCER-LOCAL dst,dst -j RETURN", "nat")
    chain = [rule for table, name, rule in local.rules if (table, name) == ("nat", "KUBE-LOAD-BALANCER")]
    assert chain[-1] == "-j KUBE-MARK-MASQ"


def test_m17c_sctp_node_ports(minor: int) -> None:
    state = on(minor, service(REMOTE, protocol="sctp", external_policy="Local"))
    assert f"{NODE_IP},sctp:30080" in members(state, "KUBE-NODE-PORT-LOCAL-SCTP-HASH")
    chain = [rule.rpartition(" ")[2] for table, name, rule in state.rules if (table, name) == ("nat", "KUBE-NODE-PORT")]
    assert chain == (["RETURN", "KUBE-MARK-MASQ"] if minor >= 23 else ["KUBE-MARK-MASQ", "RETURN"]), (
        "marked by mistake up to 1.22"
    )


@pytest.mark.parametrize(
    ("node", "rule"),
    [
        ({"masquerade_all": True}, "--match-set KUBE-CLUSTER-IP dst,dst -j KUBE-MARK-MASQ"),
        ({}, "! -s 198.51.100.128/25 -m set --match-set KUBE-CLUSTER-IP dst,dst -j KUBE-MARK-MASQ"),
        ({"cluster_cidr": ""}, "-m set --match-set KUBE-CLUSTER-IP src,dst -j KUBE-MARK-MASQ"),
    ],
)
def test_m18_how_cluster_ips_are_marked(minor: int, node: dict[str, Any], rule: str) -> None:
    assert has_rule(on(minor, service(REMOTE), **node), "KUBE-SERVICES", rule, "nat")


def test_m19_hairpin_entries_are_local_ready_or_not(minor: int) -> None:
    state = on(minor, service(LOCAL, REMOTE, endpoint("198.51.100.140", HERE, ready=False, serving=False)))
    pods = (LOCAL_POD, "198.51.100.140")
    assert members(state, "KUBE-LOOP-BACK") == tuple(f"{pod},tcp:8080,{pod}" for pod in pods)
    assert has_rule(on(minor, service(REMOTE)), "KUBE-POSTROUTING", "KUBE-LOOP-BACK", "nat") is False


def test_m20_bitmaps_know_no_address(minor: int) -> None:
    state = on(minor, service(REMOTE))
    assert state.sets["KUBE-NODE-PORT-TCP"] == ("bitmap:port", ("30080",))


def sources(*ranges: str) -> Service:
    return service(REMOTE, source_ranges=ranges)


def test_m21_source_ranges(minor: int) -> None:
    state = on(minor, sources("198.51.100.128/25", "203.0.113.77/32"))
    pair = f"{VIP},tcp:80"
    assert members(state, "KUBE-LOAD-BALANCER-FW") == (pair,)
    assert members(state, "KUBE-LOAD-BALANCER-SOURCE-CIDR") == (f"{pair},198.51.100.128/25", f"{pair},203.0.113.77")
    assert not members(state, "KUBE-LOAD-BALANCER-SOURCE-IP")
    assert members(on(minor, sources("192.0.2.0/24")), "KUBE-LOAD-BALANCER-SOURCE-IP") == (f"{pair},{VIP}",)
    assert has_rule(state, "KUBE-FIREWALL", "-j KUBE-MARK-DROP", "nat") == (minor <= 24)
    assert has_rule(state, "KUBE-SOURCE-RANGES-FIREWALL", "-j DROP") == (minor >= 25)
    dropped = f"-s {VIP}/32 -m ipvs --vproto 6 --vaddr {VIP} --vport 80 -j DROP"
    assert has_rule(state, "KUBE-IPVS-OUT-FILTER", dropped) == (minor >= 29)
    assert not has_rule(on(minor, sources("192.0.2.0/24")), "KUBE-IPVS-OUT-FILTER", "DROP")


def test_m22_the_filter_of_unserved_ports(minor: int) -> None:
    state = on(minor, service(REMOTE, health_check_node_port=31000, external_policy="Local"))
    assert has_rule(state, "INPUT", "-j KUBE-IPVS-FILTER") == (minor >= 26)
    rejected = (
        "-m conntrack --ctstate NEW -m set --match-set KUBE-IPVS-IPS dst -j REJECT --reject-with icmp-port-unreachable"
    )
    assert has_rule(state, "KUBE-IPVS-FILTER", rejected) == (minor >= 26)
    assert has_rule(state, "KUBE-IPVS-FILTER", "KUBE-HEALTH-CHECK-NODE-PORT dst -j RETURN") == (minor >= 28)
    assert has_rule(state, "KUBE-IPVS-FILTER", "KUBE-EXTERNAL-IP-LOCAL dst,dst -j RETURN") == (minor >= 30)
    assert has_rule(state, "KUBE-NODE-PORT", "KUBE-HEALTH-CHECK-NODE-PORT dst -j ACCEPT") == (minor >= 21)
    if minor >= 26:
        assert set(members(state, "KUBE-IPVS-IPS")) == set(state.vips) == {CLUSTER_IP, VIP, EXTERNAL}
    else:
        assert "KUBE-IPVS-IPS" not in state.sets


def test_rules_are_read_in_the_order_of_the_version(minor: int) -> None:
    chain: Sequence[str] = [
        rule for table, name, rule in on(minor, service(REMOTE)).rules if (table, name) == ("nat", "KUBE-SERVICES")
    ]
    assert (chain[0] == "-s 127.0.0.0/8 -j RETURN") == (minor >= 26)
    node_port = chain.index("-m addrtype --dst-type LOCAL -j KUBE-NODE-PORT")
    assert chain[-1].endswith("KUBE-LOAD-BALANCER dst,dst -j ACCEPT")
    assert all("-j ACCEPT" in rule for rule in chain[node_port + 1 :])
