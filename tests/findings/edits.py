"""Ways to change an unpacked capture in one place, and what the analysis says of it then."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from analyzer import api
from analyzer.findings import Finding, Findings, find
from analyzer.forwarding import build_world, matrix
from tests import lab

TERWAY = "1.28.3-terway-cluster"
N1, N2, N3 = "cn-hongkong.10.0.2.77", "cn-hongkong.10.0.0.171", "cn-hongkong.10.0.4.141"


@pytest.fixture
def unpack(tmp_path: Path) -> Callable[[str], Path]:
    def unpacked(case: str) -> Path:
        lab.unpack(case, tmp_path / case)
        return tmp_path / case

    return unpacked


def edit(path: Path, pattern: str, by: str, count: int = 0) -> None:
    text = path.read_text()
    changed = re.sub(pattern, by, text, count=count, flags=re.MULTILINE)
    assert changed != text, f"{pattern!r} is not in {path}"
    path.write_text(changed)


def edit_json(path: Path, change: Callable[[Any], None]) -> None:
    loaded = json.loads(path.read_text())
    change(loaded)
    path.write_text(json.dumps(loaded, indent=1))


def found(folder: Path) -> Findings:
    with api.opened(folder) as snapshot:
        world = build_world(snapshot)
        return find(snapshot, world, matrix(world))


def only(findings: Findings, rule: str) -> Finding:
    hits = [one for one in findings.findings if one.rule == rule]
    assert len(hits) == 1, [(one.rule, one.about) for one in findings.findings]
    return hits[0]


def rules(findings: Findings) -> set[str]:
    return {one.rule for one in findings.findings}


def node_files(folder: Path, node: str, name: str) -> list[Path]:
    return sorted((folder / "nodes" / node).glob(name))


def servers(folder: Path, node: str, change: Callable[[str], str]) -> None:
    """Change `ipvsadm -Ln` of a node and drop its other listings."""
    for name in ("ipvsadm-save-n.txt", "ipvsadm-Ln-stats.txt"):
        for path in node_files(folder, node, name):
            path.unlink()
    path = folder / "nodes" / node / "ipvsadm-Ln.txt"
    before = path.read_text()
    after = change(before)
    assert after != before
    path.write_text(after)
