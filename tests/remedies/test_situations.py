"""For hand-made findings on the samples: the expected cards in order, with the right names, states and effects."""

from __future__ import annotations

import json
import shlex
from dataclasses import replace

import pandas as pd
import pytest
import yaml

from analyzer.remedies.model import Prerequisite, Remedy

from .make import (
    N1,
    N2,
    N3,
    PREFIX,
    SAMPLES,
    VIP,
    commands,
    finding,
    fixes,
    of_sample,
    regimes,
    sample,
    services,
    table,
)


def states(remedy: Remedy) -> dict[str, str]:
    return {one.slug: one.state for one in remedy.prerequisites}


def prerequisite(remedy: Remedy, slug: str) -> Prerequisite:
    return next(one for one in remedy.prerequisites if one.slug == slug)


S1 = finding("S1", targets=(f"{VIP}:443/tcp",), services=("default/nginx",), nodes=(N1, N2, N3))
LOCAL = {"targets": (f"{VIP}:80/tcp",), "services": ("default/nginx",), "nodes": (N3,)}


def test_s1_a_foreign_port_of_a_bound_address() -> None:
    found = of_sample("clb-reuse", S1)
    assert list(found) == ["F1", "F2", "F3", "F9", "F10", "F4"]  # F3b is F3 here; F4 needs 1.30 and comes last
    assert found["F1"].values["destinations"] == "10.0.6.100:443/tcp"
    assert "  10.0.6.100 <dns-name>" in found["F1"].changes[1].body
    assert not found["F4"].usable
    assert f"service/nginx '{PREFIX}hostname=<dns-name>'" in commands(found["F3"])
    assert states(found["F3"]) == {"delivery-rewritten": "met", "ccm-version": "met", "listeners-exist": "met"}
    new = yaml.safe_load(found["F2"].changes[0].body)
    assert new["metadata"] == {
        "name": "nginx-own",
        "namespace": "default",
        "annotations": {f"{PREFIX}address-type": "intranet"},
    }
    assert new["spec"]["ports"] == [{"name": "tcp-80", "protocol": "TCP", "port": 80, "targetPort": 80}]


def test_s1_loop_back_shares_of_the_un_bound_address_are_those_of_the_backends() -> None:
    remedy = of_sample("clb-reuse", S1)["F3"]
    assert "loopback-share" in remedy.side_effects
    assert remedy.values["loopback_shares"] == f"{VIP}:80/tcp: {N2} 33 %, {N1} 33 %, {N3} 33 %"


def test_s1_a_port_whose_server_is_a_service_here_gets_a_service_on_the_same_load_balancer() -> None:
    snapshot = table(sample("clb-reuse"), "lb_backends", server_ip="10.0.2.78", port=80)
    remedy = fixes(snapshot, S1)["F2b"]
    new = yaml.safe_load(remedy.changes[0].body)
    assert new["spec"]["ports"][0] == {"name": "tcp-80", "protocol": "TCP", "port": 443, "targetPort": 80}
    assert new["metadata"]["annotations"] == {f"{PREFIX}id": "lb-j6c3e705f3f808e03"}
    assert remedy.side_effects == ("listener-untouched",)
    name = fixes(snapshot, S1)["F1"]
    assert name.values["destinations"].startswith("nginx.default.svc.cluster.local:80/tcp")
    assert "rewrite" not in "".join(change.body for change in name.changes)  # the port is another one


def test_s1_a_load_balancer_of_the_controller_cannot_be_reused_so_the_owner_gets_the_port() -> None:
    snapshot = table(sample("clb-reuse"), "lb_backends", server_ip="10.0.2.78", port=80)
    snapshot = services(snapshot, {"annotations": {f"{PREFIX}id": None}})
    patch = shlex.split(commands(fixes(snapshot, S1)["F2b"]))[-1].removeprefix("--patch=")
    entry = {"name": "tcp-443", "protocol": "TCP", "port": 443, "targetPort": 80}
    assert json.loads(patch) == [{"op": "add", "path": "/spec/ports/-", "value": entry}]
    unnamed = table(table(snapshot, "service_ports", port_name=""), "endpoints", port_name="")
    assert "F2" in fixes(unnamed, S1)  # a second port would need names for both


