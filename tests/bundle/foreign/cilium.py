"""cilium sysdump in a zip, with the node archives of cilium-bugtool inside."""

from __future__ import annotations

import yaml

from ..pack import tar
from .capture import KINDS, Capture, Files

STAMP = "20261122-204409"


def uploads(capture: Capture) -> dict[str, Files]:
    import gzip

    top = f"cilium-sysdump-{STAMP}/"
    files: Files = {top + "cilium-sysdump.log": b"done\n"}
    for kind in ("nodes", "services", "endpoints", "endpointslices", "pods"):
        items = capture.objects(kind)
        value = {"apiVersion": "v1", "items": items, "kind": f"{KINDS[kind]}List", "metadata": {}}
        files[f"{top}k8s-{kind}-{STAMP}.yaml"] = yaml.safe_dump(value).encode()
    for number, node in enumerate(capture.nodes):
        name = f"cilium-bugtool-cilium-{number}abcd-{STAMP}"
        inner = {
            f"{name}/cmd/ip-a.md": capture.of(node, "ip-addr.txt"),
            f"{name}/cmd/ip-rule.md": b"# ip rule\n\n```\n" + capture.of(node, "ip-rule.txt") + b"```\n",
            f"{name}/cmd/iptables-save--c.md": capture.of(node, "iptables-save.txt"),
            f"{name}/cmd/ss--t--p--a--i--s.md": b"> Error while running 'ss -t -p -a -i -s':  exit status 1\n",
        }
        files[f"{top}{name}.tar.gz"] = gzip.compress(tar(inner.items()))
    return {"sysdump.zip": files}
