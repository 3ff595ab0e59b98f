"""The article's regression table, A1 to A13: what is said there about load-balancer addresses, node by node.

"Old" and "new" mean without and with the fallback of Local servers, "filter" means KUBE-IPVS-FILTER; both are read off the
captures. Golden cases (observed on kernels) are named beside the row.
"""

from __future__ import annotations

import pytest

from analyzer.forwarding.model import Source
from tests.forwarding.cases import CLIENT_POD, NODE_IP, NODE_PORT, OUTSIDE, PORT, VIP, A, B, Cluster
from tests.peers import bundles
from tests.peers.bundles import (
    NODE_A,
    NODE_B,
    POD_A,
    POD_B,
    SERVER_IP,
    Case,
    backend,
    both_nodes,
    case,
    cloud,
    listener,
)
from tests.peers.bundles import OUTSIDE as CLIENT

OLD, NEW = "1.22.0", "1.28.3"
INSIDE = pytest.mark.parametrize("source", [NODE_A, POD_A], ids=["node", "pod"])
NGINX = ("0.0.0.0:443",)


@INSIDE
@pytest.mark.parametrize("chain", [False, True], ids=["no-filter", "filter"])
def test_a01_a_bound_vip_without_virtual_server_refuses_at_once(source: Source, chain: bool) -> None:
    """G01a, G01b."""
    one = case(policy="Cluster", version=NEW if chain else OLD, filter_chain=chain)
    assert one.dial(source, VIP, 443).outcome == "refused"


@INSIDE
def test_a02_a_process_of_the_node_answers_in_its_place(source: Source) -> None:
    """G02a, G02b."""
    one = case(policy="Cluster", version=OLD, filter_chain=False, listeners=NGINX)
    verdict = one.dial(source, VIP, 443)
    assert (verdict.outcome, verdict.servers) == ("wrong-server", (f"node:{A}",))
    assert one.trace(source, VIP, 443).paths[0].values["process"] == "nginx"


@INSIDE
def test_a02_with_the_filter_it_is_refused_all_the_same(source: Source) -> None:
    """G03a, G03b."""
    verdict = case(policy="Cluster", listeners=NGINX).dial(source, VIP, 443)
    assert (verdict.outcome, verdict.mechanism) == ("refused", "ipvs-filter-reject")


def shared_load_balancer() -> Case:
    """The article's case: a reused load balancer with a listener of its own beside the Service's."""
    files = cloud(
        Cluster(policy="Cluster").files(), listener(PORT, VServerGroupId="rsp-web"), listener(443, VServerGroupId="rsp-own"),
        groups={"rsp-web": both_nodes(), "rsp-own": [backend(SERVER_IP, 443)]},
    )  # fmt: skip
    return Case(files)


def test_a03_outside_the_packet_never_meets_kube_ipvs0() -> None:
    one = shared_load_balancer()
    trace = one.trace(CLIENT, VIP, 443)
    assert (trace.verdict.outcome, trace.verdict.servers) == ("ok", (f"external:{SERVER_IP}",))
    assert not [hop for path in trace.paths for hop in path.hops if hop.place.startswith("node:")]
    (finding,) = one.found("REACH-001")
    assert set(finding.vantages) >= {f"node:{A}", f"node:{B}", str(POD_A), str(POD_B)}


def test_a03_without_cloud_data_it_is_unknown() -> None:
    verdict = case(policy="Cluster").dial(CLIENT, VIP, 443)
    assert (verdict.outcome, verdict.missing) == ("unknown", (f"listeners of load balancer {VIP}",))


def test_a04_cluster_policy_works_and_loses_the_clients_address() -> None:
    """G19a to G19c."""
    one = shared_load_balancer()
    outside = one.dial(CLIENT)
    assert (outside.outcome, outside.seen_source_ips) == ("ok", (NODE_IP[A], NODE_IP[B]))
    for source, seen in ((NODE_A, A), (POD_A, A), (NODE_B, B)):
        verdict = one.dial(source)
        assert (verdict.outcome, verdict.seen_source_ips) == ("ok", (NODE_IP[seen],)), source


def test_a05_local_with_an_endpoint_keeps_addresses() -> None:
    """G16, G18: the outside client is seen as itself, a process of the host as the VIP."""
    files = cloud(Cluster().files(), listener(PORT, VServerGroupId="rsp-web"),
                  groups={"rsp-web": [backend(NODE_IP[B], NODE_PORT)]})  # fmt: skip
    one = Case(files)
    outside, host = one.dial(CLIENT), one.dial(NODE_B)
    assert (outside.outcome, outside.seen_source_ips) == ("ok", (OUTSIDE,))
    assert (host.outcome, host.seen_source_ips) == ("ok", (VIP,))


