"""What a change does to who reaches what: the cells that differ, and how."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from analyzer.forwarding import Matrix, Source, Target, Verdict, World, matrix, verdict_of

if TYPE_CHECKING:
    import pandas as pd

Effect = Literal["fixed", "broken", "symptom", "client-address", "servers", "opened", "closed", "unknown", "known"]
"""fixed: works now; broken: worked before; symptom: fails in another way; client-address and servers: works as before, but
the server sees another address, or others answer; opened and closed: the address appears or is gone; unknown and known: it cannot
be told any more, or can be told now."""
EFFECTS: tuple[Effect, ...] = (
    "broken", "fixed", "symptom", "client-address", "servers", "opened", "closed", "unknown", "known",
)  # fmt: skip
COLUMNS = (
    "effect", "source", "target", "target_kind", "service", "before", "after", "mechanism_before", "mechanism_after",
    "servers_before", "servers_after", "seen_before", "seen_after", "confidence_after", "missing_after",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class CellChange:
    """One cell before and after; `before` is null for an address that nobody served, `after` for one that is gone."""

    effect: Effect
    source: Source
    target: Target
    kind: str
    service: str
    before: Verdict | None
    after: Verdict | None


@dataclass(frozen=True)
class Comparison:
    """The cells that differ, of how many that were compared."""

    changes: tuple[CellChange, ...]
    cells: int
    left_out: tuple[str, ...] = ()

    @property
    def counts(self) -> Mapping[str, int]:
        counted = Counter(one.effect for one in self.changes)
        return {effect: counted[effect] for effect in EFFECTS if counted[effect]}

    def frame(self) -> pd.DataFrame:
        """One row per changed cell, columns COLUMNS, all text, lists joined by ``;``."""
        import pandas as pd

        def side(verdict: Verdict | None) -> tuple[str, str, str, str]:
            if verdict is None:
                return ("", "", "", "")
            return (verdict.outcome, verdict.mechanism, ";".join(verdict.servers), ";".join(verdict.seen_source_ips))

        rows = []
        for one in self.changes:
            old, new = side(one.before), side(one.after)
            after = one.after
            rows.append(
                (
                    one.effect, str(one.source), str(one.target), one.kind, one.service, old[0], new[0], old[1], new[1], old[2],
                    new[2], old[3], new[3], after.confidence if after else "", ";".join(after.missing) if after else "",
                )
            )  # fmt: skip
        return pd.DataFrame(rows, columns=list(COLUMNS), dtype="str")


def effect_of(before: Verdict, after: Verdict) -> Effect | None:
    """What a client notices; null when nothing.

    A client that reaches only some servers, or a wrong one, does not count as served.
    """
    if (before.outcome, before.servers, before.seen_source_ips) == (
        after.outcome,
        after.servers,
        after.seen_source_ips,
    ):
        return None
    if "unknown" in (before.outcome, after.outcome):
        return "unknown" if after.outcome == "unknown" else "known"
    was, will = before.outcome == "ok", after.outcome == "ok"
    if was != will:
        return "fixed" if will else "broken"
    if not was:
        return "symptom" if before.outcome != after.outcome or before.servers != after.servers else None
    return "client-address" if before.seen_source_ips != after.seen_source_ips else "servers"


def compare(
    before: World, after: World, *, max_cells: int = 0, also: Iterable[tuple[Source, Target]] = ()
) -> Comparison:
    """Walk the matrix of both worlds, and `also`, and list the cells that differ.

    An address that only one of the two has is walked in that one; a client that is gone is left out.
    """
    kinds = matrix(before, max_cells=max_cells), matrix(after, max_cells=max_cells)
    rows: dict[Target, tuple[str, str]] = {}
    for table in kinds:
        for row in table.targets:
            rows.setdefault(row.target, (row.kind, row.service))
    here, there = ({row.target for row in table.targets} for table in kinds)
    sources = [vantage.source for vantage in kinds[0].vantages if _exists(after, vantage.source)]
    cells = [(source, target) for target in rows for source in sources]
    cells += [cell for cell in also if cell[1] not in rows and _exists(after, cell[0])]
    found = []
    for source, target in cells:
        kind, service = rows.get(target, ("", ""))
        change = _changed(before, after, source, target, target in here, target in there)
        if change is not None:
            found.append(CellChange(change[0], source, target, kind, service, *change[1:]))
    order = {effect: position for position, effect in enumerate(EFFECTS)}
    found.sort(key=lambda one: order[one.effect])
    return Comparison(tuple(found), len(cells), _left_out(kinds))


def _changed(
    before: World, after: World, source: Source, target: Target, here: bool, there: bool
) -> tuple[Effect, Verdict | None, Verdict | None] | None:
    if there and not here and target.address not in _known(before):
        return "opened", None, verdict_of(after, source, target)
    if here and not there and target.address not in _known(after):
        return "closed", verdict_of(before, source, target), None
    old, new = verdict_of(before, source, target), verdict_of(after, source, target)
    effect = effect_of(old, new)
    return None if effect is None else (effect, old, new)


def _known(world: World) -> set[str]:
    return {*world.service_addresses, *world.load_balancers, *world.node_by_address}


def _exists(world: World, source: Source) -> bool:
    return (
        source.name in world.pods
        if source.kind == "pod"
        else source.kind == "external" or source.name in world.node_names
    )


def _left_out(tables: tuple[Matrix, Matrix]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(what for table in tables for what in table.left_out))
