"""A capture of the lab as the builders need it: files per node, objects per kind, and the recorded output of other tools."""

from __future__ import annotations

import json
import tarfile
from collections import defaultdict
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from tests import lab

TOOLS = lab.ROOT.parent / "foreign-tools" / "recorded.tar.gz"
CASES = ("1.28.3-terway-local", "1.22.0-flannel-cluster", "1.28.3-flannel-udp")
"""The captures for which the output of other tools was recorded."""
KINDS = {
    "services": "Service", "endpoints": "Endpoints", "endpointslices": "EndpointSlice", "nodes": "Node", "pods": "Pod",
    "daemonsets": "DaemonSet", "configmaps": "ConfigMap",
}  # fmt: skip
Files = dict[str, bytes]


def _members(path: Path) -> dict[str, bytes]:
    with tarfile.open(path) as archive:
        return {
            member.name.removeprefix("./"): file.read()
            for member in archive
            if (file := archive.extractfile(member)) is not None
        }


_recorded: Callable[[], dict[str, bytes]] = cache(lambda: _members(TOOLS))


class Capture:
    def __init__(self, case: str) -> None:
        self.case = case
        self.files = _members(lab.bundle(case))
        self.nodes = sorted({path.split("/")[1] for path in self.files if path.startswith("nodes/")})

    def of(self, node: str, name: str) -> bytes:
        return self.files[f"nodes/{node}/{name}"]

    def text(self, node: str, name: str) -> str:
        return self.of(node, name).decode()

    def tool(self, node: str, name: str) -> bytes:
        """Output of a tool that the lab did not run itself."""
        return _recorded()[f"{self.case}/{node}/{name}"]

    def uname(self, node: str) -> bytes:
        """One kernel serves the whole lab and knows one host name; real nodes have their own."""
        return self.of(node, "uname.txt").replace(b"Linux lab ", f"Linux {node} ".encode())

    def objects(self, kind: str) -> list[dict[str, Any]]:
        names = {"configmaps": ("configmap-kube-proxy", "configmap-cni")}.get(kind, (kind,))
        found: list[dict[str, Any]] = []
        for name in names:
            loaded = json.loads(self.files[f"cluster/{name}.json"])
            found += loaded.get("items", [loaded])
        return found

    def by_namespace(self, kind: str) -> dict[str, list[dict[str, Any]]]:
        found: dict[str, list[dict[str, Any]]] = defaultdict(list)
        for one in self.objects(kind):
            found[one["metadata"]["namespace"]].append(one)
        return found

    @property
    def version(self) -> bytes:
        return self.files["cluster/version.json"]

    @property
    def cloud(self) -> Files:
        """The load balancer's documents: no collector of others takes them, but a person may add them."""
        return {path: data for path, data in self.files.items() if path.startswith("cloud/")}


def dump(value: object) -> bytes:
    return json.dumps(value, indent=4).encode() + b"\n"


def listed(kind: str, items: list[dict[str, Any]], *, own_kind: bool = False) -> bytes:
    """A list as ``kubectl get -o json`` prints it, or with the kind on the list (`own_kind`) and none on the items."""
    api = items[0]["apiVersion"] if items else "v1"
    if not own_kind:
        return dump({"apiVersion": "v1", "items": items, "kind": "List", "metadata": {"resourceVersion": ""}})
    bare = [{key: value for key, value in one.items() if key not in ("kind", "apiVersion")} for one in items]
    return dump({"kind": f"{KINDS[kind]}List", "apiVersion": api, "metadata": {"resourceVersion": "1"}, "items": bare})
