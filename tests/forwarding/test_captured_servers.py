"""Virtual servers read off columns are those that the rows say, whether lines tell where their real servers stand or not."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from analyzer.forwarding.captured_servers import REAL_COLUMNS, VIRTUAL_COLUMNS, CapturedServers
from analyzer.forwarding.state import ServerKey

KEYS = st.tuples(
    st.sampled_from(["tcp", "udp"]), st.sampled_from(["10.0.0.1", "10.0.0.2", "fd00::1"]), st.sampled_from([53, 80])
)
REALS = st.lists(
    st.tuples(
        st.sampled_from(["10.1.0.1", "10.1.0.2", None]), st.sampled_from([8080, 0, None]), st.sampled_from([0, 1, 5, None]),
        st.sampled_from(["Masq", "Route", None]),
    ),
    max_size=3,
)  # fmt: skip
TYPES = {"vs_port": pa.int64(), "vs_line": pa.int64(), "port": pa.int64(), "weight": pa.int64(), "line": pa.int64(),
         "active": pa.int64(), "fwmark": pa.int64(), "persistence_s": pa.int64()}  # fmt: skip
Row = dict[str, Any]


def table(rows: list[Row], names: tuple[str, ...]) -> dict[str, pa.Array]:
    return {name: pa.array([row.get(name) for row in rows], TYPES.get(name, pa.large_string())) for name in names}


@settings(max_examples=120, deadline=None)
@given(
    listed=st.lists(st.tuples(KEYS, REALS), max_size=6),
    lines=st.sampled_from(["own", "one", "none", "backwards"]),
    files=st.sampled_from([1, 2]),
)
def test_columns_say_what_rows_say(listed: list[tuple[ServerKey, list[Any]]], lines: str, files: int) -> None:
    virtual: list[Row] = []
    real: list[Row] = []
    wanted: dict[ServerKey, list[Row]] = {}
    number = 1
    for place, (key, below) in enumerate(listed):
        line = {"own": number, "one": 1, "none": None, "backwards": 1000 - number}[lines]
        file = f"ipvsadm-{place % files}.txt"
        protocol, address, port = key
        virtual.append(
            {"protocol": protocol, "address": address, "port": port, "scheduler": "rr", "file": file, "line": line}
        )
        own = [
            {"vs_protocol": protocol, "vs_address": address, "vs_port": port, "vs_line": line, "address": one[0], "port": one[1],
             "weight": one[2], "forwarding": one[3], "file": file, "line": number + at + 1}
            for at, one in enumerate(below)
        ]  # fmt: skip
        real += own
        wanted.setdefault(key, []).extend(own)
        number += 1 + len(own)
    reals = table(real, REAL_COLUMNS)
    servers = CapturedServers("n", table(virtual, VIRTUAL_COLUMNS), lambda: reals)
    assert set(servers) == set(wanted)
    for key, rows in wanted.items():
        told = [
            (
                row["address"],
                row["port"] or key[2],
                1 if row["weight"] is None else row["weight"],
                row["forwarding"] or "Masq",
            )
            for row in rows
            if row["address"]
        ]
        live = tuple(one for one in told if one[2] > 0)
        assert servers.live(key) == live
        assert servers.filled(key) == (bool(live), bool(told))
        made = servers[key]
        assert [(one.address, one.port, one.weight, one.forwarding) for one in made.real_servers] == told
        assert [one.evidence.line for one in made.real_servers] == [row["line"] for row in rows if row["address"]]
    assert servers.live(("sctp", "10.0.0.1", 1)) == ()
    assert servers.filled(("sctp", "10.0.0.1", 1)) is None
    assert servers.families() == {6 if ":" in key[1] else 4 for key in wanted}
