"""Statements of who must and must not reach what, checked on a bundle or on rendered manifests."""

from __future__ import annotations

from analyzer.intent.assume import assumed_cluster
from analyzer.intent.check import check
from analyzer.intent.model import Cell, Intent, Result, Standing, Statement
from analyzer.intent.read import read_intent

__all__ = ["Cell", "Intent", "Result", "Standing", "Statement", "assumed_cluster", "check", "read_intent"]
