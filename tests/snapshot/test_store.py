"""Tables outside memory come back as they were: values, nulls and dtypes, whole or by columns, of one node or several."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analyzer.parsers import frames
from analyzer.snapshot import spill
from analyzer.snapshot.spill import SpilledTables, Store, Stored
from analyzer.tables import CONNECTIONS, REAL_SERVERS

TEXTS = st.one_of(st.none(), st.sampled_from(["", "a", "10.0.0.1", "é", "Masq"]))
WHOLE = st.one_of(
    st.integers(-3, 3), st.integers(0, 40_000), st.sampled_from([2**31, 2**62, -(2**63), 2**63 - 1, -(2**62)])
)
VALUES: dict[str, Any] = {
    "str": TEXTS, "category": TEXTS, "Int64": st.one_of(st.none(), WHOLE), "boolean": st.sampled_from([None, True, False]),
}  # fmt: skip


@st.composite
def columns(draw: st.DrawFn, size: int) -> dict[str, list[Any]]:
    """Some columns of both tables with alike, ascending or any values."""
    schema = draw(st.sampled_from([REAL_SERVERS, CONNECTIONS]))
    found: dict[str, list[Any]] = {}
    for column in schema.columns:
        kind = draw(st.sampled_from(["absent", "alike", "any", "ascending"]))
        if kind == "alike":
            found[column.name] = [draw(VALUES[column.dtype])] * size
        elif kind == "any" or (kind == "ascending" and column.dtype != "Int64"):
            found[column.name] = draw(st.lists(VALUES[column.dtype], min_size=size, max_size=size))
        elif kind == "ascending":
            found[column.name] = sorted(draw(st.lists(WHOLE, min_size=size, max_size=size)))
    return {"": [schema.name], **found}


def built(found: dict[str, list[Any]], size: int) -> tuple[str, pd.DataFrame]:
    schema = spill.TABLES[found[""][0]]
    return schema.name, frames.frame(schema, {name: values for name, values in found.items() if name}, size)


@pytest.fixture(params=[0, 2_000], ids=["by columns", "as one piece"])
def few(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spill, "FEW_ROWS", request.param)


def alike(one: pd.DataFrame, other: pd.DataFrame, order: bool = True) -> None:
    pd.testing.assert_frame_equal(one, other, check_categorical=order)
    assert (one.dtypes.astype("str") == other.dtypes.astype("str")).all()


@pytest.mark.parametrize("rows", [0, 2_000])
@settings(max_examples=25, deadline=None)
@given(data=st.data(), size=st.integers(1, 9))
def test_a_table_comes_back(rows: int, data: st.DataObject, size: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(spill, "FEW_ROWS", rows)
        name, frame = built(data.draw(columns(size)), size)
        stored = Stored(Store(), {name: frame})
        alike(stored[name], frame)
        some = data.draw(st.lists(st.sampled_from(frame.columns.tolist()), min_size=1, unique=True))
        alike(stored.some(name, *some), frame[some])


@pytest.mark.usefixtures("few")
def test_columns_of_several_nodes_stand_below_each_other() -> None:
    def node(number: int, size: int) -> pd.DataFrame:
        return frames.frame(
            CONNECTIONS,
            {
                "node": [f"n{number}"] * size, "orig_src": [f"10.0.{number}.{at % 3}" for at in range(size)], "orig_dport": [80] * size,
                "reply_sport": [None, *range(size - 1)], "state": [None, *["SYN_SENT"] * (size - 1)], "line": list(range(1, size + 1)),
                "unreplied": [True] * size if number else None, "extra": ["x"] * size if number else None,
            },
            size,
        )  # fmt: skip

    parts = [node(number, 2 + number) for number in range(4)]
    store = Store()
    tables = SpilledTables(
        {}, {f"n{at}": Stored(store, {"connections": part}) for at, part in enumerate(parts)}, lambda *_: parts[0]
    )
    names = ("node", "orig_src", "state", "orig_dport", "reply_sport", "unreplied", "extra", "line", "mark")
    expected = pd.concat(
        [part[list(names)].astype({"node": "str", "orig_src": "str", "state": "str"}) for part in parts]
    )
    (together,) = tables.some("connections", names)
    categories = {"node": "str", "orig_src": "str", "state": "str"}
    assert (together.dtypes[["node", "orig_src", "state"]] == "category").all()
    alike(together.astype(categories), expected.reset_index(drop=True))


def test_many_rows_are_read_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spill, "READ_ROWS", 5)
    store = Store()
    part = frames.frame(REAL_SERVERS, {"weight": [1, 2, 3]}, 3)
    tables = SpilledTables({}, {f"n{at}": Stored(store, {"real_servers": part}) for at in range(3)}, lambda *_: part)
    assert [len(frame) for frame in tables.some("real_servers", ("weight",))] == [3, 3, 3]
    monkeypatch.setattr(spill, "READ_ROWS", 6)
    assert [len(frame) for frame in tables.some("real_servers", ("weight",))] == [6, 3]


def test_equal_columns_are_stored_once() -> None:
    store = Store()
    part = frames.frame(REAL_SERVERS, {"address": [f"10.0.{at >> 8}.{at & 255}" for at in range(5_000)]}, 5_000)
    first = Stored(store, {"real_servers": part})
    end = store._end
    assert Stored(store, {"real_servers": part}).slots == first.slots
    assert store._end == end > 0
