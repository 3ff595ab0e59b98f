"""A folder of kubectl's outputs, and folders of node captures, under names a person would choose."""

from __future__ import annotations

from .capture import Capture, Files, listed


def uploads(capture: Capture) -> dict[str, Files]:
    kinds = ("services", "endpoints", "endpointslices", "nodes", "pods", "daemonsets", "configmaps")
    files: Files = {f"kubectl/{kind}.json": listed(kind, capture.objects(kind)) for kind in kinds}
    files["kubectl/version.json"] = capture.version
    for node in capture.nodes:
        for path, data in capture.files.items():
            if path.startswith(f"nodes/{node}/"):
                files[f"{node}/{path.rpartition('/')[2]}"] = data
    return {"case.zip": files}


def cluster_only(capture: Capture) -> dict[str, Files]:
    """The objects alone, as a person saves them for an archive of nodes that has none."""
    kinds = ("services", "endpoints", "endpointslices", "nodes", "pods", "daemonsets", "configmaps")
    files: Files = {f"objects/{kind}.json": listed(kind, capture.objects(kind)) for kind in kinds}
    return {"cluster.zip": {**files, "objects/version.json": capture.version}}
