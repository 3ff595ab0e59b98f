"""Every rule has a cluster that shows its fault; the finding proves it, and its advice is one the rule declares."""

from __future__ import annotations

import json
import re
from functools import cache

import pytest

from analyzer import api
from analyzer.findings import Finding, find
from analyzer.findings.policy import known_ids
from analyzer.findings.registry import rules
from analyzer.forwarding import build_world, matrix
from analyzer.remedies.registry import builders
from analyzer.report.messages import Messages
from analyzer.report.rule_page import EXAMPLES
from tests import lab
from tests.findings.cases import CASES, Case, analysed
from tests.remedies.test_every_card import LATER, check

UNFILLED = re.compile(r"\{[a-z_]+\}")
DECLARED = {one.id: one for one in rules()}
BUILT: set[str] = set()
"""Cards seen so far."""
NO_ADVICE: set[str] = set()
FIRST = {one.rule: one for one in reversed(CASES)}
NO_LINE = {"MODE-003", "MODE-005", "INPUT-001", "MODE-002", "SYS-005"}
"""Shown by what is missing or by a version that was applied: no line says it."""


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.rule}-{case.base}")
def test_the_fault_is_found(case: Case, update_golden: bool) -> None:
    with analysed(case) as analysis:
        hits = [one for one in analysis.findings.findings if one.rule == case.rule]
        assert hits, sorted({one.rule for one in analysis.findings.findings})
        messages = {language: Messages(language) for language in ("en", "zh_CN")}
        for one in hits:
            assert one.evidence or case.apply or case.rule in NO_LINE, "proves nothing"
            rule = DECLARED.get(one.rule)
            if rule is not None:
                assert one.severity in rule.severities
                assert set(one.fixes) <= set(rule.fixes)
            for words in messages.values():
                for part in ("title", "text"):
                    text = words.text(f"finding.{one.rule}.{part}", **one.values)
                    assert text
                    assert not UNFILLED.search(text)
                    assert "⟦" not in text
        for one in hits:
            built = analysis.remedies_of(one)
            assert built or not one.fixes or one.rule in NO_ADVICE
            for remedy in built:
                check(remedy)
                BUILT.add(remedy.card)
    if FIRST[case.rule] is case:
        example(hits[0], update_golden)


def example(finding: Finding, update: bool) -> None:
    """The worked example of the rule's page is what the tests find."""
    path = EXAMPLES / f"{finding.rule}.json"
    quoted = [(place.place, place.text.strip()[:200]) for place in finding.evidence[:4]]
    written = {"values": {name: value[:400] for name, value in finding.values.items()}, "evidence": quoted}
    text = json.dumps(written, indent=1, ensure_ascii=False, sort_keys=True) + "\n"
    if update and (not path.exists() or path.read_text("utf-8") != text):
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, "utf-8")
        pytest.fail("example rewritten: read the difference, then run scripts/make_docs.py")
    assert path.read_text("utf-8") == text, "run with --update-golden"


@pytest.mark.parametrize(
    "case", [one for one in CASES if not one.inherent], ids=lambda case: f"{case.rule}-{case.base}"
)
def test_it_is_silent_without_the_fault(case: Case) -> None:
    assert case.rule not in shown_by(case.base)


@cache
def shown_by(base: str) -> frozenset[str]:
    """The rules that a recorded cluster shows by itself."""
    with api.opened(lab.bundle(base)) as snapshot:
        world = build_world(snapshot)
        return frozenset(one.rule for one in find(snapshot, world, matrix(world)).findings)


def test_every_rule_has_a_case() -> None:
    assert {one.rule for one in CASES} >= set(known_ids())


@pytest.mark.parametrize("card", sorted(LATER))
def test_a_card_that_no_sample_shows_is_built(card: str) -> None:
    for case in CASES:
        if card in BUILT:
            return
        if case.rule in DECLARED and card in DECLARED[case.rule].fixes:
            with analysed(case) as analysis:
                for one in analysis.findings.findings:
                    BUILT.update(remedy.card for remedy in analysis.remedies_of(one))
    assert card in BUILT


def test_every_declared_fix_is_a_card() -> None:
    cards = set(builders())
    for one in rules():
        assert set(one.fixes) <= cards, one.id
