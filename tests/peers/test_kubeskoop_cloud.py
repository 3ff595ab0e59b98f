"""W11 to W15: load balancers, where the peer ends the trace, finds no listener, or counts no backend."""

from __future__ import annotations

import json
from ipaddress import ip_address, ip_network
from typing import Any

import pytest

from analyzer.findings.drift import drift
from analyzer.forwarding.model import Source
from tests.forwarding.cases import NODE_IP, NODE_PORT, PORT, TARGET_PORT, VIP, A, B, Cluster
from tests.forwarding.cases import POD as POD_IP
from tests.peers import bundles
from tests.peers.bundles import LB, NODE_A, OUTSIDE, POD_A, SERVER_IP, Case, backend, both_nodes, cloud, listener

FILES = Cluster(policy="Cluster").files()
WEB = {"rsp-web": both_nodes()}
RANGE = ip_network("100.64.0.0/10")
MASTER_SLAVE = "cloud/aliyun/DescribeMasterSlaveServerGroupAttribute-rsp-pair.json"


# ---------------------------------------------------------------------- W11


def test_w11_without_cloud_data_the_packet_leaves_and_the_verdict_names_what_lacks() -> None:
    one = Case(bundles.hidden())
    for source in (POD_A, NODE_A):
        verdict = one.dial(source)
        assert verdict.outcome == "unknown"
        assert any(VIP in name for name in verdict.missing)
    assert not list(drift(one.snapshot))
    assert one.rules <= {"INPUT-001"}


def test_w11_with_cloud_data_the_listener_is_checked_and_the_loop_back_limit_is_told() -> None:
    one = Case(cloud(bundles.hidden(), listener(PORT, VServerGroupId="rsp-web"), groups=WEB))
    trace = one.trace(NODE_A)
    assert f"lb:{VIP}" in {hop.place for path in trace.paths for hop in path.hops}
    assert trace.verdict.outcomes == ("ok", "timeout"), "the backend on the client's own node does not answer"
    assert one.dial(OUTSIDE).outcome == "ok"
    assert one.dial(NODE_A, VIP, 443).mechanism == "lb-no-listener"
    (finding,) = one.found("REACH-011")
    assert (finding.situation, finding.values["share"], finding.services) == ("S11", "50 %", ("default/web",))


# ---------------------------------------------------------------------- W12


def test_w12_a_foreign_listener_works_outside_and_is_no_fault_of_the_service() -> None:
    files = cloud(
        FILES, listener(PORT, VServerGroupId="rsp-web"), listener(443, VServerGroupId="rsp-own"),
        groups={**WEB, "rsp-own": [backend(SERVER_IP, 443)]},
    )  # fmt: skip
    one = Case(files)
    verdict = one.dial(OUTSIDE, VIP, 443)
    assert (verdict.outcome, verdict.servers) == ("ok", (f"external:{SERVER_IP}",))
    about_service = [
        found for found in one.findings.findings if "default/web" in found.services and found.severity != "info"
    ]
    assert {found.rule for found in about_service} == {"REACH-001"}
    assert not [key for found in about_service for key in found.cells if key[0].startswith("external:")]


def test_w12_without_cloud_data_it_is_unknown() -> None:
    verdict = Case(FILES).dial(OUTSIDE, VIP, 443)
    assert (verdict.outcome, verdict.missing) == ("unknown", (f"listeners of load balancer {VIP}",))


def test_w12_a_second_listener_to_the_same_service_is_refused_inside_as_foreign() -> None:
    """HTTPS ends at the load balancer and goes to the Service's nodePort: 443 is still nobody's port on the nodes."""
    files = cloud(
        FILES, listener(PORT, VServerGroupId="rsp-web"), listener(443, "https", VServerGroupId="rsp-web"), groups=WEB
    )
    one = Case(files)
    assert (one.dial(OUTSIDE, VIP, 443).outcome, one.dial(POD_A, VIP, 443).outcome) == ("ok", "refused")
    assert "REACH-001" in one.rules
    assert "REACH-014" not in one.rules, "no firewall is at fault"


# ---------------------------------------------------------------------- W13


KINDS = {
    ("tcp", "named"): 8080,
    ("http", "named"): 8081,
    ("https", "named"): 8082,
    ("tcp", "default"): 8090,
    ("https", "default"): 8091,
}


