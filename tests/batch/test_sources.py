"""What the user names, and the tickets it stands for."""

from __future__ import annotations

import sys
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from analyzer.batch.model import Options, Task, Ticket
from analyzer.batch.one import analyse_one
from analyzer.batch.sources import tickets_of
from analyzer.batch.tickets import read_tickets
from analyzer.batch.urls import file_system, is_url, shown
from analyzer.errors import BundleError, IpvscopeError, UsageError
from analyzer.limits import DEFAULT
from tests.batch.queue import fill


def names(*sources: Path | str) -> list[str]:
    return [one.ticket for one in tickets_of([str(source) for source in sources])]


def test_a_folder_gives_each_entry_also_the_odd_ones(tmp_path: Path) -> None:
    fill(tmp_path, 2)
    (tmp_path / "broken.bin").write_bytes(b"x")
    (tmp_path / "folder" / "nodes").mkdir(parents=True)
    (tmp_path / ".hidden").write_bytes(b"")
    assert names(tmp_path) == ["broken.bin", "case-000", "case-001", "folder"]


@pytest.mark.parametrize("mark", ["nodes", "cluster"])
def test_a_folder_that_is_a_bundle_is_one(tmp_path: Path, mark: str) -> None:
    (tmp_path / "b" / mark).mkdir(parents=True)
    assert names(tmp_path / "b") == ["b"]


def test_loose_captures_are_one_bundle(tmp_path: Path) -> None:
    for name in ("ipvsadm.txt", "ip-addr.txt"):
        (tmp_path / name).write_text("x")
    assert len(names(tmp_path)) == 1


def test_patterns_lists_and_files_in_the_order_named(tmp_path: Path) -> None:
    first, second = fill(tmp_path / "a", 2)
    (tmp_path / "list.jsonl").write_text('{"id": "X", "bundle": "a/case-001.tar.gz"}\n')
    assert names(second, tmp_path / "a" / "*0.tar.gz", tmp_path / "list.jsonl") == ["case-001", "case-000", "X"]
    assert first.name == "case-000.tar.gz"


def test_bundles_of_equal_names_are_told_apart(tmp_path: Path) -> None:
    fill(tmp_path / "a", 1)
    fill(tmp_path / "b", 1)
    assert names(tmp_path / "*" / "*.tar.gz") == ["case-000", "case-000 (2)"]


def test_nothing_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(BundleError):
        names(tmp_path / "none")
    with pytest.raises(UsageError):
        names(tmp_path / "*.tgz")


@pytest.mark.parametrize(
    "url", ["file:///etc/passwd", "http://169.254.169.254/x", "ftp://h/x", "s3://b/x::file:///etc/passwd", "memory://x"]
)
def test_urls_that_are_not_opened(url: str) -> None:
    assert is_url(url)
    with pytest.raises(UsageError):
        tickets_of([url])
    with pytest.raises(UsageError):
        file_system(url)


@pytest.mark.parametrize(
    ("url", "why"), [("gs://b/x.tgz", "a library for gs:// is not installed"), ("s3://b/x::file:///x", "not a URL")]
)
def test_a_source_that_cannot_be_opened_is_a_row_and_not_the_end(
    url: str, why: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "gcsfs", None)
    done = analyse_one(Task(1, Ticket("t", url, url), Options(), DEFAULT, str(tmp_path)))
    assert done.record.status == "failed"
    assert why in done.record.error
    assert not list(tmp_path.iterdir())


def test_https_is_not_listed_unless_asked() -> None:
    assert [one.source for one in tickets_of(["https://h/b.tgz?sig=1"])] == ["https://h/b.tgz?sig=1"]
    for url in ("https://h/bundles/", "https://h/*.tgz"):
        with pytest.raises(UsageError, match="listing"):
            tickets_of([url])


def test_secrets_of_urls_are_not_shown() -> None:
    (one,) = tickets_of(["https://me:pw@h/b.tgz?Signature=abc"])
    assert one.shown == "https://h/b.tgz"
    assert one.ticket == "b"
    assert shown("s3://bucket/a b.tgz") == "s3://bucket/a b.tgz"


def test_a_list_as_csv(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(
        "\ufeffID,Customer,Symptom,Bundle,Time,Other\n".encode()
        + b'7,ACME,"slow, ""443""",x.tgz,2025-01-02,z\n\n8,,,/abs/y.tgz\n9,,,\n'
    )
    one, two, three = read_tickets(str(path))
    assert (one.ticket, one.customer, one.symptom, one.time) == ("7", "ACME", 'slow, "443"', "2025-01-02")
    assert (one.source, two.source) == (str(tmp_path / "x.tgz"), "/abs/y.tgz")
    assert one.shown == "x.tgz"
    assert three.error == "t.csv:5: no bundle is named"


def test_a_list_as_json_lines_keeps_what_cannot_be_read(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    path.write_text('{"id": 7, "bundle": "x.tgz"}\n{"id": \n[1]\n{"bundle": "gopher://h/x"}\n', "utf-8")
    found = read_tickets(str(path))
    assert [one.error.removeprefix("t.jsonl:") for one in found] == [
        "", "2: not JSON", "3: not a JSON object", "4: not a URL that is opened: gopher://h/x",
    ]  # fmt: skip
    assert [one.ticket for one in found] == ["7", "t.jsonl:2", "t.jsonl:3", "t.jsonl:4"]


def test_a_list_without_a_bundle_column_or_in_another_encoding(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("id,customer\n1,2\n")
    (tmp_path / "b.csv").write_bytes("id,bundle\n\xff\xfe,x".encode("latin-1"))
    with pytest.raises(UsageError, match="column bundle"):
        read_tickets(str(tmp_path / "a.csv"))
    with pytest.raises(IpvscopeError, match="UTF-8"):
        read_tickets(str(tmp_path / "b.csv"))


def test_a_page_of_links_is_a_folder_when_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from analyzer.batch import urls

    fill(tmp_path / "bundles", 2)
    handler = partial(SimpleHTTPRequestHandler, directory=str(tmp_path))
    monkeypatch.setattr(SimpleHTTPRequestHandler, "log_message", lambda *_: None)
    # No certificate is at hand here: plain http stands in for https.
    monkeypatch.setattr(urls, "WEB", ("http",))
    monkeypatch.setattr(urls, "SCHEMES", ("http",))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        base = f"http://127.0.0.1:{server.server_port}/bundles/"
        with pytest.raises(UsageError, match="listing"):
            tickets_of([base])
        found = tickets_of([base], web=True)
        assert [one.source for one in found] == [f"{base}case-000.tar.gz", f"{base}case-001.tar.gz"]
        urls.fetch(found[0].source, str(tmp_path / "got"), 1 << 20)
        assert (tmp_path / "got").read_bytes() == (tmp_path / "bundles" / "case-000.tar.gz").read_bytes()
        with pytest.raises(BundleError, match="larger"):
            urls.fetch(found[0].source, str(tmp_path / "got"), 100)
        server.shutdown()
