"""The matrix as a table: complete, and cell by cell what a single probe says."""

from __future__ import annotations

import io
from pathlib import Path

import pandas as pd

from analyzer import api
from analyzer.forwarding import build_world, matrix
from tests.cli.test_commands import SAMPLES, run


def test_matrix_is_written_as_csv_and_parquet(tmp_path: Path) -> None:
    sample = str(SAMPLES / "clb-reuse.tar.gz")
    printed = run("matrix", sample)
    assert printed.returncode == 0, printed.stderr
    frame = pd.read_csv(io.StringIO(printed.stdout), dtype="str", keep_default_na=False)
    assert len(frame) == 63
    refused = frame[frame["target"] == "192.168.1.200:443/tcp"].groupby("outcome").size().to_dict()
    assert refused == {"ok": 1, "refused": 8}
    assert run("matrix", sample, "-o", str(tmp_path / "m.parquet")).returncode == 0
    assert pd.read_parquet(tmp_path / "m.parquet").astype("str").equals(frame.astype("str"))


def test_listeners_add_ports_that_only_a_node_answers() -> None:
    with api.opened(SAMPLES / "local-1.22-terway.tar.gz") as snapshot:
        world = build_world(snapshot)
        plain, more = matrix(world), matrix(world, listeners=True)
    added = {str(row.target) for row in more.targets} - {str(row.target) for row in plain.targets}
    assert "192.168.1.200:22/tcp" in added
    outcomes = {
        verdict.outcome for (source, target), verdict in more.cells.items()
        if str(target) == "192.168.1.200:22/tcp" and source.kind != "external"
    }  # fmt: skip
    assert outcomes == {"wrong-server"}, "up to 1.25 the node's own sshd answers on the load balancer's address"


def test_a_limit_says_what_was_left_out() -> None:
    with api.opened(SAMPLES / "clb-reuse.tar.gz") as snapshot:
        world = build_world(snapshot)
        few = matrix(world, max_cells=20)
    assert len(few.cells) <= 20
    assert few.left_out
