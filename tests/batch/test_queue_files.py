"""What a batch leaves: tickets.csv, tables, the queue page, reports; and that a second run has nothing to do."""

from __future__ import annotations

import io
import json
import re
import zipfile
from html.parser import HTMLParser

import duckdb
import openpyxl
import pandas as pd
import pytest

from analyzer.batch.files import guarded
from analyzer.batch.index import render
from analyzer.batch.model import Cause, Done, Found, Record, Ticket
from analyzer.batch.tables import LISTED
from analyzer.report.messages import Messages
from tests.batch.conftest import Run
from tests.batch.queue import HOSTILE, batch, rows, steady

FINGERPRINT = re.compile(
    r"[A-Z]+-[0-9]{3}:(-|S[0-9]+[a-z]?):(terway|flannel|calico|cilium|mixed|unknown):([0-9]+\.[0-9]+|mixed|unknown)"
)


def test_one_row_per_source_in_input_order(run: Run) -> None:
    assert run.done.returncode == 1, run.done.stderr
    assert "Traceback" not in run.done.stderr
    got = rows(run.out)
    assert tuple(got[0]) == LISTED
    assert [row["ticket"] for row in got] == [
        *(f"T{n}" for n in range(7)),
        "'" + HOSTILE,
        "CUT",
        "NOISE",
        "GONE",
        "EMPTY",
    ]


def test_statuses_say_what_is_wrong(run: Run) -> None:
    by_ticket = {row["ticket"]: row for row in rows(run.out)}
    assert {name: by_ticket[name]["status"] for name in ("NOISE", "GONE", "EMPTY")} == dict.fromkeys(
        ("NOISE", "GONE", "EMPTY"), "failed"
    )
    assert by_ticket["CUT"]["status"] in ("incomplete", "failed")
    assert "cut" in by_ticket["CUT"]["error"]
    assert "no such file" in by_ticket["GONE"]["error"]
    assert "tickets.csv:13: no bundle is named" in by_ticket["EMPTY"]["error"]
    assert all(by_ticket[name]["findings"] == "" for name in ("NOISE", "GONE", "EMPTY")), "unknown, not none"
    assert "ok" in {row["status"] for row in by_ticket.values()}
    for row in by_ticket.values():
        assert (row["status"] == "ok") <= (row["error"] == "" or row["error"].startswith("The symptom"))
        if row["status"] != "failed":
            assert float(row["seconds"]) > 0
            assert float(row["peak_mb"]) > 10


def test_a_symptom_in_free_words_is_said_not_to_be_compared(run: Run) -> None:
    row = next(row for row in rows(run.out) if row["ticket"].endswith(HOSTILE))
    assert "symptom" in row["error"]
    assert row["status"] != "failed"


def test_fingerprints_name_no_cluster(run: Run) -> None:
    found = [row["fingerprint"] for row in rows(run.out) if row["fingerprint"]]
    assert found
    assert [one for one in found if not FINGERPRINT.fullmatch(one)] == []


def test_reports_are_where_the_table_says(run: Run) -> None:
    for row in rows(run.out):
        if row["report"]:
            page = (run.out / row["report"]).read_text("utf-8")
            assert page.lower().startswith("<!doctype html>")
            assert (run.out / row["report"].replace(".html", ".report.json")).is_file()
        assert bool(row["report"]) == (row["status"] != "failed")


def test_the_tables_agree(run: Run) -> None:
    listed = rows(run.out)
    tickets = pd.read_parquet(run.out / "tickets.parquet")
    assert [guarded(value) for value in tickets["ticket"]] == [row["ticket"] for row in listed]
    assert list(tickets["status"]) == [row["status"] for row in listed]
    assert tickets["customer"].iloc[7] == "@c", "Parquet holds the values as they are"
    with duckdb.connect(str(run.out / "queue.duckdb"), read_only=True) as base:
        assert base.sql("SELECT count(*) FROM tickets").fetchall() == [(len(listed),)]
        wanted = sum(int(row["findings"] or 0) for row in listed)
        assert base.sql("SELECT count(*) FROM findings").fetchall() == [(wanted,)]
        first = base.sql(
            "SELECT ticket, fingerprint FROM causes QUALIFY row_number() OVER (PARTITION BY position) = 1 ORDER BY position"
        )
        assert [(guarded(t), f) for t, f in first.fetchall()] == [
            (row["ticket"], row["fingerprint"]) for row in listed if row["fingerprint"]
        ]


def test_the_workbook_calculates_nothing(run: Run) -> None:
    content = (run.out / "queue.xlsx").read_bytes()
    book = openpyxl.load_workbook(io.BytesIO(content))
    assert book.sheetnames == ["tickets", "findings", "causes"]
    values = [cell.value for row in book["tickets"].iter_rows() for cell in row]
    assert HOSTILE in values
    with zipfile.ZipFile(io.BytesIO(content)) as parts:
        sheets = [parts.read(name).decode() for name in parts.namelist() if name.startswith("xl/worksheets/")]
    assert not any("<f>" in sheet or "<hyperlink" in sheet for sheet in sheets)