def test_s17_one_of_two_services_moves() -> None:
    snapshot = services(sample("clb-reuse"), {}, {"name": "api", "namespace": "shop"})
    found = fixes(snapshot, finding("S17", fixes=("F2",), targets=(f"{VIP}:80/tcp",)))
    assert yaml.safe_load(found["F2"].changes[0].body)["metadata"]["name"] == "api-own"
    assert found["F2"].changes[1].body == "kubectl --namespace=shop delete service/api"


def test_s21_the_public_load_balancer_stays() -> None:
    found = of_sample("hostname-loopback", finding("S21", fixes=("F2",), targets=(f"{VIP}:80/tcp",)))
    assert list(found) == ["F2c"]
    assert "delete" not in commands(found["F2c"])
    assert yaml.safe_load(found["F2c"].changes[0].body)["metadata"]["name"] == "nginx-hn-vpc"


def test_s1_all_sharers_change_together() -> None:
    snapshot = services(sample("clb-reuse"), {}, {"name": "api", "namespace": "shop", "port": 8080})
    found = fixes(snapshot, S1)
    assert "F3" not in found
    assert commands(found["F3b"]).splitlines() == [
        f"kubectl --namespace={namespace} annotate --overwrite service/{name} '{PREFIX}hostname=<dns-name>'"
        for namespace, name in (("default", "nginx"), ("shop", "api"))
    ]
    assert found["F3b"].changes[0].title == "change.annotate"
    assert states(found["F3b"])["listeners-exist"] == "not-met"  # the CLB has no listener 8080
    assert prerequisite(found["F3b"], "listeners-exist").values["ports"] == f"{VIP}:8080/tcp"


def test_s3_on_1_22() -> None:
    found = of_sample("local-1.22-terway", finding("S3", **LOCAL))
    assert list(found) == ["F1", "F6", "F5", "F7", "F3", "F11"]
    assert "nginx.default.svc.cluster.local" in found["F1"].changes[1].body
    assert found["F11"].partial
    assert not found["F6"].partial
    assert found["F11"].values["need"] == "1.24"
    assert found["F7"].values["nodes"] == N3
    assert "patch deployment/nginx --patch-file=spread.yaml" in commands(found["F7"])
    assert "scale deployment/nginx --replicas=3" in commands(found["F7"])
    spread = yaml.safe_load(found["F7"].changes[0].body)["spec"]["template"]["spec"]["topologySpreadConstraints"]
    assert spread[0]["labelSelector"] == {"matchLabels": {"app": "nginx"}}


def test_s3_without_terway_no_eni_backends() -> None:
    assert list(of_sample("local-1.22-flannel", finding("S3", **LOCAL))) == ["F1", "F5", "F7", "F3", "F11"]


def test_s4_on_1_28() -> None:
    found = of_sample("local-1.28-terway", finding("S4", **LOCAL))
    assert list(found) == ["F1", "F6", "F5", "F7", "F3", "F10", "F4"]
    words = shlex.split(commands(found["F6"]))
    assert json.loads(words[-1].removeprefix("--patch=")) == {
        "metadata": {"annotations": {"service.beta.kubernetes.io/backend-type": "eni"}},
        "spec": {"externalTrafficPolicy": "Cluster"},
    }
    assert "client-address-lost" in found["F5"].side_effects
    assert found["F5"].values["backends"] == "3"
    assert "local-keeps-clients-apart" in found["F3"].side_effects


def test_s4_with_eni_backends_the_policy_costs_nothing_outside() -> None:
    snapshot = services(
        sample("local-1.28-terway"), {"annotations": {"service.beta.kubernetes.io/backend-type": "eni"}}
    )
    found = fixes(snapshot, finding("S4", **LOCAL))
    assert "no-external-effect" in found["F5"].side_effects
    assert not {"client-address-lost", "more-backends"} & set(found["F5"].side_effects)
    assert "annotations" not in commands(found["F6"])


