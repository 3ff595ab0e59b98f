"""conntrack -L with 0.1 % bad lines and with mixed layouts, against the plain table of as many rows.

The checksum is rows and bad lines, and the sums of the four ports; the reference is the project's own parser line by line
(`conntrack_slow`), because what is a bad line is its decision: a separator between two captures is none, a line without its
reply tuple is a row with a note.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
import conntrack

SIZE = 200_000
BASE = "plain"
TARGETS = {"0.1 % bad lines": "≤ 1.1x", "mixed layouts": "≤ 2x"}
FORMS: Mapping[str, Mapping[str, object]] = {
    "plain": {},
    "0.1 % bad lines": {"bad": 0.001},
    "mixed layouts": {"layouts": "mixed"},
}


def missing() -> str:
    return conntrack.missing()


def make(path: Path, size: int) -> None:
    sys.path.insert(0, str(Path(__file__).parent.parent))
    import make_bundle

    path.mkdir()
    for number, options in enumerate(FORMS.values()):
        make_bundle.write_lines(make_bundle.conntrack(size, 1, **options), path / str(number))  # type: ignore[arg-type]


def reference(path: Path) -> Mapping[str, str]:
    run = conntrack.PARSE.format(slow="_slow", ports=conntrack.PORTS)
    root = str(Path(__file__).parent.parent.parent)
    return {
        name: subprocess.run(
            [sys.executable, "-c", run, str(path / str(number))], check=True, capture_output=True, text=True,
            env={**os.environ, "PYTHONPATH": root},
        ).stdout.strip()
        for number, name in enumerate(FORMS)
    }  # fmt: skip


def ways(path: Path) -> Mapping[str, Sequence[str]]:
    run = conntrack.PARSE.format(slow="", ports=conntrack.PORTS)
    return {name: [sys.executable, "-c", run, str(path / str(number))] for number, name in enumerate(FORMS)}
