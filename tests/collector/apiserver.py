"""A small API server for the real kubectl: discovery, lists in pages, pods that come and go, refusals and slow answers.

It serves recorded objects over plain HTTP on loopback. `exec` into a pod runs the command as a process here, over SPDY,
which every kubectl speaks (newer ones after their first choice was refused).
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.collector.spdy import serve_exec

Object = dict[str, Any]

RESOURCES: Mapping[str, tuple[tuple[str, str, bool], ...]] = {
    "v1": (
        ("nodes", "Node", False), ("services", "Service", True), ("endpoints", "Endpoints", True),
        ("pods", "Pod", True), ("configmaps", "ConfigMap", True), ("events", "Event", True),
        ("secrets", "Secret", True), ("namespaces", "Namespace", False),
    ),
    "apps/v1": (("daemonsets", "DaemonSet", True),),
    "discovery.k8s.io/v1": (("endpointslices", "EndpointSlice", True),),
}  # fmt: skip


class Cluster:
    """The objects by resource, and how the server behaves."""

    def __init__(self, objects: Mapping[str, list[Object]]) -> None:
        self.objects: dict[str, list[Object]] = {name: list(items) for name, items in objects.items()}
        self.forbidden: set[str] = set()
        self.slow: dict[str, float] = {}
        self.page = 0
        """Most items a list answers at once; 0 for as many as the client asks for."""
        self.requests: list[tuple[str, str]] = []
        self.starting_phase: Callable[[Object], Object] = lambda pod: {"phase": "Running"}
        self.run_in_pod: Callable[[Object, list[str]], tuple[list[str], dict[str, str]]] = lambda pod, argv: (argv, {})
        self.made: list[Object] = []
        self.lock = threading.Lock()
        self.server_version = "v1.28.3"

    def asked(self, resource: str, verb: str = "GET") -> list[str]:
        """Paths of the requests for a resource."""
        return [path for method, path in self.requests if method == verb and f"/{resource}" in path]


@contextmanager
def serving(cluster: Cluster, kubeconfig: Path) -> Iterator[str]:
    """Serve until the block ends; `kubeconfig` is written for it. Gives the address."""
    handler = type("Bound", (_Handler,), {"cluster": cluster})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    address = f"http://127.0.0.1:{server.server_port}"
    kubeconfig.write_text(
        json.dumps(
            {
                "apiVersion": "v1",
                "kind": "Config",
                "clusters": [{"name": "demo", "cluster": {"server": address}}],
                "users": [{"name": "me", "user": {"token": "none"}}],
                "contexts": [{"name": "demo", "context": {"cluster": "demo", "user": "me"}}],
                "current-context": "demo",
            }
        )
    )
    try:
        yield address
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)


def _matches(item: Object, query: Mapping[str, list[str]]) -> bool:
    for term in query.get("labelSelector", [""])[0].split(","):
        key, _, value = term.partition("=")
        if term and item["metadata"].get("labels", {}).get(key) != value.lstrip("="):
            return False
    for term in query.get("fieldSelector", [""])[0].split(","):
        path, _, wanted = term.partition("=")
        found: Any = item
        for part in path.split("."):
            found = found.get(part, {}) if isinstance(found, dict) else {}
        if term and found != wanted.lstrip("="):
            return False
    return True


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    cluster: Cluster

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def answer(self, document: Object, code: int = 200) -> None:
        body = json.dumps(document).encode()
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def refuse(self, code: int, reason: str, message: str) -> None:
        self.answer(
            {
                "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "code": code,
                "reason": reason, "message": message,
            },
            code,
        )  # fmt: skip

    def body(self) -> Object:
        text = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        return json.loads(text) if text else {}

    def place(self) -> tuple[str, str, str, str, str]:
        """(group and version, namespace, resource, name, subresource) of the request's path."""
        parts = urlsplit(self.path).path.strip("/").split("/")
        group, rest = ("v1", parts[2:]) if parts[0] == "api" else ("/".join(parts[1:3]), parts[3:])
        namespace = ""
        if len(rest) > 2 and rest[0] == "namespaces":
            namespace, rest = rest[1], rest[2:]
        return group, namespace, *[*rest, "", "", ""][:3]  # type: ignore[return-value]

    def kind(self, group: str, resource: str) -> str:
        return next((kind for name, kind, _ in RESOURCES.get(group, ()) if name == resource), "")

    def _refused(self, verb: str, resource: str, namespace: str) -> bool:
        with self.cluster.lock:
            self.cluster.requests.append((self.command, self.path))
        time.sleep(self.cluster.slow.get(resource, 0))
        if resource in self.cluster.forbidden:
            where = f'in the namespace "{namespace}"' if namespace else "at the cluster scope"
            self.refuse(
                403, "Forbidden", f'{resource} is forbidden: User "me" cannot {verb} resource "{resource}" {where}'
            )
            return True
        return False

    def do_GET(self) -> None:
        path = urlsplit(self.path).path.rstrip("/")
        if path == "/version":
            self.answer({"major": "1", "minor": "28", "gitVersion": self.cluster.server_version})
        elif path == "/api":
            self.answer({"kind": "APIVersions", "versions": ["v1"]})
        elif path == "/apis":
            groups = [name.split("/") for name in RESOURCES if "/" in name]
            versions = [{"groupVersion": f"{g}/{v}", "version": v} for g, v in groups]
            self.answer(
                {
                    "kind": "APIGroupList",
                    "apiVersion": "v1",
                    "groups": [
                        {"name": g, "versions": [version], "preferredVersion": version}
                        for (g, _), version in zip(groups, versions, strict=True)
                    ],
                }
            )
        elif path in ("/api/v1", *(f"/apis/{name}" for name in RESOURCES)):
            group = path.removeprefix("/apis/").removeprefix("/api/")
            listed = [
                {"name": name, "singularName": kind.lower(), "namespaced": namespaced, "kind": kind,
                 "verbs": ["get", "list", "create", "delete"]}
                for name, kind, namespaced in RESOURCES[group]
            ]  # fmt: skip
            self.answer({"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": group, "resources": listed})
        elif path.startswith(("/api/v1/", "/apis/")):
            self._objects()
        else:
            self.refuse(404, "NotFound", "the server could not find the requested resource")

    def _objects(self) -> None:
        group, namespace, resource, name, sub = self.place()
        if sub == "exec":
            self._exec(namespace, name)
            return
        if self._refused("get" if name else "list", resource, namespace):
            return
        kind = self.kind(group, resource)
        if not kind:
            self.refuse(404, "NotFound", "the server could not find the requested resource")
            return
        query = parse_qs(urlsplit(self.path).query)
        with self.cluster.lock:
            items = [
                item for item in self.cluster.objects.get(resource, [])
                if (not namespace or item["metadata"].get("namespace") == namespace)
            ]  # fmt: skip
        if name:
            found = next((item for item in items if item["metadata"]["name"] == name), None)
            if found is None:
                self.refuse(404, "NotFound", f'{resource} "{name}" not found')
            else:
                self.answer({"kind": kind, "apiVersion": group, **found})
            return
        items = [item for item in items if _matches(item, query)]
        first = int(query.get("continue", ["0"])[0])
        limit = int(query.get("limit", ["0"])[0])
        size = min(n for n in (limit, self.cluster.page, len(items) + 1) if n)
        rest = len(items) - first - size
        metadata: Object = {"resourceVersion": "1"}
        if rest > 0:
            metadata |= {"continue": str(first + size), "remainingItemCount": rest}
        # As in a real list: items have neither kind nor apiVersion.
        bare = [{k: v for k, v in item.items() if k not in ("kind", "apiVersion")} for item in items[first:][:size]]
        self.answer({"kind": f"{kind}List", "apiVersion": group, "metadata": metadata, "items": bare})

    def do_POST(self) -> None:
        _, namespace, resource, name, sub = self.place()
        if sub == "exec":
            self._exec(namespace, name)
            return
        pod = self.body()
        if self._refused("create", resource, namespace):
            return
        pod["metadata"] |= {"namespace": namespace, "uid": "1"}
        pod["status"] = self.cluster.starting_phase(pod)
        with self.cluster.lock:
            self.cluster.objects.setdefault(resource, []).append(pod)
            self.cluster.made.append(pod)
        self.answer(pod, 201)

    def do_DELETE(self) -> None:
        _, namespace, resource, name, _ = self.place()
        self.body()
        if self._refused("delete", resource, namespace):
            return
        with self.cluster.lock:
            kept = [item for item in self.cluster.objects.get(resource, []) if item["metadata"]["name"] != name]
            gone = len(kept) < len(self.cluster.objects.get(resource, []))
            self.cluster.objects[resource] = kept
        if gone:
            self.answer({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success"})
        else:
            self.refuse(404, "NotFound", f'{resource} "{name}" not found')

    def _exec(self, namespace: str, name: str) -> None:
        with self.cluster.lock:
            self.cluster.requests.append((self.command, self.path))
            pod = next((p for p in self.cluster.objects.get("pods", []) if p["metadata"]["name"] == name), None)
        self.close_connection = True
        if pod is None:
            self.refuse(404, "NotFound", f'pods "{name}" not found')
            return
        if "SPDY" not in self.headers.get("Upgrade", ""):
            self.refuse(400, "BadRequest", "only SPDY here")
            return
        argv, environment = self.cluster.run_in_pod(pod, parse_qs(urlsplit(self.path).query)["command"])
        serve_exec(self, argv, environment)