@pytest.mark.parametrize(
    ("name", "server", "proxy"),
    [("local-1.22-terway", "not-met", "not-met"), ("local-1.28-terway", "not-met", "not-met")],
)
def test_versions_of_the_samples(name: str, server: str, proxy: str) -> None:
    found = of_sample(name, finding("S4", fixes=("F4", "F9"), **LOCAL))
    assert states(found["F4"])["kubernetes-version"] == server
    assert states(found["F4"])["kube-proxy-version"] == proxy
    assert states(found["F9"])["kubernetes-version"] == ("not-met" if "1.22" in name else "met")
    assert states(found["F9"])["ccm-version"] == "unknown"  # 2.4.0 or later does not prove 2.5.0


def test_a_cluster_of_1_30_can_use_ip_mode() -> None:
    snapshot = regimes(table(sample("local-1.28-terway"), "versions", version="v1.30.1"), kube_proxy_version="v1.30.1")
    remedy = fixes(snapshot, finding("S4", **LOCAL))["F4"]
    assert remedy.usable
    words = shlex.split(commands(remedy))
    assert "--subresource=status" in words
    assert json.loads(words[-1].removeprefix("--patch="))[-1] == {
        "op": "add",
        "path": "/status/loadBalancer/ingress/0/ipMode",
        "value": "Proxy",
    }


def test_one_old_kube_proxy_is_enough_to_say_no() -> None:
    snapshot = table(sample("local-1.28-terway"), "versions", version="v1.32.0")
    check = prerequisite(fixes(snapshot, finding("S4", **LOCAL))["F4"], "kube-proxy-version")
    assert check.state == "not-met"
    assert N1 in check.values["below"]


def test_the_controllers_image_is_exact() -> None:
    snapshot = table(
        sample("clb-reuse"),
        "daemonsets",
        images="registry.example.com/acs/cloud-controller-manager-amd64:v2.1.0.123-abc-aliyun",
    )
    found = fixes(snapshot, S1)
    assert prerequisite(found["F3"], "ccm-version") == Prerequisite(
        "ccm-version", "not-met", {"need": "2.3.0", "found": "v2.1.0.123-abc-aliyun"}
    )
    assert list(found)[-3:] == ["F3", "F4", "F9"]


def test_s8_outside_client_of_a_node_port() -> None:
    found = of_sample(
        "local-1.28-terway",
        finding("S8", targets=("10.0.4.141:30745/tcp",), nodes=(N3,), vantages=("external:10.0.6.100",)),
    )
    assert list(found) == ["F8", "F5", "F7", "F12"]
    assert found["F8"].changes[0].body.splitlines() == ["10.0.0.171:30745/tcp", "10.0.2.77:30745/tcp"]
    assert "http://10.0.2.77:31745/healthz" in found["F8"].verify[1].body
    assert found["F12"].changes == ()


def test_s11_loop_back_after_a_hostname() -> None:
    found = of_sample("hostname-loopback", finding("S11", targets=(f"{VIP}:80/tcp",), nodes=(N1,)))
    assert list(found) == ["F1", "F3c", "F13", "F6", "F9"]
    assert found["F1"].changes[0].body == "nginx-hn.default.svc.cluster.local:80/tcp (172.21.3.10:80)"
    assert [card for card, remedy in found.items() if remedy.partial] == ["F6", "F9"]
    assert f"service/nginx-hn {PREFIX}protocol-port=http:80" in commands(found["F3c"])
    assert found["F13"].values["loopback_shares"] == f"{VIP}:80/tcp: {N2} 33 %, {N1} 33 %, {N3} 33 %"
    apart = yaml.safe_load(found["F13"].changes[0].body)["spec"]["template"]["spec"]["affinity"]["podAntiAffinity"]
    term = apart["requiredDuringSchedulingIgnoredDuringExecution"][0]
    assert term["labelSelector"] == {"matchLabels": {"app": "nginx"}}
    assert term["namespaces"] == ["default"]
    assert (
        yaml.safe_load(found["F9"].changes[0].body)["metadata"]["annotations"][f"{PREFIX}preserve-client-ip"] == "off"
    )


def test_s11_with_policy_local_the_share_is_that_of_the_nodes_with_an_endpoint() -> None:
    found = of_sample("hostname-loopback", finding("S11", targets=("192.168.1.201:80/tcp",), nodes=(N1,)))
    assert found["F13"].values["loopback_shares"] == f"192.168.1.201:80/tcp: {N1} 100 %"


