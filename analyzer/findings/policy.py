"""What the readers of a report decided about rules: another severity, a finding that is known and accepted for a while.

    rules:
      REACH-006: {severity: notice}
    suppress:
      - {rule: REACH-001, about: 192.168.1.200:443/tcp, reason: "known, ticket 4711", until: 2026-12-31}

A suppressed finding stays in the report, last and with its reason; it does not count for the exit code. A suppression that has
expired, or that nothing matched, is said.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml

from analyzer.errors import UsageError
from analyzer.findings.model import SEVERITIES, Findings, Severity
from analyzer.findings.registry import rules

MAX_BYTES = 1 << 20
OTHER_RULES = ("MODE-002", "INTENT-001", "INTENT-002")
"""Ids that are not registered: one rule gives two findings, and those of an intent file."""


@dataclass(frozen=True, slots=True)
class Suppression:
    """`about` empty: every finding of the rule. `until` is the last day it counts."""

    rule: str
    about: str
    reason: str
    until: dt.date | None


@dataclass(frozen=True)
class Policy:
    """Severities by rule, and suppressions."""

    severities: Mapping[str, Severity]
    suppressions: tuple[Suppression, ...]


def known_ids() -> frozenset[str]:
    return frozenset({one.id for one in rules()} | set(OTHER_RULES))


def read_policy(path: Path) -> Policy:
    """Read a policy file.

    Raises:
        UsageError: it cannot be read, or names a rule or severity that does not exist.
    """
    try:
        if path.stat().st_size > MAX_BYTES:
            raise UsageError("larger than a policy file can be", where=str(path))
        loaded = yaml.safe_load(path.read_text("utf-8"))
    except OSError as error:
        raise UsageError(f"cannot be read: {error.strerror}", where=str(path)) from None
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        raise UsageError(f"no YAML: {' '.join(str(error).split())}", where=str(path)) from None
    top = _mapping(loaded, {"rules", "suppress"}, path)
    chosen: dict[str, Severity] = {}
    for rule, settings in _mapping(top.get("rules") or {}, None, path).items():
        own = _mapping(settings, {"severity"}, path)
        chosen[_rule(rule, path)] = _severity(own.get("severity"), path)
    listed = top.get("suppress") or []
    if not isinstance(listed, list):
        raise UsageError("suppress is a list", where=str(path))
    return Policy(chosen, tuple(_suppression(one, path) for one in listed))


def _mapping(value: Any, known: set[str] | None, path: Path) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise UsageError(
            "a policy file holds mappings", where=str(path), hint="rules: {ID: {severity: notice}}, suppress: [...]"
        )
    strange = sorted(str(key) for key in value if known is not None and key not in known)
    if strange:
        raise UsageError(
            f"no such key: {', '.join(strange)}", where=str(path), hint=f"keys: {', '.join(sorted(known or ()))}"
        )
    return {str(key): one for key, one in value.items()}


def _rule(rule: Any, path: Path) -> str:
    if rule not in known_ids():
        raise UsageError(f"no rule {rule!r}", where=str(path), hint="ipvscope rules lists them")
    return str(rule)


def _severity(value: Any, path: Path) -> Severity:
    for one in SEVERITIES:
        if one == value:
            return one
    raise UsageError(f"no severity {value!r}", where=str(path), hint=", ".join(SEVERITIES))


def _suppression(value: Any, path: Path) -> Suppression:
    own = _mapping(value, {"rule", "about", "reason", "until"}, path)
    reason, until = own.get("reason"), own.get("until")
    if not isinstance(reason, str) or not reason.strip():
        raise UsageError("a suppression needs a reason", where=str(path))
    if until is not None and (not isinstance(until, dt.date) or isinstance(until, dt.datetime)):
        raise UsageError(f"until is a date like 2026-12-31, not {until!r}", where=str(path))
    return Suppression(_rule(own.get("rule"), path), str(own.get("about") or ""), reason.strip(), until)


def applied(
    findings: Findings, policy: Policy, today: dt.date
) -> tuple[Findings, tuple[Suppression, ...], tuple[Suppression, ...]]:
    """(the findings under a policy, expired suppressions that would have matched, suppressions that matched nothing)."""
    expired: list[Suppression] = []
    used: set[Suppression] = set()
    found = []
    for finding in findings.findings:
        one = replace(finding, severity=policy.severities.get(finding.rule, finding.severity))
        for suppression in policy.suppressions:
            if suppression.rule != finding.rule or suppression.about not in ("", finding.about):
                continue
            used.add(suppression)
            if suppression.until is not None and suppression.until < today:
                expired.append(suppression)
                continue
            until = f" (until {suppression.until.isoformat()})" if suppression.until else ""
            one = replace(one, suppressed=suppression.reason + until)
            break
        found.append(one)
    found.sort(key=lambda one: (bool(one.suppressed), SEVERITIES.index(one.severity)))
    unused = tuple(one for one in policy.suppressions if one not in used)
    return replace(findings, findings=tuple(found)), tuple(dict.fromkeys(expired)), unused
