"""Remedies: for a finding, the fix cards that apply to this cluster, filled with its own names."""

from __future__ import annotations

from analyzer.findings.model import Finding
from analyzer.forwarding import World
from analyzer.remedies.case import Case
from analyzer.remedies.model import Change, Prerequisite, Remedy
from analyzer.remedies.registry import builders
from analyzer.snapshot.model import Snapshot

__all__ = ["Change", "Prerequisite", "Remedy", "remedies_for"]


def remedies_for(finding: Finding, snapshot: Snapshot, world: World) -> tuple[Remedy, ...]:
    """The cards of `finding.fixes`, in that order, filled for this bundle.

    A card that does not apply here is left out. One with a prerequisite that is known not to be met is kept, at the end,
    so that the reader sees why it was not advised. An id that no card has is left out too.
    """
    case = Case(finding, snapshot, world)
    known = builders()
    built = [known[card](case) for card in dict.fromkeys(finding.fixes) if card in known]
    unique = {remedy.card: remedy for remedy in built if remedy is not None}
    return tuple(sorted(unique.values(), key=lambda remedy: not remedy.usable))
