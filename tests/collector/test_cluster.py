"""The cluster part with the real kubectl against an API server that serves a recorded cluster."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pandas.testing import assert_frame_equal

import analyzer
from tests.collector.apiserver import Cluster, serving
from tests.collector.setting import RECORDED, collect, recorded, tool

pytestmark = pytest.mark.skipif(not tool("kubectl"), reason="no kubectl here")

FILES = ("services", "endpoints", "endpointslices", "nodes", "pods", "daemonsets")


def recorded_objects() -> dict[str, list[dict[str, Any]]]:
    files = recorded()
    found = {name: json.loads(files[f"cluster/{name}.json"])["items"] for name in FILES}
    maps = [json.loads(files[f"cluster/configmap-{name}.json"]) for name in ("kube-proxy", "cni")]
    found["configmaps"] = [item for one in maps for item in one.get("items", [one])]
    return found


@pytest.fixture
def cluster() -> Cluster:
    return Cluster(recorded_objects())


@pytest.fixture
def kubeconfig(cluster: Cluster, tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "kubeconfig"
    with serving(cluster, path):
        yield path


def test_what_kubectl_gives_is_the_recorded_cluster(cluster: Cluster, kubeconfig: Path, tmp_path: Path) -> None:
    cluster.page = 2  # kubectl joins the pages
    got = collect(tmp_path, "cluster", KUBECONFIG=kubeconfig)

    assert len(cluster.asked("pods")) > 2
    assert got.manifest["cluster"] == "demo"
    with analyzer.opened(got.path) as collected, analyzer.opened(RECORDED) as original:
        for table in ("services", "service_ports", "endpoints", "nodes", "pods", "daemonsets", "proxy_configs"):
            both = [
                snapshot[table].drop(columns=["file", "line"], errors="ignore").reset_index(drop=True)
                for snapshot in (collected, original)
            ]
            if table == "pods":  # only those of kube-system keep their command lines
                both = [frame.drop(columns=["args"], errors="ignore") for frame in both]
            assert len(both[0])
            assert_frame_equal(*both)
        unread = collected["captures"].query("state == 'ignored' and file != 'manifest.json'")
        assert list(unread["file"].dropna()) == []


def test_values_stay_out_of_the_bundle(cluster: Cluster, kubeconfig: Path, tmp_path: Path) -> None:
    pod = json.loads(json.dumps(cluster.objects["pods"][0]))
    pod["metadata"] |= {
        "name": "own", "namespace": "default",
        "annotations": {"kubectl.kubernetes.io/last-applied-configuration": '{"a": "SECRET-1"}\n', "other": "kept"},
        "managedFields": [{"manager": "kubectl", "fieldsV1": {"f:spec": {}}}, {"manager": "SECRET-2"}],
    }  # fmt: skip
    pod["spec"]["containers"] = [
        {
            "name": "c", "image": "i", "command": ["run", "--password", "SECRET-3"], "args": ["SECRET-4", "]"],
            "env": [{"name": "PASSWORD", "value": "SECRET-5, \"]\","}, {"name": "EMPTY"}],
            "livenessProbe": {"exec": {"command": ["sh", "-c", "SECRET-6"]}},
        }
    ]  # fmt: skip
    cluster.objects["pods"].append(pod)
    cluster.objects["secrets"] = [{"metadata": {"name": "s", "namespace": "default"}, "data": {"p": "SECRET-7"}}]
    cluster.objects["configmaps"] += [
        {"metadata": {"name": "kube-proxy-pool-b", "namespace": "kube-system"}, "data": {"config.conf": "mode: ipvs"}},
        {"metadata": {"name": "other", "namespace": "kube-system"}, "data": {"key": "SECRET-8"}},
    ]
    got = collect(tmp_path, "cluster", KUBECONFIG=kubeconfig)

    assert b"SECRET" not in b"".join(got.files.values())
    assert b"managedFields" not in got.files["cluster/pods.json"]
    assert not cluster.asked("secrets")
    (own,) = [item for item in json.loads(got.files["cluster/pods.json"])["items"] if item["metadata"]["name"] == "own"]
    (container,) = own["spec"]["containers"]
    assert container["args"] == container["command"] == ["redacted"]
    assert container["env"] == [{"name": "PASSWORD", "value": "redacted"}, {"name": "EMPTY"}]
    assert own["metadata"]["annotations"]["other"] == "kept"
    maps = json.loads(got.files["cluster/configmap-kube-proxy.json"])
    assert "kube-proxy-pool-b" in {item["metadata"]["name"] for item in maps["items"]}


def test_a_refused_and_a_slow_resource_cost_only_themselves(cluster: Cluster, kubeconfig: Path, tmp_path: Path) -> None:
    cluster.forbidden.add("endpointslices")
    cluster.slow["pods"] = 30
    got = collect(tmp_path, "cluster", "-t", "3", KUBECONFIG=kubeconfig)

    refused = got.command("endpointslices.json")
    assert (refused["present"], refused["exit_code"]) == (False, 1)
    assert 'cannot list resource "endpointslices"' in refused["stderr_tail"]
    assert got.command("pods.json")["timed_out"] is True
    assert got.command("services.json")["complete"] is True
    assert "endpointslices.json: Error from server (Forbidden)" in got.said
    assert "real servers come from Endpoints" in got.said
    assert "pods.json: ended by the time limit" in got.said
    with analyzer.opened(got.path) as snapshot:
        assert len(snapshot["endpoints"])


def test_load_balancers_that_services_name_are_asked_about(cluster: Cluster, kubeconfig: Path, tmp_path: Path) -> None:
    commands = tmp_path / "bin"
    commands.mkdir()
    (commands / "aliyun").write_text(
        '#!/bin/sh\necho "$*" >>"$0.asked"\n'
        'case $2 in DescribeVServerGroups) echo \'{"VServerGroups": {"VServerGroup": [{"VServerGroupId": "rsp-1"}]}}\';;'
        ' *) echo "{}";; esac\n'
    )
    (commands / "aliyun").chmod(0o755)
    named = "service.beta.kubernetes.io/alibaba-cloud-loadbalancer-id"
    ids = {service["metadata"].get("annotations", {}).get(named) for service in cluster.objects["services"]} - {None}
    got = collect(
        tmp_path, "cluster", "--clb", "-r", "cn-demo", KUBECONFIG=kubeconfig, PATH=f"{commands}:{os.environ['PATH']}"
    )

    asked = (commands / "aliyun.asked").read_text().splitlines()
    assert ids
    assert {f"cloud/aliyun/DescribeLoadBalancerListeners-{one}.json" for one in ids} <= set(got.files)
    assert "cloud/aliyun/DescribeVServerGroupAttribute-rsp-1.json" in got.files
    assert all(line.startswith("slb Describe") and "--RegionId cn-demo" in line for line in asked)


def test_without_a_server_everything_is_recorded_as_missing(tmp_path: Path) -> None:
    (tmp_path / "kubeconfig").write_text(
        '{"apiVersion": "v1", "kind": "Config", "clusters": [{"name": "c", "cluster": {"server": "http://127.0.0.1:9"}}],'
        ' "contexts": [{"name": "c", "context": {"cluster": "c", "user": ""}}], "current-context": "c"}'
    )
    got = collect(tmp_path, "cluster", "-t", "5", KUBECONFIG=tmp_path / "kubeconfig")
    assert not got.command("services.json")["present"]
    assert "there is no Service to explain" in got.said
