"""Rows of the version matrix beyond the virtual servers: patches, feature gates, both families, host state, configuration."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analyzer import api
from analyzer.evidence import Evidence
from analyzer.kubeproxy import Expected, ProxyNode, Socket, expected, families, proxy_node
from analyzer.kubeproxy.node import fingerprint
from analyzer.snapshot.objects import EndpointAddress, Service, ServicePort

NOWHERE = Evidence("objects", 1)
NODE_IP, NODE_IP6, VIP, EXTERNAL = "192.0.2.11", "2001:db8:1::11", "203.0.113.10", "203.0.113.99"
CLUSTER_IP, CLUSTER_IP6 = "198.51.100.10", "2001:db8:c::10"


def endpoint(address: str, node: str, **more: Any) -> EndpointAddress:
    family = 6 if ":" in address else 4
    one = EndpointAddress(
        address, family, "web", "tcp", 8080, node, True, True, False, "", "", (), "EndpointSlice", NOWHERE
    )  # fmt: skip
    return replace(one, **more)


LOCAL, REMOTE = endpoint("198.51.100.130", "node-a"), endpoint("198.51.100.194", "node-b")
FADING = endpoint("198.51.100.135", "node-a", ready=False, terminating=True)


def service(*endpoints: EndpointAddress, **more: Any) -> Service:
    one = Service(
        "default", "web", "LoadBalancer", (CLUSTER_IP,), (), ((VIP, ""),), (), "Cluster", "Cluster", None, None, (), "",
        {}, {}, (ServicePort("web", "tcp", 80, "8080", 30080, NOWHERE),), endpoints or (LOCAL, REMOTE), "", NOWHERE,
    )  # fmt: skip
    return replace(one, **more)


def on(version: str, *services: Service, family: int = 4, **more: Any) -> Expected:
    major, minor, patch = (int(part) for part in version.split("."))
    node = ProxyNode(
        "node-a", (NODE_IP, NODE_IP6), (major, minor), node_ip=NODE_IP, node_ip6=NODE_IP6, patch=patch, kernel=(5, 10)
    )  # fmt: skip
    return expected(services or (service(),), replace(node, **more), family=family)


def chain(state: Expected, name: str, table: str = "filter") -> list[str]:
    return [rule for where, chain, rule in state.rules if (where, chain) == (table, name)]


@pytest.mark.parametrize(
    ("version", "shown", "returned", "open_"),
    [
        ("1.26.0", None, False, False),
        ("1.26.9", None, True, True),
        ("1.27.1", None, False, False),
        ("1.27.4", frozenset({"KUBE-CLUSTER-IP"}), False, False),
        ("1.27.4", frozenset({"KUBE-HEALTH-CHECK-NODE-PORT"}), True, False),
        ("1.28.0", None, True, False),
    ],
)
def test_m22b_a_fix_in_patch_releases(version: str, shown: frozenset[str] | None, returned: bool, open_: bool) -> None:
    state = on(version, service(health_check_node_port=31000, external_policy="Local"), filter_returns=shown)
    assert any("KUBE-HEALTH-CHECK-NODE-PORT" in rule for rule in chain(state, "KUBE-IPVS-FILTER")) == returned
    assert ("M22b health-check return" in state.undecided) == open_
    assert not on(version, filter_returns=shown).undecided, "nothing hangs on it"


@pytest.mark.parametrize(
    ("version", "returned", "open_"), [("1.28.3", False, False), ("1.29.5", True, True), ("1.30.0", True, False)]
)
def test_m22c_a_fix_in_patch_releases(version: str, returned: bool, open_: bool) -> None:
    state = on(version, service(external_ips=(EXTERNAL,), external_policy="Local"))
    assert any("KUBE-EXTERNAL-IP-LOCAL" in rule for rule in chain(state, "KUBE-IPVS-FILTER")) == returned
    assert ("M22c external-local return" in state.undecided) == open_


@pytest.mark.parametrize(
    ("version", "bound"), [("1.26.4", True), ("1.27.1", True), ("1.27.2", False), ("1.28.0", False)]
)
def test_m9_m11b_m22d_a_nic_address(version: str, bound: bool) -> None:
    state = on(version, service(ingress=((NODE_IP, ""),)))
    assert (NODE_IP in state.vips) == (NODE_IP in state.sets["KUBE-IPVS-IPS"][1]) == bound
    assert (("tcp", NODE_IP, 30080) in state.servers) == (not bound)
    assert not state.undecided


@pytest.mark.parametrize(
    ("version", "gates", "real"),
    [
        ("1.25.0", {}, REMOTE.address),
        ("1.25.0", {"ProxyTerminatingEndpoints": True}, FADING.address),
        ("1.27.0", {"ProxyTerminatingEndpoints": False}, REMOTE.address),
        ("1.28.0", {"ProxyTerminatingEndpoints": False}, FADING.address),
    ],
)
def test_m3_follows_the_feature_gate(version: str, gates: dict[str, bool], real: str) -> None:
    state = on(version, service(FADING, REMOTE, external_policy="Local"), feature_gates=gates)
    assert state.servers[("tcp", VIP, 80)].real_servers == ((real, 8080),)


@pytest.mark.parametrize(
    ("version", "gates", "skipped"),
    [
        ("1.29.0", {}, False),
        ("1.29.0", {"LoadBalancerIPMode": True}, True),
        ("1.31.0", {"LoadBalancerIPMode": False}, False),
    ],
)
def test_m8_follows_the_feature_gate(version: str, gates: dict[str, bool], skipped: bool) -> None:
    assert (VIP not in on(version, service(ingress=((VIP, "Proxy"),)), feature_gates=gates).vips) == skipped


@pytest.mark.parametrize(
    ("version", "narrowed", "open_"), [("1.30.0", False, False), ("1.32.0", True, True), ("1.33.0", True, False)]
)
def test_m7_hints_without_annotation(version: str, narrowed: bool, open_: bool) -> None:
    hinted = service(replace(LOCAL, hint_zones=("z1",)), replace(REMOTE, hint_zones=("z2",)))
    state = on(version, hinted, zone="z2")
    assert len(state.servers[("tcp", VIP, 80)].real_servers) == (1 if narrowed else 2)
    assert bool(state.undecided) == open_


def test_m15_flags_of_maglev() -> None:
    assert {one.flags for one in on("1.26.0", scheduler="mh").servers.values()} == {()}
    assert {one.flags for one in on("1.27.0", scheduler="mh").servers.values()} == {("mh-port",)}


def test_m16_sockets() -> None:
    named = service(external_ips=(EXTERNAL,), health_check_node_port=31000)
    healthy = Socket("tcp", "", 31000, "health-check")
    assert on("1.24.0", named).sockets == (healthy,)
    assert on("1.23.4", named).sockets == (
        Socket("tcp", EXTERNAL, 80, "external-ip"),
        healthy,
        Socket("tcp", "", 30080, "node-port"),
    )
    narrow = on("1.23.4", node_port_addresses=("192.0.2.0/24",))
    assert narrow.sockets == (Socket("tcp", NODE_IP, 30080, "node-port"),)
    sctp = service(ports=(ServicePort("web", "sctp", 80, "8080", 30080, NOWHERE),))
    assert on("1.23.4", sctp).sockets == ()


@pytest.mark.parametrize(
    ("detector", "rule"),
    [
        (
            {"cluster_cidr": "2001:db8:f::/48,198.51.100.128/25"},
            "! -s 198.51.100.128/25 -m set --match-set KUBE-CLUSTER-IP dst,dst",
        ),
        ({"local_interface": "cni0"}, "! -i cni0 -m set --match-set KUBE-CLUSTER-IP dst,dst"),
        ({"local_interface": "veth+"}, "! -i veth+ -m set --match-set KUBE-CLUSTER-IP dst,dst"),
        ({"cluster_cidr": "2001:db8:f::/48"}, "-m set --match-set KUBE-CLUSTER-IP src,dst"),
        ({"cluster_cidr": "198.51.100.128/25", "masquerade_all": True}, "-m set --match-set KUBE-CLUSTER-IP dst,dst"),
    ],
)
def test_m18b_detectors(detector: dict[str, Any], rule: str) -> None:
    assert f"{rule} -j KUBE-MARK-MASQ" in chain(on("1.28.0", **detector), "KUBE-SERVICES", "nat")


def test_the_mark_is_configurable() -> None:
    state = on("1.28.0", masquerade_bit=7)
    assert chain(state, "KUBE-MARK-MASQ", "nat") == ["-j MARK --set-xmark 0x80/0x80"]
    assert chain(state, "KUBE-POSTROUTING", "nat")[1:3] == [
        "-m mark ! --mark 0x80/0x80 -j RETURN",
        "-j MARK --set-xmark 0x80/0x0",
    ]


def test_m11c_addresses_count_per_family() -> None:
    dual = service(cluster_ips=(CLUSTER_IP, CLUSTER_IP6))
    state = on("1.30.0", dual, node_port_addresses=("203.0.113.0/24",))
    assert {address for _, address, port in state.servers if port == 30080} == {VIP, NODE_IP6}
    primary = on("1.33.0", dual, node_port_addresses=("primary",), addresses=(NODE_IP, NODE_IP6, "192.0.2.65"))
    assert {address for _, address, port in primary.servers if port == 30080} == {NODE_IP, NODE_IP6}


def test_m21_range_of_length_0_cannot_be_a_member() -> None:
    state = on("1.28.0", service(source_ranges=("0.0.0.0/0", "2001:db8::/32")))
    assert state.sets["KUBE-LOAD-BALANCER-SOURCE-CIDR"][1] == ()
    assert state.sets["KUBE-LOAD-BALANCER-SOURCE-IP"][1] == (f"{VIP},tcp:80,{VIP}",)
    assert "M21 range of length 0" in state.undecided


def test_m21_old_path_by_the_kubelets_chain() -> None:
    state = on("1.23.0", service(source_ranges=("203.0.113.0/29",)))
    assert chain(state, "KUBE-LOAD-BALANCER", "nat")[0].endswith("KUBE-LOAD-BALANCER-FW dst,dst -j KUBE-FIREWALL")
    assert [rule.rpartition(" ")[2] for rule in chain(state, "KUBE-FIREWALL", "nat")] == ["RETURN", "KUBE-MARK-DROP"]
    assert "-m mark --mark 0x8000/0x8000 -j DROP" in chain(state, "KUBE-FIREWALL")
    assert "-j KUBE-FIREWALL" in chain(state, "OUTPUT")


@pytest.mark.parametrize(
    ("version", "kernel", "mode"),
    [("1.21.0", (5, 10), "0"), ("1.22.0", (5, 10), None), ("1.22.0", (5, 4), "0"), ("1.30.0", (3, 10), None)],
)
def test_m25_conn_reuse_mode(version: str, kernel: tuple[int, int], mode: str | None) -> None:
    assert on(version, kernel=kernel).sysctls.get("net.ipv4.vs.conn_reuse_mode") == mode


def test_m25_other_sysctls() -> None:
    assert on("1.20.0").sysctls["net.ipv4.conf.all.route_localnet"] == "1"
    strict = on("1.28.0", strict_arp=True).sysctls
    assert (strict["net.ipv4.conf.all.arp_ignore"], strict["net.ipv4.conf.all.arp_announce"]) == ("1", "2")
    assert "net.ipv4.conf.all.route_localnet" not in strict
    assert "M25 conn_reuse_mode" in on("1.28.0", kernel=None).undecided


def test_m30_the_ipv6_proxier() -> None:
    pod = endpoint("2001:db8:a::5", "node-a")
    dual = service(
        LOCAL, pod, cluster_ips=(CLUSTER_IP, CLUSTER_IP6), ingress=((VIP, ""), ("2001:db8::10", "")), source_ranges=("2001:db8:9::/64",)
    )  # fmt: skip
    state = on("1.30.0", dual, family=6, cluster_cidr="198.51.100.128/25,2001:db8:a::/48")
    assert all(name.startswith("KUBE-6-") and len(name) <= 31 for name in state.sets)
    assert state.sets["KUBE-6-LOAD-BALANCER-SOURCE-CID"] == (
        "hash:ip,port,net",
        ("2001:db8::10,tcp:80,2001:db8:9::/64",),
    )
    assert state.sets["KUBE-6-LOOP-BACK"][1] == ("2001:db8:a::5,tcp:8080,2001:db8:a::5",)
    assert set(state.sets["KUBE-6-IPVS-IPS"][1]) == {CLUSTER_IP6, "2001:db8::10"}
    services = chain(state, "KUBE-SERVICES", "nat")
    assert services[0] == "-s ::1/128 -j RETURN"
    assert "! -s 2001:db8:a::/48 -m set --match-set KUBE-6-CLUSTER-IP dst,dst -j KUBE-MARK-MASQ" in services
    assert chain(state, "KUBE-IPVS-FILTER")[-1].endswith(
        "KUBE-6-IPVS-IPS dst -j REJECT --reject-with icmp6-port-unreachable"
    )
    assert chain(state, "KUBE-IPVS-OUT-FILTER")[0].startswith(
        "-s 2001:db8::10/128 -m ipvs --vproto 6 --vaddr 2001:db8::10"
    )
    assert not chain(state, "KUBE-FIREWALL")
    assert state.servers[("tcp", CLUSTER_IP6, 80)].real_servers == (("2001:db8:a::5", 8080),)


def test_a_proxier_takes_only_what_its_family_has_a_cluster_ip_for() -> None:
    state = on("1.30.0", service(ingress=((VIP, ""), ("2001:db8::10", ""))))
    assert {address for _, address, _ in state.servers} == {CLUSTER_IP, VIP, NODE_IP}


def test_two_services_that_claim_one_address_and_port() -> None:
    state = on("1.30.0", service(LOCAL), service(REMOTE, name="other", cluster_ips=("198.51.100.11",)))
    assert state.contested == {("tcp", VIP, 80), ("tcp", NODE_IP, 30080)}
    assert f"F9 tcp/{VIP}:80" in state.undecided


def test_an_unknown_version_is_noted_where_it_matters() -> None:
    node = ProxyNode("node-a", (NODE_IP,), None, kernel=(6, 1))
    plain = expected(
        [service(REMOTE, type="ClusterIP", ingress=(), ports=(ServicePort("web", "tcp", 80, "8080", None, NOWHERE),))],
        node,
    )
    assert plain.undecided == ("M22a KUBE-IPVS-FILTER", "M25 conn_reuse_mode")
    local = expected([service(REMOTE, external_policy="Local", ingress=((VIP, "Proxy"),))], node)
    assert {"M2 fallback of Local servers", "M8 ipMode: Proxy", "M16 held sockets"} <= set(local.undecided)


def test_what_a_member_is_there_for() -> None:
    state = on("1.28.0")
    for name, (_, members) in state.sets.items():
        for member in members:
            assert state.asked[name][member][0] == "default/web"


@pytest.mark.parametrize(
    ("rules", "version"),
    [
        ([("OUTPUT", "KUBE-IPVS-OUT-FILTER", "")], (1, 29)),
        ([("INPUT", "KUBE-IPVS-FILTER", "")], (1, 26)),
        (
            [
                ("INPUT", "KUBE-IPVS-FILTER", ""),
                ("KUBE-IPVS-FILTER", "RETURN", "-m set --match-set KUBE-HEALTH-CHECK-NODE-PORT dst -j RETURN"),
            ],
            (1, 28),
        ),
        ([("INPUT", "KUBE-PROXY-FIREWALL", "")], (1, 25)),
        ([("INPUT", "KUBE-FIREWALL", "")], None),
    ],
)
def test_fingerprints(rules: list[tuple[str, str, str]], version: tuple[int, int] | None) -> None:
    assert fingerprint([{"chain": chain, "target": target, "rule": rule} for chain, target, rule in rules]) == version


def test_configuration_of_a_node(tmp_path: Path) -> None:
    config = """kind: KubeProxyConfiguration
