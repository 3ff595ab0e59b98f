"""Node states that are not kept are free at once: with thousands of nodes nothing may wait for the next search for cycles."""

from __future__ import annotations

import gc
import weakref
from pathlib import Path

import pytest

from analyzer.bundle import open_bundle
from analyzer.forwarding import build_world, matrix, world
from analyzer.forwarding.shared import shared_walks
from analyzer.forwarding.state import NodeState
from analyzer.snapshot import load, spill
from bench import make_cluster


def test_an_old_state_is_freed_without_the_collector(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(world, "STATES_WEIGHT", 0)
    monkeypatch.setattr(world, "STATES_LEAST", 2)
    monkeypatch.setattr(spill, "ROWS_IN_MEMORY", 0)
    out = tmp_path / "made"
    make_cluster.main(["--nodes=6", "--services=6", "--cni=flannel", "--seed=3", f"--out={out}"])
    alive: weakref.WeakSet[NodeState] = weakref.WeakSet()
    monkeypatch.setattr(NodeState, "__hash__", object.__hash__)
    gc.collect()
    gc.disable()
    try:
        with open_bundle(out) as bundle:
            walked = build_world(load(bundle))
            built = walked.build_state
            made = 0

            def build(node: str) -> NodeState:
                nonlocal made
                made += 1
                state = built(node)
                alive.add(state)
                return state

            walked.build_state = build
            shared_walks(walked).prepare(matrix(walked).cells)
            for node in walked.node_names:
                assert shared_walks(walked).ways.facts(node).own
                walked.state(node)
        assert made > 12
        assert len(alive) <= 3
    finally:
        gc.enable()
