"""The snapshot: every table of the cluster, the regime of each node, and the lines behind them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache, cached_property
from typing import TYPE_CHECKING, Any, Literal

from analyzer.bundle.model import Part
from analyzer.evidence import Evidence
from analyzer.snapshot.spill import NodeTables, SpilledTables
from analyzer.tables import TABLES

if TYPE_CHECKING:
    import pandas as pd

    from analyzer.snapshot.objects import Objects

How = Literal["state", "object", "version", "assumed"]


@cache
def _columns(table: str, names: tuple[str, ...]) -> pd.DataFrame:
    """Some columns without rows."""
    return TABLES[table].empty()[list(names)]


@dataclass(frozen=True, slots=True)
class Fact:
    """One thing known about a node and how: read off its tables, its objects, derived from a version, or assumed."""

    value: str
    how: How
    evidence: tuple[Evidence, ...] = ()

    @property
    def known(self) -> bool:
        return self.value != "unknown"


UNKNOWN = Fact("unknown", "assumed")

REGIME_KEYS = (
    "proxy_mode",  # ipvs, iptables, nftables, none, unknown
    "kubernetes_version",  # 1.28.3-aliyun.1
    "kube_proxy_version",  # 1.28.3
    "local_fallback",  # all: a Local server without local endpoint lists all of them; none: it is empty
    "ipvs_filter",  # present, absent: KUBE-IPVS-FILTER rejects unserved ports of VIPs
    "masquerade",  # how ClusterIP traffic is marked: cluster-cidr <cidr>, src-dst, all, none
    "masquerade_mark",  # 0x4000
    "cni",  # terway, flannel, calico, cilium, unknown
    "data_path",  # veth, bridge, ipvlan, ebpf, exclusive-eni, mixed, unknown
    "cni_masquerade",  # flannel, calico, ip-masq-agent, other, none, unknown
    "vs_conntrack",  # 1, 0
    "kernel",  # 6.1.176
    "node_port_sockets",  # yes: kube-proxy holds a socket on each nodePort (up to 1.23)
)


@dataclass(frozen=True)
class Regime:
    """What one node's tables say about its kube-proxy and CNI; keys are REGIME_KEYS."""

    node: str
    facts: Mapping[str, Fact]

    def __getitem__(self, key: str) -> Fact:
        return self.facts.get(key, UNKNOWN)

    def value(self, key: str) -> str:
        return self[key].value


