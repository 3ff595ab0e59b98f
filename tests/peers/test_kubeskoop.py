"""Where the nearest peer, KubeSkoop, errs on what a node does, and what is right: W1 to W9 and W16 to W20.

W10 (netfilter) is in `test_kubeskoop_netfilter`, W11 to W15 (load balancers) in `test_kubeskoop_cloud`. Outcomes of W1 to W4, W7,
W8 and the hairpin were observed on kernels (golden cases, named in the tests).
"""

from __future__ import annotations

import json
from collections.abc import Mapping

import pytest

from analyzer.findings.drift import drift
from analyzer.forwarding.model import Source, Trace
from tests.forwarding.cases import CLIENT_POD, CLUSTER_IP, NODE_IP, NODE_PORT, PORT, TARGET_PORT, VIP, A, B, Cluster
from tests.forwarding.cases import POD as POD_IP
from tests.peers import bundles
from tests.peers.bundles import NODE_A, NODE_B, OUTSIDE, POD_A, POD_B, WEB_POD, Case, case, edited, on_both

REAL = f"  -> {POD_IP[B]}:{TARGET_PORT}           Masq    1      0          0\n"
CLUSTER = Cluster(policy="Cluster")


def slugs(trace: Trace) -> list[str]:
    return [step.slug for path in trace.paths for hop in path.hops for step in hop.steps]


def places(trace: Trace) -> set[str]:
    return {hop.place for path in trace.paths for hop in path.hops}


# ---------------------------------------------------------------------- W1


@pytest.mark.parametrize("filter_chain", [True, False])
@pytest.mark.parametrize("source", [NODE_A, POD_A], ids=str)
def test_w01_a_bound_address_refuses_other_ports_on_the_node_itself(source: Source, filter_chain: bool) -> None:
    """G01a, G01b."""
    one = case(filter_chain=filter_chain, version="1.28.3" if filter_chain else "1.22.0")
    trace = one.trace(source, VIP, 443)
    assert trace.verdict.outcome == "refused"
    assert trace.verdict.mechanism == ("ipvs-filter-reject" if filter_chain else "vip-port-not-served")
    assert trace.verdict.confidence == "high"
    assert places(trace) <= {str(source), f"node:{A}"}, "no pod takes part"
    quoted = {place.file.rpartition("/")[2] for place in one.found("REACH-013")[0].evidence}
    assert "ip-addr.txt" in quoted, "the line of kube-ipvs0"


def test_w01_no_finding_blames_a_pod_and_no_listener_is_invented() -> None:
    one = case(policy="Cluster")
    assert one.rules <= {"INPUT-001", "REACH-013"}, "which ports the load balancer has, cluster objects do not tell"
    assert not any(vantage.startswith("pod:") for finding in one.findings.findings for vantage in finding.vantages)


def test_w01_with_cloud_data_the_listener_is_named() -> None:
    files = bundles.cloud(
        CLUSTER.files(), bundles.listener(443, VServerGroupId="rsp-own"),
        groups={"rsp-own": [bundles.backend(bundles.SERVER_IP, 443)]},
    )  # fmt: skip
    (finding,) = Case(files).found("REACH-001")
    assert finding.about == f"{VIP}:443/tcp"
    assert finding.values["outside"] == "ok"


# ---------------------------------------------------------------------- W2, W3, W4


@pytest.mark.parametrize(
    ("golden", "cni", "source", "address", "port", "outcome"),
    [
        ("G11", "terway", POD_A, VIP, PORT, "ok"),
        ("G12", "terway", NODE_A, NODE_IP[A], NODE_PORT, "ok"),
        ("G13", "terway", POD_A, NODE_IP[A], NODE_PORT, "ok"),
        ("G07a", "terway", NODE_A, VIP, PORT, "timeout"),
        ("G09", "flannel", NODE_A, VIP, PORT, "ok"),
        ("G14a", "terway", OUTSIDE, NODE_IP[A], NODE_PORT, "timeout"),
        ("G15", "flannel", OUTSIDE, NODE_IP[A], NODE_PORT, "ok"),
    ],
)
def test_w02_local_without_endpoint_is_judged_per_client(
    golden: str, cni: str, source: Source, address: str, port: int, outcome: str
) -> None:
    assert case(cni=cni).dial(source, address, port).outcome == outcome, golden


