"""The reachability matrix: every Service address and port against every distinct vantage point."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from analyzer.forwarding.model import Source, Target, Verdict

if TYPE_CHECKING:
    import pandas as pd

TargetKind = Literal[
    "cluster-ip", "node-port", "load-balancer", "external-ip", "load-balancer-listener", "local-listener"
]
VantageKind = Literal["node", "pod", "backend-pod", "external"]


@dataclass(frozen=True, slots=True)
class MatrixTarget:
    """One row: an address and port, what it is, and the Service it belongs to (empty for a foreign listener)."""

    target: Target
    kind: TargetKind
    service: str = ""
    node: str = ""
    """For a NodePort: the node whose address it is."""


@dataclass(frozen=True, slots=True)
class Vantage:
    """One column: where the client is."""

    source: Source
    kind: VantageKind
    node: str = ""


@dataclass(frozen=True)
class Matrix:
    """Verdicts for each (vantage, target). `left_out` says in words what was not walked, and why."""

    targets: tuple[MatrixTarget, ...]
    vantages: tuple[Vantage, ...]
    cells: Mapping[tuple[Source, Target], Verdict]
    left_out: tuple[str, ...] = field(default_factory=tuple)

    def verdict(self, vantage: Vantage, row: MatrixTarget) -> Verdict:
        return self.cells[(vantage.source, row.target)]

    def frame(self) -> pd.DataFrame:
        """One row per cell: source, source_kind, target, target_kind, service, outcome, outcomes, servers,
        seen_source_ips, mechanism, confidence, missing, layer (all text, lists joined by ``;``)."""
        import pandas as pd

        columns = (
            "source", "source_kind", "target", "target_kind", "service", "outcome", "outcomes", "servers",
            "seen_source_ips", "mechanism", "confidence", "missing", "layer",
        )  # fmt: skip
        rows = []
        for row in self.targets:
            for vantage in self.vantages:
                verdict = self.verdict(vantage, row)
                rows.append(
                    (
                        str(vantage.source), vantage.kind, str(row.target), row.kind, row.service, verdict.outcome,
                        ";".join(verdict.outcomes), ";".join(verdict.servers), ";".join(verdict.seen_source_ips),
                        verdict.mechanism, verdict.confidence, ";".join(verdict.missing), verdict.layer,
                    )
                )  # fmt: skip
        return pd.DataFrame(rows, columns=list(columns), dtype="str")
