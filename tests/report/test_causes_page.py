"""The first page and the sections of root causes: what they answer, and that nothing of a fix is lost."""

from __future__ import annotations

import dataclasses
import re

import pytest

from analyzer.findings.model import Finding, Findings
from analyzer.remedies.model import Change, Remedy
from analyzer.report import html
from analyzer.report.analysis import Analysis
from analyzer.report.limits import SCREEN
from analyzer.report.messages import Messages
from analyzer.report.view import build
from analyzer.report.view_causes import cards

from . import make


def first_page(page: str) -> str:
    return page[page.index('<section id="summary"') : page.index("</section>", page.index('<section id="summary"'))]


@pytest.mark.parametrize("language", ["en", "zh_CN"])
def test_the_first_page_answers_alone(analysis: Analysis, language: str) -> None:
    messages = Messages(language)
    view = build(analysis, messages)
    for page in (html.render(analysis, messages), html.render_for_paper(analysis, messages)):
        first = first_page(page)
        for id in ("incident.owner", "page.do-now", "page.how-sure", "page.missing", "page.from-outside"):
            assert messages.text(id) in first
        assert view.causes[0].owner_label in first
        assert "203.0.113.1:81/tcp" in first or view.causes[0].affected[0].target in first
        assert "示例公司" in first


def test_who_is_affected_counts_clients_by_kind(analysis: Analysis, messages: Messages) -> None:
    cause = build(analysis, messages).causes[0]
    cells = set(make.failing())
    for row in cause.affected:
        own = {source for source, target in cells if target == row.target}
        told = sum(int(side.text.split()[0]) for side in row.sides if side.state == "fails")
        assert told == len(own)
    assert len(cause.affected) + cause.affected_left_out == len({target for _, target in cells})


def test_a_missing_capture_is_said_on_the_first_page(analysis: Analysis, messages: Messages) -> None:
    assert "node-b ipset" in first_page(html.render(analysis, messages))


def test_commands_of_every_finding_are_there(messages: Messages) -> None:
    """Two findings of one cause fill the same card for different nodes."""
    found = tuple(
        Finding("DRIFT-001", node, "warning", {}, nodes=(node,), fixes=("F16",)) for node in ("node-a", "node-b")
    )
    remedies = {
        (one.rule, one.about): (Remedy("F16", {}, (Change("command", f"restart {one.about}"),), (), (), ()),)
        for one in found
    }
    whole = dataclasses.replace(make.analysis(), findings=Findings(found), remedies=remedies)
    (cause,) = build(whole, messages, SCREEN).causes
    assert [change.body for one in cause.remedies for change in one.changes] == ["restart node-a", "restart node-b"]
    page = html.render(whole, messages)
    assert len(re.findall(r'id="c-1-F16"', page)) == 1


def test_the_same_commands_stand_once(messages: Messages) -> None:
    found = tuple(Finding("DRIFT-001", node, "warning", {}, nodes=(node,)) for node in ("node-a", "node-b"))
    fix = Remedy("F16", {}, (Change("command", "restart all"),), (), (), ())
    whole = dataclasses.replace(
        make.analysis(), findings=Findings(found), remedies={(one.rule, one.about): (fix,) for one in found}
    )
    (cause,) = build(whole, messages, SCREEN).causes
    assert len(cause.remedies) == 1


def test_drift_that_several_nodes_share_is_one_row(analysis: Analysis, messages: Messages) -> None:
    view = build(analysis, messages).drift
    assert len(analysis.drift) == 4
    assert [len(row.nodes.shown) for row in view.rows] == [3, 1]


def test_the_identifier_changes_with_what_decides_the_result(analysis: Analysis, messages: Messages) -> None:
    one = build(analysis, messages).case.identifier
    assert build(analysis, messages).case.identifier == one
    assert build(dataclasses.replace(analysis, options=()), messages).case.identifier != one
    assert build(dataclasses.replace(analysis, rule_set=(94, "x")), messages).case.identifier != one
    assert build(dataclasses.replace(analysis, meta={}), messages).case.identifier == one


def test_a_first_page_of_many_causes_shows_one_of_each_sort(analysis: Analysis, messages: Messages) -> None:
    one = build(analysis, messages).causes[0]
    causes = [dataclasses.replace(one, number=number, sort=("policy", rule)) for number, rule in enumerate("ABABCD")]
    assert [card.number for card in cards(causes[:3], 3)] == [0, 1, 2]
    assert [card.number for card in cards(causes[:3], 6)] == [0, 1]
    assert [card.number for card in cards(causes, 6)] == [0, 1, 4]