@pytest.mark.parametrize("version", ["1.20.4", "1.28.3"])
def test_w02_the_fallback_is_read_off_the_tables(version: str) -> None:
    full, empty = case(version=version), Cluster(version=version).files()
    for node in (A,):
        path = f"nodes/{node}/ipvsadm-Ln.txt"
        kept = empty[path].replace(f"TCP  {VIP}:{PORT} rr\n{REAL}", f"TCP  {VIP}:{PORT} rr\n")
        empty = {**empty, path: kept}
    assert (full.snapshot.regime(A)["local_fallback"].value, full.dial(POD_A).outcome) == ("all", "ok")
    none = Case(empty)
    assert (none.snapshot.regime(A)["local_fallback"].value, none.dial(POD_A).outcome) == ("none", "refused")


def test_w03_the_source_towards_a_vip_is_that_vip() -> None:
    """G16; with three addresses on kube-ipvs0 of which the VIP is the last."""
    held, local = (
        "    inet {}/32 scope global kube-ipvs0\n",
        "local {0} dev kube-ipvs0 table local proto kernel scope host src {0}\n",
    )
    files = Cluster(endpoint="self").files()
    for name, form in (("ip-addr.txt", held), ("ip-route-all.txt", local)):
        first = form.format(CLUSTER_IP)
        files = edited(files, *on_both(name, first, form.format("203.0.113.1") + first))
    one = Case(files)
    trace = one.trace(NODE_A)
    step = trace.paths[0].hops[0].steps[0]
    assert (step.slug, step.packet.src) == ("source-local", VIP)
    assert (trace.verdict.outcome, trace.verdict.seen_source_ips) == ("ok", (VIP,))
    assert one.dial(NODE_A, CLUSTER_IP).seen_source_ips == (NODE_IP[A],), "a ClusterIP is masqueraded"


def test_w04_the_vip_as_source_dies_on_the_endpoints_node() -> None:
    """G07a: the endpoint's host owns the VIP too; the line that says so is evidence."""
    one = case()
    trace = one.trace(NODE_A)
    assert (trace.verdict.outcome, trace.verdict.mechanism) == ("timeout", "martian-source")
    assert trace.paths[0].values["node"] == B
    assert {"ipvs-schedule", "source-kept", "martian"} <= set(slugs(trace))
    (finding,) = one.found("REACH-004")
    assert any(place.node == B and "kube-ipvs0" in place.text for place in finding.evidence)


def test_w04_a_socket_bound_to_the_nodes_address_gets_through() -> None:
    """G08."""
    assert case(vip_source="node-ip").dial(NODE_A).outcome == "ok"


# ---------------------------------------------------------------------- W5, W6, W7

TLS_POD, TLS_IP = "198.51.100.140", "198.51.100.20"


def two_services() -> dict[str, str]:
    """Service tls shares the load-balancer address with Service web: ports 443 and 80."""
    files = Cluster().files()
    for path, item in (
        ("cluster/services.json", bundles.service("tls", 443, externalTrafficPolicy="Local")),
        ("cluster/endpointslices.json", bundles.slice_of("tls", bundles.endpoint(TLS_POD, A, "tls"))),
        ("cluster/pods.json", bundles.pod("tls", A, TLS_POD, 8443)),
    ):
        files = bundles.with_objects(files, path, [*bundles.objects(files, path), item])
    members = {
        "KUBE-CLUSTER-IP": f"{TLS_IP},tcp:443", "KUBE-LOAD-BALANCER": f"{VIP},tcp:443", "KUBE-NODE-PORT-TCP": "30443",
        "KUBE-LOAD-BALANCER-LOCAL": f"{VIP},tcp:443", "KUBE-NODE-PORT-LOCAL-TCP": "30443", "KUBE-IPVS-IPS": TLS_IP,
    }  # fmt: skip
    for node in (A, B):
        own = f"nodes/{node}"
        servers = (f"{VIP}:443", f"{TLS_IP}:443", f"{NODE_IP[node]}:30443")
        files[f"{own}/ipvsadm-Ln.txt"] += "".join(
            f"TCP  {server} rr\n  -> {TLS_POD}:8443           Masq    1      0          0\n" for server in servers
        )
        files[f"{own}/ipset-save.txt"] += "".join(f"add {name} {member}\n" for name, member in members.items())
        files[f"{own}/ip-addr.txt"] += f"    inet {TLS_IP}/32 scope global kube-ipvs0\n"
        files[f"{own}/ip-route-all.txt"] += (
            f"local {TLS_IP} dev kube-ipvs0 table local proto kernel scope host src {TLS_IP}\n"
        )
    files[f"nodes/{A}/ipset-save.txt"] += f"add KUBE-LOOP-BACK {TLS_POD},tcp:8443,{TLS_POD}\n"
    return files


