"""Rows that follow from other captures where their own was not taken.

- Addresses from the local routes (``local 192.0.2.1 dev kube-ipvs0``), where ``ip addr`` is missing or leaves out interfaces that are down.
- Endpoints from pods (`endpoints_of_pods`).
- The node of an endpoint from its pod, where a table of ``kubectl`` does not print it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from analyzer.snapshot.endpoints_of_pods import endpoints_of_pods
from analyzer.snapshot.objects import number, parts, records, text
from analyzer.tables import TABLES

if TYPE_CHECKING:
    import pandas as pd

Tables = dict[str, "pd.DataFrame"]
Captured = dict[str, dict[str, bool]]


def derive_endpoints(tables: Tables, captured: Captured) -> None:
    """Add what follows for the cluster's objects, in place; `captured` forgets endpoints that answer nothing."""
    _without_doubles(tables)
    cluster = captured.get("", {})
    if "endpoints" in cluster:
        if not _endpoint_ports(tables):
            # Which Service port they belong to is not known: they are no answer to who serves it.
            del cluster["endpoints"]
        _endpoint_nodes(tables)
    elif not len(tables.get("endpoints", ())) and (made := endpoints_of_pods(tables)) is not None:
        tables["endpoints"] = made


def _without_doubles(tables: Tables) -> None:
    """Services of a table without a namespace column that another capture holds with their namespace."""
    services = tables.get("services")
    if services is None or not services["namespace"].isna().any() or not services["namespace"].notna().any():
        return
    named = services[services["namespace"].notna()]
    known = set(zip(named["name"], named["cluster_ips"], strict=True))
    unnamed = services["namespace"].isna()
    pairs = list(zip(services["name"], services["cluster_ips"], strict=True))
    double = unnamed & services["name"].index.isin([i for i, pair in enumerate(pairs) if pair in known])
    gone = set(services.loc[double, "name"])
    tables["services"] = services[~double].reset_index(drop=True)
    for table in ("service_ports", "endpoints"):
        if table in tables:
            rows = tables[table]
            tables[table] = rows[~(rows["namespace"].isna() & rows["service"].isin(gone))].reset_index(drop=True)


def derive_addresses(tables: Tables, captured: Captured) -> None:
    """Add the addresses that routes tell, in place, for the nodes of `captured`, which learns that they are known now."""
    import pandas as pd

    routes = tables.get("routes")
    if routes is None or not len(routes):
        return
    held = tables.get("addresses")
    known = set(zip(held["node"], held["address"], strict=True)) if held is not None else set()
    rows: list[dict[str, Any]] = []
    for node, captures in captured.items():
        if not node or captures.get("ip-addr") or "ip-route" not in captures:
            continue
        own = records(routes[(routes["node"] == node)])
        local = [row for row in own if text(row["type"]) == "local" and text(row["table"]) == "local"]
        if not local:
            continue
        lengths = {
            text(row["prefsrc"]): number(text(row["dst"]).rpartition("/")[2])
            for row in own
            if text(row["type"]) in ("", "unicast") and text(row["prefsrc"]) and not text(row["gateway"])
        }
        for row in local:
            address, _, length = text(row["dst"]).partition("/")
            if length not in ("32", "128") or (node, address) in known:
                continue
            known.add((node, address))
            interface = text(row["interface"])
            rows.append({
                "node": node, "interface": interface, "family": 6 if ":" in address else 4, "address": address,
                "prefix_len": int(length) if interface == "kube-ipvs0" else lengths.get(address) or int(length),
                "scope": "host" if interface == "lo" else "global", "flags": None,
                "file": text(row["file"]) or str(row["file"]), "line": row["line"],
            })  # fmt: skip
        captures["ip-addr"] = captures["ip-route"]
    if rows:
        made = TABLES["addresses"].frame(rows)
        texts = {"node": "str", "file": "str"}
        parts_ = [made.astype(texts)] if held is None else [held.astype(texts), made.astype(texts)]
        tables["addresses"] = TABLES["addresses"].conform(pd.concat(parts_, ignore_index=True))


def _endpoint_ports(tables: Tables) -> bool:
    """Name and protocol of an endpoint's port from the Service, where a table does not print them; false where it is open."""
    endpoints, ports = tables.get("endpoints"), tables.get("service_ports")
    if endpoints is None or not endpoints["port_name"].isna().any():
        return True
    of: dict[tuple[str, str], list[Mapping[str, Any]]] = defaultdict(list)
    for port in records(ports) if ports is not None else []:
        of[(text(port["namespace"]), text(port["service"]))].append(port)
    filled = endpoints.copy()
    open_ = False
    for position in filled.index[filled["port_name"].isna()]:
        row = filled.loc[position]
        own = of.get((text(row["namespace"]), text(row["service"])), [])
        fitting = [port for port in own if text(port["target_port"]) == str(row["port"])]
        chosen = fitting if len(own) > 1 else own
        if len(chosen) == 1 and isinstance(chosen[0]["port_name"], str):
            filled.loc[position, "port_name"] = chosen[0]["port_name"]
            filled.loc[position, "protocol"] = text(chosen[0]["protocol"]) or "tcp"
        else:
            open_ = True
    tables["endpoints"] = filled
    return not open_


def _endpoint_nodes(tables: Tables) -> None:
    endpoints, pods = tables.get("endpoints"), tables.get("pods")
    if endpoints is None or pods is None or not endpoints["node_name"].isna().any():
        return
    where: dict[str, set[tuple[str, str]]] = defaultdict(set)
    for pod in records(pods):
        if text(pod["phase"]) not in ("Succeeded", "Failed") and text(pod["node_name"]):
            for ip in parts(pod["ips"]):
                where[ip].add((text(pod["node_name"]), f"Pod/{text(pod['namespace'])}/{text(pod['name'])}"))
    filled = endpoints.copy()
    for position in filled.index[filled["node_name"].isna()]:
        owners = where.get(str(filled.loc[position, "address"]), set())
        if len({node for node, _ in owners}) == 1:
            filled.loc[position, "node_name"] = next(iter(owners))[0]
        if len(owners) == 1 and filled.isna().loc[position, "target"]:
            filled.loc[position, "target"] = next(iter(owners))[1]
    tables["endpoints"] = filled
