"""One flow against the paths of its cell: does the entry agree with the model, contradict it, or say nothing?"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from analyzer.forwarding.model import end_point
from analyzer.observations.expect import Expected, Server
from analyzer.observations.flows import OUTSIDE, Flow
from analyzer.observations.model import Difference

Opinion = Literal["agrees", "contradicts", "unanswered", "none"]
"""unanswered: only a contradiction when no other entry of the cell was answered (it may have been bad luck)."""

REACHED = ("ok", "wrong-server")
WORDS = {"silent": "no-answer", "answered": "ok", "quiet": "no-answer"}


@dataclass(frozen=True, slots=True)
class Judgement:
    """What one flow says; the texts are empty unless it contradicts."""

    opinion: Opinion
    differs: Difference = ""
    predicted: str = ""
    observed: str = ""


NOTHING = Judgement("none")


def judge(flow: Flow, paths: Sequence[Expected], exists: Callable[[Server], bool]) -> Judgement:
    """Compare; `paths` begin with this flow's tuple, `exists` tells whether somebody has a server address now.

    A translation that no path makes is no contradiction when age explains it: an established connection outlives the
    state it was made in, and so does the entry of a connection to a server that is gone.
    """
    if not paths or any(path.outcome == "unknown" for path in paths):
        return NOTHING
    fitting = [path for path in paths if _translated(flow, path)]
    if not fitting:
        return _other_translation(flow, paths, exists)
    if flow.answer == "open":
        return NOTHING
    reached = [path for path in fitting if path.outcome in REACHED]
    failing = [path for path in fitting if path.outcome not in REACHED]
    predicted = ", ".join(dict.fromkeys(path.outcome for path in fitting))
    if flow.answer == "answered":
        return Judgement("agrees") if reached else Judgement("contradicts", "outcome", predicted, WORDS["answered"])
    if failing:
        return Judgement("agrees")
    return NOTHING if flow.answer == "quiet" else Judgement("unanswered", "outcome", predicted, WORDS["silent"])


def _translated(flow: Flow, path: Expected) -> bool:
    leg = path.first
    if flow.server not in leg.servers or not _same_source(flow.to, leg.source, path):
        return False
    if flow.next_server is None or path.second is None:
        return True
    return flow.next_server in path.second.servers and _same_source(flow.next_to, path.second.source, path)


def _same_source(seen: str, source: str, path: Expected) -> bool:
    """An outside client's own address is kept when the model keeps that of its stand-in."""
    return seen == source or (seen == OUTSIDE and source == path.first.first.src)


def _other_translation(flow: Flow, paths: Sequence[Expected], exists: Callable[[Server], bool]) -> Judgement:
    """What differs: at the first node, or (when the first node did as predicted) at the one that was dialled."""
    if flow.answer not in WORDS or flow.answer == "quiet" or flow.lasting:
        return NOTHING
    legs = [path.first for path in paths]
    server, source = flow.server, flow.to
    if any(
        server in leg.servers and _same_source(source, leg.source, path) for leg, path in zip(legs, paths, strict=True)
    ):
        legs = [path.second for path in paths if path.second is not None]
        if flow.next_server is None or not legs:
            return NOTHING
        server, source = flow.next_server, flow.next_to
    if not exists(server):
        return NOTHING
    same = [leg for leg in legs if server in leg.servers]
    if same:
        return Judgement("contradicts", "source", _listed(leg.source for leg in same), source)
    everything = {one for leg in legs for one in leg.servers}
    return Judgement("contradicts", "server", _listed(end_point(*one) for one in everything), end_point(*server))


def _listed(items: Iterable[str]) -> str:
    found = sorted(set(items))
    return ", ".join(found[:4]) + (f" (+{len(found) - 4})" if len(found) > 4 else "")
