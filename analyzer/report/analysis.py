"""The result of one analysis: everything a renderer may show."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from analyzer.findings.drift_model import Drift
from analyzer.findings.incidents import Incident, incidents
from analyzer.findings.model import Finding, Findings
from analyzer.findings.policy import Suppression
from analyzer.findings.symptom import Symptom
from analyzer.forwarding.classes import Classes, classes
from analyzer.forwarding.matrix_model import Matrix
from analyzer.forwarding.model import Trace
from analyzer.intent import Result
from analyzer.observations import Observations
from analyzer.remedies import Proof, Remedy
from analyzer.remedies.options import Option, options
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

    drift: tuple[Drift, ...] = ()
    """What nodes hold against what kube-proxy should have programmed."""
    compared: int = 0
    """Nodes whose captures could be compared with the objects."""
    traces: Mapping[tuple[str, str], Trace] = field(default_factory=dict)
    """(source, target) -> a trace that shows that cell of the matrix and those like it."""
    rule_set: tuple[int, str] = (0, "")
    """How many rules looked, and the digest of their ids and severities."""
    meta: Mapping[str, str] = field(default_factory=dict)
    """What a person says of the case: ticket, customer, cluster, author, time ..."""
    options: tuple[str, ...] = ()
    """The options of the command that decide the result, as they were given."""

    @cached_property
    def classes(self) -> Classes:
        """The matrix by classes of equal vantage points and addresses."""
        return classes(self.matrix)

    def options_of(self, incident: Incident) -> tuple[Option, ...]:
        """The fixes of a cause side by side, the best proven first."""
        return options(incident, self.findings.findings, self.remedies_of, self.proof_of)

    @cached_property
    def incidents(self) -> tuple[Incident, ...]:
        """The causes behind the findings."""
        return incidents(self.findings.findings)

    def proof_of(self, finding: Finding, remedy: Remedy) -> Proof | None:
        return self.proofs.get((finding.rule, finding.about, remedy.card))

    def remedies_of(self, finding: Finding) -> tuple[Remedy, ...]:
        return self.remedies.get((finding.rule, finding.about), ())
