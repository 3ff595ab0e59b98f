"""What a terminal shows: the answer first, nothing of a bundle raw, colours only where they may be."""

from __future__ import annotations

import dataclasses
import io
import re
import unicodedata
from collections.abc import Callable

import pytest
from rich.console import Console

from analyzer.findings.model import Findings
from analyzer.remedies import Proof
from analyzer.remedies.model import Change
from analyzer.report.analysis import Analysis
from analyzer.report.messages import Messages
from analyzer.report.terminal import inventory, matrix, summary, tree

from .. import make

ANSI = re.compile(r"\x1b\[[0-9;]*m")


def shown(show: Callable[[Console], None], *, width: int = 100, color: bool = True) -> str:
    out = io.StringIO()
    show(Console(file=out, force_terminal=color, color_system="standard" if color else None, width=width, markup=False))
    return out.getvalue()


def everything(analysis: Analysis, messages: Messages) -> str:
    return (
        shown(lambda out: summary.show(out, analysis, messages))
        + shown(lambda out: summary.written(out, [f"out/{make.HOSTILE}"], messages))
        + shown(lambda out: out.print(tree.tree(make.trace(), messages, analysis.snapshot)))
        + shown(lambda out: inventory.show(out, analysis.snapshot, messages))
        + shown(lambda out: matrix.show(out, analysis.matrix, messages))
    )


@pytest.mark.parametrize("language", ["en", "zh_CN"])
def test_nothing_of_the_bundle_drives_the_terminal(analysis: Analysis, language: str) -> None:
    told = ANSI.sub("", everything(analysis, Messages(language)))
    assert not {char for char in told if unicodedata.category(char) in ("Cc", "Cf") and char != "\n"}
    assert "⟦terminal." not in told
    assert "⟦output." not in told


def test_markup_of_the_bundle_is_text(analysis: Analysis, messages: Messages) -> None:
    changed = dataclasses.replace(
        analysis, snapshot=dataclasses.replace(analysis.snapshot, source="[red]x[/red] :smile:")
    )
    assert "[red]x[/red] :smile:" in shown(lambda out: summary.show(out, changed, messages), color=False)


def test_summary_answers_in_order(analysis: Analysis, messages: Messages) -> None:
    told = shown(lambda out: summary.show(out, analysis, messages), color=False)
    order = [
        told.index(words)
        for words in (
            "2 Critical, 2 Warning",
            "What is wrong",
            "Responsible",
            "What to do first",
            "Findings",
            "What is not known",
        )
    ]
    assert order == sorted(order)
    assert "Missing node-b ipset: 1 rules undecided (DRIFT-004)" in told


def test_summary_without_findings_claims_nothing_more(analysis: Analysis, messages: Messages) -> None:
    none = dataclasses.replace(analysis, findings=Findings((), analysis.findings.skipped))
    told = shown(lambda out: summary.show(out, none, messages), color=False)
    assert "connections fail or do not always work" in told
    assert "What to do first" not in told
    assert "DRIFT-004" in told


def test_commands_have_no_line_breaks_of_ours(analysis: Analysis, messages: Messages) -> None:
    command = "kubectl " + "x" * 300
    (remedies,) = analysis.remedies.values()
    usable = next(fix for fix in remedies if fix.usable)
    fixed = dataclasses.replace(usable, changes=(Change("command", command), Change("yaml", "a: 1\n" * 40)))
    changed = dataclasses.replace(analysis, remedies=dict.fromkeys(analysis.remedies, (fixed,)))
    told = shown(lambda out: summary.show(out, changed, messages), color=False)
    assert f"    {command}\n" in told
    assert "a: 1" not in told


def test_tree_has_hops_steps_changes_and_lines(analysis: Analysis, messages: Messages) -> None:
    told = shown(lambda out: out.print(tree.tree(make.trace(), messages, analysis.snapshot)), color=False, width=160)
    assert "→ node:node-a" in told
    assert "← pod:shop/web-5d9c7" in told
    assert "dst 203.0.113.10:443 → 192.0.2.8:8443" in told
    assert "nodes/node-a/ipvsadm-Ln.txt:12  TCP 203.0.113.10:443 rr" in told
    assert told.index("timeout (30 %)") < told.index("reached (50 %)")
    assert "192.0.2.9:8443 sees source 198.51.100.1" in told


def test_alike_paths_are_told_once(analysis: Analysis, messages: Messages) -> None:
    trace = make.trace()
    lost = trace.paths[1]
    twice = dataclasses.replace(trace, paths=(lost, lost))
    told = shown(lambda out: out.print(tree.tree(twice, messages, analysis.snapshot)), color=False, width=160)
    assert told.count("→ node:node-b") == 1
    assert "ends like path 1" in told
    assert told.count("Why:") == 3  # the verdict and both paths


def test_matrix_counts_the_clients_of_each_address(analysis: Analysis, messages: Messages) -> None:
    told = shown(lambda out: matrix.show(out, analysis.matrix, messages), color=False, width=400)
    rows = [line for line in told.splitlines() if "/tcp" in line]
    assert len(rows) == len(analysis.matrix.targets)
    for row, line in zip(analysis.matrix.targets, rows, strict=True):
        ok = sum(analysis.matrix.verdict(vantage, row).outcome == "ok" for vantage in analysis.matrix.vantages)
        assert f" {ok}/9 " in line


def test_inventory_shows_gaps(analysis: Analysis, messages: Messages) -> None:
    snapshot = dataclasses.replace(analysis.snapshot, captured={"node-a": {"ipvsadm": True, "conntrack": False}})
    told = shown(lambda out: inventory.show(out, snapshot, messages), color=False, width=200)
    row = next(line for line in told.splitlines() if line.startswith("node-a"))
    assert re.findall("[●○◐✗–]", row) == ["●", "–", "–", "–", "–", "✗", "◐", "–", "–"]
    assert "permission denied" in told
    assert "masked" in told


def test_no_color_takes_the_colours_away(
    analysis: Analysis, messages: Messages, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    told = shown(lambda out: summary.show(out, analysis, messages))
    assert not re.search(r"\x1b\[[0-9;]*3[0-7]", told)


@pytest.mark.parametrize(
    ("proof", "mark"),
    [
        (None, "?"),
        (Proof("not-simulated", "simulated-already"), "?"),
        (Proof("solves"), "✓"),
        (Proof("solves", broken=1, compared=9, examples=(("node:a", "192.0.2.1:80/tcp", "refused", ""),)), "▲"),
        (Proof("partly"), "≈"),
        (Proof("no"), "✗"),
    ],
)
def test_a_fix_is_marked_by_what_it_does_in_simulation(
    analysis: Analysis, messages: Messages, proof: Proof | None, mark: str
) -> None:
    ((rule, about),) = analysis.remedies
    changed = dataclasses.replace(analysis, proofs={(rule, about, "F1"): proof} if proof else {})
    told = shown(lambda out: summary.show(out, changed, messages), color=False)
    assert f"\n{mark} F1 " in told
