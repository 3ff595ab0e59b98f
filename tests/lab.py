"""The recorded truth: captures of a real kernel with the measured result of every connection."""

from __future__ import annotations

import csv
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parent / "data" / "lab-truth"
CASES = tuple(sorted(path.name for path in ROOT.iterdir() if path.is_dir()))
FOLD = {"ok": "ok", "refused": "refused", "unknown": "unknown"}


@dataclass(frozen=True, slots=True)
class Measured:
    """One row of truth.csv: what really happened, several times in a row."""

    source: str
    target: str
    kind: str
    outcomes: frozenset[str]
    servers: frozenset[str]
    seen: frozenset[str]
    sticky: bool


def scenario(case: str) -> dict[str, Any]:
    loaded = yaml.safe_load((ROOT / case / "scenario.yaml").read_text("utf-8"))
    assert isinstance(loaded, dict)
    return loaded


def bundle(case: str) -> Path:
    return ROOT / case / "bundle.tar.gz"


def fold(outcomes: frozenset[str]) -> frozenset[str]:
    """Timeout, unreachable and locally blocked are one to a client: no answer."""
    return frozenset(FOLD.get(one, "no answer") for one in outcomes)


def _set(cell: str) -> frozenset[str]:
    return frozenset(part for part in cell.split(";") if part)


def measured(case: str) -> Iterator[Measured]:
    facts = scenario(case)
    nodes = facts["nodes"]
    sticky = {service["name"] for service in facts["services"] if service.get("affinity")}

    def server(name: str) -> str:
        if "@" in name:
            short = name.rpartition("@")[2]
            return f"node:{nodes.get(short, short)}"
        return f"external:{name.removeprefix('ecs-')}" if name.startswith("ecs-") else f"pod:{name.rpartition('/')[2]}"

    with (ROOT / case / "truth.csv").open(newline="") as file:
        for row in csv.DictReader(file):
            name = row["source"]
            source = {
                "node": f"node:{name}",
                "pod": f"pod:{name if '/' in name else 'default/' + name}",
                "external": f"external:{row['source_ip']}",
            }[row["source_kind"]]
            address = f"[{row['dest_ip']}]" if ":" in row["dest_ip"] else row["dest_ip"]
            yield Measured(
                source,
                f"{address}:{row['dest_port']}/{row['proto']}",
                row["dest_kind"].partition("@")[0],
                fold(_set(row["outcome"])),
                frozenset(server(one) for one in _set(row["server"])),
                _set(row["seen_source_ip"]),
                row["service"] in sticky,
            )


def bare(servers: tuple[str, ...]) -> frozenset[str]:
    """Pods without their namespace: the truth names pods bare."""
    return frozenset(f"pod:{one.rpartition('/')[2]}" if one.startswith("pod:") else one for one in servers)


class Scores:
    """Right and all cells by destination kind and by mechanism, for the table at the end of a test run."""

    def __init__(self) -> None:
        self.rows: dict[tuple[str, str], list[int]] = {}

    def add(self, kind: str, mechanism: str, *, outcome: bool, server: bool, source: bool, answered: bool) -> None:
        for key in (("destination", kind), ("mechanism", mechanism), ("", "all")):
            row = self.rows.setdefault(key, [0, 0, 0, 0, 0])
            row[0] += 1
            row[1] += outcome
            row[2] += answered
            row[3] += answered and server
            row[4] += answered and source

    def table(self) -> str:
        lines = [f"{'':12} {'':28} {'cells':>6} {'right':>8} {'answered':>9} {'server':>8} {'source':>8}"]
        for (group, name), (cells, right, answered, server, source) in sorted(self.rows.items()):
            share = f"{100 * right / cells:7.2f}%"
            served = f"{100 * server / answered:7.2f}% {100 * source / answered:7.2f}%" if answered else ""
            lines.append(f"{group:12} {name:28} {cells:6} {share} {answered:9} {served}")
        return "\n".join(lines)


SCORES = Scores()


def unpack(case: str, folder: Path) -> Path:
    """The capture's files in `folder`. (Our own archives; `filter=` needs Python 3.11.4.)"""
    with tarfile.open(bundle(case)) as archive:
        archive.extractall(folder)
    return folder