class _Page(HTMLParser):
    """Tags with their attributes, and ids."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))


def test_the_queue_page_stands_alone(run: Run) -> None:
    text = (run.out / "index.html").read_text("utf-8")
    page = _Page(text)
    policy = next(attrs["content"] for tag, attrs in page.tags if attrs.get("http-equiv") == "Content-Security-Policy")
    assert policy is not None
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert [tag for tag, _ in page.tags].count("script") == 1
    assert "<script>alert" not in text
    assert HOSTILE.replace('"', "&#34;").replace("<", "&lt;").replace(">", "&gt;") in text
    assert not [
        attrs
        for tag, attrs in page.tags
        if tag in ("img", "link", "iframe") or "src" in attrs or any(name.startswith("on") for name in attrs)
    ]
    for _, attrs in page.tags:
        assert not (attrs.get("href") or "#").startswith(("http", "/", "javascript"))


def test_the_queue_page_reads_without_its_script(run: Run) -> None:
    page = _Page((run.out / "index.html").read_text("utf-8"))
    ids = {attrs["id"] for _, attrs in page.tags if "id" in attrs}
    assert {f"t{number}" for number in range(1, len(rows(run.out)) + 1)} <= ids
    links = [str(attrs["href"]) for tag, attrs in page.tags if tag == "a"]
    assert all(link[1:] in ids if link.startswith("#") else (run.out / link).is_file() for link in links)
    assert not [attrs for _, attrs in page.tags if "hidden" in attrs]


def test_recurring_causes_show_customers_and_time(run: Run) -> None:
    text = (run.out / "index.html").read_text("utf-8")
    causes = text.partition('<section id="causes">')[2].partition("</section>")[0]
    repeated = next(
        row["fingerprint"] for row in rows(run.out) if row["ticket"].endswith(HOSTILE) and row["fingerprint"]
    )
    line = next(part for part in causes.split("<tr>") if f"<code>{repeated}</code>" in part)
    assert "2025-09: 1" in line
    assert int(re.findall(r'class="number">([0-9]+)<', line)[0]) >= 2


def test_the_summary_as_json(run: Run) -> None:
    done = batch(run.tickets, "-o", run.out, "-r", "html", "-r", "json", "--json", "-q")
    told = json.loads(done.stdout)
    assert (told["schema"], told["exit_code"], done.returncode) == ("ipvscope-queue/1", 1, 1)
    assert told["ok"] + told["incomplete"] + told["failed"] == len(told["tickets"]) == len(rows(run.out))
    assert [one["ticket"] for one in told["tickets"]][:2] == ["T0", "T1"]
    assert told["tickets"][0]["fingerprint"] == rows(run.out)[0]["fingerprint"]


def test_a_second_run_does_nothing_again_and_changes_nothing(run: Run) -> None:
    before, took = steady(run.out), (run.out / "tickets.csv").read_bytes()
    times = {path: path.stat().st_mtime_ns for path in (run.out / "results").rglob("*.json")}
    again = batch(run.tickets, "-o", run.out, "--xlsx", "-r", "html", "-r", "json")
    assert again.returncode == 1
    assert "10 were there already" in again.stdout
    assert steady(run.out) == before
    assert (run.out / "tickets.csv").read_bytes() == took, (
        "seconds and memory are those of the analysis, not of the look-up"
    )
    assert {path: path.stat().st_mtime_ns for path in (run.out / "results").rglob("*.json")} == times


@pytest.mark.parametrize(
    ("value", "cell"),
    [("=1", "'=1"), (" @a", "' @a"), ("-", "'-"), ("＝1", "'＝1"), ("a;=1", "a;'=1"), ("a=1", "a=1"), (None, "")],
)
def test_no_cell_is_a_formula(value: str | None, cell: str) -> None:
    assert guarded(value) == cell


def test_in_chinese() -> None:
    cause = Cause("other", "open", "notice", "a", "b", ("X-001",), 1, "X-001:-:terway:1.28")
    record = Record("ok", findings=(Found("X-001", "a", "notice", "", "high", "b", (), 1, 1),), causes=(cause,))
    entries = [
        (Ticket("t", "s", "s"), Done(1, "k", record, None)),
        (Ticket("u", "s", "s"), Done(2, "", Record("failed"), None)),
    ]
    page = render(entries, Messages("zh_CN"))
    assert "工单队列" in page
    assert "⟦" not in page
    words = re.sub(r"<[^>]+>", " ", page.partition("<main>")[2].partition("<script>")[0])
    assert not re.findall(r"[A-Za-z]+ [A-Za-z]+ [A-Za-z]+", words), "no English sentence"
