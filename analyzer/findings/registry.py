"""Rules and how they are found: one per file in `analyzer.findings.rules`, declared with `@rule`."""

from __future__ import annotations

import hashlib
import importlib
import pkgutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache

import analyzer.findings.rules as package
from analyzer.findings.context import Context
from analyzer.findings.model import Finding, Severity

Check = Callable[[Context], Iterable[Finding]]


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule: `needs` are captures (of a node) or tables of objects without which it cannot decide.

    `severities` are those its findings can have, `fixes` the cards they can name (a finding names those that fit it, in the
    order to consider). `order` runs late rules (those that look at what others explained) last.
    """

    id: str
    needs: tuple[str, ...]
    check: Check
    severities: tuple[Severity, ...]
    fixes: tuple[str, ...]
    order: int = 0


_RULES: dict[str, Rule] = {}


def rule(
    rule_id: str,
    *,
    needs: tuple[str, ...] = (),
    severities: tuple[Severity, ...],
    fixes: tuple[str, ...],
    order: int = 0,
) -> Callable[[Check], Check]:
    """Register a rule under a stable id. Ids are never reused."""

    def register(check: Check) -> Check:
        if rule_id in _RULES and _RULES[rule_id].check.__module__ != check.__module__:
            raise ValueError(f"rule id {rule_id} is taken")
        _RULES[rule_id] = Rule(rule_id, needs, check, severities, fixes, order)
        return check

    return register


@cache
def rules() -> tuple[Rule, ...]:
    """All rules by order and id."""
    for module in pkgutil.iter_modules(package.__path__):
        importlib.import_module(f"{package.__name__}.{module.name}")
    return tuple(sorted(_RULES.values(), key=lambda one: (one.order, one.id)))


def rule_set() -> tuple[int, str]:
    """How many rules there are, and a digest of their ids, inputs and severities: equal digests looked for the same."""
    said = "\n".join(
        f"{one.id} {','.join(one.needs)} {','.join(one.severities)}" for one in sorted(rules(), key=lambda one: one.id)
    )
    return len(rules()), hashlib.sha256(said.encode()).hexdigest()[:16]