def test_s11_entries_of_other_ports_are_kept_and_junk_is_not() -> None:
    annotations = {f"{PREFIX}protocol-port": "tcp:22, https:8443,$(reboot):80,udp:80"}
    snapshot = services(sample("hostname-loopback"), {"annotations": annotations})
    found = fixes(snapshot, finding("S11", targets=(f"{VIP}:80/tcp",)))
    assert f"{PREFIX}protocol-port=tcp:22,https:8443,http:80" in commands(found["F3c"])


def test_s14_a_reused_load_balancer_without_listener() -> None:
    snapshot = services(sample("clb-reuse"), {"port": 8080, "annotations": {f"{PREFIX}force-override-listeners": None}})
    found = fixes(snapshot, finding("S14", targets=(f"{VIP}:8080/tcp",), services=("default/nginx",)))
    assert list(found) == ["F14"]
    assert f"service/nginx {PREFIX}force-override-listeners=true" in commands(found["F14"])
    assert found["F14"].values["ports"] == f"{VIP}:8080/tcp"
    assert states(found["F14"]) == {"listener-port-free": "met"}
    taken = services(sample("clb-reuse"), {"port": 443, "annotations": {f"{PREFIX}force-override-listeners": None}})
    found = fixes(taken, finding("S14", targets=(f"{VIP}:443/tcp",), services=("default/nginx",)))
    assert states(found["F14"]) == {"listener-port-free": "not-met"}


def test_s14_not_where_the_controller_manages_the_listeners() -> None:
    assert of_sample("clb-reuse", finding("S14", services=("default/nginx",))) == {}


def test_s18_only_the_services_that_still_publish_the_address_are_annotated() -> None:
    done = {"name": "done", "port": 8080, "ingress_ips": None, "ingress_hostnames": "done.example.com"}
    snapshot = services(sample("clb-reuse"), {}, done)
    found = fixes(snapshot, finding("S18", targets=(f"{VIP}:8080/tcp",), services=("default/done",), nodes=(N1,)))
    assert list(found) == ["F3b"]
    assert commands(found["F3b"]).count("annotate") == 1
    assert "service/nginx" in commands(found["F3b"])


def test_s22_stale_binding() -> None:
    snapshot = services(sample("clb-reuse"), {"ingress_ips": None})
    found = fixes(snapshot, finding("S22", targets=(VIP,), nodes=(N3,)))
    assert list(found) == ["F16"]
    assert found["F16"].values["left_over"] == VIP
    text = commands(found["F16"])
    assert "delete pod/kube-proxy-worker-63949" in text
    assert "kube-proxy-worker-43071" not in text  # the pod of another node
    assert f"ip addr del {VIP}/32 dev kube-ipvs0" in text
    assert f"ipvsadm -D -t {VIP}:80" in text


def test_s22_nothing_is_cleaned_that_a_service_publishes() -> None:
    found = of_sample("drift", finding("S22", targets=(f"{VIP}:80/tcp",), nodes=(N1, N2, N3)))
    assert "addr del" not in commands(found["F16"])
    assert found["F16"].values["left_over"] == "–"


def test_s22_after_a_change_of_the_mode_kube_ipvs0_goes() -> None:
    found = fixes(regimes(sample("clb-reuse"), proxy_mode="iptables"), finding("S22", nodes=(N3,)))
    assert list(found) == ["F16b"]
    assert VIP in found["F16b"].values["left_over"]
    assert "ip link delete dev kube-ipvs0" in commands(found["F16b"])
    assert "delete pod" not in commands(found["F16b"])


def test_many_nodes_restart_the_daemonset() -> None:
    snapshot = sample("drift")
    pods = snapshot["pods"]
    row = pods[pods["name"].str.startswith("kube-proxy")].head(1)
    names = [f"node-{number}" for number in range(30)]
    many = pd.concat([row.assign(node_name=name, name=f"kube-proxy-worker-{name}") for name in names])
    grown = replace(snapshot.with_tables(pods=many), node_names=tuple(names))
    found = fixes(grown, finding("S22", nodes=tuple(names)))
    assert found["F16"].changes[1].body == (
        "kubectl --namespace=kube-system rollout restart daemonset/kube-proxy-worker"
    )