def test_w05_services_are_keyed_by_address_protocol_and_port() -> None:
    one = Case(two_services())
    for source in (POD_A, POD_B):
        assert one.dial(source, VIP, 80).servers == ("pod:default/web",)
        assert one.dial(source, VIP, 443).servers == ("pod:default/tls",)
    owners = {row.target.port: row.service for row in one.matrix.targets if row.kind == "load-balancer"}
    assert owners == {80: "default/web", 443: "default/tls"}
    assert not list(drift(one.snapshot))
    assert one.dial(POD_A, VIP, 8080).outcome == "refused"


def named_target_port() -> dict[str, str]:
    """targetPort: http, which is 8080 in one pod and 9090 in the other."""
    files = edited(CLUSTER.files(), ("cluster/services.json", f'"targetPort": {TARGET_PORT}', '"targetPort": "http"'))
    slices = [
        bundles.slice_of("web", bundles.endpoint(POD_IP[B], B, "web"), port=8080, port_name="web"),
        bundles.slice_of("web", bundles.endpoint(POD_IP[A], A, "web2"), port=9090, port_name="web"),
    ]
    pods = bundles.objects(files, "cluster/pods.json")[:2]
    second = bundles.pod("web2", A, POD_IP[A], 9090, "http")
    second["metadata"]["labels"] = {"app": "web"}
    pods += [bundles.pod("web", B, POD_IP[B], 8080, "http"), second]
    files = bundles.with_objects(files, "cluster/endpointslices.json", slices)
    files = bundles.with_objects(files, "cluster/pods.json", pods)
    files[f"nodes/{A}/ipset-save.txt"] += f"add KUBE-LOOP-BACK {POD_IP[A]},tcp:9090,{POD_IP[A]}\n"
    return edited(
        files, *on_both("ipvsadm-Ln.txt", REAL, REAL + REAL.replace(f"{POD_IP[B]}:8080", f"{POD_IP[A]}:9090"))
    )


def test_w06_a_named_target_port_has_its_number_per_endpoint() -> None:
    one = Case(named_target_port())
    for address in (VIP, CLUSTER_IP):
        verdict = one.dial(POD_A, address)
        assert (verdict.outcome, verdict.servers) == ("ok", ("pod:default/web", "pod:default/web2"))
    assert not list(drift(one.snapshot))


def test_w06_expected_servers_take_the_number_from_the_slices() -> None:
    verdict = Case(bundles.without(named_target_port(), "ipvsadm-Ln.txt")).dial(POD_A)
    assert (verdict.outcome, verdict.servers) == ("ok", ("pod:default/web", "pod:default/web2"))
    assert (verdict.layer, verdict.missing) == ("inferred", (f"ipvsadm of {A}",))


def test_w06_without_slices_the_captured_servers_and_the_pods_ports_decide() -> None:
    verdict = Case(bundles.without(named_target_port(), "endpointslices.json")).dial(POD_A)
    assert (verdict.outcome, verdict.servers) == ("ok", ("pod:default/web", "pod:default/web2"))


def test_w06_without_slices_and_servers_the_pods_stand_in_and_prove_little() -> None:
    verdict = Case(bundles.without(named_target_port(), "endpointslices.json", "ipvsadm-Ln.txt")).dial(POD_A)
    assert (verdict.outcome, verdict.servers) == ("ok", ("pod:default/web", "pod:default/web2"))
    assert (verdict.layer, verdict.confidence) == ("inferred", "low")
    assert "endpoints" in verdict.missing


