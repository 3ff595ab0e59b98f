"""``kubectl cluster-info dump -A --output-directory``."""

from __future__ import annotations

from .capture import Capture, Files, listed


def uploads(capture: Capture) -> dict[str, Files]:
    files: Files = {"dump/nodes.json": listed("nodes", capture.objects("nodes"), own_kind=True)}
    kinds = {kind: capture.by_namespace(kind) for kind in ("services", "pods", "daemonsets")}
    for namespace in ("default", "kube-node-lease", "kube-public", "kube-system"):
        for kind, items in kinds.items():
            files[f"dump/{namespace}/{kind}.json"] = listed(kind, items.get(namespace, []), own_kind=True)
        files[f"dump/{namespace}/replication-controllers.json"] = (
            b'{"kind": "ReplicationControllerList", "apiVersion": "v1", "metadata": {}, "items": null}\n'
        )
    files["dump/default/web/logs.txt"] = b'{"kind": "Service", "metadata": {"name": "a-log-line"}}\n'
    for pod in capture.objects("pods"):
        if pod["metadata"]["name"].startswith("kube-proxy"):
            log = capture.of(pod["spec"]["nodeName"], "kube-proxy.log")
            files[f"dump/kube-system/{pod['metadata']['name']}/logs.txt"] = log
    return {"dump.zip": files}
