"""The page: hostile text stays text, nothing is loaded, the same input gives the same bytes."""

from __future__ import annotations

import dataclasses
import re
from html.parser import HTMLParser

import pytest

from analyzer.findings.model import Finding, Findings
from analyzer.forwarding.matrix_model import Matrix
from analyzer.report import html
from analyzer.report.analysis import Analysis
from analyzer.report.messages import Messages

from . import make

OWN = ("report.", "page.", "severity.", "outcome.", "confidence.", "how.", "regime.", "state.", "table.")

SECTIONS = (
    "summary", "matrix", "findings", "drift", "observations", "environment", "coverage", "skipped", "notes", "appendix",
    "traces", "glossary", "reproduce",
)  # fmt: skip


class Page(HTMLParser):
    """Collects start tags with their attributes and the visible text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.text: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))

    def handle_data(self, data: str) -> None:
        self.text.append(data)


@pytest.fixture(scope="module", params=["screen", "paper"])
def rendered(request: pytest.FixtureRequest, analysis: Analysis, messages: Messages) -> str:
    return (html.render if request.param == "screen" else html.render_for_paper)(analysis, messages)


def test_data_makes_no_tags(rendered: str) -> None:
    page = Page(rendered)
    assert [tag for tag, _ in page.tags if tag in ("img", "iframe", "object", "embed", "link", "base", "form")] == []
    assert sum(tag == "script" for tag, _ in page.tags) <= 1
    assert not any(name.startswith("on") for _, attributes in page.tags for name in attributes)
    assert make.SCRIPT in "".join(page.text)


def test_nothing_is_loaded(rendered: str) -> None:
    page = Page(rendered)
    for tag, attributes in page.tags:
        assert not {"src", "srcset", "data", "poster", "action", "xlink:href"} & set(attributes)
        if "href" in attributes:
            assert tag == "a"
            assert re.match(r"#[a-z]+(-[0-9]+)?(-F[0-9]+[a-z]?)?$|#sign-off$|https://", attributes["href"])
        assert "style" not in attributes
    style = re.search(r"<style>(.*?)</style>", rendered, re.DOTALL)
    assert style
    assert "url(" not in style[1]
    assert "@import" not in style[1]
    assert 'href="javascript:' not in rendered
    assert "default-src 'none'" in rendered


def test_no_control_characters(rendered: str) -> None:
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e]", rendered)


def test_own_words_are_complete(rendered: str) -> None:
    missing = set(re.findall(r"⟦([^⟧]*)⟧", rendered))
    assert [id for id in sorted(missing) if id.startswith(OWN)] == []


def test_same_input_same_bytes(messages: Messages) -> None:
    assert html.render(make.analysis(), messages) == html.render(make.analysis(), messages)


def test_time_is_printed_only_when_given(analysis: Analysis, messages: Messages) -> None:
    assert "2024-01-02" not in html.render(analysis, messages)
    assert "2024-01-02 03:04" in html.render(analysis, messages, generated="2024-01-02 03:04")


def test_sections_and_ids(analysis: Analysis, messages: Messages) -> None:
    page = Page(html.render(analysis, messages))
    names = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(names) == len(set(names))
    assert set(SECTIONS) <= set(names)
    assert sorted(name for name in names if name.startswith("f-")) == [f"f-{number}" for number in range(1, 7)]
    assert {f"c-{number}" for number in range(1, 5)} <= set(names)
    links = {attributes["href"][1:] for _, attributes in page.tags if attributes.get("href", "").startswith("#")}
    assert links - set(names) == set()


def test_remedies_that_cannot_be_used_come_last(analysis: Analysis, messages: Messages) -> None:
    page = html.render(analysis, messages)
    assert 0 < page.index('<span class="rule">F1</span>') < page.index('<span class="rule">F2</span>')


def test_much_is_counted_not_lost(analysis: Analysis, messages: Messages) -> None:
    many = tuple(Finding("REACH-001", str(number), "warning", {}) for number in range(3000))
    big = dataclasses.replace(analysis, findings=Findings(many), remedies={})
    page = html.render(big, messages)
    assert page.count('<article class="finding') == 500
    assert "500 more are not shown here" in page
    assert "59 of 259 rows are left out." in page
    assert "19 more in this file" in page


def test_empty_analysis(messages: Messages) -> None:
    full = make.snapshot()
    tables = {name: frame.iloc[0:0] for name, frame in full.tables.items()}
    snapshot = dataclasses.replace(full, tables=tables, node_names=(), regimes={})
    empty = Analysis(snapshot, Matrix((), (), {}), Findings(()), {}, "0.1.0")
    for render in (html.render, html.render_for_paper):
        page = render(empty, messages)
        assert messages.text("output.headline.open", unknown=0, total=0, skipped=0) in page
        assert messages.text("report.notes.none") in page


def test_titles_of_changes_are_messages(analysis: Analysis, messages: Messages) -> None:
    page = html.render(analysis, messages)
    assert "<figcaption>⟦change.no-such⟧</figcaption>" in page
    assert "externalTrafficPolicy: Cluster" in page
    assert "note: &#34;&lt;script&gt;" in page
