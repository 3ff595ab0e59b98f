"""conntrack -L with 0.1 % bad lines and with mixed layouts, against the plain table of as many rows.

The checksum is rows and bad lines, and the sums of the four ports.
"""

from __future__ import annotations

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
    return {name: conntrack.reference(path / str(number)) for number, name in enumerate(FORMS)}


def ways(path: Path) -> Mapping[str, Sequence[str]]:
    run = conntrack.PARSE.format(slow="", ports=conntrack.PORTS)
    return {name: [sys.executable, "-c", run, str(path / str(number))] for number, name in enumerate(FORMS)}