def test_w06_without_a_pod_that_has_the_named_port_it_is_unknown_and_not_refused() -> None:
    files = named_target_port()
    pods = [*bundles.objects(files, "cluster/pods.json")[:2], bundles.pod("web", B, POD_IP[B], 8080)]
    nameless = bundles.with_objects(files, "cluster/pods.json", pods)
    verdict = Case(bundles.without(nameless, "endpointslices.json", "ipvsadm-Ln.txt")).dial(POD_A)
    assert verdict.outcome == "unknown"
    assert "endpoints" in verdict.missing


def test_w07_a_draining_real_server_is_no_fault() -> None:
    draining = "  -> 198.51.100.199:8080           Masq    0      2          5\n"
    one = Case(edited(CLUSTER.files(), *on_both("ipvsadm-Ln.txt", REAL, REAL + draining)))
    trace = one.trace(POD_A)
    assert (trace.verdict.outcome, trace.verdict.servers) == ("ok", ("pod:default/web",))
    assert len(trace.paths) == 1, "new connections see weight > 0 only"
    assert {found.kind for found in drift(one.snapshot)} == {"real-server-draining"}
    assert not any(rule.startswith("DRIFT") for rule in one.rules)


def test_w07_all_drained_refuses() -> None:
    """G06a."""
    verdict = case(policy="Cluster", weight=0).dial(POD_A)
    assert (verdict.outcome, verdict.mechanism) == ("refused", "ipvs-only-drained")


# ---------------------------------------------------------------------- W8, W9


def test_w08_the_filter_chain_is_evaluated_and_spares_the_nodes_own_address() -> None:
    """G03a, G03b."""
    one = case(listeners=("0.0.0.0:443",))
    for source in (NODE_A, POD_A):
        verdict = one.dial(source, VIP, 443)
        assert (verdict.outcome, verdict.mechanism) == ("refused", "ipvs-filter-reject")
    assert one.dial(POD_A, NODE_IP[A], 443).servers == (f"node:{A}",)
    assert one.dial(POD_A, NODE_IP[A], 22).outcome == "ok"
    assert one.dial(POD_A, VIP, 80).outcome == "ok"


def test_w09_a_quoted_rule_is_the_line_of_the_file() -> None:
    drop = "-A INPUT -p tcp -m tcp --dport 30000:32767 -j DROP"
    one = Case(bundles.rule(CLUSTER.files(), "filter", drop))
    (finding,) = one.found("REACH-014")
    quoted = [place for place in finding.evidence if place.file.endswith("iptables-save.txt")]
    assert drop in [place.text for place in quoted]
    for place in quoted:
        assert one.line(place.file, place.line) == place.text
    everything = [
        place for found in one.findings.findings for place in found.evidence if place.file.startswith("nodes/")
    ]
    assert all(one.line(place.file, place.line).strip() == place.text for place in everything)


# ---------------------------------------------------------------------- W16

RANGES = (
    ":KUBE-PROXY-FIREWALL - [0:0]", ":KUBE-SOURCE-RANGES-FIREWALL - [0:0]",
    "-A INPUT -j KUBE-PROXY-FIREWALL", "-A FORWARD -j KUBE-PROXY-FIREWALL",
    "-A KUBE-PROXY-FIREWALL -m set --match-set KUBE-LOAD-BALANCER-FW dst,dst -j KUBE-SOURCE-RANGES-FIREWALL",
    "-A KUBE-SOURCE-RANGES-FIREWALL -m set --match-set KUBE-LOAD-BALANCER-SOURCE-CIDR dst,dst,src -j RETURN",
    "-A KUBE-SOURCE-RANGES-FIREWALL -j DROP",
)  # fmt: skip
OUT = (
    ":KUBE-IPVS-OUT-FILTER - [0:0]", "-A OUTPUT -j KUBE-IPVS-OUT-FILTER",
    f"-A KUBE-IPVS-OUT-FILTER -s {VIP}/32 -m ipvs --vproto 6 --vaddr {VIP} --vport {PORT} -j DROP",
)  # fmt: skip


