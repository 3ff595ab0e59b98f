"""``kubectl cluster-info dump``: a folder of lists per namespace, or all of it in one stream on standard output.

No Endpoints, EndpointSlices or ConfigMaps: kube-proxy's mode comes from its log, backends come from pods, labels and
readiness. Without ``-A`` only kube-system and the current namespace are in it; every cluster has kube-node-lease and
kube-public, so their absence shows that.
"""

from __future__ import annotations

import re

from analyzer.bundle.layouts.ack import SOME_NAMESPACES
from analyzer.bundle.places import Layout, Parts, Piece, Place, Root, Rule

_STREAM = re.compile(
    rb'\s*\{[^{}]{0,200}"kind":\s*"NodeList"|\s*\{\s*"apiVersion":\s*"v1",\s*"items":\s*\[\s*\{[^}]{0,400}"kind":\s*"Node"'
)
_LOGS = b"==== START logs for container "


def is_stream(piece: Piece) -> bool:
    """Whether the first document is a list of nodes and container logs, or lists of other kinds, follow."""
    if not _STREAM.match(piece.head(4096)):
        return False
    data = piece.read()
    return _LOGS in data or data.count(b'"kind": "ReplicationControllerList"') > 0


def _adjust(root: Root, parts: Parts, place: Place) -> Place:
    if parts[0] == "kube-system" and parts[-1] == "logs.txt" and parts[1].startswith("kube-proxy"):
        return Place("node", parts[1], "kube-proxy.log")  # under its pod's name; the Pod object tells the node
    if place.area != "cluster" or _all_namespaces(root, parts):
        return place
    return Place(place.area, place.node, place.command, SOME_NAMESPACES, place.unused)


def _all_namespaces(root: Root, parts: Parts) -> bool:
    if ("nodes.json",) in root.pieces or ("nodes.yaml",) in root.pieces:
        return any(path[0] in ("kube-public", "kube-node-lease") for path in root.pieces)
    # Each namespace has one list of Services; the system alone has four namespaces.
    return root.pieces[parts].read().count(b'"kind": "ServiceList"') >= 4


LAYOUT = Layout(
    "cluster-info-dump",
    title="kubectl cluster-info dump",
    markers=(
        frozenset({"nodes.json", "*/services.json", "*/replication-controllers.json"}),
        frozenset({"nodes.yaml", "*/services.yaml", "*/replication-controllers.yaml"}),
    ),
    single=is_stream,
    adjust=_adjust,
    rules=(
        Rule("*/logs.txt", unused="logs of a pod"),
        *(
            Rule(f"*{kind}.{suffix}", "cluster")
            for kind in ("nodes", "services", "pods", "daemonsets", "events")
            for suffix in ("json", "yaml")
        ),
        Rule("*/*", unused="a kind that the analysis does not use"),
        Rule("*", "cluster"),
    ),
    lacks=("node-state", "endpoints", "configmaps", "proxy_configs"),
)
