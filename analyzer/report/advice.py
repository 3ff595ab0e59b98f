"""What to do first: for each cause the best fix that can be used."""

from __future__ import annotations

from collections.abc import Iterator

from analyzer.findings.model import Finding
from analyzer.remedies.model import Remedy
from analyzer.report.analysis import Analysis


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
