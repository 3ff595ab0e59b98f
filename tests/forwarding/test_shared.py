"""Cells that share a walk say what each would say alone."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from analyzer.bundle import open_bundle
from analyzer.forwarding import Source, Target, World, build_world, entry_classes, matrix, trace, verdict_of
from analyzer.forwarding.shared import SharedWalks, shared_walks, stages_of
from analyzer.forwarding.state import NodeState, is_read_sysctl
from analyzer.snapshot import load
from bench import make_cluster
from tests import lab
from tests.forwarding import cases
from tests.forwarding.test_properties import DROPS, NAMES, cells, files_of, present, without

Cell = tuple[Source, Target]
GENERATE = (Phase.explicit, Phase.generate)


def same(world: World, chosen: Iterable[Cell]) -> SharedWalks:
    for cell in chosen:
        assert verdict_of(world, *cell) == trace(world, *cell).verdict, tuple(map(str, cell))
    return shared_walks(world)


@pytest.fixture
def narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Classes of nodes behind a load balancer from the second one on, not from the 64th."""
    monkeypatch.setattr(entry_classes, "WIDE", 2)


def same_in_classes(world: World, chosen: Iterable[Cell]) -> int:
    """The same after the nodes behind load balancers were put into classes; gives how many nodes others stand for."""
    told = list(chosen)
    shared = shared_walks(world)
    shared.prepare(told)
    same(world, told)
    return sum(len(alike) - 1 for classes in shared.classes.of.values() for alike in classes)


@settings(max_examples=8, deadline=None, derandomize=True, phases=GENERATE)
@given(
    nodes=st.integers(2, 7),
    services=st.integers(3, 25),
    endpoints=st.integers(0, 9),
    cni=st.sampled_from(["flannel", "terway"]),
    version=st.sampled_from(["1.22", "1.30"]),
    local=st.sampled_from(["0", "0.5", "1"]),
    seed=st.integers(0, 10_000),
    data=st.data(),
)
def test_random_cells_of_random_bundles(
    tmp_path_factory: pytest.TempPathFactory, nodes: int, services: int, endpoints: int, cni: str, version: str, local: str,
    seed: int, data: st.DataObject,
) -> None:  # fmt: skip
    out = tmp_path_factory.mktemp("bundle") / "made"
    arguments = {
        "nodes": nodes, "services": services, "endpoints-per-service": endpoints, "cni": cni, "k8s": version,
        "etp-local-share": local, "seed": seed, "conntrack": 5, "out": out,
    }  # fmt: skip
    make_cluster.main([f"--{name}={value}" for name, value in arguments.items()])
    with open_bundle(out) as bundle:
        world = build_world(load(bundle))
        every = sorted(matrix(world, listeners=True).cells, key=str)
        shared = same(world, data.draw(st.lists(st.sampled_from(every), min_size=40, max_size=80, unique=True)))
    assert shared.walked + shared.alone < len(every)


@pytest.mark.usefixtures("narrow")
@pytest.mark.parametrize("case", lab.CASES[::3])
def test_every_cell_of_a_recorded_cluster(case: str) -> None:
    """The verdict, and what each node of the request does (up to the servers that one walk stands for)."""
    with open_bundle(lab.bundle(case)) as bundle:
        world = build_world(load(bundle))
        cells = matrix(world, listeners=True).cells
        same_in_classes(world, cells)
        shared = shared_walks(world)
        for cell in cells:
            assert set(shared.stages(*cell)) == {stages_of(path) for path in trace(world, *cell).paths}, tuple(
                map(str, cell)
            )


@settings(
    max_examples=10, deadline=None, derandomize=True, phases=GENERATE,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)  # fmt: skip
