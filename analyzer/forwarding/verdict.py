"""From the paths a connection can take to what its client sees."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import replace

from analyzer.forwarding.journey import MAX_PATHS
from analyzer.forwarding.model import CONFIDENCE_ORDER, Outcome, Path, Source, Target, Trace, Verdict, weakest
from analyzer.forwarding.walk import Walk
from analyzer.forwarding.world import World

SEVERITY = ("ok", "wrong-server", "refused", "unreachable", "timeout", "mixed", "unknown")


def trace(world: World, source: Source, target: Target) -> Trace:
    """Walk every way a connection from `source` to `target` can go."""
    paths, cut = explore(lambda script: Walk(world, source, target, script))
    return Trace(source, target, paths, combine(paths, cut=cut))


def explore(begin: Callable[[tuple[int, ...]], Walk]) -> tuple[tuple[Path, ...], bool]:
    """The walks of every script, in the order of their choices; the second value tells that there were too many."""
    paths: list[Path] = []
    scripts: list[tuple[int, ...]] = [()]
    cut = False
    while scripts:
        if len(paths) >= MAX_PATHS:
            cut = True
            break
        script = scripts.pop()
        path = begin(script).run()
        paths.append(path)
        taken = tuple(choice.taken for choice in path.choices)
        for position in range(len(path.choices) - 1, len(script) - 1, -1):
            for option in range(path.choices[position].options - 1, 0, -1):
                scripts.append((*taken[:position], option))
    return tuple(paths), cut


def combine(paths: Sequence[Path], *, cut: bool = False) -> Verdict:
    """The verdict over all paths.

    The paths form a tree of choices. Where the choice is a real server, a backend or a random match, all branches happen:
    union. Where it is an undecidable fact, one branch is true: all must show the client the same, or it is unknown.
    """
    kept, undecided = _settle(list(paths), 0)
    missing = tuple(sorted({name for path in paths for name in path.missing}))
    confidence = weakest(*(path.confidence for path in (*paths, *kept))) if paths else "low"
    outcomes = sorted({_client_sees(path.outcome) for path in kept})
    mechanisms = tuple(dict.fromkeys(path.mechanism for path in _worst_first(kept)))
    unknown = cut or undecided or "unknown" in outcomes
    if unknown and not missing:
        missing = ("a walk of fewer paths",) if cut else tuple(mechanisms)
    outcome: Outcome
    if unknown:
        outcome, outcomes = "unknown", ["unknown"]
    elif len(outcomes) > 1:
        outcome = "mixed"
    elif any(path.outcome == "wrong-server" for path in kept):
        outcome = "wrong-server"
    else:
        outcome = kept[0].outcome
    answered = [path for path in kept if path.outcome in ("ok", "wrong-server")]
    servers = tuple(sorted({name for path in answered for name in (path.server, *path.also)}))
    return Verdict(
        outcome=outcome,
        outcomes=tuple(outcomes),
        servers=() if unknown else servers,
        seen_source_ips=() if unknown else tuple(sorted({path.seen_source for path in answered})),
        mechanism=mechanisms[0] if mechanisms else "",
        mechanisms=mechanisms,
        confidence=confidence,
        missing=missing,
        layer="inferred" if any(path.inferred for path in paths) else "captured",
    )


def _settle(paths: list[Path], depth: int) -> tuple[list[Path], bool]:
    """The paths that count below one node of the choice tree, and whether an undecidable fact matters there."""
    if len(paths) == 1 or all(len(path.choices) <= depth for path in paths):
        return paths[:1], False
    branches: dict[int, list[Path]] = defaultdict(list)
    for path in paths:
        branches[path.choices[depth].taken].append(path)
    settled = [_settle(branch, depth + 1) for _, branch in sorted(branches.items())]
    undecided = any(flag for _, flag in settled)
    if paths[0].choices[depth].kind == "unknown":
        views = {frozenset(path.outcome for path in kept) for kept, _ in settled}
        every = [path for kept, _ in settled for path in kept]
        if len(views) > 1:
            return every, True
        seen = {frozenset((path.server, path.seen_source) for path in kept) for kept, _ in settled}
        if len(seen) > 1:
            # The client sees the same; who answers, or from whom, is one of several.
            return [replace(path, confidence="low") for path in every], undecided
        return settled[0][0], undecided
    return [path for kept, _ in settled for path in kept], undecided


def _client_sees(outcome: Outcome) -> str:
    return "ok" if outcome == "wrong-server" else outcome


def _worst_first(paths: Sequence[Path]) -> list[Path]:
    return sorted(
        paths, key=lambda path: (-SEVERITY.index(path.outcome), -path.share, CONFIDENCE_ORDER[path.confidence])
    )
