"""Whose captures these are: names that collectors give to nodes, and the Node objects they mean.

A collector knows a host name, an address, an instance id, or the name of an archive. The Node object is the one with that
name, that ``kubernetes.io/hostname``, that address or that provider id, or the one of the pod with that name; at last the
only one whose internal address an interface of the node holds. Two Nodes that fit are none.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from analyzer.snapshot.objects import mapping, parts, records, text

if TYPE_CHECKING:
    import pandas as pd

NOT_ITS_OWN = ("kube-ipvs0", "lo", "docker0", "nodelocaldns")


class Captured(Protocol):
    """A capture with the tables read from it and the node it was given."""

    @property
    def node(self) -> str: ...

    @property
    def tables(self) -> Mapping[str, pd.DataFrame]: ...


def aliases(captured: Sequence[Captured]) -> dict[str, str]:
    """Name of captures to name of the Node object, for the names that are not a Node's already."""
    nodes = [row for one in captured if "nodes" in one.tables for row in records(one.tables["nodes"])]
    names = {text(row["name"]) for row in nodes}
    groups: dict[str, list[Captured]] = defaultdict(list)
    for one in captured:
        if one.node not in names:
            groups[one.node].append(one)
    found: dict[str, str] = {}
    pods = [row for one in captured if "pods" in one.tables for row in records(one.tables["pods"])]
    for group, own in groups.items():
        named = _by_name(group, nodes) or _of_pod(group, pods, names) or _by_address(own, nodes)
        if named:
            found[group] = named
    return found


def _of_pod(group: str, pods: Sequence[Mapping[str, Any]], names: set[str]) -> str:
    """Logs go by the name of their pod."""
    found = {text(row["node_name"]) for row in pods if group and text(row["name"]) == group} & names
    return found.pop() if len(found) == 1 else ""


def _only(rows: Iterable[Mapping[str, Any]]) -> str:
    names = {text(row["name"]) for row in rows}
    return names.pop() if len(names) == 1 else ""


def _by_name(group: str, nodes: Sequence[Mapping[str, Any]]) -> str:
    if not group:
        return ""
    wanted = group.lower()
    short = wanted.partition(".")[0]
    return (
        _only(row for row in nodes if wanted in (text(row["name"]).lower(), _hostname(row)))
        or _only(row for row in nodes if wanted in (*parts(row["internal_ips"]), *parts(row["external_ips"])))
        or _only(row for row in nodes if _instance(text(row["provider_id"])) == wanted)
        or _only(
            row for row in nodes if short in (_hostname(row).partition(".")[0], text(row["name"]).partition(".")[0])
        )
    )


def _hostname(row: Mapping[str, Any]) -> str:
    return mapping(row["labels"]).get("kubernetes.io/hostname", "").lower()


def _instance(provider: str) -> str:
    """``aws:///eu-west-1a/i-0abc`` and ``cn-hongkong.i-0abc`` both mean ``i-0abc``."""
    last = provider.rpartition("/")[2]
    return (last.rpartition(".i-")[1] and "i-" + last.rpartition(".i-")[2]) or last


def _by_address(captured: Sequence[Captured], nodes: Sequence[Mapping[str, Any]]) -> str:
    held: set[str] = set()
    for one in captured:
        if (addresses := one.tables.get("addresses")) is not None and len(addresses):
            mine = addresses[~addresses["interface"].isin(NOT_ITS_OWN)]
            held.update(str(ip) for ip in mine["address"].dropna())
        if (routes := one.tables.get("routes")) is not None and len(routes):
            local = routes[(routes["type"] == "local") & ~routes["interface"].isin(NOT_ITS_OWN)]
            held.update(str(prefix).partition("/")[0] for prefix in local["dst"].dropna())
    return _only(row for row in nodes if held & set(parts(row["internal_ips"])))
