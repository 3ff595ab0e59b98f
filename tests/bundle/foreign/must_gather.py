"""OpenShift must-gather, with the captures of control-plane nodes that old versions took."""

from __future__ import annotations

from typing import Any

import yaml

from .capture import Capture, Files


def document(kind: str, items: list[dict[str, Any]]) -> bytes:
    return b"---\n" + yaml.safe_dump({"apiVersion": "v1", "items": items, "kind": kind}).encode()


def uploads(capture: Capture) -> dict[str, Files]:
    top = "must-gather.local.1/quay-io-sha256-0123/"
    files: Files = {}
    for kind, name in (
        ("services", "ServiceList"),
        ("endpoints", "EndpointsList"),
        ("pods", "PodList"),
        ("configmaps", "ConfigMapList"),
    ):
        for namespace, items in capture.by_namespace(kind).items():
            files[f"{top}namespaces/{namespace}/core/{kind}.yaml"] = document(name, items)
    for node in capture.objects("nodes"):
        name = node["metadata"]["name"]
        files[f"{top}cluster-scoped-resources/core/nodes/{name}.yaml"] = b"---\n" + yaml.safe_dump(node).encode()
        address = next(one["address"] for one in node["status"]["addresses"] if one["type"] == "InternalIP")
        for command, capture_name in (
            ("ip -d address", "ip-addr.txt"), ("ip route show table all", "ip-route-all.txt"), ("ip -4 rule", "ip-rule.txt"),
        ):  # fmt: skip
            files[f"{top}sos_info/networking/{address}-{command}.log"] = capture.of(name, capture_name)
    return {"must-gather.tar.gz": files}
