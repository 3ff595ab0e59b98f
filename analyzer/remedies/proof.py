"""Each remedy tried out: the cluster after it is walked again, the finding's cells first, then everything else.

A remedy is not believed because its card says so. It is proven when every failing cell of the finding works afterwards, and
shown with what it does not solve, what it breaks, and whose source address the servers no longer (or now) see.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from analyzer.errors import UsageError
from analyzer.findings.model import Finding
from analyzer.forwarding import Source, Target, Verdict, World, build_world, parse_source, parse_target, verdict_of
from analyzer.remedies.case import Case
from analyzer.remedies.model import Remedy
from analyzer.remedies.plan import Plan
from analyzer.remedies.registry import builders, plan_of
from analyzer.snapshot.model import Snapshot
from analyzer.whatif import Comparison, apply, compare, effect_of
from analyzer.whatif.edits import Resync

State = Literal["solves", "partly", "open", "no", "not-simulated"]
"""open: what becomes of the cells cannot be told from the bundle."""
BUDGET = 60_000
"""Node states times Services that may be computed anew; beyond, remedies are shown as not simulated."""
MAX_CELLS = 3_000
"""Cells of the rest of the matrix compared for one remedy."""
MAX_AFFECTED = 400
"""Cells of the finding tried for one remedy."""
HELPERS: Mapping[str, tuple[str, ...]] = {**dict.fromkeys(("F3", "F3b", "F4"), ("F3c",)), "F15": ("F5", "F7")}
"""Card -> cards that mend what it leaves: with an address off the nodes the loop-back limit of a layer-4 listener, with endpoints
on some nodes only what policy Local does on the others."""


@dataclass(frozen=True, slots=True)
class Tried:
    """One cell before and after; `dialled` is what the client dials afterwards."""

    source: Source
    target: Target
    dialled: Target
    before: Verdict
    after: Verdict

    @property
    def solved(self) -> bool:
        return self.after.outcome == "ok"


@dataclass(frozen=True)
class Proof:
    """What a remedy does in simulation.

    `cells` are the failing cells of the finding. `broken` counts cells that worked and no longer do, `unsure` those that
    can no longer be told, `sources` those whose server sees another client address; `examples` names some of the broken ones.
    `with_card` is a further card that together with this one solves what it leaves, `helped` the proof of both.
    """

    state: State
    why: str = ""
    cells: tuple[Tried, ...] = ()
    compared: int = 0
    broken: int = 0
    unsure: int = 0
    sources: int = 0
    examples: tuple[tuple[str, str, str, str], ...] = ()
    """(source, target, outcome, mechanism) of broken cells"""
    assumed: tuple[tuple[str, Mapping[str, str]], ...] = ()
    with_card: str = ""
    helped: Proof | None = None

    @property
    def solved(self) -> int:
        return sum(one.solved for one in self.cells)

    @property
    def rank(self) -> tuple[int, int, int]:
        """Smaller is better: solves all, breaks nothing or little; what was not simulated stands before not at all."""
        order = {"solves": 0, "partly": 1, "open": 2, "not-simulated": 2, "no": 3}
        own = (order[self.state], self.broken, int(self.unsure > 0))
        return own if self.helped is None else min(own, self.helped.rank)


class Prover:
    """Tries out remedies on one snapshot; equal changes are simulated once."""

    def __init__(self, snapshot: Snapshot, world: World, findings: Sequence[Finding] = ()) -> None:
        self.snapshot, self.world, self.findings = snapshot, world, findings
        self._after: dict[Plan, tuple[World, tuple[tuple[str, Mapping[str, str]], ...]] | str] = {}
        self._compared: dict[Plan, Comparison] = {}
        self.left = BUDGET

    def prove(self, finding: Finding, remedy: Remedy) -> Proof:
        """What the remedy does to the finding's cells and to all others."""
        if self.snapshot.simulated:
            return Proof("not-simulated", "simulated-already")
        case = Case(finding, self.snapshot, self.world)
        plan = plan_of(case, remedy)
        proof = self._prove(finding, plan)
        if proof.state == "not-simulated" or (proof.state == "solves" and not proof.broken):
            return proof
        if remedy.card in HELPERS:
            return self._helped(finding, remedy.card, plan, proof)
        return self._everywhere(finding, plan, proof) if remedy.card == "F16" else proof

    def _prove(self, finding: Finding, plan: Plan) -> Proof:
        if not plan:
            return Proof("not-simulated", "no-change-to-simulate")
        failing = self._failing(finding)
        if not failing:
            return Proof("not-simulated", "no-failing-connection")
        simulated = self._simulated(plan)
        if isinstance(simulated, str):
            return Proof("not-simulated", simulated)
        after, assumed = simulated
        moves = self._moves(plan, after)
        if moves is None:
            return Proof("not-simulated", "address-not-known")
        cells = tuple(
            Tried(source, target, dialled, self._verdict(source, target), verdict_of(after, source, dialled))
            for source, target in failing
            if (dialled := moves.get(target, target)) and _exists(after, source)
        )
        solved = sum(one.solved for one in cells)
        open_ = all(one.solved or one.after.outcome == "unknown" for one in cells)
        state: State = "solves" if solved == len(cells) else "partly" if solved else "open" if open_ else "no"
        if not cells:
            return Proof("not-simulated", "clients-gone")
        proof = Proof(state, cells=cells, assumed=assumed)
        return self._rest(proof, plan, after, moves) if plan.edits else proof

    def _rest(self, proof: Proof, plan: Plan, after: World, moves: Mapping[Target, Target]) -> Proof:
        """The same with what happens to everybody else."""
        bare = Plan(plan.edits)
        compared = self._compared.get(bare)
        if compared is None:
            compared = self._compared[bare] = compare(self.world, after, max_cells=MAX_CELLS)
        own = {(one.source, one.target) for one in proof.cells}
        effects: Counter[str] = Counter()
        examples: list[tuple[str, str, str, str]] = []
        for change in compared.changes:
            if (change.source, change.target) in own or change.before is None:
                continue
            effect: str | None = change.effect
            new = change.after
            if change.target in moves:
                new = verdict_of(after, change.source, moves[change.target])
                effect = effect_of(change.before, new)
            elif effect == "closed":
                effect = "broken" if change.before.outcome == "ok" else None
            if effect is None:
                continue
            effects[effect] += 1
            if effect == "broken" and len(examples) < 6:
                told = (new.outcome, new.mechanism) if new is not None else ("timeout", "")
                examples.append((str(change.source), str(change.target), *told))
        return replace(
            proof, compared=compared.cells, broken=effects["broken"], unsure=effects["unknown"], sources=effects["client-address"],
            examples=tuple(examples),
        )  # fmt: skip

    def _helped(self, finding: Finding, first: str, plan: Plan, proof: Proof) -> Proof:
        """With a further card, for the cells that this one leaves or breaks."""
        left = {str(one.dialled) for one in proof.cells if not one.solved} | {
            target for _, target, _, _ in proof.examples
        }
        for card in HELPERS[first]:
            case = Case(replace(finding, targets=tuple(sorted(left))), self.snapshot, self.world)
            extra = builders()[card](case)
            if extra is None or not extra.usable:
                continue
            both = self._prove(finding, Plan((*plan.edits, *plan_of(case, extra).edits), plan.moves))
            if both.rank < proof.rank or (both.rank == proof.rank and both.broken < proof.broken):
                return replace(proof, with_card=card, helped=both)
        return proof

    def _everywhere(self, finding: Finding, plan: Plan, proof: Proof) -> Proof:
        """The same on every node that another finding advises it for: one connection may pass several of them."""
        nodes = dict.fromkeys(node for one in self.findings if "F16" in one.fixes for node in one.nodes)
        every = Plan(tuple(dict.fromkeys((*plan.edits, *(Resync(node) for node in nodes)))))
        if len(every.edits) == len(plan.edits):
            return proof
        both = self._prove(finding, every)
        return replace(proof, with_card="F16", helped=both) if both.rank < proof.rank else proof

    def _failing(self, finding: Finding) -> list[tuple[Source, Target]]:
        """The cells that the finding explains, else its clients and addresses, that do not simply work."""
        texts = finding.cells or [(source, target) for target in finding.targets for source in finding.vantages]
        found = []
        for source, target in texts[: 4 * MAX_AFFECTED]:
            try:
                cell = (parse_source(source, self.world), parse_target(target))
            except UsageError:
                continue
            if self._verdict(*cell).outcome not in ("ok", "unknown"):
                found.append(cell)
        return list(dict.fromkeys(found))[:MAX_AFFECTED]

    def _verdict(self, source: Source, target: Target) -> Verdict:
        return verdict_of(self.world, source, target)

    def _simulated(self, plan: Plan) -> tuple[World, tuple[tuple[str, Mapping[str, str]], ...]] | str:
        """The world after the plan's edits, or why there is none."""
        bare = Plan(plan.edits)
        found = self._after.get(bare)
        if found is None:
            cost = len(self.snapshot.node_names) * max(len(self.snapshot.objects.services), 1) * max(len(plan.edits), 1)
            if not plan.edits:
                found = (self.world, ())
            elif cost > self.left:
                found = "too-large"
            else:
                self.left -= cost
                try:
                    outcome = apply(self.snapshot, plan.edits)
                    found = (build_world(outcome.snapshot), tuple(outcome.assumed))
                except UsageError:
                    found = "not-applicable"
            self._after[bare] = found
        return found

    def _moves(self, plan: Plan, after: World) -> Mapping[Target, Target] | None:
        """What clients dial afterwards; null when an address is not known even in simulation."""
        moves = {}
        for one in plan.moves:
            if one.new is not None:
                moves[one.old] = one.new
                continue
            service = after.snapshot.objects.by_id.get(one.service)
            if service is None or not service.published:
                return None
            moves[one.old] = Target(service.published[0], one.port, one.old.protocol)
        return moves


def _exists(world: World, source: Source) -> bool:
    known: Mapping[str, object] = world.pods if source.kind == "pod" else dict.fromkeys(world.node_names)
    return source.kind == "external" or source.name in known