@pytest.mark.parametrize(("kind", "group"), KINDS)
def test_w13_kinds_of_listeners_and_groups(kind: str, group: str) -> None:
    named = [listener(port, one, VServerGroupId="rsp-web") for (one, where), port in KINDS.items() if where == "named"]
    plain = [
        listener(port, one, BackendServerPort=NODE_PORT) for (one, where), port in KINDS.items() if where == "default"
    ]
    members = [{"ServerId": "i-a", "ServerIp": NODE_IP[A], "Weight": 100, "Type": "ecs"}]
    verdict = Case(cloud(FILES, *named, *plain, groups=WEB, default=members)).dial(OUTSIDE, VIP, KINDS[(kind, group)])
    assert (verdict.outcome, verdict.servers) == ("ok", ("pod:default/web",))


def test_w13_an_older_document_repeats_listeners_as_bare_ports() -> None:
    files = cloud(
        FILES,
        listener(8080, VServerGroupId="rsp-web"),
        listener(8443, VServerGroupId="rsp-web", Status="stopped"),
        groups=WEB,
    )
    attribute = json.loads(files[bundles.ATTRIBUTE])
    del attribute["ListenerPortsAndProtocol"]
    one = Case({**files, bundles.ATTRIBUTE: json.dumps(attribute)})
    assert one.dial(OUTSIDE, VIP, 8080).outcome == "ok"
    assert one.dial(OUTSIDE, VIP, 8443).mechanism == "lb-no-listener"


def test_w13_a_kind_that_is_not_known_is_unknown() -> None:
    one = Case(cloud(FILES, listener(8080, "quic", VServerGroupId="rsp-web"), groups=WEB))
    for protocol in ("tcp", "udp"):
        verdict = one.dial(OUTSIDE, VIP, 8080, protocol)
        assert (verdict.outcome, bool(verdict.missing)) == ("unknown", True)


def test_w13_a_group_that_was_not_collected_is_unknown_and_an_empty_one_is_not() -> None:
    listeners = (listener(8080, VServerGroupId="rsp-gone"), listener(8081, VServerGroupId="rsp-none"))
    one = Case(cloud(FILES, *listeners, groups={"rsp-none": []}))
    gone, none = one.dial(OUTSIDE, VIP, 8080), one.dial(OUTSIDE, VIP, 8081)
    assert (gone.outcome, gone.missing) == ("unknown", (f"backends of {VIP}:8080",))
    assert (none.outcome, none.mechanism) == ("timeout", "lb-no-backend")


@pytest.mark.parametrize("described", [True, False])
def test_w13_a_master_slave_group_is_never_taken_for_empty(described: bool) -> None:
    files = cloud(FILES, listener(8080, MasterSlaveServerGroupId="rsp-pair"))
    if described:
        members = [{**one, "ServerType": role} for one, role in zip(both_nodes(), ("Master", "Slave"), strict=True)]
        files[MASTER_SLAVE] = json.dumps(
            {"MasterSlaveServerGroupId": "rsp-pair", "LoadBalancerId": LB,
             "MasterSlaveBackendServers": {"MasterSlaveBackendServer": members}}
        )  # fmt: skip
    verdict = Case(files).dial(OUTSIDE, VIP, 8080)
    assert verdict.outcome in ("ok", "unknown")
    assert verdict.outcome == "ok" or verdict.missing == (f"backends of {VIP}:8080",)


# ---------------------------------------------------------------------- W14

C_IP = "192.0.2.13"


def three_nodes(**annotations: str) -> Case:
    """Cluster policy; of node-c only the Node object is there."""
    nodes = bundles.objects(FILES, "cluster/nodes.json")
    third: Any = json.loads(json.dumps(nodes[0]))
    third["metadata"] = {"name": "node-c"}
    third["spec"] = {"podCIDR": "198.51.100.64/26", "podCIDRs": ["198.51.100.64/26"]}
    third["status"]["addresses"] = [{"type": "InternalIP", "address": C_IP}]
    nodes[1]["metadata"]["labels"] = {}
    files = bundles.kube_proxy(bundles.with_objects(FILES, "cluster/nodes.json", [*nodes, third]))
    items = bundles.objects(files, "cluster/services.json")
    items[0]["metadata"]["annotations"] = {
        f"service.beta.kubernetes.io/{key}": value for key, value in annotations.items()
    }
    return Case(bundles.with_objects(files, "cluster/services.json", items))


def backends(one: Case) -> list[tuple[str, int]]:
    (implied,) = one.world.load_balancers[VIP].listeners
    return [(found.address, found.port) for found in implied.backends or ()]


