"""CSV, XLSX and Parquet: the same tables, typed, guarded."""

from __future__ import annotations

import csv
import io
import zipfile

import openpyxl
import pandas as pd
import pytest

from analyzer.errors import MissingExtra
from analyzer.report.analysis import Analysis
from analyzer.report.cells import csv_text, harmless
from analyzer.report.formats import xlsx_tables
from analyzer.report.messages import Messages
from analyzer.report.result_tables import RESULTS, all_tables
from analyzer.tables import TABLES

from .. import make

FORMULAS = ("=1+1", "+A1", "-2+3", "@SUM(A1)", "\t=1", " =1", "\uff1d1")


def rows(content: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(content.decode("utf-8-sig"))))


def test_results_do_not_hide_a_table_of_the_snapshot() -> None:
    assert not RESULTS.keys() & TABLES.keys()


def test_every_table_is_written_also_an_empty_one(written: dict[str, dict[str, bytes]]) -> None:
    names = {*RESULTS, *TABLES}
    assert set(written["csv"]) == {f"tables/{name}.csv" for name in names}
    assert set(written["parquet"]) == {f"tables/{name}.parquet" for name in names}
    assert written["csv"]["tables/routes.csv"].decode("utf-8-sig") == ",".join(TABLES["routes"].names) + "\n"


def test_rows_and_columns_are_those_of_the_analysis(
    analysis: Analysis, messages: Messages, written: dict[str, dict[str, bytes]]
) -> None:
    for schema, frame in all_tables(analysis, messages):
        assert tuple(frame.columns) == schema.names
        assert len(rows(written["csv"][f"tables/{schema.name}.csv"])) == len(frame), schema.name
        read = pd.read_parquet(io.BytesIO(written["parquet"][f"tables/{schema.name}.parquet"]))
        assert list(read.columns) == list(frame.columns)
        assert len(read) == len(frame)
    assert len(rows(written["csv"]["tables/matrix.csv"])) == 24 * 9


def test_a_finding_is_a_row_with_its_line_and_its_fix(written: dict[str, dict[str, bytes]], analysis: Analysis) -> None:
    found = rows(written["csv"]["tables/findings.csv"])
    assert [row["rule"] for row in found] == [one.rule for one in analysis.findings.findings]
    first = found[0]
    assert (first["rule"], first["about"], first["severity"]) == ("REACH-001", make.VIP, "critical")
    assert first["fix"] == "F1"
    place = analysis.findings.findings[0].evidence[0]
    assert (first["file"], first["line"]) == (place.file, str(place.line))
    fixes = rows(written["csv"]["tables/fixes.csv"])
    assert [(row["card"], row["usable"], row["state"]) for row in fixes] == [("F1", "True", ""), ("F2", "False", "")]


@pytest.mark.parametrize("text", FORMULAS)
def test_no_csv_cell_starts_a_formula(text: str) -> None:
    cell = next(csv.reader(io.StringIO(csv_text(pd.DataFrame({"a": [text]})).split("\n", 1)[1])))[0]
    assert cell == harmless(text)
    assert cell.startswith("'")


def test_numbers_and_nulls_stay_what_they_are() -> None:
    frame = pd.DataFrame({"n": pd.array([-1, None], dtype="Int64"), "t": ["10.0.0.1", None], "b": [True, False]})
    assert csv_text(frame) == "n,t,b\n-1,10.0.0.1,True\n,,False\n"


def test_workbook_holds_texts_not_formulas(analysis: Analysis, messages: Messages) -> None:
    import dataclasses

    hostile = dataclasses.replace(analysis.snapshot, source="=cmd|' /C calc'!A0")
    table = TABLES["services"].frame([{"namespace": "a", "name": text} for text in FORMULAS])
    changed = dataclasses.replace(analysis, snapshot=hostile.with_tables(services=table))
    ((_, content),) = xlsx_tables.files(changed, messages)
    book = openpyxl.load_workbook(io.BytesIO(content))
    assert not [cell.coordinate for sheet in book for row in sheet for cell in row if cell.data_type == "f"]
    names = book["services"]["B"][1:]
    assert all(cell.data_type == "s" and cell.quotePrefix for cell in names)
    assert names[0].value == "=1+1"


def test_without_xlsxwriter_there_is_a_clear_message(
    analysis: Analysis, messages: Messages, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MissingExtra, match="XlsxWriter"):
        list(xlsx_tables.files(analysis, messages))


def test_workbook_lists_every_table(written: dict[str, dict[str, bytes]], analysis: Analysis) -> None:
    content = written["xlsx"]["tables/tables.xlsx"]
    book = openpyxl.load_workbook(io.BytesIO(content))
    listed = {row[0]: row[2] for row in book["tables"].iter_rows(min_row=4, values_only=True)}
    assert listed.keys() == {*RESULTS, *TABLES}
    assert listed["virtual_servers"] == book["virtual_servers"].max_row - 1 == 259
    assert "routes" not in book.sheetnames
    assert isinstance(book["virtual_servers"]["D2"].value, int)
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert {one.date_time for one in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}


def test_a_long_table_is_cut_and_says_so(
    analysis: Analysis, messages: Messages, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(xlsx_tables, "ROWS", 100)
    ((_, content),) = xlsx_tables.files(analysis, messages)
    book = openpyxl.load_workbook(io.BytesIO(content))
    left = {row[0]: row[3] for row in book["tables"].iter_rows(min_row=4, values_only=True)}
    assert book["virtual_servers"].max_row == 101
    assert left["virtual_servers"] == 159
