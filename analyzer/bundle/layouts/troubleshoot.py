"""replicatedhq/troubleshoot ``support-bundle``: the cluster's objects, and host commands of whatever spec its user wrote.

Names of host commands are free, so those files are told apart by content; ``<name>-info.json`` says which command wrote one. A list
that could not be read leaves ``cluster-resources/<kind>-errors.json``. Source: as of August 2026.
"""

from __future__ import annotations

import json

from analyzer.bundle.places import Layout, Parts, Place, Root, Rule

_KINDS = ("services", "endpoints", "endpointslices", "pods", "configmaps", "daemonsets", "events")
NO_ACCESS = "some of its lists could not be read"


def _adjust(root: Root, parts: Parts, place: Place) -> Place:
    if place.area == "node" and parts[-1].endswith(".txt"):
        command, failed = _info(root, (*parts[:-1], parts[-1].removesuffix(".txt") + "-info.json"))
        return Place("node", place.node, command or place.command, "the command failed" if failed else "")
    if place.area == "cluster" and len(parts) == 3 and _failed(root, parts[1]):
        return Place("cluster", "", place.command, NO_ACCESS)
    return place


def _info(root: Root, parts: Parts) -> tuple[str, bool]:
    try:
        info = json.loads(root.text(*parts))
    except (ValueError, RecursionError):
        return "", False
    if not isinstance(info, dict):
        return "", False
    command = info.get("command")
    return (command if isinstance(command, str) else ""), str(info.get("exitCode", "0")) not in ("0", "")


def _failed(root: Root, kind: str) -> bool:
    """Whether the errors file of a kind names an error: an empty list is no empty cluster then."""
    text = root.text("cluster-resources", f"{kind}-errors.json").strip()
    return text not in ("", "null", "[]", "{}")


LAYOUT = Layout(
    "troubleshoot",
    title="troubleshoot support bundle",
    markers=(frozenset({"version.yaml", "cluster-resources/"}), frozenset({"version.yaml", "host-collectors/"})),
    adjust=_adjust,
    rules=(
        Rule("host-collectors/run-host/*-info.json", unused="what a command was run with"),
        Rule("host-collectors/run-host/*-stderr.txt", unused="standard error of a command"),
        Rule("host-collectors/run-host/*.txt"),
        Rule("host-collectors/{node}/run-host/*-info.json", unused="what a command was run with"),
        Rule("host-collectors/{node}/run-host/*-stderr.txt", unused="standard error of a command"),
        Rule("host-collectors/{node}/run-host/*.txt"),
        Rule("cluster-resources/nodes.json", "cluster"),
        *(Rule(f"cluster-resources/{kind}/*.json", "cluster") for kind in _KINDS),
        Rule("cluster-info/cluster_version.json", "cluster"),
    ),
)