def test_w14_cluster_policy_expects_every_node() -> None:
    one = three_nodes()
    assert backends(one) == [(NODE_IP[A], NODE_PORT), (NODE_IP[B], NODE_PORT), (C_IP, NODE_PORT)]
    verdict = one.dial(OUTSIDE)
    assert (verdict.outcome, verdict.layer) == ("ok", "inferred")
    assert set(verdict.seen_source_ips) == {NODE_IP[A], NODE_IP[B], C_IP}
    assert not list(drift(one.snapshot))


def test_w14_eni_backends_are_the_pods() -> None:
    assert backends(three_nodes(**{"backend-type": "eni"})) == [(POD_IP[B], TARGET_PORT)]


def test_w14_local_policy_expects_the_endpoints_node() -> None:
    assert backends(Case(Cluster().files())) == [(NODE_IP[B], NODE_PORT)]


# ---------------------------------------------------------------------- W15


def test_w15_the_load_balancers_own_range() -> None:
    """100.64.0.0/10: connections of layer-7 listeners come from it, health checks too."""
    one = Case(cloud(FILES, listener(443, "https", VServerGroupId="rsp-web"), groups=WEB))
    trace = one.trace(OUTSIDE, VIP, 443)
    sent = [
        step.packet.src for path in trace.paths for hop in path.hops for step in hop.steps if step.slug == "lb-forward"
    ]
    assert sent
    assert all(ip_address(source) in RANGE for source in sent)
    assert one.dial(Source("external", "100.64.0.9"), NODE_IP[A], NODE_PORT).outcome == "ok"


def test_w15_a_stopped_udp_listener() -> None:
    one = Case(cloud(FILES, listener(53, "udp", VServerGroupId="rsp-web", Status="stopped"), groups=WEB))
    verdict = one.dial(OUTSIDE, VIP, 53, "udp")
    assert (verdict.outcome, verdict.mechanism) == ("timeout", "lb-no-listener")
    assert not [row for row in one.matrix.targets if row.target.port == 53]


def test_w15_a_load_balancer_whose_only_listener_is_stopped_is_still_described() -> None:
    files = cloud(FILES, listener(53, "udp", VServerGroupId="rsp-web", Status="stopped"), groups=WEB)
    one = Case({path: text for path, text in files.items() if path != bundles.ATTRIBUTE} | {
        "cloud/aliyun/DescribeLoadBalancers.json": json.dumps(
            {"LoadBalancers": {"LoadBalancer": [{"LoadBalancerId": LB, "Address": VIP, "AddressType": "internet"}]}}
        )
    })  # fmt: skip
    assert one.dial(OUTSIDE, VIP, 443).mechanism == "lb-no-listener"


def test_w15_an_nlb_in_the_shared_label() -> None:
    nlb, group, address = "nlb-case0002", "sgp-web", "203.0.113.77"
    zone = {
        "ZoneId": "z",
        "LoadBalancerAddresses": [{"PublicIPv4Address": address, "PrivateIPv4Address": "192.0.2.77"}],
    }
    documents: dict[str, Any] = {
        "ListLoadBalancers": {"LoadBalancers": [{
            "LoadBalancerId": nlb, "DNSName": f"{nlb}.example.com", "AddressType": "Internet",
            "LoadBalancerStatus": "Active", "ZoneMappings": [zone],
        }]},
        f"ListListeners-{nlb}": {"Listeners": [{
            "ListenerId": "lsn-1", "LoadBalancerId": nlb, "ListenerPort": PORT, "ListenerProtocol": "TCP",
            "ListenerStatus": "Running", "ServerGroupId": group,
        }]},
        f"ListServerGroupServers-{group}": {"Servers": [{
            "ServerGroupId": group, "ServerId": "i-a", "ServerIp": NODE_IP[A], "Port": NODE_PORT, "Weight": 100, "ServerType": "Ecs",
        }]},
    }  # fmt: skip
    files = bundles.labelled(Cluster(policy="Cluster", bound=False).files(), {"hostname": f"{nlb}.example.com"}, nlb)
    one = Case(files | {f"cloud/aliyun/{name}.json": json.dumps(body) for name, body in documents.items()})
    assert one.world.load_balancers[address].id == nlb
    assert (one.dial(OUTSIDE, address).outcome, one.dial(OUTSIDE, address).servers) == ("ok", ("pod:default/web",))
    assert one.dial(OUTSIDE, address, 81).mechanism == "lb-no-listener"
    (row,) = [row for row in one.matrix.targets if row.kind == "load-balancer-listener"]
    assert row.service == "default/web"