def with_ranges(*more: str, version: str = "1.28.3") -> dict[str, str]:
    """loadBalancerSourceRanges that hold the outside client and nobody of the cluster."""
    files = edited(
        Cluster(policy="Cluster", version=version).files(),
        ("cluster/services.json", '"spec": {', '"spec": {\n   "loadBalancerSourceRanges": ["203.0.113.128/25"],'),
    )
    for node in (A, B):
        files[f"nodes/{node}/ipset-save.txt"] += (
            "create KUBE-LOAD-BALANCER-FW hash:ip,port family inet hashsize 1024 maxelem 65536\n"
            f"add KUBE-LOAD-BALANCER-FW {VIP},tcp:{PORT}\n"
            "create KUBE-LOAD-BALANCER-SOURCE-CIDR hash:ip,port,net family inet hashsize 1024 maxelem 65536\n"
            f"add KUBE-LOAD-BALANCER-SOURCE-CIDR {VIP},tcp:{PORT},203.0.113.128/25\n"
        )
        files = bundles.rule(files, "filter", *RANGES, *more, node=node)
    return files


def test_w16_source_ranges_touch_the_load_balancer_address_only() -> None:
    one = Case(with_ranges())
    assert (one.dial(POD_A).outcome, one.dial(POD_A).mechanism) == ("timeout", "dropped")
    assert one.dial(POD_A, CLUSTER_IP).outcome == "ok"
    assert one.dial(POD_A, NODE_IP[A], NODE_PORT).outcome == "ok"
    assert one.dial(OUTSIDE, NODE_IP[A], NODE_PORT).outcome == "ok"
    assert one.dial(NODE_A).outcome == "ok", "the node's own packets do not pass INPUT"
    (finding,) = one.found("REACH-018")
    assert "-A KUBE-SOURCE-RANGES-FIREWALL -j DROP" in [place.text for place in finding.evidence]


def test_w16_from_1_29_the_nodes_own_connections_are_dropped_too() -> None:
    one = Case(with_ranges(*OUT, version="1.30.2"))
    assert (one.dial(NODE_A).outcome, one.dial(NODE_A).mechanism) in {
        ("timeout", "dropped"),
        ("unreachable", "dropped"),
    }
    assert one.dial(NODE_A, CLUSTER_IP).outcome == "ok"


@pytest.mark.parametrize(("version", "node_outcome"), [("1.28.3", "ok"), ("1.30.2", "timeout")])
def test_w16_the_same_without_captured_rules(version: str, node_outcome: str) -> None:
    one = Case(bundles.without(with_ranges(version=version), "iptables-save.txt", "ipset-save.txt"))
    assert one.dial(POD_A).outcome == "timeout"
    assert one.dial(NODE_A).outcome == node_outcome
    assert one.dial(POD_A, CLUSTER_IP).outcome == "ok"
    assert one.dial(POD_A).layer == "inferred"


# ---------------------------------------------------------------------- W17


def inferred(files: Mapping[str, str], *config: str) -> Case:
    """The same without what kube-proxy programmed: its expected state stands in."""
    bare = bundles.without(files, "iptables-save.txt", "ipset-save.txt", "ipvsadm-Ln.txt")
    return Case(bundles.kube_proxy(bare, *config))


def spec(files: Mapping[str, str], **fields: object) -> dict[str, str]:
    items = bundles.objects(files, "cluster/services.json")
    items[0]["spec"].update(fields)
    return bundles.with_objects(files, "cluster/services.json", items)


def test_w17_internal_policy_local() -> None:
    """A ClusterIP Service is refused where no endpoint is; one that is published falls back to all endpoints (1.24)."""
    plain = spec(CLUSTER.files(), internalTrafficPolicy="Local", type="ClusterIP")
    one = inferred(plain)
    assert (one.dial(POD_A, CLUSTER_IP).outcome, one.dial(POD_B, CLUSTER_IP).outcome) == ("refused", "ok")
    published = inferred(spec(CLUSTER.files(), internalTrafficPolicy="Local"))
    assert published.dial(POD_A, CLUSTER_IP).outcome == "ok"


def test_w17_session_affinity() -> None:
    fields = {"sessionAffinity": "ClientIP", "sessionAffinityConfig": {"clientIP": {"timeoutSeconds": 600}}}
    files = edited(spec(CLUSTER.files(), **fields), *on_both("ipvsadm-Ln.txt", " rr\n", " rr persistent 600\n"))
    one = Case(files)
    assert one.world.state(A).virtual_servers[("tcp", VIP, PORT)].persistent
    assert one.dial(POD_A).outcome == "ok"
    assert not list(drift(one.snapshot))


