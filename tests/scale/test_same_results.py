"""What large clusters share or keep outside memory gives the very results of the plain way."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from analyzer import api
from analyzer.bundle import open_bundle
from analyzer.cli.words import words
from analyzer.findings import drift_servers
from analyzer.findings.drift_doubts import Doubts
from analyzer.findings.drift_servers import server_drift
from analyzer.forwarding import World, build_world
from analyzer.forwarding import matrix as walk_matrix
from analyzer.forwarding.matrix import _by_difference, _rows_and_columns, _Sizes
from analyzer.kubeproxy import expected_on, families, proxy_node
from analyzer.kubeproxy.expected import expected
from analyzer.observations import observe
from analyzer.report import json_report
from analyzer.snapshot import Snapshot
from analyzer.snapshot import load as read
from analyzer.snapshot.spill import SpilledTables, Stored
from bench import make_cluster


@pytest.fixture(scope="module", params=[("flannel", "1.30"), ("terway", "1.22")], ids=" ".join)
def bundle(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    cni, version = request.param
    path = tmp_path_factory.mktemp("cluster") / "bundle"
    options = ["--nodes=5", "--services=14", "--conntrack=60", f"--cni={cni}", f"--k8s={version}", f"--out={path}"]
    make_cluster.main(options)
    return path


def test_report_of_spilled_tables_is_the_same(bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    texts = []
    for limit in (10**9, 0):
        monkeypatch.setattr("analyzer.snapshot.spill.ROWS_IN_MEMORY", limit)
        with api.opened(bundle) as snapshot:
            assert isinstance(snapshot.tables, SpilledTables) is (limit == 0)
            texts.append(json_report.render(api.analyze(snapshot, simulate=False), words("en")))
    assert texts[0] == texts[1]


def test_cells_and_observations_with_few_node_states_at_hand_are_the_same(
    bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """States that were given up are built again; what was asked of them is remembered."""
    told = []
    for few in (False, True):
        if few:
            monkeypatch.setattr("analyzer.snapshot.spill.ROWS_IN_MEMORY", 0)
            monkeypatch.setattr("analyzer.forwarding.world.STATES_WEIGHT", 0)
            monkeypatch.setattr("analyzer.forwarding.world.STATES_LEAST", 3)
            monkeypatch.setattr("analyzer.snapshot.spill.FEW_ROWS", 0)
            monkeypatch.setattr("analyzer.forwarding.shared.WAYS", 200)
        with api.opened(bundle) as snapshot:
            world = build_world(snapshot)
            cells = walk_matrix(world, max_cells=600)
            held = [world.holders(address) for address in sorted(world.service_addresses)]
            told.append((list(cells.cells.items()), observe(snapshot, world, cells).cells, held))
    assert told[0] == told[1]


def test_a_node_is_built_a_few_times_for_a_matrix_and_no_more(bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("analyzer.snapshot.spill.ROWS_IN_MEMORY", 0)
    monkeypatch.setattr("analyzer.forwarding.world.STATES_WEIGHT", 0)
    monkeypatch.setattr("analyzer.forwarding.world.STATES_LEAST", 2)
    with api.opened(bundle) as snapshot:
        world = build_world(snapshot)
        build, built = world.build_state, []
        world.build_state = lambda node: (built.append(node), build(node))[1]
        cells = walk_matrix(world, max_cells=400).cells
    assert len(world._states) == 2
    assert len(built) < len(cells)


def test_parts_of_spilled_tables_are_those_of_the_whole(bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("analyzer.snapshot.spill.ROWS_IN_MEMORY", 0)
    with api.opened(bundle) as snapshot:
        for table in ("virtual_servers", "real_servers", "services"):
            whole = snapshot[table]
            files = sorted(set(whole["file"].astype("str")))[1:3]
            assert snapshot.count(table) == len(whole)
            for part, same in (
                *((snapshot.head(table, rows), whole.head(rows)) for rows in (0, 1, 70, 10**6)),
                (snapshot.of_files(table, files), whole[whole["file"].astype("str").isin(files)]),
            ):
                left, right = (one.reset_index(drop=True).astype("str") for one in (part, same))
                assert left.equals(right), table


@pytest.mark.parametrize("few", [0, 2_000])
def test_columns_of_spilled_tables_are_those_of_the_whole(
    bundle: Path, monkeypatch: pytest.MonkeyPatch, few: int
) -> None:
    monkeypatch.setattr("analyzer.snapshot.spill.ROWS_IN_MEMORY", 0)
    monkeypatch.setattr("analyzer.snapshot.spill.FEW_ROWS", few)
    monkeypatch.setattr("analyzer.snapshot.spill.READ_ROWS", 50)
    with api.opened(bundle) as snapshot:
        for table, columns in (
            ("connections", ["node", "protocol", "orig_src", "reply_sport", "assured", "extra", "line"]),
            ("addresses", ["address", "node", "scope", "broadcast", "prefix_len"]),
        ):
            whole = snapshot[table]
            pieces = list(snapshot.chunks(table, *columns))
            assert 1 < len(pieces) <= len(snapshot.node_names)
            assert [list(piece.columns) for piece in pieces] == [columns] * len(pieces)
            dtypes = [str(dtype) for dtype in whole[columns].dtypes]
            assert [[str(dtype) for dtype in piece.dtypes] for piece in pieces] == [dtypes] * len(pieces)
            read = [read(*columns) for read in snapshot.readers(table)]
            named = [snapshot.of_node(node, table, *columns) for node in dict.fromkeys(whole["node"].astype("str"))]
            for parts in (pieces, read, named):
                together = pd.concat([part.astype("str") for part in parts], ignore_index=True)
                assert together.equals(whole[columns].astype("str"))
        assert list(snapshot.of_node("no such node", "addresses", "line").columns) == ["line"]


def test_equal_columns_of_different_nodes_are_stored_once(bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("analyzer.snapshot.spill.ROWS_IN_MEMORY", 0)
    monkeypatch.setattr("analyzer.snapshot.spill.FEW_ROWS", 0)
    with api.opened(bundle) as snapshot:
        assert isinstance(snapshot.tables, SpilledTables)
        slots = [own.slots["real_servers"] for own in snapshot.tables.nodes.values()]
    for name in ("vs_port", "line"):
        assert len({dict(slot.columns)[name] for slot in slots if slot.rows == slots[0].rows}) == 1
    assert {(dict(slot.constant)["weight"], dict(slot.constant)["forwarding"]) for slot in slots} == {(1, "Masq")}
    assert len({slot.constant for slot in slots}) == len(slots)


def test_drift_by_numbers_is_that_of_the_rows(bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[int] = []
    with api.opened(bundle) as snapshot:
        node = snapshot.node_names[0]
        rows = snapshot["real_servers"].copy()
        mine = rows.index[rows["node"] == node]
        rows.loc[mine[3], "weight"] = 0
        rows.loc[mine[5], "port"] = 1
        rows.loc[mine[7], "address"] = "192.0.2.77"
        changed = snapshot.with_tables(real_servers=rows.drop(mine[9]))
        state = expected_on(changed, node)
        monkeypatch.setattr(drift_servers, "doubts", _counting(drift_servers.doubts, looked))
        by_numbers = list(server_drift(changed, node, state))
        monkeypatch.setattr(drift_servers, "doubts", lambda *_: None)
        assert by_numbers == list(server_drift(changed, node, state))
    assert looked[0] in range(1, 5), "nearly all are told by their numbers"
    assert {one.kind for one in by_numbers} == {"real-server-weight-0", "real-server-stale", "real-server-missing"}


def _counting(doubts: Callable[..., Doubts | None], looked: list[int]) -> Callable[..., Doubts | None]:
    def counted(*args: Any) -> Doubts | None:
        found = doubts(*args)
        assert found is not None
        looked.append(len(found.servers))
        return found

    return counted


def test_spilled_tables_are_the_same_tables(bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with open_bundle(bundle) as opened:
        plain = read(opened)
        monkeypatch.setattr("analyzer.snapshot.spill.ROWS_IN_MEMORY", 0)
        spilled = read(opened)
    for name, frame in plain.tables.items():
        assert spilled[name].astype("str").equals(frame.astype("str")), name
        assert [str(one) for one in spilled[name].dtypes] == [str(one) for one in frame.dtypes], name
    for node, tables in plain.by_node.items():
        assert set(spilled.by_node[node]) == set(tables)
        for name, frame in tables.items():
            left, right = (one.reset_index(drop=True).astype("str") for one in (spilled.by_node[node][name], frame))
            assert left.equals(right), (node, name)


def test_equal_tables_are_stored_once(bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("analyzer.snapshot.spill.ROWS_IN_MEMORY", 0)
    with api.opened(bundle) as snapshot:
        tables = snapshot.tables
        assert isinstance(tables, SpilledTables)
        stored = next(iter(tables.nodes.values()))
        slots = [Stored(stored.store, {"routes": snapshot["routes"]}).slots["routes"] for _ in range(2)]
    assert slots[0] == slots[1]


def test_expected_state_with_shared_steps_is_that_of_each_node_alone(bundle: Path) -> None:
    with api.opened(bundle) as snapshot:
        for node in snapshot.node_names:
            for family in families(snapshot, node):
                shared = expected_on(snapshot, node, family=family)
                alone = expected(snapshot.objects.services, proxy_node(snapshot, node), family=family)
                for one in fields(shared):
                    left, right = getattr(shared, one.name), getattr(alone, one.name)
                    assert left == right, (node, one.name)
                    if isinstance(left, dict):
                        assert list(left) == list(right), (node, one.name)


def test_nodes_come_in_the_order_of_what_each_one_adds(bundle: Path) -> None:
    with api.opened(bundle) as snapshot:
        world = build_world(snapshot)
        assert _by_difference(world) == _greedy(world, snapshot)


def _greedy(world: World, snapshot: Snapshot) -> list[str]:
    """The plain way: count what every node would add, take the first of the best, again."""
    services = [one for one in snapshot.objects.services if one.external_local or one.internal_policy == "Local"]
    having = {one.id: {end.node for end in one.endpoints if end.ready} for one in services}
    features = {}
    for node in world.node_names:
        regime = snapshot.regime(node)
        own = {(key, regime.value(key)) for key in ("proxy_mode", "kube_proxy_version", "data_path", "ipvs_filter")}
        own |= {(service, str(node in places)) for service, places in having.items()}
        features[node] = own | {("captures", ",".join(sorted(snapshot.captured.get(node, {}))))}
    left, seen, order = list(world.node_names), set(), []
    while left:
        best = max(left, key=lambda node: (len(features[node] - seen), -left.index(node)))
        if not features[best] - seen:
            return [*order, *left]
        order.append(best)
        left.remove(best)
        seen |= features[best]
    return order


def test_cells_are_counted_as_they_are_made(bundle: Path) -> None:
    with api.opened(bundle) as snapshot:
        world = build_world(snapshot)
        sizes = _Sizes(world)
        choose = random.Random(1)
        for count in range(1, len(world.node_names) + 1):
            nodes = choose.sample(world.node_names, count)
            targets, columns = _rows_and_columns(world, nodes, False)
            assert sizes.cells(nodes) == len(targets) * len(columns)


def test_matrix_tells_how_far_it_is(bundle: Path) -> None:
    told: list[tuple[int, int]] = []
    with api.opened(bundle) as snapshot:
        cells = walk_matrix(build_world(snapshot), progress=lambda done, total: told.append((done, total))).cells
    assert told == [(done, len(cells)) for done in range(1, len(cells) + 1)]