@INSIDE
def test_a06_local_without_endpoint_old_refuses(source: Source) -> None:
    """G05a, G05b."""
    real = f"  -> {Cluster().endpoint_ip}:8080           Masq    1      0          0\n"
    files = Cluster(version=OLD, filter_chain=False).files()
    path = f"nodes/{A}/ipvsadm-Ln.txt"
    files = bundles.edited(
        files,
        *(
            (path, f"{server} rr\n{real}", f"{server} rr\n")
            for server in (f"{VIP}:{PORT}", f"{NODE_IP[A]}:{NODE_PORT}")
        ),
    )
    one = Case(files)
    verdict = one.dial(source)
    assert (verdict.outcome, verdict.mechanism) == ("refused", "ipvs-no-destination")
    assert "REACH-003" in one.rules
    assert one.dial(source, "198.51.100.10").outcome == "ok", "the ClusterIP is not concerned"


@pytest.mark.parametrize(
    ("cni", "endpoint"), [("terway", "remote-pod"), ("terway", "remote-hostnet"), ("flannel", "remote-hostnet")]
)
def test_a07_the_answer_bypasses_the_node_that_translated(cni: str, endpoint: str) -> None:
    """G14a: from outside to the NodePort of a node without endpoint."""
    one = case(cni=cni, endpoint=endpoint)
    verdict = one.dial(CLIENT, NODE_IP[A], NODE_PORT)
    assert (verdict.outcome, verdict.mechanism) == ("timeout", "reply-mismatch")
    assert "REACH-008" in one.rules
    assert one.dial(CLIENT, NODE_IP[B], NODE_PORT).outcome == "ok"


def test_a08_flannel_masquerades_and_it_works() -> None:
    """G15: the server sees the entry node."""
    verdict = case(cni="flannel").dial(CLIENT, NODE_IP[A], NODE_PORT)
    assert verdict.outcome == "ok"
    assert OUTSIDE not in verdict.seen_source_ips


def test_a09_a_nodes_own_node_port() -> None:
    """G12."""
    assert case().dial(NODE_A, NODE_IP[A], NODE_PORT).outcome == "ok"


def test_a10_a_node_to_the_load_balancers_address_on_terway() -> None:
    """G07a: the source is that address."""
    one = case()
    trace = one.trace(NODE_A)
    assert (trace.verdict.outcome, trace.verdict.mechanism) == ("timeout", "martian-source")
    assert trace.paths[0].hops[0].steps[0].packet.src == VIP
    assert "REACH-004" in one.rules


def test_a11_a_pod_of_the_same_node_gets_through() -> None:
    """G11a, G11b."""
    one = case()
    verdict = one.dial(POD_A)
    assert (verdict.outcome, verdict.seen_source_ips) == ("ok", (CLIENT_POD[A],))
    assert "REACH-006" in one.rules


@pytest.mark.parametrize(("endpoint", "outcome"), [("remote-pod", "ok"), ("remote-hostnet", "timeout")])
def test_a12_a_node_to_the_load_balancers_address_on_flannel(endpoint: str, outcome: str) -> None:
    """G09, G10."""
    assert case(cni="flannel", endpoint=endpoint).dial(NODE_A).outcome == outcome


def hostname_only(*, described: bool) -> Case:
    """After the fix: the Service publishes a hostname, no node holds the address any more."""
    files = bundles.hidden()
    if described:
        files = cloud(
            files, listener(PORT, VServerGroupId="rsp-web"), listener(443, VServerGroupId="rsp-own"),
            groups={"rsp-web": both_nodes(), "rsp-own": [backend(SERVER_IP, 443)]},
        )  # fmt: skip
    return Case(files)


@INSIDE
def test_a13_after_the_hostname_fix_the_packet_leaves_the_node(source: Source) -> None:
    """The foreign listener works; the Service's own meets the layer-4 loop-back limit on half of its backends."""
    one = hostname_only(described=True)
    assert (one.dial(source, VIP, 443).outcome, one.dial(source, VIP, 443).servers) == (
        "ok",
        (f"external:{SERVER_IP}",),
    )
    assert one.dial(source).outcome == "mixed"
    (finding,) = one.found("REACH-011")
    assert finding.targets == (f"{VIP}:{PORT}/tcp",)
    assert "REACH-001" not in one.rules


@INSIDE
def test_a13_without_cloud_data_the_verdict_names_the_address(source: Source) -> None:
    verdict = hostname_only(described=False).dial(source, VIP, 443)
    assert verdict.outcome == "unknown"
    assert any(VIP in name for name in verdict.missing)
