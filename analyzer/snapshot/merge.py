"""Several captures of one fact become one table: which capture fills it, what the others add, who is not used."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from analyzer.parsers.base import Form, Parsed
from analyzer.tables import TABLES

if TYPE_CHECKING:
    import pandas as pd

Piece = tuple[str, str, Form, Parsed]
"""(node, file, form, parsed)"""

ADDITIVE = frozenset({"host_facts", "sysctls", "events", "configmaps", "proxy_configs", "versions", "daemonsets"})
"""Tables whose rows come from many members by nature."""

IDENTITY: Mapping[str, tuple[str, ...]] = {
    "nodes": ("name",),
    "pods": ("namespace", "name"),
    "services": ("namespace", "name"),
    "service_ports": ("namespace", "service", "protocol", "port"),
    "endpoints": ("namespace", "service", "address", "protocol", "port", "source"),
    "configmaps": ("namespace", "name", "key"),
    "proxy_configs": ("name",),
    "daemonsets": ("namespace", "name"),
    "events": ("namespace", "kind", "name", "reason", "message"),
    "versions": ("component",),
    "load_balancers": ("id", "address"),
    "lb_listeners": ("lb_id", "protocol", "port"),
    "lb_backends": ("server_group", "lb_id", "server_id", "server_ip", "port"),
    "lb_health": ("lb_id", "listener_port", "server_id", "server_ip", "port"),
    "sysctls": ("node", "key"),
    "host_facts": ("node", "fact", "value"),
}
COMPLEMENTS: Mapping[str, tuple[str, ...]] = {
    "rules": ("family",), "iptables_chains": ("family", "table"), "iptables_rules": ("family", "table"),
}  # fmt: skip
"""Tables that several captures of one fact fill together, each a group of rows of its own."""
COUNTERS = ("conns", "in_pkts", "out_pkts", "in_bytes", "out_bytes", "rounded")


def of_node(table: str) -> bool:
    """Whether the rows of a table are one node's state, of which one capture of the node is the source."""
    return "node" in TABLES[table].names and table not in ADDITIVE


def merge_tables(pieces: Sequence[Piece]) -> tuple[dict[str, pd.DataFrame], dict[tuple[str, str], str]]:
    """One frame per table, and for each (file, form) that fills none of its tables, why."""
    used: dict[tuple[str, str], bool] = {}
    parts: dict[str, list[tuple[str, pd.DataFrame]]] = defaultdict(list)
    rivals: dict[tuple[str, str], list[Piece]] = defaultdict(list)
    for piece in pieces:
        node, file, form, parsed = piece
        used.setdefault((file, form.name), False)
        if parsed.state == "failed":
            continue
        for table in parsed.tables:
            if not of_node(table):
                if len(parsed.tables[table]):
                    parts[table].append((node, parsed.tables[table]))
                used[(file, form.name)] = True
        if any("node" in TABLES[table].names and table not in ADDITIVE for table in parsed.tables):
            rivals[(node, form.capture)].append(piece)
    best: dict[str, list[tuple[str, pd.DataFrame]]] = defaultdict(list)
    losers: dict[tuple[str, str], str] = {}
    for (node, _), candidates in rivals.items():
        winner = max(candidates, key=_quality) if len(candidates) > 1 else candidates[0]
        used[(winner[1], winner[2].name)] = True
        for table, frame in winner[3].tables.items():
            if table in ADDITIVE or "node" not in TABLES[table].names:
                continue
            for other in candidates:
                if other is not winner:
                    frame = _enrich(table, frame, other[3].tables.get(table))
            if table in COMPLEMENTS:
                frame = _complement(table, frame, winner, candidates, used)
            best[table].append((node, frame))
        for other in candidates:
            if other is not winner:
                losers[(other[1], other[2].name)] = f"same fact as {winner[1]}, which fills the table"
    if "interfaces" in best:
        best["interfaces"] = _join_links(best["interfaces"])
    for table, frames in best.items():
        if frames:
            parts[table].extend(frames)
    tables = {table: concat(table, frames) for table, frames in parts.items()}
    for table, identity in IDENTITY.items():
        if table in tables:
            tables[table] = _unique(table, tables[table], identity)
    return tables, {key: why for key, why in losers.items() if not used.get(key)}


def _quality(piece: Piece) -> tuple[int, int, int, int]:
    """How well a capture fills its tables: essential columns known, complete, many rows."""
    parsed = piece[3]
    known = 0
    for table, column in (("real_servers", "weight"), ("virtual_servers", "scheduler"), ("listeners", "process")):
        frame = parsed.tables.get(table)
        if frame is not None and len(frame):
            known += 1 + int(frame[column].notna().any())
    rows = sum(len(frame) for frame in parsed.tables.values())
    notes = sum(1 for note in parsed.notes if note.reason not in ("extra", "assumed"))
    return (known, int(parsed.complete), rows, -notes)


