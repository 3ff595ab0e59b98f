"""Frames by columns: the same as the schema's own, row by row."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analyzer.parsers import built, frames
from analyzer.schema import Column, TableSchema
from analyzer.tables import TABLES

SCHEMA = TableSchema(
    "sample",
    "one sample",
    (
        Column("text", "str", "text"),
        Column("number", "Int64", "number"),
        Column("flag", "boolean", "flag"),
        Column("kind", "category", "kind"),
        Column("share", "float64", "share"),
    ),
)
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "text": st.text(st.characters(exclude_categories=("Cs",)), max_size=3),
    "number": st.integers(-(2**63), 2**63 - 1),
    "flag": st.booleans(),
    "kind": st.sampled_from(("a", "b")),
    "share": st.floats(allow_nan=False),
}
ROWS = st.lists(
    st.fixed_dictionaries({}, optional={name: st.none() | values for name, values in VALUES.items()}), max_size=6
)


@settings(max_examples=150, deadline=None)
@given(ROWS)
def test_rows_give_the_frame_of_the_schema(rows: list[dict[str, Any]]) -> None:
    found, expected = frames.from_rows(SCHEMA, rows), SCHEMA.frame(rows)
    assert [str(dtype) for dtype in found.dtypes] == [column.dtype for column in SCHEMA.columns]
    pd.testing.assert_frame_equal(found, expected, check_categorical=False)
    assert found["kind"].astype(object).where(found["kind"].notna(), None).tolist() == [row.get("kind") for row in rows]


def test_an_unknown_column_is_a_programming_error() -> None:
    with pytest.raises(KeyError, match="colour"):
        frames.from_rows(SCHEMA, [{"colour": 1}])


def test_values_that_are_not_plain_fail_as_in_pandas() -> None:
    for values in ([1.5], [2**70], ["x"]):
        with pytest.raises((TypeError, ValueError, OverflowError)):
            frames.from_rows(SCHEMA, [{"number": value} for value in values])


def test_frames_may_be_written_to() -> None:
    one, two = frames.from_rows(SCHEMA, [{}, {}]), frames.from_rows(SCHEMA, [{}, {}])
    one.loc[0, "number"], one.loc[0, "text"], one.loc[1, "flag"] = 7, "x", True
    assert one.loc[0, "number"] == 7
    assert two.isna().all(axis=None)
    gone = frames.empty(SCHEMA)
    gone["more"] = 1
    assert list(frames.empty(SCHEMA).columns) == list(SCHEMA.names)


def test_a_long_column_of_nulls() -> None:
    found = frames.frame(SCHEMA, {"flag": [True] * 200_000}, 200_000)
    assert len(found) == 200_000
    assert int(found["text"].isna().sum()) == 200_000
    found.loc[150_000, "text"] = "x"
    assert found["text"].dropna().index.tolist() == [150_000]


def test_tables_become_frames_when_asked_for() -> None:
    made = built.Tables(
        {
            "interfaces": built.columns(TABLES["interfaces"], {"interface": ["lo"], "file": ["a.txt"], "line": [1]}, 1),
            "addresses": built.columns(TABLES["addresses"], {}, 0),
        }
    )
    assert {name: made.rows(name) for name in made} == {"interfaces": 1, "addresses": 0}
    moved = made.moved("b.txt")
    whole = frames.frame(TABLES["interfaces"], {"interface": ["lo"], "file": ["b.txt"], "line": [1]}, 1)
    pd.testing.assert_frame_equal(moved["interfaces"], whole)
    pd.testing.assert_frame_equal(moved["addresses"], TABLES["addresses"].empty())
    pd.testing.assert_frame_equal(moved.moved("c.txt")["interfaces"], whole.assign(file=pd.Categorical(["c.txt"])))
    assert set(moved.arrays("interfaces")) >= {"interface", "file", "line"}
    assert list(moved) == ["interfaces", "addresses"]
