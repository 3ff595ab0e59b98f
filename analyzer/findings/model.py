"""What a finding is: a stable id, a severity, what it is about, the evidence, and the fixes to consider."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from analyzer.evidence import Evidence
from analyzer.forwarding.model import Confidence, Trace

Severity = Literal["critical", "warning", "notice", "info"]
SEVERITIES: tuple[Severity, ...] = ("critical", "warning", "notice", "info")
FEW = 12
"""Names that a sentence lists at most."""


def few(names: Iterable[str]) -> str:
    """Names as a sentence lists them, with the number of those left out: a cluster has thousands of nodes.

    >>> few(["a", "b"]), few(map(str, range(40)))[-15:]
    ('a, b', '10, 11, … (+28)')
    """
    listed = list(names)
    return ", ".join(listed[:FEW]) + (f", … (+{len(listed) - FEW})" if len(listed) > FEW else "")


@dataclass(frozen=True, slots=True)
class Finding:
    """One statement a person can act on.

    `rule` is the stable id (``REACH-001``). `about` identifies the subject inside the rule, so (rule, about) is stable
    between runs. `values` fill the sentences ``finding.<rule>.title``, ``.text`` of the catalogue. `vantages` are the
    sources that are affected (``node:NAME`` ...), `situation` the id of the reference situation (S1 ...), `fixes` remedy
    ids in the order to consider them, `example` one trace that shows the mechanism.
    """

    rule: str
    about: str
    severity: Severity
    values: Mapping[str, str]
    evidence: tuple[Evidence, ...] = ()
    nodes: tuple[str, ...] = ()
    services: tuple[str, ...] = ()
    vantages: tuple[str, ...] = ()
    targets: tuple[str, ...] = ()
    situation: str = ""
    confidence: Confidence = "high"
    fixes: tuple[str, ...] = ()
    example: Trace | None = None
    cells: tuple[tuple[str, str], ...] = ()
    """The (source, target) cells of the matrix that this finding explains."""
    suppressed: str = ""
    """Why it is known and accepted, from a policy file; such a finding is shown last and does not count."""


@dataclass(frozen=True, slots=True)
class Skipped:
    """A rule that could not be decided, and the inputs it lacked."""

    rule: str
    missing: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Findings:
    """All findings, most severe first, and the rules that were skipped."""

    findings: tuple[Finding, ...]
    skipped: tuple[Skipped, ...] = field(default_factory=tuple)