def _enrich(table: str, frame: pd.DataFrame, other: pd.DataFrame | None) -> pd.DataFrame:
    """Counters of `--stats` fill the listing; everything else stays as the better capture has it."""
    keys = {
        "virtual_servers": ["protocol", "address", "port"],
        "real_servers": ["vs_protocol", "vs_address", "vs_port", "address", "port"],
    }.get(table)
    if keys is None or other is None or not len(other) or not len(frame) or not other["conns"].notna().any():
        return frame
    known = frame.dropna(subset=keys).index
    lookup = other.dropna(subset=keys).drop_duplicates(keys).set_index(keys)[list(COUNTERS)]
    joined = frame.loc[known, keys].join(lookup, on=keys)
    filled = frame.copy()
    for column in COUNTERS:
        filled.loc[known, column] = filled.loc[known, column].fillna(joined[column])
    return filled


def _complement(
    table: str, frame: pd.DataFrame, winner: Piece, candidates: Sequence[Piece], used: dict[tuple[str, str], bool]
) -> pd.DataFrame:
    """What other captures of one fact hold and the best one has nothing of: rules of the other family, other tables of iptables.

    Listings (`iptables -nvL`) show one table each and belong together; a save form holds all tables of its variant.
    """
    import pandas as pd

    keys = COMPLEMENTS[table]
    parts = [frame]
    have = set(_keys(frame, keys))
    for other in sorted(candidates, key=_quality, reverse=True):
        rows = other[3].tables.get(table)
        listings = winner[2].name.endswith("tables-list") and other[2] is winner[2]
        if other is winner or rows is None or not len(rows) or not (listings or table == "rules"):
            continue
        added = _keys(rows, keys)
        missing = [key not in have for key in added]
        if any(missing):
            parts.append(rows[missing])
            have |= set(added)
            used[(other[1], other[2].name)] = True
    if len(parts) == 1:
        return frame
    return TABLES[table].conform(pd.concat([_plain_file(part) for part in parts], ignore_index=True))


def _keys(frame: pd.DataFrame, keys: Sequence[str]) -> list[tuple[str, ...]]:
    """The groups of rows; rules without a family are IPv4's, as `ip rule` prints them."""
    columns = [frame["family"].fillna(4).astype("str") if key == "family" else frame[key].astype("str") for key in keys]
    return list(zip(*columns, strict=True))


def _plain_file(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.astype({"file": "str", "node": "str"}) if "node" in frame.columns else frame.astype({"file": "str"})


def _join_links(parts: Iterable[tuple[str, pd.DataFrame]]) -> list[tuple[str, pd.DataFrame]]:
    """`ip addr` and `ip -d link` both list interfaces: one row each, kind and master from whoever knows them."""
    import pandas as pd

    by_node: dict[str, list[pd.DataFrame]] = defaultdict(list)
    for node, frame in parts:
        if len(frame):
            by_node[node].append(frame)
    joined: list[tuple[str, pd.DataFrame]] = []
    for node, frames in by_node.items():
        if len(frames) > 1:
            frames = [pd.concat(frames, ignore_index=True).groupby("interface", sort=False, as_index=False).first()]
        joined.append((node, TABLES["interfaces"].conform(frames[0])))
    return joined


def concat(table: str, parts: Sequence[tuple[str, pd.DataFrame]]) -> pd.DataFrame:
    """Frames below each other with the node filled in; categories are united, never widened to objects."""
    import pandas as pd
    from pandas.api.types import union_categoricals

    schema = TABLES[table]
    filled = []
    for node, frame in parts:
        if "node" in schema.names:
            frame = frame.assign(node=pd.Categorical([node or None] * len(frame)))
        filled.append(frame)
    if len(filled) == 1:
        return schema.conform(filled[0].reset_index(drop=True))
    whole = pd.concat(
        [frame[[c.name for c in schema.columns if c.dtype != "category"]] for frame in filled], ignore_index=True
    )
    for column in schema.columns:
        if column.dtype == "category":
            whole[column.name] = union_categoricals([_texts(frame[column.name]) for frame in filled])
    return schema.conform(whole)


def _texts(series: pd.Series[Any]) -> pd.Categorical:
    """The series as a categorical over text; an empty one may have categories of another dtype."""
    import pandas as pd

    values = series.astype("category").array
    assert isinstance(values, pd.Categorical)
    if str(values.categories.dtype) != "str":
        values = pd.Categorical.from_codes(values.codes, categories=values.categories.astype("str"))
    return values


def _unique(table: str, frame: pd.DataFrame, identity: Sequence[str]) -> pd.DataFrame:
    """The first row of each object, preferring the row that knows most (JSON over a table, Listeners over Attribute)."""
    if not len(frame) or not frame.duplicated(list(identity)).any():
        return frame
    order = frame.notna().sum(axis=1).sort_values(ascending=False, kind="stable").index
    return frame.loc[order].drop_duplicates(list(identity)).sort_index().reset_index(drop=True)