mode: ipvs
clusterCIDR: 198.51.100.0/24
detectLocalMode: NodeCIDR
iptables: {masqueradeBit: 5}
ipvs: {scheduler: mh, strictARP: true, excludeCIDRs: [203.0.113.0/24]}
featureGates: {LoadBalancerIPMode: false}
nodePortAddresses: [192.0.2.0/24]
"""
    node = {
        "kind": "Node", "apiVersion": "v1", "metadata": {"name": "node-a"},
        "spec": {"podCIDRs": ["198.51.100.128/25"]},
        "status": {
            "addresses": [{"type": "InternalIP", "address": NODE_IP}, {"type": "InternalIP", "address": NODE_IP6}],
            "nodeInfo": {"kubeProxyVersion": "v1.27.4", "kernelVersion": "5.4.0-1"},
        },
    }  # fmt: skip
    maps = {
        "kind": "ConfigMap", "apiVersion": "v1", "metadata": {"name": "kube-proxy", "namespace": "kube-system"},
        "data": {"config.conf": config},
    }  # fmt: skip
    (tmp_path / "cluster").mkdir()
    (tmp_path / "cluster" / "nodes.json").write_text(json.dumps({"kind": "List", "apiVersion": "v1", "items": [node]}))
    (tmp_path / "cluster" / "configmap-kube-proxy.json").write_text(json.dumps(maps))
    with api.opened(tmp_path) as snapshot:
        got = proxy_node(snapshot, "node-a")
        assert families(snapshot, "node-a") == (4,)
    assert (got.version, got.patch, got.kernel, got.node_ip, got.node_ip6) == ((1, 27), 4, (5, 4), NODE_IP, NODE_IP6)
    assert (got.cluster_cidr, got.masquerade_bit, got.scheduler, got.strict_arp) == ("198.51.100.128/25", 5, "mh", True)
    assert (got.exclude_cidrs, got.node_port_addresses) == (("203.0.113.0/24",), ("192.0.2.0/24",))
    assert (dict(got.feature_gates), got.open) == ({"LoadBalancerIPMode": False}, ())


TEXTS = st.sampled_from(
    ["", "None", "nonsense", "0.0.0.0/0", "::/0", VIP, CLUSTER_IP, CLUSTER_IP6, NODE_IP, "::1", "300.1.1.1"]
)


@settings(max_examples=150, deadline=None)
@given(
    st.lists(TEXTS, max_size=3).map(tuple),
    st.lists(TEXTS, max_size=3).map(tuple),
    st.lists(TEXTS, max_size=3).map(tuple),
    st.none() | st.tuples(st.just(1), st.integers(0, 60)),
    st.sampled_from(["Local", "Cluster"]),
    st.sampled_from([4, 6]),
)
def test_any_objects_give_a_state(
    cluster: tuple[str, ...],
    other: tuple[str, ...],
    cidrs: tuple[str, ...],
    version: tuple[int, int] | None,
    policy: str,
    family: int,
) -> None:
    odd = service(
        cluster_ips=cluster, external_ips=other, ingress=tuple((ip, "") for ip in other), source_ranges=cidrs, external_policy=policy,
        internal_policy=policy, health_check_node_port=31000,
    )  # fmt: skip
    node = ProxyNode(
        "node-a", other, version, cluster_cidr=",".join(cidrs), node_port_addresses=cidrs, exclude_cidrs=cidrs
    )
    state = expected([odd], node, family=family)
    assert all(chain in {name for _, name in state.chains} for _, chain, _ in state.rules if chain.startswith("KUBE-"))
    assert set(state.vips) <= {address for _, address, _ in state.servers}