@pytest.mark.parametrize(("entry", "outcome"), [(True, "ok"), (False, "timeout")])
def test_w17_hairpin(entry: bool, outcome: str) -> None:
    """G25a, G25b: a pod that meets itself needs the masquerade of KUBE-LOOP-BACK."""
    one = case(endpoint="self", cni="flannel", loopback_entry=entry)
    assert one.dial(WEB_POD, CLUSTER_IP).outcome == outcome
    if not entry:
        assert one.dial(WEB_POD, CLUSTER_IP).mechanism == "hairpin-without-masquerade"


@pytest.mark.parametrize(
    ("config", "pod_seen", "node_seen"),
    [
        (("iptables:", "  masqueradeAll: true"), NODE_IP[A], NODE_IP[A]),
        (("clusterCIDR: 198.51.100.128/25",), CLIENT_POD[A], NODE_IP[A]),
        (("detectLocalMode: NodeCIDR",), CLIENT_POD[A], NODE_IP[A]),
        (
            ("detectLocalMode: InterfaceNamePrefix", "detectLocal:", "  interfaceNamePrefix: cali"),
            CLIENT_POD[A],
            NODE_IP[A],
        ),
    ],
    ids=["all", "cluster", "node", "prefix"],
)
def test_w17_what_is_masqueraded_to_a_cluster_ip(config: tuple[str, ...], pod_seen: str, node_seen: str) -> None:
    one = inferred(CLUSTER.files(), *config)
    assert one.dial(POD_A, CLUSTER_IP).seen_source_ips == (pod_seen,)
    assert one.dial(NODE_A, CLUSTER_IP).seen_source_ips == (node_seen,)


def test_w17_ip_mode_proxy_keeps_the_address_off_the_node() -> None:
    files = Cluster(policy="Cluster", version="1.30.2").files()
    items = bundles.objects(files, "cluster/services.json")
    items[0]["status"]["loadBalancer"]["ingress"] = [{"ip": VIP, "ipMode": "Proxy"}]
    files = bundles.without(
        bundles.with_objects(files, "cluster/services.json", items), "ip-addr.txt", "ip-route-all.txt"
    )
    one = inferred(files)
    assert not one.world.state(A).is_local(VIP)
    assert one.world.state(A).is_local(CLUSTER_IP)
    trace = one.trace(POD_A)
    assert f"lb:{VIP}" in places(trace)
    assert f"cloud documents of load balancer {VIP}" in trace.verdict.missing


@pytest.mark.parametrize(
    ("conditions", "alone"),
    [
        ({"ready": False, "serving": False, "terminating": False}, "refused"),
        ({"ready": False, "serving": False, "terminating": True}, "refused"),
        ({"ready": False, "serving": True, "terminating": True}, "ok"),
    ],
    ids=["not-ready", "gone", "terminating"],
)
def test_w17_endpoints_that_are_not_ready(conditions: dict[str, bool], alone: str) -> None:
    """Never beside a ready one; alone only while they terminate and still serve (ProxyTerminatingEndpoints)."""
    files = CLUSTER.files()
    old = bundles.pod("old", A, POD_IP[A], TARGET_PORT)
    files = bundles.with_objects(files, "cluster/pods.json", [*bundles.objects(files, "cluster/pods.json"), old])
    slices = bundles.objects(files, "cluster/endpointslices.json")
    ready = slices[0]["endpoints"]
    fading = bundles.endpoint(POD_IP[A], A, "old", **conditions)
    slices[0]["endpoints"] = [*ready, fading]
    together = inferred(bundles.with_objects(files, "cluster/endpointslices.json", slices))
    assert together.dial(POD_A, CLUSTER_IP).servers == ("pod:default/web",)
    slices[0]["endpoints"] = [fading]
    verdict = inferred(bundles.with_objects(files, "cluster/endpointslices.json", slices)).dial(POD_A, CLUSTER_IP)
    assert verdict.outcome == alone, verdict


# ---------------------------------------------------------------------- W18, W19, W20

