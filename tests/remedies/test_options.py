"""The fixes of a cause side by side."""

from __future__ import annotations

from analyzer.findings.incidents import incidents
from analyzer.findings.model import Finding
from analyzer.forwarding.model import Source, Target, Verdict
from analyzer.remedies.model import Prerequisite, Remedy
from analyzer.remedies.options import Option, options
from analyzer.remedies.proof import Proof, Tried


def verdict(outcome: str) -> Verdict:
    return Verdict(outcome, (outcome,), (), (), "", (), "high", ())  # type: ignore[arg-type]


def tried(ports: list[int], solved: list[int]) -> tuple[Tried, ...]:
    found = []
    for port in ports:
        target = Target("203.0.113.10", port)
        after = verdict("ok" if port in solved else "timeout")
        found.append(Tried(Source("node", "a"), target, target, verdict("refused"), after))
    return tuple(found)


def finding(rule: str, ports: list[int]) -> Finding:
    cells = tuple(("node:a", f"203.0.113.10:{port}/tcp") for port in ports)
    return Finding(rule, "shop/web", "warning", {}, services=("shop/web",), cells=cells)


def remedy(card: str, *, usable: bool = True) -> Remedy:
    return Remedy(card, {}, (), (Prerequisite("x", "met" if usable else "not-met"),), (), ())


WIDE, NARROW = finding("REACH-007", [1, 2, 3]), finding("REACH-003", [4])


def listed(advised: dict[str, list[Remedy]], proofs: dict[tuple[str, str], Proof]) -> list[Option]:
    (cause,) = incidents([WIDE, NARROW])
    found = options(
        cause, [WIDE, NARROW], lambda one: advised.get(one.rule, []), lambda one, fix: proofs.get((one.rule, fix.card))
    )
    return list(found)


def test_what_a_fix_does_is_added_up_over_the_findings_of_the_cause() -> None:
    one, two, three = remedy("F8"), remedy("F5"), remedy("F9")
    found = listed(
        {"REACH-007": [one, two], "REACH-003": [two, three]},
        {
            ("REACH-007", "F8"): Proof("solves", cells=tried([1, 2, 3], [1, 2, 3])),
            ("REACH-007", "F5"): Proof("solves", cells=tried([1, 2, 3], [1, 2, 3]), sources=4),
            ("REACH-003", "F5"): Proof("solves", cells=tried([4], [4]), sources=9),
        },
    )
    assert [(item.card, item.state, item.solved, item.total) for item in found] == [
        ("F5", "solves", 4, 4), ("F8", "partly", 3, 4), ("F9", "not-simulated", 0, 4),
    ]  # fmt: skip
    assert found[0].sources == 9
    assert found[0].advised[0][0] is WIDE


def test_breaking_less_comes_first_and_the_whole_cluster_last_of_equals() -> None:
    proof = {
        card: Proof("solves", cells=tried([1, 2, 3], [1, 2, 3]), broken=broken)
        for card, broken in (("F2", 5), ("F10", 0), ("F3", 1))
    }
    extra = Proof("solves", cells=tried([4], [4]))
    fixes = [remedy(card) for card in ("F2", "F10", "F3")]
    found = listed(
        {"REACH-007": fixes, "REACH-003": fixes},
        {("REACH-007", card): one for card, one in proof.items()} | {("REACH-003", card): extra for card in proof},
    )
    assert [item.card for item in found] == ["F3", "F2", "F10"]


def test_a_helping_card_counts_where_it_makes_the_fix_better() -> None:
    helped = Proof("solves", cells=tried([1, 2, 3], [1, 2, 3]))
    alone = Proof("solves", cells=tried([1, 2, 3], [1, 2, 3]), broken=8, with_card="F3c", helped=helped)
    (found,) = listed({"REACH-007": [remedy("F3")]}, {("REACH-007", "F3"): alone})
    assert (found.with_card, found.broken, found.state) == ("F3c", 0, "partly")


def test_what_cannot_be_used_comes_last_however_well_it_works() -> None:
    found = listed(
        {"REACH-007": [remedy("F4", usable=False), remedy("F9")]},
        {("REACH-007", "F4"): Proof("solves", cells=tried([1, 2, 3], [1, 2, 3]))},
    )
    assert [(item.card, item.usable) for item in found] == [("F9", True), ("F4", False)]
