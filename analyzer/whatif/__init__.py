"""The cluster after a change, and what the change does to who reaches what."""

from __future__ import annotations

from analyzer.whatif.apply import Outcome, apply
from analyzer.whatif.compare import CellChange, Comparison, compare, effect_of
from analyzer.whatif.edits import Edit
from analyzer.whatif.words import parse_edits

__all__ = ["CellChange", "Comparison", "Edit", "Outcome", "apply", "compare", "effect_of", "parse_edits"]
