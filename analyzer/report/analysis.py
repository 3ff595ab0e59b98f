"""The result of one analysis: everything a renderer may show."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from analyzer.findings.incidents import Incident, incidents
from analyzer.findings.model import Finding, Findings
from analyzer.findings.policy import Suppression
from analyzer.findings.symptom import Symptom
from analyzer.forwarding.matrix_model import Matrix
from analyzer.intent import Result
from analyzer.observations import Observations
from analyzer.remedies import Proof, Remedy
from analyzer.snapshot.model import Snapshot


@dataclass(frozen=True)
class Analysis:
    """A snapshot, its matrix, the findings, for each finding (by (rule, about)) its remedies, the best proven first, and what conntrack
    and IPVS show of the matrix."""

    snapshot: Snapshot
    matrix: Matrix
    findings: Findings
    remedies: Mapping[tuple[str, str], tuple[Remedy, ...]]
    tool_version: str
    observations: Observations = field(default_factory=Observations)
    proofs: Mapping[tuple[str, str, str], Proof] = field(default_factory=dict)
    """(rule, about, card) -> what that remedy does in simulation."""
    intent: tuple[Result, ...] = ()
    """How the statements of an intent file stand."""
    expired: tuple[Suppression, ...] = ()
    """Suppressions that would have matched but are over."""
    unused: tuple[Suppression, ...] = ()
    """Suppressions that no finding matched."""
    symptoms: tuple[Symptom, ...] = ()
    """Connections that somebody reported, against what the walk says."""

    @cached_property
    def incidents(self) -> tuple[Incident, ...]:
        """The causes behind the findings."""
        return incidents(self.findings.findings)

    def proof_of(self, finding: Finding, remedy: Remedy) -> Proof | None:
        return self.proofs.get((finding.rule, finding.about, remedy.card))

    def remedies_of(self, finding: Finding) -> tuple[Remedy, ...]:
        return self.remedies.get((finding.rule, finding.about), ())
