"""Captures of the lab, whole or with conntrack lines edited."""

from __future__ import annotations

import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path

import pandas as pd

from analyzer import api
from analyzer.forwarding import Matrix, World, build_world, matrix, parse_source, parse_target
from analyzer.observations import Observations, Seen, observe
from analyzer.parsers import conntrack
from analyzer.snapshot import Snapshot
from analyzer.tables import CONNECTIONS
from tests import lab

ONE = "1.28.3-terway-local-one"
N1, N2, N3 = (f"cn-hongkong.{ip}" for ip in ("10.0.2.77", "10.0.0.171", "10.0.4.141"))
CLB = "192.168.1.200:80/tcp"


@contextmanager
def compared(bundle: Path) -> Iterator[tuple[Snapshot, World, Matrix, Observations]]:
    """Open a bundle, walk its matrix and compare. Of pods that are alike the first by name is asked, which the edits expect."""
    with api.opened(bundle) as opened:
        snapshot = opened.with_tables(pods=opened["pods"].sort_values("name"))
        world = build_world(snapshot)
        cells = matrix(world)
        yield snapshot, world, cells, observe(snapshot, world, cells)


def edited(folder: Path, case: str, node: str, *changes: tuple[str, str], member: str = "conntrack-L*") -> Path:
    """Unpack a case and replace text in the captures of one node; every change must be found."""
    lab.unpack(case, folder)
    for file in sorted(folder.rglob(f"nodes/{node}/{member}.txt")):
        text = file.read_text("utf-8")
        for old, new in changes:
            assert old in text, f"{file.name} has no {old!r}"
            text = text.replace(old, new)
        file.write_text(text, "utf-8")
    return folder


@lru_cache(maxsize=1)
def one() -> tuple[Snapshot, World, Matrix]:
    """The case most tests start from, read once; it is closed, so its lines cannot be quoted any more."""
    with compared(lab.bundle(ONE)) as (snapshot, world, cells, _):
        return snapshot, world, cells


def with_lines(node: str, *changes: tuple[str, str]) -> tuple[Snapshot, str]:
    """That case with text of one node's conntrack capture replaced and read again; the second value is the text."""
    name = f"nodes/{node}/conntrack-L-extended.txt"
    with tarfile.open(lab.bundle(ONE)) as archive:
        member = next(each for each in archive.getnames() if each.endswith(name))
        stream = archive.extractfile(member)
        assert stream is not None
        text = stream.read().decode()
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    rows = conntrack.parse(text.encode(), name).tables["connections"].assign(node=node)
    connections = one()[0]["connections"]
    others = connections[connections["node"] != node]
    united = pd.concat([others.astype("object"), rows.astype("object")], ignore_index=True)
    return one()[0].with_tables(connections=CONNECTIONS.conform(united)), text


def cell(observations: Observations, world: World, source: str, target: str) -> Seen:
    key = (parse_source(source, world), parse_target(target))
    return next(one for one in observations.cells if (one.source, one.target) == key)
