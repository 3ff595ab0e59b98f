"""What changed between releases, from objects alone: each line was measured on real nodes of that release.

The objects of a capture are changed in one Service and one version, the nodes' captures are taken away, so that both models
have to agree with the measurement.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from analyzer import api
from analyzer.forwarding import build_world
from tests import lab

N1, N3 = "node:cn-hongkong.10.0.2.77", "node:cn-hongkong.10.0.4.141"
P1, P3 = "pod:default/centos-5d8f9c7b44-aaaaa", "pod:default/centos-5d8f9c7b44-ccccc"
EXTERNAL, CLUSTER_IP, BALANCER = "10.0.8.8:80", "172.21.3.10:80", "192.168.1.200:80"
Edit = Callable[[dict[str, Any]], None]


def external_local(item: dict[str, Any]) -> None:
    item["spec"] |= {"externalIPs": ["10.0.8.8"], "externalTrafficPolicy": "Local"}


def ranges(item: dict[str, Any]) -> None:
    item["spec"]["loadBalancerSourceRanges"] = ["10.0.3.0/24"]


def internal_local(item: dict[str, Any]) -> None:
    item["spec"] |= {"internalTrafficPolicy": "Local", "externalTrafficPolicy": "Cluster"}


def ip_mode(item: dict[str, Any]) -> None:
    item["status"]["loadBalancer"]["ingress"][0]["ipMode"] = "Proxy"


def objects_only(folder: Path, case: str, version: str, edit: Edit) -> Path:
    lab.unpack(case, folder)
    shutil.rmtree(folder / "nodes")
    captured = case.partition("-")[0]
    for path in (folder / "cluster").glob("*.json"):
        path.write_text(path.read_text().replace(captured, version))
    services = folder / "cluster" / "services.json"
    loaded = json.loads(services.read_text())
    for item in loaded["items"]:
        if item["metadata"]["name"] == "nginx":
            edit(item)
    services.write_text(json.dumps(loaded))
    return folder


# (edit, target, version) -> outcomes of n1's host, n3's host (no endpoint), a pod on n1, a pod on n3
MEASURED = {
    (external_local, EXTERNAL, "1.22.0"): ("ok", "refused", "ok", "refused"),
    (external_local, EXTERNAL, "1.25.1"): ("ok", "timeout", "ok", "ok"),
    (external_local, EXTERNAL, "1.28.3"): ("ok", "timeout", "refused", "refused"),
    (external_local, EXTERNAL, "1.30.3"): ("ok", "timeout", "ok", "ok"),
    (ranges, BALANCER, "1.22.0"): ("timeout", "timeout", "timeout", "timeout"),
    (ranges, BALANCER, "1.25.1"): ("ok", "ok", "timeout", "timeout"),
    (ranges, BALANCER, "1.28.3"): ("ok", "ok", "timeout", "timeout"),
    (ranges, BALANCER, "1.30.3"): ("timeout", "timeout", "timeout", "timeout"),
    (internal_local, CLUSTER_IP, "1.22.0"): ("ok", "refused", "ok", "refused"),
    (internal_local, CLUSTER_IP, "1.25.1"): ("ok", "ok", "ok", "ok"),
    (internal_local, CLUSTER_IP, "1.28.3"): ("ok", "ok", "ok", "ok"),
    (internal_local, BALANCER, "1.22.0"): ("ok", "refused", "ok", "refused"),
    (internal_local, BALANCER, "1.25.1"): ("ok", "ok", "ok", "ok"),
    (ip_mode, BALANCER, "1.30.3"): ("mixed", "mixed", "mixed", "mixed"),
}


@pytest.mark.parametrize(("row", "outcomes"), MEASURED.items(), ids=lambda value: re.sub(r"<.*", "", str(value))[:60])
def test_as_measured(row: tuple[Edit, str, str], outcomes: tuple[str, ...], tmp_path: Path) -> None:
    edit, target, version = row
    case = "1.28.3-terway-cluster" if edit in (ranges, ip_mode) else "1.28.3-terway-local"
    with api.opened(objects_only(tmp_path, case, version, edit)) as snapshot:
        ask = partial(api.probe, build_world(snapshot))
        verdicts = [ask(source, target) for source in (N1, N3, P1, P3)]
    assert tuple(one.outcome for one in verdicts) == outcomes
    assert all(one.layer == "inferred" or one.outcome == "unknown" for one in verdicts)
    assert "high" not in {one.confidence for one in verdicts}
