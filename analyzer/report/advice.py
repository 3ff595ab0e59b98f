"""What a short form says: the headline, what to do first, and which inputs would decide what is open."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from analyzer.findings.model import Finding, Skipped
from analyzer.remedies.model import Remedy
from analyzer.report.analysis import Analysis
from analyzer.report.messages import Messages


def first_fixes(analysis: Analysis, *, causes: int, limit: int) -> Iterator[tuple[Finding, Remedy]]:
    """The first usable fix of each of the first causes, with its finding; each card and its filling once, at most `limit`."""
    by_key = {(one.rule, one.about): one for one in analysis.findings.findings}
    told: set[tuple[str, ...]] = set()
    for incident in analysis.incidents[:causes]:
        found = next(
            (
                (by_key[key], fix)
                for key in incident.findings if key in by_key
                for fix in analysis.remedies_of(by_key[key]) if fix.usable
            ),
            None,
        )  # fmt: skip
        if found is None:
            continue
        key = (found[1].card, *(change.body for change in found[1].changes))
        if key not in told and len(told) < limit:
            told.add(key)
            yield found


def headline(analysis: Analysis, messages: Messages) -> str:
    """One sentence that never says more than is known: no "all is well" while a connection fails or cannot be told."""
    counted = [one for one in analysis.findings.findings if not one.suppressed]
    serious = sum(one.severity in ("critical", "warning") for one in counted)
    if serious:
        return messages.text("report.headline.serious", n=serious)
    outcomes = Counter(verdict.outcome for verdict in analysis.matrix.cells.values())
    total, unknown = sum(outcomes.values()), outcomes["unknown"]
    bad = total - outcomes["ok"] - unknown
    if bad:
        return messages.text("output.headline.failing", bad=bad, total=total, unknown=unknown)
    if unknown or not total:
        return messages.text(
            "output.headline.open", unknown=unknown, total=total, skipped=len(analysis.findings.skipped)
        )
    if counted:
        return messages.text("report.headline.minor", n=len(counted))
    return messages.text("report.headline.undecided" if analysis.findings.skipped else "report.headline.none")


def missing_inputs(skipped: Sequence[Skipped]) -> list[tuple[str, tuple[str, ...]]]:
    """(input, rules that lack it), the input that opens most rules first.

    >>> missing_inputs([Skipped("A", ("x",)), Skipped("B", ("x", "y"))])
    [('x', ('A', 'B')), ('y', ('B',))]
    """
    lacking: dict[str, list[str]] = {}
    for one in skipped:
        for name in one.missing:
            lacking.setdefault(name, []).append(one.rule)
    return sorted(((name, tuple(rules)) for name, rules in lacking.items()), key=lambda item: (-len(item[1]), item[0]))
