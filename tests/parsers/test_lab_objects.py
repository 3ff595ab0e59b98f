"""The objects of the real captures, exactly, and the same from YAML."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest
import yaml

from analyzer.parsers import kubectl_json, kubectl_yaml, registry

LAB = Path(__file__).parents[1] / "data" / "lab"
CASE = LAB / "1.28.3-terway-cluster" / "cluster"
OLD = LAB / "1.22.0-flannel-local" / "cluster"


def table(path: Path, name: str) -> pd.DataFrame:
    [(_, parsed)] = registry.parse_member(path.read_bytes(), path.name)
    assert parsed.notes == ()
    return parsed.tables[name]


@pytest.mark.parametrize("path", sorted(LAB.glob("*/cluster/*.json")), ids=lambda path: f"{path.parts[-3]}/{path.stem}")
def test_yaml_of_the_same_objects_gives_equal_tables(path: Path) -> None:
    document = json.loads(path.read_bytes())
    first = kubectl_json.parse(path.read_bytes(), "f")
    assert first.notes == ()
    assert first.lines.noted == 0
    for text in (yaml.safe_dump(document), yaml.safe_dump(document, default_flow_style=None, width=10_000)):
        second = kubectl_yaml.parse(text.encode(), "f")
        assert second.notes == ()
        for name, frame in first.tables.items():
            pd.testing.assert_frame_equal(frame.drop(columns="line"), second.tables[name].drop(columns="line"))


@pytest.mark.parametrize(
    "path", sorted(LAB.glob("*/cluster/*s.json")), ids=lambda path: f"{path.parts[-3]}/{path.stem}"
)
def test_line_is_where_the_object_starts(path: Path) -> None:
    lines = path.read_text().splitlines()
    parsed = kubectl_json.parse(path.read_bytes(), "f")
    starts = {int(n) for frame in parsed.tables.values() for n in frame["line"]}
    assert starts == {n for n, line in enumerate(lines, 1) if line == "        {"}


@pytest.mark.parametrize(
    "path", sorted(LAB.glob("*/cluster/*s.json")), ids=lambda path: f"{path.parts[-3]}/{path.stem}"
)
def test_compact_json_gives_the_same_rows(path: Path) -> None:
    first = kubectl_json.parse(path.read_bytes(), "f")
    document = json.loads(path.read_bytes())
    for item in document["items"]:  # as an API client prints it: the kind stands at the list only
        kind = item.pop("kind")
    document["kind"] = f"{kind}List"
    second = kubectl_json.parse(json.dumps(document, sort_keys=True).encode(), "f")
    for name, frame in first.tables.items():
        pd.testing.assert_frame_equal(frame.drop(columns="line"), second.tables[name].drop(columns="line"))


def test_services() -> None:
    frame = table(CASE / "services.json", "services").set_index("name")
    nginx = frame.loc["nginx"]
    assert nginx["type"] == "LoadBalancer"
    assert (nginx["cluster_ips"], nginx["ingress_ips"], nginx["external_policy"], nginx["internal_policy"]) == (
        "172.21.3.10", "192.168.1.200", "Cluster", "Cluster",
    )  # fmt: skip
    assert nginx["selector"] == '{"app":"nginx"}'
    assert (
        json.loads(str(nginx["annotations"]))["service.beta.kubernetes.io/alibaba-cloud-loadbalancer-id"]
        == "lb-j6c3e705f3f808e03"
    )
    assert nginx["line"] == 43
    ports = table(CASE / "services.json", "service_ports")
    assert ports[["service", "port_name", "protocol", "port", "target_port", "node_port"]].astype(object).fillna(0).to_numpy().tolist() == [
        ["kubernetes", "https", "tcp", 443, "6443", 0], ["nginx", "tcp-80", "tcp", 80, "80", 30745],
    ]  # fmt: skip


def test_local_policy_of_the_old_cluster() -> None:
    nginx = table(OLD / "services.json", "services").set_index("name").loc["nginx"]
    assert nginx["external_policy"] == "Local"
    assert nginx["health_check_node_port"] > 0


def test_endpoints_and_slices_name_the_same_addresses() -> None:
    for case in (CASE, OLD):
        slices, ends = table(case / "endpointslices.json", "endpoints"), table(case / "endpoints.json", "endpoints")
        columns = ["namespace", "service", "address", "port", "port_name", "protocol", "node_name", "ready", "target"]
        pd.testing.assert_frame_equal(
            slices[columns].sort_values(columns[:4], ignore_index=True),
            ends[columns].sort_values(columns[:4], ignore_index=True),
        )
        assert set(slices["source"]) == {"EndpointSlice"}
        assert slices["serving"].dropna().all()


def test_nodes_pods_config_versions() -> None:
    nodes = table(CASE / "nodes.json", "nodes")
    assert nodes["internal_ips"].tolist() == ["10.0.2.77", "10.0.0.171", "10.0.4.141"]
    assert nodes["ready"].all()
    assert set(nodes["zone"]) == {"cn-hongkong-b"}
    pods = table(CASE / "pods.json", "pods")
    assert len(pods) == 12
    assert list(pods[["node_name", "ips", "ports"]].to_numpy()[0]) == ["cn-hongkong.10.0.2.77", "10.0.2.78", "80/tcp"]
    config = table(CASE / "configmap-kube-proxy.json", "proxy_configs")
    assert config[["mode", "scheduler", "strict_arp", "masquerade_bit"]].to_numpy().tolist() == [
        ["ipvs", "rr", False, 14]
    ]
    assert table(CASE / "configmap-cni.json", "configmaps")["key"].tolist() == ["10-terway.conf", "eni_conf"]
    versions = table(CASE / "version.json", "versions")
    assert versions[["component", "version"]].to_numpy().tolist() == [
        ["client", "v1.28.3-aliyun.1"], ["server", "v1.28.3-aliyun.1"],
    ]  # fmt: skip
    assert table(CASE / "daemonsets.json", "daemonsets")["name"].tolist() == ["terway-eniip"]


def test_the_table_agrees_with_the_objects() -> None:
    [(form, shown)] = registry.parse_member(
        (CASE / "kubectl-get-svc-A-o-wide.txt").read_bytes(), "kubectl-get-svc-A-o-wide.txt"
    )
    assert form.name == "kubectl-table"
    whole = table(CASE / "services.json", "services")
    columns = ["namespace", "name", "type", "cluster_ips", "ingress_ips", "selector"]
    pd.testing.assert_frame_equal(shown.tables["services"][columns], whole[columns])
