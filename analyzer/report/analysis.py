"""The result of one analysis: everything a renderer may show."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from analyzer.findings.model import Finding, Findings
from analyzer.forwarding.matrix_model import Matrix
from analyzer.observations import Observations
from analyzer.remedies.model import Remedy
from analyzer.snapshot.model import Snapshot


@dataclass(frozen=True)
class Analysis:
    """A snapshot, its matrix, the findings, for each finding (by (rule, about)) its remedies in order, and what conntrack
    and IPVS show of the matrix."""

    snapshot: Snapshot
    matrix: Matrix
    findings: Findings
    remedies: Mapping[tuple[str, str], tuple[Remedy, ...]]
    tool_version: str
    observations: Observations = field(default_factory=Observations)

    def remedies_of(self, finding: Finding) -> tuple[Remedy, ...]:
        return self.remedies.get((finding.rule, finding.about), ())
