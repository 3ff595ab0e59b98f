"""A troubleshoot support bundle: objects, and host commands of every node with names of the spec's own."""

from __future__ import annotations

from .capture import Capture, Files, dump, listed
from .convert import netstat


def uploads(capture: Capture) -> dict[str, Files]:
    top = "support-bundle-2026-11-22T20_44_09/"
    files: Files = {
        top
        + "version.yaml": b"apiVersion: troubleshoot.sh/v1beta2\nkind: SupportBundle\nspec:\n  versionNumber: v0.120.0\n",
        top + "cluster-info/cluster_version.json": capture.version,
        top + "cluster-resources/nodes.json": listed("nodes", capture.objects("nodes")),
        top + "cluster-resources/services-errors.json": b"null",
    }
    for kind in ("services", "endpoints", "endpointslices", "pods", "configmaps", "daemonsets"):
        for namespace, items in capture.by_namespace(kind).items():
            files[f"{top}cluster-resources/{kind}/{namespace}.json"] = listed(kind, items)
    for node in capture.nodes:
        run = f"{top}host-collectors/{node}/run-host/"
        for name, command, content in (
            ("lvs", "ipvsadm -l -n", capture.of(node, "ipvsadm-Ln.txt")),
            ("netstat-ports", "netstat -t -u -l -p -n", netstat(capture.text(node, "ss-lntup.txt")).encode()),
            ("iptables-save", "iptables-save", capture.of(node, "iptables-save.txt")),
            ("table", "ip route show table all", capture.of(node, "ip-route-all.txt")),
            ("policy", "ip rule", capture.of(node, "ip-rule.txt")),
            ("kernel", "uname -a", capture.uname(node)),
            ("sysctl", "sysctl -a", capture.of(node, "sysctl.txt")),
        ):
            files[f"{run}{name}.txt"] = content
            files[f"{run}{name}-info.json"] = dump({
                "command": command, "exitCode": "0", "error": "", "outputDir": "", "input": "", "env": None,
            })  # fmt: skip
    return {"support-bundle.tar.gz": files}
