"""What happens to a packet in a given state, there and back."""

from __future__ import annotations

from analyzer.forwarding.build import build_world
from analyzer.forwarding.matrix import matrix
from analyzer.forwarding.matrix_model import Matrix, MatrixTarget, Vantage
from analyzer.forwarding.model import Confidence, Hop, Outcome, Packet, Path, Source, Step, Target, Trace, Verdict
from analyzer.forwarding.query import parse_source, parse_target
from analyzer.forwarding.shared import verdict_of
from analyzer.forwarding.standin import beside
from analyzer.forwarding.verdict import trace
from analyzer.forwarding.world import World

__all__ = [
    "Confidence", "Hop", "Matrix", "MatrixTarget", "Outcome", "Packet", "Path", "Source", "Step", "Target", "Trace",
    "Vantage", "Verdict", "World", "beside", "build_world", "matrix", "parse_source", "parse_target", "trace", "verdict_of",
]  # fmt: skip
