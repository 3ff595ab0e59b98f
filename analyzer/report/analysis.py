"""The result of one analysis: everything a renderer may show."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from analyzer.findings.model import Finding, Findings
from analyzer.forwarding.matrix_model import Matrix
from analyzer.remedies.model import Remedy
from analyzer.snapshot.model import Snapshot


@dataclass(frozen=True)
class Analysis:
    """A snapshot, its matrix, the findings, and for each finding (by (rule, about)) its remedies in order."""

    snapshot: Snapshot
    matrix: Matrix
    findings: Findings
    remedies: Mapping[tuple[str, str], tuple[Remedy, ...]]
    tool_version: str

    def remedies_of(self, finding: Finding) -> tuple[Remedy, ...]:
        return self.remedies.get((finding.rule, finding.about), ())