@pytest.mark.usefixtures("narrow")
@given(st.sampled_from(NAMES), DROPS, st.data())
def test_with_captures_missing_and_lines_lost(name: str, dropped: list[tuple[str, int]], data: st.DataObject) -> None:
    """Nodes that differ in what is known of them, or in single rules, members, routes and servers."""
    files = without(files_of(name), dropped[: data.draw(st.integers(0, 2))])
    damaged = [path for path in sorted(files) if path.startswith("nodes/")]
    for path in data.draw(st.lists(st.sampled_from(damaged or ["none"]), max_size=8, unique=True)):
        lines = files.get(path, b"").splitlines(keepends=True)
        gone = data.draw(st.sets(st.integers(0, max(len(lines) - 1, 0)), max_size=6))
        if path in files:
            files[path] = b"".join(line for number, line in enumerate(lines) if number not in gone)
    world = cases.world(files)
    chosen = data.draw(st.lists(st.sampled_from(cells(name)), min_size=30, max_size=60, unique=True))
    same_in_classes(world, [cell for cell in chosen if present(world, cell[0])])


@pytest.mark.parametrize("case", lab.CASES[::6])
def test_a_walk_asks_only_for_sysctls_that_tell_nodes_apart(case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A key that is not among them could differ between two nodes that count as alike."""
    asked: set[str] = set()
    plain, there = NodeState.sysctl, NodeState.has_sysctl
    monkeypatch.setattr(NodeState, "sysctl", lambda state, key, default: asked.add(key) or plain(state, key, default))
    monkeypatch.setattr(NodeState, "has_sysctl", lambda state, key: asked.add(key) or there(state, key))
    with open_bundle(lab.bundle(case)) as bundle:
        world = build_world(load(bundle))
        for cell in list(matrix(world).cells)[::3]:
            trace(world, *cell)
    assert len(asked) > 3
    assert not {key for key in asked if not is_read_sysctl(key)}


def test_few_walks_serve_many_cells(tmp_path: Path) -> None:
    out = tmp_path / "made"
    make_cluster.main(["--nodes=6", "--services=60", "--cni=flannel", "--seed=3", f"--out={out}"])
    with open_bundle(out) as bundle:
        world = build_world(load(bundle))
        many = matrix(world, max_cells=0)
        shared = shared_walks(world)
    assert len(many.cells) > 5_000
    assert shared.walked + shared.alone < len(many.cells) / 20


@pytest.mark.usefixtures("narrow")
@pytest.mark.parametrize("cni", ["flannel", "terway"])
def test_nodes_behind_a_load_balancer_stand_for_others(tmp_path: Path, cni: str) -> None:
    out = tmp_path / "made"
    make_cluster.main(
        ["--nodes=12", "--services=20", f"--cni={cni}", "--etp-local-share=0.4", "--seed=5", f"--out={out}"]
    )
    with open_bundle(out) as bundle:
        world = build_world(load(bundle))
        cells = [cell for cell in matrix(build_world(load(bundle))).cells if cell[1].address in world.load_balancers]
        assert same_in_classes(world, cells) > 20
        for cell in cells:
            whole = shared_walks(world).stages(*cell)
            for node in world.node_names if cell[0].kind == "external" else ():
                own = shared_walks(world).stages(*cell, {node})
                assert own == tuple(one for one in whole if one.nodes and one.nodes[0].node == node)


@pytest.mark.usefixtures("narrow")
def test_a_pod_with_several_addresses_of_one_family_has_no_likeness(tmp_path: Path) -> None:
    """Behind a load balancer too: its connections are walked alone, all others are told as before."""
    out = tmp_path / "made"
    make_cluster.main(["--nodes=6", "--services=12", "--cni=flannel", "--seed=5", f"--out={out}"])
    with open_bundle(out) as bundle:
        world = build_world(load(bundle))
        for name, pod in list(world.pods.items())[::2]:
            world.pods[name] = replace(pod, ips=(*pod.ips, "10.250.0.1"))  # type: ignore[index]
        cells = [cell for cell in matrix(build_world(load(bundle))).cells if cell[1].address in world.load_balancers]
        assert same_in_classes(world, cells) > 0
        assert shared_walks(world).alone > 0
