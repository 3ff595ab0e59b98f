"""Remedies: for a finding, the fix cards that apply to this cluster, filled with its own names."""

from __future__ import annotations

from dataclasses import dataclass

from analyzer.findings.model import Finding
from analyzer.forwarding import World
from analyzer.remedies.case import Case
from analyzer.remedies.model import CLUSTER_WIDE, Change, Prerequisite, Remedy
from analyzer.remedies.proof import Proof, Prover
from analyzer.remedies.registry import builders
from analyzer.snapshot.model import Snapshot

__all__ = ["Change", "Prerequisite", "Proof", "Proven", "Prover", "Remedy", "proven_remedies", "remedies_for"]


@dataclass(frozen=True, slots=True)
class Proven:
    """A remedy and what it does in simulation."""

    remedy: Remedy
    proof: Proof


def proven_remedies(finding: Finding, snapshot: Snapshot, world: World, prover: Prover) -> tuple[Proven, ...]:
    """`remedies_for`, each with what it does in simulation.

    Usable ones first; of these the one that solves all and breaks least, then in the order of the finding, which goes from the
    smallest change to the largest. One that interrupts the whole cluster comes behind all others that solve as much.
    """
    found = [Proven(remedy, prover.prove(finding, remedy)) for remedy in remedies_for(finding, snapshot, world)]
    return tuple(sorted(found, key=_order))


def _order(one: Proven) -> tuple[bool, int, bool, tuple[int, int, int]]:
    return (not one.remedy.usable, one.proof.rank[0], one.remedy.card in CLUSTER_WIDE, one.proof.rank)


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
