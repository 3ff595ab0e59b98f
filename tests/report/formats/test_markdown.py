"""Markdown for a ticket: short, safe, complete enough to act on."""

from __future__ import annotations

import dataclasses
import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from analyzer.report import formats
from analyzer.report.analysis import Analysis
from analyzer.report.markdown_text import block, code, escaped, sentence, value
from analyzer.report.messages import Messages

FITS = 32_000
EVIL = "[x](javascript:alert(1)) ![i](http://evil/) @all #1 <img src=x> **b** `c` | www.evil.example a_b_ &lt; " * 40


def text_of(analysis: Analysis, language: str = "en") -> str:
    ((path, content),) = formats.files("md", analysis, Messages(language))
    assert path == "report.md"
    return content.decode("utf-8")


def without_code(markdown: str) -> str:
    """What is left for a renderer to interpret: no fenced blocks, no code spans, no escaped characters."""
    text = re.sub(r"^(`{3,})[^\n]*\n.*?^\1$", "", markdown, flags=re.S | re.M)
    text = re.sub(r"(?<![`\\])(`+)(?!`).+?(?<!`)\1(?!`)", "", text)
    return re.sub(r"\\[!-/:-@\[-`{-~]", "", text)


def test_names_cause_owner_line_and_fix(analysis: Analysis) -> None:
    text = text_of(analysis)
    assert "REACH-001" in text
    assert "## What is wrong, and whose it is" in text
    assert "## What to do first" in text
    assert "(`F1`)" in text
    assert "Missing node-b ipset: 1 rules undecided (DRIFT-004)" in text
    place = analysis.incidents[0].decisive[0]
    assert f"`{place.place}`" in text


@pytest.mark.parametrize("language", ["en", "zh_CN"])
def test_fits_a_ticket_whatever_the_bundle_holds(analysis: Analysis, language: str) -> None:
    findings = tuple(
        dataclasses.replace(
            one, about=f"{one.about}{number}", values=dict.fromkeys(one.values, EVIL), nodes=(EVIL,) * 50, services=(EVIL,) * 50
        )
        for one in analysis.findings.findings for number in range(40)
    )  # fmt: skip
    many = dataclasses.replace(
        analysis,
        findings=dataclasses.replace(analysis.findings, findings=findings),
        snapshot=dataclasses.replace(analysis.snapshot, source=EVIL),
    )
    text = text_of(many, language)
    assert len(text) < FITS
    left = without_code(text)
    assert not re.search(r"\]\(|<[a-z]|@all|#1|www\.|http:|javascript", left), left


def test_every_bundle_text_is_harmless(analysis: Analysis) -> None:
    left = without_code(text_of(analysis))
    assert "<script" not in left
    assert "onerror" not in left


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=60))
@example("$=")
@example("1. x")
@example("- x")
def test_values_leave_nothing_to_interpret(text: str) -> None:
    for shown in (value(text), escaped(text)):
        left = without_code(shown)
        assert not re.search(r"[`*_\[\]<>|~\\]", left)
        assert not re.match(r"\s*(#|[-+=]|\d{1,9}[.)](\s|$))", shown)
        assert "\n" not in shown


@given(st.text(alphabet="`a \n", max_size=30))
def test_code_cannot_be_left(text: str) -> None:
    span = code(text)
    runs = re.findall("`+", span)
    if span:
        fence = runs[0] if not span[len(runs[0]) :].startswith("`") else ""
        assert runs[0] == runs[-1] == fence
        assert runs.count(fence) == 2
    first, *inside, last = block(text)
    assert first == last
    assert not any(line.startswith(first) for line in inside)


def test_values_stay_values_in_sentences() -> None:
    told = sentence(Messages("en"), "report.text.evidence", place="<b>`x`</b> @you")
    assert without_code(told).strip() == "see"