POLICIES = {
    "deny-all": {"podSelector": {}, "policyTypes": ["Ingress"]},
    "allow-all": {"podSelector": {}, "ingress": [{}]},
    "one-port": {"podSelector": {"matchLabels": {"app": "web"}}, "ingress": [{"ports": [{"port": TARGET_PORT}]}]},
    "two-peers": {"podSelector": {}, "ingress": [{"from": [{"ipBlock": {"cidr": "192.0.2.0/24"}}, {"podSelector": {}}]}]},
    "both-selectors": {
        "podSelector": {},
        "ingress": [{"from": [{"namespaceSelector": {"matchLabels": {"a": "b"}}, "podSelector": {"matchLabels": {"c": "d"}}}]}],
    },
}  # fmt: skip


def policies() -> str:
    items = [
        {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
         "metadata": {"name": name, "namespace": "default"}, "spec": body}
        for name, body in POLICIES.items()
    ]  # fmt: skip
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": items}, indent=1)


FELIX = (
    ":cali-FORWARD - [0:0]", ":cali-tw-web - [0:0]", "-A FORWARD -j cali-FORWARD",
    "-A cali-FORWARD -o cali0123456194a -j cali-tw-web",
    '-A cali-tw-web -m comment --comment "cali:a" -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT',
    f"-A cali-tw-web ! -s {CLIENT_POD[B]}/32 -j DROP",
)  # fmt: skip


def test_w18_a_policy_object_does_not_decide_what_the_plugin_did_not_program() -> None:
    """flannel enforces none, whatever the objects say: the captured rules are what packets meet."""
    plain, governed = CLUSTER.files(), {**CLUSTER.files(), "cluster/networkpolicies.json": policies()}
    for source in (POD_A, NODE_A, OUTSIDE):
        assert Case(governed).dial(source) == Case(plain).dial(source)
    captures = Case(governed).snapshot["captures"]
    assert "cluster/networkpolicies.json" in set(captures["file"].astype(str)), "not lost in silence"


def test_w18_the_plugins_rules_decide_and_are_quoted() -> None:
    one = Case(bundles.rule({**CLUSTER.files(), "cluster/networkpolicies.json": policies()}, "filter", *FELIX, node=B))
    assert (one.dial(POD_A).outcome, one.dial(POD_A).mechanism) == ("timeout", "dropped")
    (finding,) = one.found("REACH-014")
    assert FELIX[-1] in [place.text for place in finding.evidence]
    assert one.dial(POD_B, POD_IP[B], TARGET_PORT).outcome == "ok"


def test_w18_without_captured_rules_the_verdict_names_them_as_missing() -> None:
    files = {**CLUSTER.files(), "cluster/networkpolicies.json": policies()}
    verdict = Case(bundles.without(files, "iptables-save.txt")).dial(POD_A)
    assert f"iptables of {B}" in verdict.missing, "where the rules of a policy would stand"
    assert verdict.confidence != "high"


def test_w19_names_and_sizes_come_from_the_data() -> None:
    """MTU 1450, uplink ens192, bridge kube-bridge known by its veth port, no DaemonSet to tell the plug-in."""
    files = {
        path: text.replace("mtu 1500", "mtu 1450").replace("eth0", "ens192").replace("cni0", "kube-bridge")
        for path, text in bundles.without(Cluster(cni="flannel").files(), "daemonsets.json").items()
    }
    port = "9: vethaaaa@if3: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1450 qdisc noqueue master kube-bridge state UP group default\n"
    for node in (A, B):
        files[f"nodes/{node}/ip-addr.txt"] += port
    one, usual = Case(files), case(cni="flannel")
    assert one.snapshot.regime(A).value("data_path") == "bridge"
    flows = (
        (POD_A, VIP, 80),
        (NODE_A, VIP, 80),
        (NODE_A, CLUSTER_IP, 80),
        (OUTSIDE, NODE_IP[A], NODE_PORT),
        (POD_B, VIP, 443),
    )
    for source, address, number in flows:
        left, right = one.dial(source, address, number), usual.dial(source, address, number)
        assert (left.outcome, left.servers, left.seen_source_ips) == (
            right.outcome,
            right.servers,
            right.seen_source_ips,
        )
        assert left.confidence == right.confidence == "high"