def test_a_service_without_endpoints_that_no_load_balancer_serves() -> None:
    snapshot = services(sample("clb-reuse"), {"type": "ClusterIP", "ingress_ips": None, "labels": "{}"})
    snapshot = snapshot.with_tables(endpoints=snapshot["endpoints"].head(0))
    found = fixes(snapshot, finding("S15", fixes=("F15",), services=("default/nginx",)))
    assert found["F15"].values["empty"] == "default/nginx"
    assert "aliyun" not in "".join(change.body for change in (*found["F15"].changes, *found["F15"].verify))


def test_internal_policy_local_wants_endpoints_too() -> None:
    snapshot = services(sample("clb-reuse"), {"internal_policy": "Local"})
    one = finding("", fixes=("F7", "F11"), services=("default/nginx",), nodes=(N3,))
    assert list(fixes(snapshot, one)) == ["F7"]


def test_un_binding_is_never_offered_where_packets_arrive_with_the_vip() -> None:
    plain = {"annotations": {f"{PREFIX}id": None, f"{PREFIX}force-override-listeners": None}, "labels": "{}"}
    snapshot = services(sample("clb-reuse"), plain)
    empty = snapshot["load_balancers"].head(0)
    snapshot = table(
        snapshot.with_tables(load_balancers=empty),
        "nodes",
        provider_id="gce://project/zone/node",
        kubelet_version="v1.31.0",
    )
    snapshot = regimes(table(snapshot, "versions", version="v1.31.0"), kube_proxy_version="v1.31.0")
    assert not {"F3", "F3b", "F4", "F9"} & set(fixes(snapshot, S1))
    announced = table(snapshot, "nodes", provider_id="alicloud://cn-hongkong.i-1")
    assert {"F3", "F4"} <= set(fixes(announced, S1))
    announced = table(announced, "pods", images="quay.io/metallb/speaker:v0.14.5")
    assert not {"F3", "F3b", "F4", "F9"} & set(fixes(announced, S1))


def test_a_vendor_option_is_offered_with_a_question() -> None:
    hetzner = {"annotations": {f"{PREFIX}id": None, f"{PREFIX}force-override-listeners": None,
                               "load-balancer.hetzner.cloud/location": "fsn1"}, "labels": "{}"}  # fmt: skip
    remedy = fixes(services(sample("clb-reuse"), hetzner), S1)["F3"]
    assert "load-balancer.hetzner.cloud/hostname=<dns-name>" in commands(remedy)
    assert states(remedy)["delivery-rewritten"] == "unknown"
    assert remedy.usable


def test_an_access_list_that_starts_to_apply_is_named() -> None:
    snapshot = table(sample("clb-reuse"), "lb_listeners", acl_status="on", acl_id="acl-1")
    remedy = fixes(snapshot, S1)["F3"]
    assert "acl-applies" in remedy.side_effects
    assert f"{VIP}:443/tcp" in remedy.values["acl_listeners"]


def test_vs_conntrack_only_where_it_is_off() -> None:
    one = finding("", fixes=("F17",), nodes=(N1,))
    assert of_sample("clb-reuse", one) == {}
    found = fixes(regimes(sample("clb-reuse"), vs_conntrack="0"), one)
    assert found["F17"].values["nodes"] == N1
    assert "sysctl -w net.ipv4.vs.conntrack=1" in commands(found["F17"])


def test_missing_captures_are_listed_with_their_commands() -> None:
    snapshot = sample("clb-reuse")
    captured = {node: dict(have) for node, have in snapshot.captured.items()}
    del captured[N2]["ipvsadm"]
    captured[N1]["conntrack"] = False
    del captured[""]["pods"]
    one = finding("", fixes=("F18",), nodes=(N1, N2, N3), services=("default/nginx",))
    found = fixes(replace(snapshot, captured=captured), one)["F18"]
    assert found.values["nodes"] == f"{N1}, {N2}"
    assert found.values["captures"] == "conntrack, ipvsadm"
    assert "kubectl get pods -A -o json" in commands(found)
    assert "cloud-aliyun" not in commands(found)
    assert of_sample("clb-reuse", one) == {}


@pytest.mark.parametrize("name", SAMPLES)
def test_unknown_cards_and_empty_findings_are_no_trouble(name: str) -> None:
    assert of_sample(name, finding("", fixes=("F99",))) == {}
