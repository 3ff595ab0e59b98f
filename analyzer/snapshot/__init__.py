"""All parsed members of a bundle as one table per noun, and each node's regime."""

from __future__ import annotations

from analyzer.snapshot.load import load
from analyzer.snapshot.model import Fact, Regime, Snapshot

__all__ = ["Fact", "Regime", "Snapshot", "load"]
