"""Print what each foreign layout lets the walk say of the measured connections: ``python -m tests.bundle.foreign [NAME ...]``."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from .capture import CASES
from .harness import capture
from .score import NAMES, Score, score


def row(name: str) -> str:
    with tempfile.TemporaryDirectory() as folder:
        scores = [score(name, capture(case), Path(folder) / case) for case in CASES]
    total = Score(*(sum(getattr(one, part) for one in scores) for part in ("cells", "right", "unknown")))
    wrong = [line for one in scores for line in one.wrong]
    false_ok = sum(one.false_ok for one in scores)
    each = " ".join(f"{100 * one.right / one.cells:.1f}" for one in scores)
    for line in wrong:
        print(f"wrong ({name}): {line}", file=sys.stderr)
    return f"| {name} | {total.cells} | {100 * total.right / total.cells:.2f} | {total.unknown} | {len(wrong)} | {false_ok} | {each} |"


def main() -> None:
    print(
        "| layout | cells | right % | unknown | wrong | false ok | right % of each capture |\n|---|---|---|---|---|---|---|"
    )
    for name in sys.argv[1:] or NAMES:
        print(row(name), flush=True)


main()
