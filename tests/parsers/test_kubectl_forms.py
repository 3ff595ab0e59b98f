# ruff: noqa: E501 (captures and their rows are wider than code)
"""The odd forms of kubectl output (ids of the catalogue in the test names)."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml

from analyzer.parsers import kubectl_json, kubectl_table, kubectl_yaml, registry
from analyzer.parsers.base import Parsed


def reasons(parsed: Parsed) -> list[str]:
    return [note.reason for note in parsed.notes]


def cells(parsed: Parsed, table: str, *columns: str) -> list[Any]:
    """Rows as tuples with None for null; plain values for a single column."""
    frame = parsed.tables[table][list(columns)].astype(object)
    rows = [tuple(None if value != value or value is None else value for value in row) for row in _plain(frame)]
    return [row[0] for row in rows] if len(columns) == 1 else rows


def _plain(frame: Any) -> list[tuple[Any, ...]]:
    return list(frame.where(frame.notna(), None).itertuples(index=False, name=None))


def service(name: str = "web", **spec: Any) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name, "namespace": "shop"}, "spec": spec}


def both(*objects: dict[str, Any]) -> list[Parsed]:
    """The same objects as a JSON list and as a YAML list."""
    whole = {"apiVersion": "v1", "items": list(objects), "kind": "List"}
    return [
        kubectl_json.parse(json.dumps(whole, indent=4).encode(), "x.json"),
        kubectl_yaml.parse(yaml.safe_dump(whole).encode(), "x.yaml"),
    ]


def test_ko01_items_take_the_kind_of_their_list() -> None:
    text = {
        "kind": "ServiceList",
        "apiVersion": "v1",
        "items": [{"metadata": {"name": "a"}}, {"metadata": {"name": "b"}}],
    }
    for parsed in (
        kubectl_json.parse(json.dumps(text).encode(), "x"), kubectl_yaml.parse(yaml.safe_dump(text).encode(), "x"),
    ):  # fmt: skip
        assert cells(parsed, "services", "name") == ["a", "b"]


def test_ko02_the_kind_may_be_the_last_key() -> None:
    text = b"""apiVersion: v1
items:
- addressType: IPv4
  apiVersion: discovery.k8s.io/v1
  endpoints:
  - addresses:
    - 10.20.1.7
    conditions:
      ready: true
    nodeName: node-a
  ports:
  - port: 8443
    protocol: TCP
  metadata:
    labels: {kubernetes.io/service-name: web}
    name: web-abc
    namespace: shop
  kind: EndpointSlice
kind: List
"""
    parsed = kubectl_yaml.parse(text, "x.yaml")
    assert cells(parsed, "endpoints", "service", "address", "port", "node_name", "line") == [
        ("web", "10.20.1.7", 8443, "node-a", 3)
    ]
    assert parsed.lines.rows == 16
    assert parsed.notes == ()


def test_ko03_documents_with_lines_removed_by_hand() -> None:
    text = b"""apiVersion: v1
kind: Service
metadata:
  name: a
...
spec:
  clusterIP: 203.0.113.1
---
apiVersion: v1
kind: Service
metadata: {name: b}
spec:
  selector: "..."
  clusterIP: 203.0.113.2
"""
    parsed = kubectl_yaml.parse(text, "x.yaml")
    assert cells(parsed, "services", "name", "cluster_ips", "selector") == [
        ("a", "203.0.113.1", None), ("b", "203.0.113.2", None),
    ]  # fmt: skip
    assert reasons(parsed) == ["cut", "unparsed"]
    assert not parsed.complete


def test_ko03_a_broken_document_does_not_take_the_others_with_it() -> None:
    text = b"kind: Service\nmetadata:\n  name: [a\n---\nkind: Service\nmetadata: {name: b}\nspec: {}\n"
    parsed = kubectl_yaml.parse(text, "x.yaml")
    assert cells(parsed, "services", "name", "line") == [("b", 5)]
    assert [(note.reason, note.line) for note in parsed.notes] == [("unparsed", 3)]
    assert (parsed.lines.rows, parsed.lines.noted, parsed.lines.furniture) == (3, 3, 1)


def test_ko03_a_broken_item_does_not_take_the_list_with_it() -> None:
    text = b"""apiVersion: v1
