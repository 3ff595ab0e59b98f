"""Each kind of change: what it does to objects, load balancers and nodes, and what it refuses."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from analyzer import api
from analyzer.errors import UsageError
from analyzer.forwarding import World, build_world, parse_source, parse_target, verdict_of
from analyzer.snapshot import Snapshot
from analyzer.whatif import apply, compare, parse_edits
from analyzer.whatif.forecast import forecast
from analyzer.whatif.manifests import merged, service_manifest
from tests import lab

N1, N2, N3 = "cn-hongkong.10.0.2.77", "cn-hongkong.10.0.0.171", "cn-hongkong.10.0.4.141"
VIP, CLUSTER_IP, NODE_PORT = "192.168.1.200", "172.21.3.10", 30745
ANNOTATION = "service.beta.kubernetes.io/alibaba-cloud-loadbalancer"


@pytest.fixture(scope="module")
def cluster() -> Iterator[Snapshot]:
    with api.opened(lab.bundle("1.28.3-terway-cluster")) as snapshot:
        yield snapshot


def after(snapshot: Snapshot, *words: str) -> Snapshot:
    return apply(snapshot, parse_edits(words, snapshot)).snapshot


def said(snapshot: Snapshot, source: str, target: str) -> tuple[str, str, tuple[str, ...]]:
    world = build_world(snapshot)
    verdict = verdict_of(world, parse_source(source, world), parse_target(target))
    return verdict.outcome, verdict.mechanism, verdict.servers


def test_a_manifest_of_the_tables_is_read_back_as_they_are(cluster: Snapshot) -> None:
    manifest = service_manifest(cluster, "default/nginx")
    port = {"name": "tcp-80", "protocol": "TCP", "port": 80, "targetPort": 80, "nodePort": NODE_PORT}
    assert manifest["spec"]["ports"] == [port]
    assert manifest["status"]["loadBalancer"]["ingress"] == [{"ip": VIP}]
    same = after(cluster, "service default/nginx externalTrafficPolicy=Cluster")
    assert service_manifest(same, "default/nginx") == manifest
    assert not compare(build_world(cluster), build_world(same)).changes


def test_the_hostname_takes_the_address_off_the_nodes_and_back(cluster: Snapshot) -> None:
    assert said(cluster, f"node:{N3}", f"{VIP}:443")[0] == "refused"
    named = after(cluster, "service default/nginx hostname=web.example.com")
    service = named.objects.by_id["default/nginx"]
    assert (service.published, service.hostnames) == ((), ("web.example.com",))
    assert said(named, f"node:{N3}", f"{VIP}:443")[0] == "ok"
    back = after(named, "service default/nginx hostname=")
    assert back.objects.by_id["default/nginx"].published == (VIP,)
    assert said(back, f"node:{N3}", f"{VIP}:443")[0] == "refused"


def test_ip_mode_counts_from_1_30_on(cluster: Snapshot) -> None:
    words = "service default/nginx status.loadBalancer.ingress[0].ipMode=Proxy"
    assert said(after(cluster, words), f"node:{N3}", f"{VIP}:443")[0] == "refused"
    assert said(after(cluster, words, "k8s=1.30"), f"node:{N3}", f"{VIP}:443")[0] == "ok"


def test_backends_of_the_load_balancer_follow_policy_and_endpoints(cluster: Snapshot) -> None:
    def backends(snapshot: Snapshot) -> set[str]:
        listener = build_world(snapshot).load_balancers[VIP].listener("tcp", 80)
        assert listener is not None
        return {one.address for one in listener.backends or ()}

    assert backends(cluster) == {"10.0.2.77", "10.0.0.171", "10.0.4.141"}
    local = after(cluster, "service default/nginx externalTrafficPolicy=Local")
    assert backends(local) == {"10.0.2.77", "10.0.0.171"}
    assert backends(after(local, f"endpoint add default/nginx {N3}")) == {"10.0.2.77", "10.0.0.171", "10.0.4.141"}
    assert backends(after(local, f"endpoint remove default/nginx {N1}")) == {"10.0.0.171"}
    pods = after(cluster, "service default/nginx annotations.service.beta.kubernetes.io/backend-type=eni")
    assert backends(pods) == {"10.0.2.78", "10.0.0.172"}


def test_an_endpoint_on_the_clients_node_cures_a_local_policy(cluster: Snapshot) -> None:
    local = after(cluster, "service default/nginx externalTrafficPolicy=Local")
    assert said(local, f"node:{N3}", f"{VIP}:80")[:2] == ("timeout", "martian-source")
    more = after(local, f"endpoint add default/nginx {N3}")
    outcome, _, servers = said(more, f"node:{N3}", f"{VIP}:80")
    assert (outcome, servers) == ("ok", (f"pod:default/nginx-on-{N3}",))


def test_a_drained_node_keeps_its_daemons_only(cluster: Snapshot) -> None:
    drained = after(cluster, f"drain {N1}")
    assert {one.node for one in drained.objects.by_id["default/nginx"].endpoints} == {N2}
    found = compare(build_world(cluster), build_world(drained))
    assert found.counts.keys() <= {"servers", "client-address"}


@pytest.mark.parametrize("mode", ["iptables", "nftables"])
def test_another_proxy_mode_has_no_bound_addresses(cluster: Snapshot, mode: str) -> None:
    changed = after(cluster, f"proxy-mode={mode}")
    assert not (changed["addresses"]["interface"] == "kube-ipvs0").any()
    assert not len(changed["virtual_servers"])
    assert said(changed, f"node:{N3}", f"{VIP}:443")[0] == "ok"
    assert said(changed, f"node:{N3}", f"{CLUSTER_IP}:80")[0] == "ok"
    back = after(changed, "proxy-mode=ipvs")
    assert not compare(build_world(cluster), build_world(back)).changes


def test_one_node_alone_can_change(cluster: Snapshot) -> None:
    one = after(cluster, f"proxy-mode=iptables {N3}")
    assert said(one, f"node:{N3}", f"{VIP}:443")[0] == "ok"
    assert said(one, f"node:{N1}", f"{VIP}:443")[0] == "refused"


def test_a_deleted_service_is_gone_everywhere(cluster: Snapshot) -> None:
    gone = after(cluster, "delete service default/nginx")
    world = build_world(gone)
    assert VIP not in world.service_addresses
    assert (("tcp", CLUSTER_IP, 80)) not in world.state(N1).virtual_servers
    found = compare(build_world(cluster), world)
    assert found.counts["closed"] == 9


def test_a_new_service_gets_what_a_cluster_gives_it(cluster: Snapshot, tmp_path: Path) -> None:
    manifest = {
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": "nginx-own"},
        "spec": {"type": "LoadBalancer", "selector": {"app": "nginx"}, "ports": [{"port": 80, "targetPort": 80}]},
    }  # fmt: skip
    path = tmp_path / "service.yaml"
    path.write_text(yaml.safe_dump(manifest), encoding="utf-8")
    outcome = apply(cluster, parse_edits([str(path)], cluster))
    service = outcome.snapshot.objects.by_id["default/nginx-own"]
    assert service.published == ("192.0.2.1",)
    assert outcome.assumed == [("new-address", {"address": "192.0.2.1", "service": "default/nginx-own"})]
    assert {one.address for one in service.endpoints} == {
        one.address for one in cluster.objects.by_id["default/nginx"].endpoints
    }
    assert said(outcome.snapshot, f"node:{N3}", f"{service.cluster_ips[0]}:80")[0] == "ok"
    assert said(outcome.snapshot, f"node:{N3}", "192.0.2.1:80")[0] == "ok"


@pytest.mark.parametrize("form", ["json", "yaml", "json-patch", "part", "manifest"])
def test_every_way_to_write_a_change_means_the_same(cluster: Snapshot, tmp_path: Path, form: str) -> None:
    path = tmp_path / "change"
    patch: dict[str, object] = {"spec": {"externalTrafficPolicy": "Local"}}
    word = f"patch default/nginx {path}"
    if form == "json-patch":
        path.write_text(json.dumps([{"op": "replace", "path": "/spec/externalTrafficPolicy", "value": "Local"}]))
    elif form == "part":
        path.write_text(
            yaml.safe_dump({"kind": "Service", "metadata": {"name": "nginx", "namespace": "default"}, **patch})
        )
        word = str(path)
    elif form == "manifest":
        whole = service_manifest(cluster, "default/nginx")
        del whole["status"], whole["spec"]["clusterIPs"]
        path.write_text(yaml.safe_dump(merged(whole, patch)))
        word = str(path)
    else:
        path.write_text(json.dumps(patch) if form == "json" else yaml.safe_dump(patch))
    changed = after(cluster, word)
    wanted = after(cluster, "service default/nginx externalTrafficPolicy=Local")
    assert service_manifest(changed, "default/nginx") == service_manifest(wanted, "default/nginx")
    assert not compare(build_world(changed), build_world(wanted)).changes


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("service default/nginx", "not a change"), ("service default/none type=ClusterIP", "no Service default/none"),
        ("service default/nginx colour=red", "no field"), ("k8s=banana", "not a Kubernetes version"), ("k8s=1.19", "not modelled"),
        ("proxy-mode=ebpf", "no proxy mode"), ("drain nobody", "no node"), ("endpoint remove default/nginx x", "no endpoint"),
        ("endpoint add default/none x", "no node"), ("listener 203.0.113.9:80=10.0.0.1:80", "no load balancer"),
        ("listener nothing=1", "not a target"), ("patch default/nginx /nowhere", "cannot be read"), ("nonsense", "not a change"),
    ],
)  # fmt: skip
def test_what_cannot_be_applied_is_said(cluster: Snapshot, word: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        after(cluster, word)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: [", "neither JSON nor YAML"), ("a: &a [*a]\n", "without kind and name"),
        ("kind: Secret\nmetadata: {name: x}\n", "does not use"), ("kind: Service\nmetadata: {name: x}\nspec: {type: [1]}\n", "."),
        ("[1, 2]", "without kind and name"), ("kind: Pod\nmetadata: {name: 5}\nspec: 7\n", "."), ("", ""),
    ],
)  # fmt: skip
def test_a_file_that_is_no_change_is_said(cluster: Snapshot, tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "change.yaml"
    path.write_text(text, encoding="utf-8")
    if not text:
        assert parse_edits([str(path)], cluster) == ()
        return
    with pytest.raises(UsageError, match=message):
        after(cluster, str(path))


def test_what_an_upgrade_crosses(cluster: Snapshot) -> None:
    def slugs(word: str) -> list[tuple[str, str]]:
        return list(forecast(cluster, parse_edits([word], cluster)))

    assert slugs("k8s=1.29") == []
    assert slugs("k8s=1.35") == [("ip-mode-honoured", "up"), ("ipvs-deprecated", "up")]
    assert slugs("k8s=1.23") == [
        ("local-lists-all", "down"),
        ("unserved-ports-rejected", "down"),
        ("ping-stops", "down"),
    ]


def test_effects_are_what_a_client_notices(cluster: Snapshot) -> None:
    found = compare(
        build_world(cluster), build_world(after(cluster, "service default/nginx externalTrafficPolicy=Local"))
    )
    table = found.frame()
    assert len(table) == len(found.changes) == sum(found.counts.values())
    broken = table[table["effect"] == "broken"]
    assert set(broken["before"]) == {"ok"}
    assert "ok" not in set(broken["after"])
    kept = table[table["effect"].isin(["client-address", "servers"])]
    assert set(kept["before"]) == set(kept["after"]) == {"ok"}


def test_the_captured_snapshot_is_left_alone(cluster: Snapshot) -> None:
    world: World = build_world(cluster)
    before = {name: len(frame) for name, frame in cluster.tables.items()}
    after(cluster, "delete service default/nginx", "k8s=1.22", f"drain {N1}")
    assert {name: len(frame) for name, frame in cluster.tables.items()} == before
    assert said(cluster, f"node:{N3}", f"{VIP}:80")[0] == "ok"
    assert world.state(N1).virtual_servers


def test_kube_proxys_configuration(cluster: Snapshot) -> None:
    pod = "pod:default/centos-5d8f9c7b44-bbbbb"
    masked = after(cluster, "kube-proxy masqueradeAll=true")
    for source, world in ((cluster, build_world(cluster)), (masked, build_world(masked))):
        verdict = verdict_of(world, parse_source(pod, world), parse_target(f"{CLUSTER_IP}:80"))
        assert verdict.outcome == "ok"
        assert ("10.0.0.171" in verdict.seen_source_ips) is (source is masked)
    narrow = after(cluster, "kube-proxy nodePortAddresses=10.0.2.0/24")
    assert said(narrow, pod, f"10.0.2.77:{NODE_PORT}")[0] == "ok"
    assert said(narrow, pod, f"10.0.4.141:{NODE_PORT}")[0] == "refused"
    back = after(narrow, "kube-proxy nodePortAddresses=")
    assert not compare(build_world(cluster), build_world(back)).changes
    wrong = after(cluster, "kube-proxy clusterCIDR=172.16.0.0/12")
    assert said(wrong, f"node:{N1}", f"{CLUSTER_IP}:80")[0] in ("timeout", "mixed"), "the range covers ClusterIPs"


@pytest.mark.parametrize("word", ["nope=1", "masqueradeAll=perhaps", "nodePortAddresses=300.0.0.0/8"])
def test_what_kube_proxy_has_not_is_said(cluster: Snapshot, word: str) -> None:
    with pytest.raises(UsageError):
        after(cluster, f"kube-proxy {word}")
