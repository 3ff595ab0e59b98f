"""How much of everything a report shows; what is left out is always counted."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of one medium. Full findings come first, then one-liners, then a number."""

    full_findings: int
    examples: int
    """Findings whose example is drawn and told step by step; later ones give its verdict only."""
    listed_findings: int
    names: int
    """Names shown before the rest is folded away."""
    hidden_names: int
    """Names in the fold; a fold cannot be opened on paper."""
    evidence: int
    pictures: int
    """Paths drawn for one finding."""
    open_remedies: int
    """Fixes of a finding shown whole at once; on a screen the others are folded, on paper reduced to what they are."""
    folds: bool
    """Whether the medium can be unfolded."""
    proof_rows: int
    """Groups of connections shown before and after a simulated fix."""
    steps: int
    step_quotes: int
    change_lines: int
    nodes: int
    """Rows of the coverage table."""
    groups: int
    """Groups of nodes with equal regime."""
    notes_per_file: int
    notes: int
    rows: int
    """Rows of one appendix table."""
    cell: int
    """Characters of one table cell."""
    causes: int
    """Root causes with a section of their own."""
    affected: int
    """Addresses of a cause listed with who cannot reach them."""
    matrix_rows: int
    """Rows (classes of addresses) of the matrix."""
    matrix_columns: int
    """Classes of clients side by side."""
    traces: int
    """Traces that cells of the matrix open."""
    drift: int
    """Differences between captured and expected state."""


SCREEN = Limits(
    full_findings=500,
    examples=24,
    listed_findings=2000,
    names=12,
    hidden_names=400,
    evidence=20,
    pictures=3,
    open_remedies=1,
    folds=True,
    proof_rows=12,
    steps=60,
    step_quotes=4,
    change_lines=400,
    nodes=200,
    groups=12,
    notes_per_file=50,
    notes=1000,
    rows=200,
    cell=400,
    causes=48,
    affected=24,
    matrix_rows=1500,
    matrix_columns=400,
    traces=120,
    drift=400,
)
PAPER = Limits(
    full_findings=5,
    examples=4,
    listed_findings=80,
    names=12,
    hidden_names=0,
    evidence=8,
    pictures=1,
    open_remedies=3,
    folds=False,
    proof_rows=4,
    steps=24,
    step_quotes=1,
    change_lines=70,
    nodes=60,
    groups=6,
    notes_per_file=10,
    notes=60,
    rows=60,
    cell=120,
    causes=3,
    affected=8,
    matrix_rows=80,
    matrix_columns=16,
    traces=0,
    drift=60,
)
