"""Tables of the appendix as rows of text, bounded, with the number of rows left out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from analyzer.report.limits import Limits
from analyzer.report.messages import Messages
from analyzer.report.plain import clean, cut
from analyzer.snapshot.model import Snapshot

if TYPE_CHECKING:
    import pandas as pd

_COLUMNS = {
    "services": {
        "namespace": 13, "name": 18, "type": 13, "cluster-ip": 14, "ingress-ip": 14, "policy": 10, "ports": 18,
    },
    "virtual_servers": {
        "node": 20, "protocol": 10, "virtual-server": 21, "scheduler": 11, "persistence": 12, "real-servers": 26,
    },
    "lb_listeners": {
        "lb": 17, "address": 15, "port": 8, "protocol": 10, "status": 9, "server-group": 18, "backends": 23,
    },
}  # fmt: skip
"""Columns and their shares of the width in percent; a fixed layout is what makes long tables cheap on paper."""
_LISTED = 6
"""Real servers or ports named in one cell."""


@dataclass(frozen=True, slots=True)
class TableView:
    """A table with its title; `columns` are (label, share of the width in percent)."""

    name: str
    title: str
    columns: tuple[tuple[str, int], ...]
    rows: tuple[tuple[str, ...], ...]
    total: int

    @property
    def left_out(self) -> int:
        return self.total - len(self.rows)


def texts(frame: pd.DataFrame, columns: Sequence[str], limit: int) -> list[tuple[str, ...]]:
    """Rows of those columns as clean text, null as the empty text, cells cut at `limit` characters."""
    parts = []
    for name in columns:
        series = frame[name]
        known = series.notna().tolist()
        values = series.astype("object").tolist()
        parts.append(
            [cut(clean(value), limit) if is_known else "" for value, is_known in zip(values, known, strict=True)]
        )
    return list(zip(*parts, strict=True))


def appendix(snapshot: Snapshot, messages: Messages, limits: Limits) -> tuple[TableView, ...]:
    """Services, virtual servers with their real servers, load-balancer listeners with their backends."""
    makers = {"services": _services, "virtual_servers": _virtual_servers, "lb_listeners": _listeners}
    tables = []
    for name, make in makers.items():
        rows = make(snapshot, limits)
        labels = tuple((messages.text(f"report.column.{column}"), share) for column, share in _COLUMNS[name].items())
        tables.append(TableView(name, messages.text(f"table.{name}"), labels, tuple(rows), snapshot.count(name)))
    return tuple(tables)


def _joined(items: Sequence[str]) -> str:
    rest = len(items) - _LISTED
    return ", ".join(items[:_LISTED]) + (f" +{rest}" if rest > 0 else "")


def _services(snapshot: Snapshot, limits: Limits) -> list[tuple[str, ...]]:
    services = snapshot["services"].sort_values(["namespace", "name"], kind="stable").head(limits.rows)
    wanted = set(texts(services, ("namespace", "name"), limits.cell))
    ports: dict[tuple[str, str], list[str]] = {}
    keys = ("namespace", "service", "port", "node_port", "protocol")
    for namespace, service, port, node_port, protocol in texts(snapshot["service_ports"], keys, limits.cell):
        if (namespace, service) in wanted:
            number = f"{port}:{node_port}" if node_port else port
            ports.setdefault((namespace, service), []).append(f"{number}/{protocol}")
    rows: list[tuple[str, ...]] = []
    columns = ("namespace", "name", "type", "cluster_ips", "ingress_ips", "ingress_hostnames", "external_policy")
    for namespace, name, kind, cluster, ingress, hostnames, policy in texts(services, columns, limits.cell):
        listed = _joined(ports.get((namespace, name), []))
        rows.append((namespace, name, kind, cluster, ", ".join(filter(None, (ingress, hostnames))), policy, listed))
    return rows


def _virtual_servers(snapshot: Snapshot, limits: Limits) -> list[tuple[str, ...]]:
    """In the order of the captures, node by node; masked addresses are joined by line, the others too."""
    servers = snapshot.head("virtual_servers", limits.rows)
    files = set(servers["file"].astype("str"))
    reals: dict[tuple[str, str], list[str]] = {}
    near = snapshot.of_files("real_servers", files)
    for file, line, address, port, weight in texts(near, ("file", "vs_line", "address", "port", "weight"), limits.cell):
        end = f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
        reals.setdefault((file, line), []).append(f"{end} ({weight})" if weight else end)
    rows: list[tuple[str, ...]] = []
    columns = ("node", "protocol", "address", "port", "fwmark", "scheduler", "persistence_s", "file", "line")
    for node, protocol, address, port, mark, scheduler, persistence, file, line in texts(servers, columns, limits.cell):
        end = (
            f"fwmark {mark}"
            if mark and not address
            else f"[{address}]:{port}"
            if ":" in address
            else f"{address}:{port}"
        )
        seconds = f"{persistence} s" if persistence else ""
        rows.append((node, protocol or "fwm", end, scheduler, seconds, _joined(reals.get((file, line), [])) or "–"))
    return rows


def _listeners(snapshot: Snapshot, limits: Limits) -> list[tuple[str, ...]]:
    addresses = {
        row[0]: row[1] or row[2]
        for row in texts(snapshot["load_balancers"], ("id", "address", "dns_name"), limits.cell)
    }
    backends: dict[str, list[str]] = {}
    keys = ("server_group", "server_ip", "server_id", "port", "weight")
    for group, address, server, port, weight in texts(snapshot["lb_backends"], keys, limits.cell):
        if group:
            backends.setdefault(group, []).append(f"{address or server}:{port}" + (f" ({weight})" if weight else ""))
    rows: list[tuple[str, ...]] = []
    columns = ("lb_id", "port", "protocol", "status", "server_group")
    listeners = snapshot["lb_listeners"].sort_values(["lb_id", "port"], kind="stable").head(limits.rows)
    for lb, port, protocol, status, group in texts(listeners, columns, limits.cell):
        rows.append((lb, addresses.get(lb, ""), port, protocol, status, group, _joined(backends.get(group, [])) or "–"))
    return rows
