"""``ipvsadm -Ln`` from its bytes: ordinary rows by `ipvsadm_bytes`, the few other lines by the ways of `ipvsadm_plain`.

Equal in every respect to reading line by line; what is not sure to be (an envelope, a cut, many odd lines) is left to it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from analyzer.parsers import built, envelope, frames, ipvsadm_bytes
from analyzer.parsers.base import Ledger, LineCount, Parsed
from analyzer.parsers.ipvs_servers import SCHEDULERS, TABLES
from analyzer.parsers.ipvsadm_bytes import FORWARDING, PROTOCOLS, Rows
from analyzer.parsers.ipvsadm_plain import Columns, note_wrong_form
from analyzer.tables import REAL_SERVERS, VIRTUAL_SERVERS

if TYPE_CHECKING:
    import pandas as pd

HEADER = (b"IP Virtual Server version ", b"Prot LocalAddress:Port ", b"  -> RemoteAddress:Port ")
ODD = 4
"""A listing with more than one odd line in so many is read as text."""
_PROTOCOLS, _FORWARDING, _SCHEDULERS = list(PROTOCOLS.values()), list(FORWARDING.values()), sorted(SCHEDULERS)


def parse(data: bytes, file: str) -> Parsed | None:
    """The whole capture, or null when it is not an ordinary listing."""
    if not data.startswith(HEADER[0]):
        return None
    rows = _read(data)
    if rows is None or not len(rows.virtual["line"]) or len(rows.odd) * ODD > rows.total:
        return None
    first = int(rows.virtual["line"][0])
    if len(rows.real["line"]) and int(rows.real["line"][0]) < first:
        return None
    opened = _opened(data, rows)
    return None if opened is None else _parsed(opened, rows, first, file)


_LATEST: list[tuple[bytes, Rows | None]] = []


def _read(data: bytes) -> Rows | None:
    """The rows of a listing; those of the one before if it is the same, as on nodes without traffic or NodePorts of their own."""
    for known, rows in _LATEST:
        if known == data:
            return rows
    found = ipvsadm_bytes.read(data)
    _LATEST[:] = [(data, found)]
    return found


def _opened(data: bytes, rows: Rows) -> envelope.Envelope | None:
    """The odd lines as text, if nothing has to be taken off the lines; ordinary rows hold no mark of an envelope."""
    if rows.odd.tolist() == [1, 2, 3]:
        head = data.split(b"\n", 3)[:3]
        if all(line.startswith(begin) and line.isascii() for line, begin in zip(head, HEADER, strict=True)):
            opened = envelope.lines(b"\n".join([*head, b""]))
            return None if _altered(opened, 3) else opened
    opened = envelope.lines(data)
    if _altered(opened, rows.total):
        return None
    opened.pairs = [opened.pairs[number - 1] for number in rows.odd.tolist()]
    return opened


def _altered(opened: envelope.Envelope, total: int) -> bool:
    return bool(opened.furniture or opened.notes or opened.filtered) or len(opened.pairs) != total


def _parsed(opened: envelope.Envelope, rows: Rows, first: int, file: str) -> Parsed | None:
    ledger = Ledger(file, TABLES)
    columns = Columns(ledger)
    for number, text in opened.pairs:
        if number > first and not columns.seen:
            if not columns.ready:
                return None
            columns.seen = True
        if not columns.line(number, text):
            return None
    if not columns.ready:
        return None
    columns.seen = True
    if len(columns.virtuals) or len(columns.reals) or columns.odd_virtuals or columns.odd_reals or columns.lost:
        _as_blocks(columns, rows)
        tables: Mapping[str, pd.DataFrame] = columns.frames(file)
    else:
        tables = _tables(rows, file)
    taken = len(columns.virtuals) + len(columns.reals) or len(rows.virtual["line"]) + len(rows.real["line"])
    note_wrong_form(opened, ledger)
    parsed = replace(opened, pairs=columns.odd).close(ledger, complete=columns.reader.banner, state="rows")
    count = parsed.lines
    lines = LineCount(rows.total, columns.blank, count.rows + taken, count.furniture, count.noted)
    return replace(parsed, tables=tables, lines=lines)


def _as_blocks(columns: Columns, rows: Rows) -> None:
    """Ordinary rows beside the others, as `ipvsadm_plain` would have them."""
    real, virtual, names = rows.real, rows.virtual, rows.names.to_pylist()
    columns.reals.blocks.append(
        (
            _list(names, real["address"]), real["port"].copy(), _list(_FORWARDING, real["forwarding"]),
            *(real[name].copy() for name in ("weight", "active", "inactive", "line")),
        )
    )  # fmt: skip
    persistence = [None if seconds < 0 else seconds for seconds in virtual["persistence_s"].tolist()]
    columns.virtuals.blocks.append(
        (
            _list(_PROTOCOLS, virtual["protocol"]), _list(names, virtual["address"]), virtual["port"].copy(),
            [4] * len(virtual["line"]), _list(_SCHEDULERS, virtual["scheduler"]), persistence, virtual["line"].copy(),
        )
    )  # fmt: skip


def _list(names: list[str], codes: Any) -> list[str]:
    return [names[code] for code in codes.tolist()]


def _tables(rows: Rows, file: str) -> Mapping[str, pd.DataFrame]:
    """Both tables of a listing that has ordinary rows only."""
    import numpy as np
    import pandas as pd

    # Copies: frames may be written to, and the rows serve the next listing too.
    real, virtual = ({name: column.copy() for name, column in one.items()} for one in (rows.real, rows.virtual))
    count, below = len(virtual["line"]), len(real["line"])
    owner = np.searchsorted(virtual["line"], real["line"]) - 1
    nobody = virtual["persistence_s"] < 0
    persistence = pd.arrays.IntegerArray(np.where(nobody, 0, virtual["persistence_s"]), nobody)
    virtuals = {
        "protocol": frames.coded(_PROTOCOLS, virtual["protocol"]), "address": frames.coded(rows.names, virtual["address"]),
        "port": virtual["port"], "family": np.full(count, 4, dtype=np.int64), "persistence_s": persistence,
        "scheduler": frames.coded(_SCHEDULERS, virtual["scheduler"]), "ops": [False] * count,
        "file": frames.constant(file, count), "line": virtual["line"],
    }  # fmt: skip
    reals = {
        "vs_protocol": frames.coded(_PROTOCOLS, virtual["protocol"][owner]),
        "vs_address": frames.coded(rows.names, virtual["address"][owner]), "vs_port": virtual["port"][owner],
        "vs_line": virtual["line"][owner], "address": frames.coded(rows.names, real["address"]), "port": real["port"],
        "forwarding": frames.coded(_FORWARDING, real["forwarding"]), "weight": real["weight"], "active": real["active"],
        "inactive": real["inactive"], "file": frames.constant(file, below), "line": real["line"],
    }  # fmt: skip
    return built.Tables(
        {
            VIRTUAL_SERVERS.name: built.columns(VIRTUAL_SERVERS, virtuals, count),
            REAL_SERVERS.name: built.columns(REAL_SERVERS, reals, below),
        }
    )