MESH = (
    ":ISTIO_INBOUND - [0:0]", ":ISTIO_OUTPUT - [0:0]", "-A PREROUTING -p tcp -j ISTIO_INBOUND", "-A OUTPUT -p tcp -j ISTIO_OUTPUT",
    "-A ISTIO_INBOUND -p tcp -m tcp --dport 15008 -j RETURN", "-A ISTIO_OUTPUT -m owner --uid-owner 1337 -j RETURN",
    "-A ISTIO_OUTPUT -d 127.0.0.1/32 -j RETURN",
)  # fmt: skip


def test_w19_a_meshs_rules_are_no_fault() -> None:
    files = CLUSTER.files()
    for node in (A, B):
        files = bundles.rule(files, "nat", *MESH, node=node)
        files = bundles.rule(files, "mangle", ":ISTIO_DIVERT - [0:0]", "-A PREROUTING -m socket --transparent -j ISTIO_DIVERT",
                             "-A ISTIO_DIVERT -j ACCEPT", node=node)  # fmt: skip
    one = Case(files)
    for source in (POD_A, NODE_A):
        assert one.dial(source).outcome == "ok"
        assert one.dial(source, CLUSTER_IP).outcome == "ok"
    assert one.rules == case(policy="Cluster").rules


def test_w19_a_redirect_that_depends_on_the_process_is_unknown_and_named() -> None:
    redirect = "-A OUTPUT -p tcp -m owner ! --uid-owner 1337 -j REDIRECT --to-ports 15001"
    verdict = Case(bundles.rule(CLUSTER.files(), "nat", redirect, first=True)).dial(NODE_A)
    assert verdict.outcome == "unknown"
    assert any(redirect.removeprefix("-A OUTPUT ") in name for name in verdict.missing)


def old_endpoints() -> str:
    item = {
        "apiVersion": "v1", "kind": "Endpoints", "metadata": {"name": "web", "namespace": "default"},
        "subsets": [{
            "addresses": [{"ip": POD_IP[B], "nodeName": B, "targetRef": {"kind": "Pod", "namespace": "default", "name": "web"}}],
            "ports": [{"name": "web", "port": TARGET_PORT, "protocol": "TCP"}],
        }],
    }  # fmt: skip
    return json.dumps({"apiVersion": "v1", "kind": "EndpointsList", "items": [item]}, indent=1)


@pytest.mark.parametrize(
    "slices",
    [
        None,
        '{"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSliceList", "items": []}',
        'error: the server doesn\'t have a resource type "endpointslices"\n',
    ],
    ids=["absent", "empty", "failed"],
)
def test_w20_endpoints_stand_in_for_slices_with_their_data(slices: str | None) -> None:
    files = bundles.without(CLUSTER.files(), "endpointslices.json")
    files |= {"cluster/endpoints.json": old_endpoints()}
    if slices is not None:
        files["cluster/endpointslices.json"] = slices
    one = inferred(files)
    assert one.dial(POD_A, CLUSTER_IP).servers == ("pod:default/web",)
    assert [found.address for found in one.snapshot.objects.services[0].endpoints] == [POD_IP[B]]
    if slices is None:
        assert not list(drift(Case(files).snapshot))


def test_w20_the_kernels_own_listing_stands_in_for_ipvsadm() -> None:
    def hexed(address: str, port: int) -> str:
        return "".join(f"{int(part):02X}" for part in address.split(".")) + f":{port:04X}"

    head = CLUSTER.files()[f"nodes/{A}/ipvsadm-Ln.txt"].partition("TCP")[0]
    files = bundles.without(CLUSTER.files(), "ipvsadm-Ln.txt")
    for node in (A, B):
        served = ((CLUSTER_IP, PORT), (VIP, PORT), (NODE_IP[node], NODE_PORT))
        files[f"nodes/{node}/proc-net-ip_vs.txt"] = head + "".join(
            f"TCP  {hexed(*server)} rr\n  -> {hexed(POD_IP[B], TARGET_PORT)}      Masq    1      0          0\n"
            for server in served
        )
    one, usual = Case(files), case(policy="Cluster")
    for source in (POD_A, NODE_A, NODE_B, OUTSIDE):
        assert one.dial(source) == usual.dial(source)
    assert not list(drift(one.snapshot))