@dataclass(frozen=True, eq=False)
class Snapshot:
    """All parsed members of a bundle as one table per noun (see `analyzer.tables`), and each node's regime.

    `tables` has every declared table, empty ones included. `captured` tells for each node which captures exist in a
    usable state ("rows" or "empty"); "failed" and absent captures are not in it. `digest` identifies the input.
    """

    source: str
    layout: str
    digest: str
    tables: Mapping[str, pd.DataFrame]
    node_names: tuple[str, ...]
    captured: Mapping[str, Mapping[str, bool]]
    regimes: Mapping[str, Regime] = field(default_factory=dict)
    read_line: Callable[[str, int], str] = field(default=lambda _file, _line: "", compare=False)
    manifest: Mapping[str, object] = field(default_factory=dict)
    parts: tuple[Part, ...] = ()
    """The bundles of collectors that the input was recognised as."""
    simulated: tuple[str, ...] = ()
    """Changes that were applied to the captured cluster; empty for the cluster as it was captured."""

    def __getitem__(self, table: str) -> pd.DataFrame:
        return self.tables[table]

    def has(self, node: str, capture: str) -> bool:
        """Whether `capture` of `node` was taken and could be read (an empty one counts)."""
        return capture in self.captured.get(node, {})

    def complete(self, node: str, capture: str) -> bool:
        """Whether the absence of a row in that capture proves something."""
        return bool(self.captured.get(node, {}).get(capture, False))

    def regime(self, node: str) -> Regime:
        return self.regimes.get(node, Regime(node, {}))

    def quote(self, evidence: Evidence) -> Evidence:
        """The same pointer with the line's text, cut at 240 characters; an object is quoted by what it says."""
        if evidence.text or not evidence.line:
            return evidence
        said = self.sayings.get((evidence.file, evidence.line))
        return replace(evidence, text=(said or self.read_line(evidence.file, evidence.line).strip())[:240])

    @cached_property
    def sayings(self) -> Mapping[tuple[str, int], str]:
        """(file, line) of each object -> one line that says what the object says."""
        from analyzer.snapshot.quotes import sayings

        return sayings(self.tables)

    def with_tables(self, **tables: pd.DataFrame) -> Snapshot:
        """A copy with some tables replaced; what was derived from them is derived again."""
        if isinstance(self.tables, SpilledTables):
            return replace(self, tables=self.tables.replaced(tables))
        return replace(self, tables={**self.tables, **tables})

    def chunks(self, table: str, *columns: str) -> Iterable[pd.DataFrame]:
        """The rows of a table in pieces: all at once, or node by node where the bundle is too large for that.

        With `columns` only those are read, of several small nodes at once.
        """
        if isinstance(self.tables, SpilledTables) and table in self.tables.stored:
            return self.tables.some(table, columns) if columns else (frame for _, frame in self.tables.chunks(table))
        return (self.tables[table][list(columns)] if columns else self.tables[table],)

    def readers(self, table: str) -> Iterable[Callable[..., pd.DataFrame]]:
        """For each piece of a table what reads some of its columns, for who needs the others of a few pieces only."""
        if isinstance(self.tables, SpilledTables) and table in self.tables.stored:
            return self.tables.readers(table)
        return (lambda *columns: self.tables[table][list(columns)],)

    def of_node(self, node: str, table: str, *columns: str) -> pd.DataFrame:
        """Some columns of one node's rows."""
        if isinstance(self.tables, SpilledTables) and table in self.tables.stored:
            own = self.tables.nodes.get(node)
            if own is not None and table in own and own.rows(table):
                return own.some(table, *columns)
        elif (frame := self.by_node.get(node, {}).get(table)) is not None:
            return frame[list(columns)]
        return _columns(table, columns)

    def count(self, table: str) -> int:
        """How many rows a table has."""
        stored = isinstance(self.tables, SpilledTables) and table in self.tables.stored
        return self.tables.rows(table) if stored and isinstance(self.tables, SpilledTables) else len(self.tables[table])

    def head(self, table: str, rows: int) -> pd.DataFrame:
        """The first rows of a table."""
        if isinstance(self.tables, SpilledTables) and table in self.tables.stored:
            return self.tables.head(table, rows)
        return self.tables[table].head(rows)

    def of_files(self, table: str, files: Collection[str]) -> pd.DataFrame:
        """The rows of a table that stand in some files."""
        if isinstance(self.tables, SpilledTables) and table in self.tables.stored:
            return self.tables.of_files(table, files)
        frame = self.tables[table]
        return frame[frame["file"].astype("str").isin(files)]

    @cached_property
    def objects(self) -> Objects:
        """Services with their ports and endpoints as typed values."""
        from analyzer.snapshot.objects import build

        cluster = self.captured.get("", {})
        return build(self.tables, endpoints_known="endpoints" in cluster)

    @cached_property
    def node_rows(self) -> Mapping[str, Mapping[str, Any]]:
        """Node objects as rows by name; the first one of a name counts."""
        from analyzer.snapshot.objects import records

        found: dict[str, Mapping[str, Any]] = {}
        for row in records(self.tables["nodes"]):
            if isinstance(row["name"], str):
                found.setdefault(row["name"], row)
        return found

    @cached_property
    def pods_by_node(self) -> Mapping[str, Sequence[Mapping[str, Any]]]:
        """Pods as rows by the node they are bound to, in the order of the table."""
        from analyzer.snapshot.objects import records

        found: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
        for row in records(self.tables["pods"]):
            if isinstance(row["node_name"], str):
                found[row["node_name"]].append(row)
        return found

    @cached_property
    def by_node(self) -> Mapping[str, Mapping[str, pd.DataFrame]]:
        """Tables split by node: ``by_node[node][table]``, only for tables with a node column and rows."""
        split: dict[str, dict[str, pd.DataFrame]] = {name: {} for name in self.node_names}
        for name, frame in self.tables.small.items() if isinstance(self.tables, SpilledTables) else self.tables.items():
            if "node" not in frame.columns or not len(frame):
                continue
            for node, part in frame.groupby("node", observed=True, sort=False):
                split.setdefault(str(node), {})[name] = part
        return NodeTables(self.tables, split) if isinstance(self.tables, SpilledTables) else split