items:
- kind: Service
  metadata: {name: a
- kind: Service
  metadata: {name: b}
  spec: {}
kind: List
"""
    parsed = kubectl_yaml.parse(text, "x.yaml")
    assert cells(parsed, "services", "name", "line") == [("b", 5)]
    assert reasons(parsed) == ["unparsed"]


def test_ko04_two_commands_in_one_paste() -> None:
    one = "apiVersion: v1\nkind: Service\nmetadata:\n  name: {}\n"
    text = (
        "[root@node-a ~]# kubectl get svc a -o yaml\n" + one.format("a")
        + "[root@node-a ~]# kubectl get svc b -o yaml\n" + one.format("b")
    )  # fmt: skip
    found = registry.parse_member(text.encode(), "paste.txt")
    assert [cells(parsed, "services", "name", "line") for _, parsed in found] == [[("a", 2)], [("b", 7)]]


def test_ko05_concatenated_documents_and_logs() -> None:
    text = (
        b'{"kind": "NodeList", "apiVersion": "v1", "items": [{"metadata": {"name": "node-a"}, "spec": {}}]}\n'
        b'{"kind": "ServiceList", "apiVersion": "v1", "items": [{"metadata": {"name": "web"}, "spec": {}}]}\n'
        b"==== START logs for container c of pod shop/web ====\n"
        b'{"level": "info"}\nplain text\n'
        b"==== END logs for container c of pod shop/web ====\n"
        b'{"kind": "PodList", "items": [\n{"metadata": {"name": "p"}, "spec": {}}]}'
    )
    parsed = kubectl_json.parse(text, "dump.json")
    assert cells(parsed, "nodes", "name", "line") == [("node-a", 1)]
    assert cells(parsed, "services", "name", "line") == [("web", 2)]
    assert cells(parsed, "pods", "name", "line") == [("p", 8)]
    assert [(note.reason, note.text) for note in parsed.notes] == [("extra", "container logs")]
    assert parsed.lines.furniture == 5


def test_ko06_a_single_object_takes_its_namespace_from_itself() -> None:
    parsed = kubectl_json.parse(json.dumps(service(clusterIP="203.0.113.1")).encode(), "other/ns/svc.json")
    assert cells(parsed, "services", "namespace", "name") == [("shop", "web")]


def test_ko07_names_only() -> None:
    for parsed in both({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "a"}}):
        assert cells(parsed, "services", "name", "type") == [("a", None)]
        assert reasons(parsed) == ["cut"]
        assert not parsed.complete


def test_ko08_old_api() -> None:
    old = {
        "kind": "EndpointSlice", "apiVersion": "discovery.k8s.io/v1beta1", "addressType": "IPv4",
        "metadata": {"name": "web-x", "namespace": "shop", "labels": {"kubernetes.io/service-name": "web"}},
        "endpoints": [{"addresses": ["10.20.1.7"], "topology": {
            "kubernetes.io/hostname": "node-a", "topology.kubernetes.io/zone": "zone-1"}}],
        "ports": [{"name": "", "port": 8443, "protocol": "TCP"}],
    }  # fmt: skip
    pod = {"kind": "Pod", "apiVersion": "v1", "metadata": {"name": "p"}, "spec": {}, "status": {"podIP": "10.20.1.7"}}
    for parsed in both(service(clusterIP="203.0.113.1"), old, pod):
        assert cells(parsed, "services", "cluster_ips", "internal_policy", "ip_families") == [
            ("203.0.113.1", None, None)
        ]
        assert cells(parsed, "endpoints", "node_name", "zone", "ready") == [("node-a", "zone-1", None)]
        assert cells(parsed, "pods", "ips") == ["10.20.1.7"]


def test_ko09_status_first_and_no_metadata() -> None:
    text = b'{"status": {"loadBalancer": {"ingress": [{"ip": "198.51.100.7"}]}}, "kind": "Service", "spec": {"type": "LoadBalancer"}}'
    parsed = kubectl_json.parse(text, "x.json")
    assert cells(parsed, "services", "name", "ingress_ips") == [(None, "198.51.100.7")]
    assert reasons(parsed) == ["cut"]


@pytest.mark.parametrize(
    ("ingress", "ips", "modes", "names"),
    [
        (None, None, None, None),
        ([], None, None, None),
        ([{"ip": "198.51.100.7"}], "198.51.100.7", None, None),
        (
            [{"ip": "198.51.100.7", "ipMode": "Proxy"}, {"ip": "198.51.100.8"}],
            "198.51.100.7,198.51.100.8",
            "Proxy,",
            None,
        ),
        ([{"hostname": "lb.example"}], None, None, "lb.example"),
        ([{"hostname": "lb.example", "ip": "198.51.100.7"}], "198.51.100.7", None, "lb.example"),
        ([{"ip": "2001:DB8::0:7", "ports": [{"port": 1, "error": "x"}]}], "2001:db8::7", None, None),
    ],
    ids=["absent", "empty", "ip", "modes", "hostname", "both", "ports"],
)
def test_ko10_load_balancer_status(ingress: Any, ips: str | None, modes: str | None, names: str | None) -> None:
    obj = service(type="LoadBalancer")
    obj["status"] = {"loadBalancer": {} if ingress is None else {"ingress": ingress}}
    for parsed in both(obj):
        found = cells(parsed, "services", "ingress_ips", "ingress_ip_modes", "ingress_hostnames")
        assert [(a, b or None, c) for a, b, c in found] == [(ips, modes, names)]


CONFIG = "apiVersion: kubeproxy.config.k8s.io/v1alpha1\nkind: KubeProxyConfiguration\n"


@pytest.mark.parametrize(
    ("key", "text", "mode", "notes"),
    [
        ("config.conf", CONFIG + "mode: ipvs\n", "ipvs", []),
        ("config.conf", CONFIG + 'mode: ""\n', "", []),
        ("config.conf", CONFIG, "", []),
        ("config", CONFIG + "mode: ipvs\n", "ipvs", []),
        ("kube-proxy.conf", CONFIG + "mode: nftables\n", "nftables", []),
        ("config.conf", "bindAddress: 0.0.0.0\nclusterCIDR: 10.64.0.0/16\nconn", None, ["cut"]),
        ("config.conf", CONFIG + "ipvs:\n  strictARP: tr\nmode: [", None, ["cut"]),
        ("config.conf", CONFIG + "# mode: iptables is the default\nmode: ipvs\n", "ipvs", []),
    ],
    ids=["ipvs", "empty", "absent", "eks-key", "other-key", "fragment", "damaged", "comment"],
)
def test_ko11_ko12_the_mode_of_kube_proxy(key: str, text: str, mode: str | None, notes: list[str]) -> None:
    obj = {"kind": "ConfigMap", "apiVersion": "v1", "metadata": {"name": "kube-proxy"}, "data": {key: text}}
    for parsed in both(obj):
        assert cells(parsed, "proxy_configs", "name", "mode") == [("kube-proxy", mode)]
        assert reasons(parsed) == notes
        assert cells(parsed, "configmaps", "key", "value") == [(key, text)]


def test_ko11_fields_of_the_configuration() -> None:
    text = CONFIG + (
        "clusterCIDR: 10.64.0.0/16\nmode: ipvs\nipvs:\n  excludeCIDRs: [198.51.100.0/24, 203.0.113.0/24]\n"
        "  scheduler: rr\n  strictARP: true\niptables: {masqueradeAll: false, masqueradeBit: 14}\n"
        "nodePortAddresses: [192.0.2.0/24]\ndetectLocalMode: BridgeInterface\ndetectLocal: {bridgeInterface: cni0}\n"
        "featureGates: {SupportIPVSProxyMode: true}\n"
    )
    parsed = kubectl_yaml.parse(text.encode(), "kube-proxy.yaml")
    columns = (
        "mode", "cluster_cidr", "scheduler", "strict_arp", "exclude_cidrs", "masquerade_all", "masquerade_bit",
        "node_port_addresses", "detect_local_mode", "bridge_interface", "feature_gates",
    )  # fmt: skip
    assert cells(parsed, "proxy_configs", *columns) == [(
        "ipvs", "10.64.0.0/16", "rr", True, "198.51.100.0/24,203.0.113.0/24", False, 14, "192.0.2.0/24",
        "BridgeInterface", "cni0", '{"SupportIPVSProxyMode":true}',
    )]  # fmt: skip


def test_ko11_excluded_networks_null_and_empty_are_the_same() -> None:
    for value in ("null", "[]"):
        parsed = kubectl_yaml.parse((CONFIG + f"ipvs:\n  excludeCIDRs: {value}\n").encode(), "x.yaml")
        assert cells(parsed, "proxy_configs", "exclude_cidrs") == [None]


def test_ko12_line_numbers_and_comment_marks_are_taken_off() -> None:
    plain = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: kube-proxy\ndata:\n  config.conf: |\n"
    plain += "".join(f"    {line}\n" for line in (CONFIG + "mode: ipvs").splitlines())
    numbered = "".join(f"{n:3}  {line}\n" for n, line in enumerate(plain.splitlines(), 1))
    commented = "".join(f"# {line}\n" for line in plain.splitlines())
    for text in (plain, numbered, commented):
        parsed = kubectl_yaml.parse(text.encode(), "x.yaml")
        assert cells(parsed, "proxy_configs", "mode", "line") == [("ipvs", 1)]


def test_other_configmaps_are_only_counted() -> None:
    obj = {"kind": "ConfigMap", "apiVersion": "v1", "metadata": {"name": "app"}, "data": {"secret": "x"}}
    for parsed in both(obj, {**obj, "metadata": {"name": "coredns"}, "data": {"Corefile": ".:53 {}"}}):
        assert cells(parsed, "configmaps", "name", "key") == [("coredns", "Corefile")]
        assert parsed.facts["other_configmaps"] == "1"


def test_unknown_kinds_are_one_note() -> None:
    for parsed in both(service(), {"kind": "Deployment", "metadata": {"name": "d"}}, {"kind": "Deployment"}, {"x": 1}):
        assert cells(parsed, "services", "name") == ["web"]
        assert [(note.reason, note.text) for note in parsed.notes] == [("extra", "2 Deployment, 1 object without kind")]
        assert parsed.complete


def test_one_wrong_field_costs_only_itself() -> None:
    bad = service("bad", ports=[{"port": {"x": 1}, "protocol": "TCP"}, {"port": "443"}], externalIPs=["198.51.100.1"])
    for parsed in both(service("good", ports=[{"port": 80}]), bad):
        assert cells(parsed, "services", "name", "external_ips") == [("good", None), ("bad", "198.51.100.1")]
        assert cells(parsed, "service_ports", "service", "port") == [("good", 80), ("bad", None), ("bad", 443)]
        assert [note.reason for note in parsed.notes] == ["unparsed"]
        assert "spec.ports[0].port" in parsed.notes[0].text


def test_numbers_beyond_the_api_and_lone_surrogates() -> None:
    text = b'{"kind": "Service", "metadata": {"name": "a\\ud800"}, "spec": {"ports": [{"port": 99999999999999999999}]}}'
    parsed = kubectl_json.parse(text, "x.json")
    assert cells(parsed, "services", "name") == ["a\ufffd"]
    assert cells(parsed, "service_ports", "port") == [None]
    assert reasons(parsed) == ["unparsed"]


def test_masked_addresses_are_noted() -> None:
    for parsed in both(service(clusterIP="203.0.113.x", externalIPs=["***HIDDEN***"])):
        assert cells(parsed, "services", "cluster_ips", "external_ips") == [(None, None)]
        assert sorted(reasons(parsed)) == ["masked", "masked"]


def test_en12_a_cut_list_keeps_its_complete_items() -> None:
    whole = json.dumps(
        {"apiVersion": "v1", "items": [service(f"s{n}", clusterIP="203.0.113.1") for n in range(5)]}, indent=4
    )
    parsed = kubectl_json.parse(whole[: whole.index('"s3"')].encode(), "x.json")
    assert cells(parsed, "services", "name") == ["s0", "s1", "s2"]
    assert reasons(parsed) == ["cut"]
    assert not parsed.complete


def test_a_damaged_item_in_the_middle() -> None:
    whole = json.dumps({"apiVersion": "v1", "items": [service(f"s{n}") for n in range(3)], "kind": "List"}, indent=4)
    parsed = kubectl_json.parse(whole.replace('"name": "s1"', '"name": ***').encode(), "x.json")
    assert cells(parsed, "services", "name") == ["s0", "s2"]
    assert "unparsed" in reasons(parsed)
    assert not parsed.complete


def test_empty_list_is_captured_and_empty() -> None:
    for parsed in both():
        assert parsed.state == "empty"
        assert parsed.complete


def test_lines_of_compact_json() -> None:
    text = json.dumps({"apiVersion": "v1", "items": [service("a"), service("b")], "kind": "List"}).encode()
    parsed = kubectl_json.parse(b"\n" + text, "x.json")
    assert cells(parsed, "services", "name", "line") == [("a", 2), ("b", 2)]
    assert (parsed.lines.total, parsed.lines.blank, parsed.lines.rows) == (2, 1, 1)


def test_endpoints_and_slices_of_the_same_service() -> None:
    ends = {
        "kind": "Endpoints", "apiVersion": "v1", "metadata": {"name": "web", "namespace": "shop"},
        "subsets": [{"addresses": [{"ip": "10.20.1.7", "nodeName": "node-a", "targetRef": {"kind": "Pod", "name": "p"}}],
                     "notReadyAddresses": [{"ip": "2001:DB8::9"}], "ports": [{"port": 8443, "protocol": "UDP"}]}],
    }  # fmt: skip
    for parsed in both(ends):
        assert cells(parsed, "endpoints", "address", "family", "port", "protocol", "ready", "target", "source") == [
            ("10.20.1.7", 4, 8443, "udp", True, "Pod//p", "Endpoints"),
            ("2001:db8::9", 6, 8443, "udp", False, None, "Endpoints"),
        ]


def test_pods_nodes_daemonsets_events_versions() -> None:
    pod = {
        "kind": "Pod", "apiVersion": "v1",
        "metadata": {"name": "p", "namespace": "shop", "deletionTimestamp": "2024-03-01T02:03:04Z",
                     "ownerReferences": [{"kind": "ReplicaSet", "name": "r", "controller": True}]},
        "spec": {"hostNetwork": True, "nodeName": "node-a", "containers": [{
            "name": "c", "image": "c:1", "ports": [{"containerPort": 80, "name": "http", "protocol": "TCP", "hostPort": 8080}]}],
            "initContainers": [{"name": "s", "restartPolicy": "Always", "ports": [{"containerPort": 90, "name": "side"}]}]},
        "status": {"phase": "Running", "podIPs": [{"ip": "10.20.1.7"}, {"ip": "2001:db8::7"}],
                   "conditions": [{"type": "Ready", "status": "Unknown"}]},
    }  # fmt: skip
    node = {
        "kind": "Node", "apiVersion": "v1",
        "metadata": {"name": "node-a", "labels": {"failure-domain.beta.kubernetes.io/zone": "z"}},
        "spec": {"podCIDR": "10.20.1.0/24", "unschedulable": True, "taints": [{"key": "a", "effect": "NoSchedule"}, {"key": "b"}]},
        "status": {"addresses": [{"type": "InternalIP", "address": "192.0.2.11"}, {"type": "Hostname", "address": "x"}],
                   "nodeInfo": {"kubeProxyVersion": "v1.22.0"}, "conditions": [{"type": "Ready", "status": "True"}]},
    }  # fmt: skip
    daemon = {
        "kind": "DaemonSet", "apiVersion": "apps/v1", "metadata": {"name": "kube-proxy", "namespace": "kube-system"},
        "spec": {"template": {"spec": {"containers": [{"name": "kp", "image": "kp:1", "command": ["kube-proxy"], "args": ["--v=2"]}]}}},
        "status": {"desiredNumberScheduled": 3, "numberReady": 2},
    }  # fmt: skip
    event = {"kind": "Event", "apiVersion": "v1", "metadata": {"name": "e", "namespace": "shop"}, "reason": "Sync",
             "involvedObject": {"kind": "Service", "name": "web"}, "count": 3, "type": "Warning", "message": "m"}  # fmt: skip
    for parsed in both(pod, node, daemon, event):
        assert parsed.notes == ()
        assert cells(parsed, "pods", "host_network", "ips", "ready", "ports", "named_ports", "owner", "deleting") == [(
            True, "10.20.1.7,2001:db8::7", False, "80/tcp:8080,90", "http=80/tcp,side=90", "ReplicaSet/r", True,
        )]  # fmt: skip
        assert cells(parsed, "nodes", "internal_ips", "pod_cidrs", "ready", "unschedulable", "zone", "taints") == [
            ("192.0.2.11", "10.20.1.0/24", True, True, "z", "a,b")
        ]
        assert cells(parsed, "daemonsets", "images", "args", "desired", "ready") == [
            ("kp:1", '["kube-proxy","--v=2"]', 3, 2)
        ]
        assert cells(parsed, "events", "namespace", "kind", "name", "count") == [("shop", "Service", "web", 3)]
    version = {"clientVersion": {"gitVersion": "v1.30.1"}, "serverVersion": {"gitVersion": "v1.28.3"}}
    for parsed in (
        kubectl_json.parse(json.dumps(version).encode(), "v"), kubectl_yaml.parse(yaml.safe_dump(version).encode(), "v"),
    ):  # fmt: skip
        assert cells(parsed, "versions", "component", "version") == [("client", "v1.30.1"), ("server", "v1.28.3")]


def test_alias_bombs_are_refused() -> None:
    text = "kind: Service\na0: &a0 [x, x]\n" + "".join(
        f"a{n + 1}: &a{n + 1} [{', '.join([f'*a{n}'] * 9)}]\n" for n in range(9)
    )
    parsed = kubectl_yaml.parse(text.encode(), "x.yaml")
    assert parsed.state == "failed"
    assert "aliases" in parsed.notes[0].detail


# ---------------------------------------------------------------- tables


def table(text: str) -> Parsed:
    return kubectl_table.parse(text.encode(), "get.txt")


def test_ko13_wide_tables_with_blanks_in_titles_and_cells() -> None:
    parsed = table(
        "NAMESPACE   NAME    READY   STATUS             RESTARTS        AGE   IP           NODE     NOMINATED NODE   READINESS GATES\n"
        "shop        web-0   1/1     Running            2 (3h14m ago)   9d    10.20.1.7    node-a   <none>           <none>\n"
        "shop  web-1 0/1 CrashLoopBackOff 7 (41m ago) 9d 10.20.1.8 node-a <none> <none>\n"
        "shop  web-2 0/1 CrashLoopBackOff extra cell here 7 9d 10.20.1.8 node-a <none> <none>\n"
    )
    assert cells(parsed, "pods", "name", "node_name", "ips", "phase", "ready") == [
        ("web-0", "node-a", "10.20.1.7", "Running", True), ("web-1", "node-a", "10.20.1.8", None, None),
    ]  # fmt: skip
    assert [(note.reason, note.line) for note in parsed.notes] == [("extra", 2), ("unparsed", 4)]
    assert parsed.facts["quality"] == "table"


def test_ko13_nodes_wide() -> None:
    parsed = table(
        "NAME     STATUS                     ROLES    AGE   VERSION   INTERNAL-IP   EXTERNAL-IP   OS-IMAGE                         KERNEL-VERSION   CONTAINER-RUNTIME\n"
        "node-a   Ready,SchedulingDisabled   <none>   9d    v1.28.3   192.0.2.11    <none>        Debian GNU/Linux 12 (bookworm)   6.1.0            containerd://1.6\n"
        "node-b NotReady <none> 9d v1.28.3 192.0.2.12 198.51.100.2 Debian GNU/Linux 12 (bookworm) 6.1.0 containerd://1.6\n"
    )
    assert cells(parsed, "nodes", "name", "ready", "unschedulable", "internal_ips", "external_ips", "kernel") == [
        ("node-a", True, True, "192.0.2.11", None, "6.1.0"), ("node-b", False, False, "192.0.2.12", "198.51.100.2", "6.1.0"),
    ]  # fmt: skip


def test_ko14_values_of_the_services_table() -> None:
    parsed = table(
        "NAME  TYPE          CLUSTER-IP     EXTERNAL-IP                       PORT(S)                       AGE\n"
        "a     ClusterIP     None           <none>                            80/TCP                        9d\n"
        "b     LoadBalancer  203.0.113.2    <pending>                         80:30443/TCP,53:30053/UDP     9d\n"
        "c     LoadBalancer  203.0.113.3    lb.example                        443:30444/TCP                 9d\n"
        "d     LoadBalancer  203.0.113.4    198.51.100.1,198.51.100.2 + 1 more...   443:30445/TCP           9d\n"
        "e     ExternalName  <none>         db.example                        <none>                        9d\n"
        "f     NodePort      203.0.113.6    198.51.100.9                      80:30080/TCP                  9d\n"
    )
    assert cells(parsed, "services", "name", "cluster_ips", "external_ips", "ingress_ips", "ingress_hostnames") == [
        ("a", "None", None, None, None),
        ("b", "203.0.113.2", None, None, None),
        ("c", "203.0.113.3", None, None, "lb.example"),
        ("d", "203.0.113.4", None, "198.51.100.1,198.51.100.2", None),
        ("e", None, None, None, None),
        ("f", "203.0.113.6", "198.51.100.9", None, None),
    ]
    assert cells(parsed, "service_ports", "service", "protocol", "port", "node_port", "target_port")[1:3] == [
        ("b", "tcp", 80, 30443, None), ("b", "udp", 53, 30053, None),
    ]  # fmt: skip
    assert [(note.reason, note.line) for note in parsed.notes] == [("extra", 2), ("cut", 5)]


def test_ko15_rows_without_a_title() -> None:
    parsed = table(
        "shop  web  NodePort  203.0.113.9  <none>  80:30080/TCP  9d\nshop  db  ClusterIP  203.0.113.8  <none>  1/TCP  9d  a=b\n"
    )
    assert cells(parsed, "services", "namespace", "name", "selector") == [
        ("shop", "web", None),
        ("shop", "db", '{"a":"b"}'),
    ]
    bare = table("web  NodePort  203.0.113.9  <none>  80:30080/TCP  9d\n")
    assert cells(bare, "services", "namespace", "name") == [(None, "web")]


def test_ko16_get_all_table_by_table() -> None:
    parsed = table(
        "NAME        READY   STATUS    RESTARTS   AGE\npod/web-0   1/1     Running   0          9d\n\n"
        "NAME          TYPE        CLUSTER-IP    EXTERNAL-IP   PORT(S)   AGE\n"
        "service/web   ClusterIP   203.0.113.1   <none>        80/TCP    9d\n\n"
        "NAME                  READY   UP-TO-DATE   AVAILABLE   AGE\ndeployment.apps/web   1/1     1            1           9d\n"
    )
    assert cells(parsed, "pods", "name") == ["web-0"]
    assert cells(parsed, "services", "name") == ["web"]
    assert parsed.lines.noted == 1


def test_ko17_watch_shows_an_object_again() -> None:
    parsed = table(
        "NAME    READY   STATUS    RESTARTS   AGE\nweb-0   0/1     Pending   0          1s\nweb-0   1/1     Running   0          5s\n"
    )
    assert cells(parsed, "pods", "phase", "line") == [("Running", 3)]
    assert "repeated" in reasons(parsed)


def test_ko18_partial_endpoints() -> None:
    parsed = table(
        "NAME   ENDPOINTS                                    AGE\nweb    10.20.1.7:8443,10.20.2.9:8443 + 3 more...   9d\nno     <none>   9d\n"
    )
    assert cells(parsed, "endpoints", "service", "address", "port") == [
        ("web", "10.20.1.7", 8443),
        ("web", "10.20.2.9", 8443),
    ]
    assert "cut" in reasons(parsed)
    assert not parsed.complete


def test_ko22_nothing_found_is_captured_and_empty() -> None:
    found = registry.parse_member(b"No resources found in shop namespace.\n", "kubectl-get-svc.txt")
    assert [(form.name, parsed.state) for form, parsed in found] == [("kubectl-table", "empty")]
    refused = b"The connection to the server 192.0.2.1:6443 was refused - did you specify the right host or port?\n"
    assert [parsed.state for _, parsed in registry.parse_member(refused, "services.json")] == ["failed"]
