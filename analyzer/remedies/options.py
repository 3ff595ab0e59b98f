"""The fixes of one cause side by side: what each of its findings advises, put together per card.

A cause has several findings and each tries its fixes on its own failing connections; a reader asks what one fix does for all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from analyzer.findings.incidents import Incident
from analyzer.findings.model import Finding
from analyzer.remedies.model import CLUSTER_WIDE, Remedy
from analyzer.remedies.proof import Proof, State

Advised = tuple[Finding, Remedy, Proof | None]


@dataclass(frozen=True, slots=True)
class Option:
    """One card for a whole cause.

    `solved` of `total` failing connections work afterwards; `broken`, `unsure` and `sources` are those of the widest simulation. With
    `with_card` the numbers are those of both cards together. `state` is as in `Proof`; `advised` has each finding that names
    the card, with the remedy as filled for it, the one with most failing connections first.
    """

    card: str
    with_card: str
    state: State
    solved: int
    total: int
    broken: int
    unsure: int
    sources: int
    advised: tuple[Advised, ...]

    @property
    def remedy(self) -> Remedy:
        return self.advised[0][1]

    @property
    def usable(self) -> bool:
        return all(remedy.usable for _, remedy, _ in self.advised)

    @property
    def proof(self) -> Proof | None:
        return self.advised[0][2]


def options(
    incident: Incident,
    findings: Sequence[Finding],
    remedies_of: Callable[[Finding], Sequence[Remedy]],
    proof_of: Callable[[Finding, Remedy], Proof | None],
) -> tuple[Option, ...]:
    """Usable ones first; of these the ones that solve all and break least, one that interrupts the whole cluster behind others that
    solve as much, else in the order in which the findings name them."""
    members = [one for key in incident.findings for one in findings if (one.rule, one.about) == key]
    by_card: dict[str, list[Advised]] = {}
    for finding in members:
        for remedy in remedies_of(finding):
            by_card.setdefault(remedy.card, []).append((finding, remedy, proof_of(finding, remedy)))
    found = [_option(card, advised, incident.cells) for card, advised in by_card.items()]
    rank = {"solves": 0, "partly": 1, "open": 2, "not-simulated": 2, "no": 3}
    return tuple(
        sorted(
            found,
            key=lambda one: (
                not one.usable,
                rank[one.state],
                one.card in CLUSTER_WIDE,
                (one.state == "solves") * one.broken,
            ),
        )
    )


def _option(card: str, advised: list[Advised], total: int) -> Option:
    advised = sorted(advised, key=lambda one: -len(one[0].cells))
    solved: set[tuple[str, str]] = set()
    tried: list[Proof] = []
    with_card = ""
    for _, _, proof in advised:
        if proof is None or proof.state == "not-simulated":
            continue
        best = best_of(proof)
        if best is not proof:
            with_card = proof.with_card
        tried.append(best)
        solved |= {(str(one.source), str(one.target)) for one in best.cells if one.solved}
    count = min(len(solved), total)
    return Option(
        card, with_card if with_card != card else "", _state(tried, count, total), count, total,
        max((one.broken for one in tried), default=0), max((one.unsure for one in tried), default=0),
        max((one.sources for one in tried), default=0), tuple(advised),
    )  # fmt: skip


def best_of(proof: Proof) -> Proof:
    """The fix by itself, or with what helps it where that does better."""
    return proof.helped if proof.helped is not None and proof.helped.rank < own_rank(proof) else proof


def own_rank(proof: Proof) -> tuple[int, int, int]:
    """The rank of a proof without what helps it."""
    order = {"solves": 0, "partly": 1, "open": 2, "not-simulated": 2, "no": 3}
    return (order[proof.state], proof.broken, int(proof.unsure > 0))


def _state(tried: list[Proof], solved: int, total: int) -> State:
    if not tried:
        return "not-simulated"
    if solved:
        return "solves" if solved >= total else "partly"
    return "open" if any(one.state == "open" for one in tried) else "no"
