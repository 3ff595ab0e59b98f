"""The cards that exist: every module of `analyzer.remedies.cards` names its own in `CARDS`."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Mapping
from functools import lru_cache

from analyzer.remedies import cards
from analyzer.remedies.case import Case
from analyzer.remedies.model import Remedy
from analyzer.remedies.plan import Plan, edits_of

Builder = Callable[[Case], Remedy | None]
Planner = Callable[[Case], Plan]


@lru_cache(maxsize=1)
def builders() -> Mapping[str, Builder]:
    """Card id -> builder, in the order of the modules.

    Raises:
        ValueError: two modules claim one id (a programming error).
    """
    found: dict[str, Builder] = {}
    for module in sorted(pkgutil.iter_modules(cards.__path__), key=lambda one: one.name):
        own: Mapping[str, Builder] = importlib.import_module(f"{cards.__name__}.{module.name}").CARDS
        for card, builder in own.items():
            if card in found:
                raise ValueError(f"two cards have the id {card}")
            found[card] = builder
    return found


@lru_cache(maxsize=1)
def planners() -> Mapping[str, Planner]:
    """Card id -> what it changes, for cards that say it themselves; of all others the commands and documents say it."""
    found: dict[str, Planner] = {}
    for module in pkgutil.iter_modules(cards.__path__):
        found.update(getattr(importlib.import_module(f"{cards.__name__}.{module.name}"), "PLANS", {}))
    return found


def plan_of(case: Case, remedy: Remedy) -> Plan:
    """What a remedy changes; an empty plan where that cannot be simulated."""
    planner = planners().get(remedy.card)
    return planner(case) if planner is not None else Plan(edits_of(remedy.changes))
