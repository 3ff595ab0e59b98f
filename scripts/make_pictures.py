"""Draw the pictures of docs/forwarding.md from traces of the sample bundles; ``--check`` exits with 1 when one is out of date."""

from __future__ import annotations

import sys
from pathlib import Path

import analyzer
from analyzer.report.messages import Messages
from analyzer.report.svg_path import draw

ROOT = Path(__file__).parent.parent
PICTURES = ROOT / "docs" / "pictures"
N1, N3 = "node:cn-hongkong.10.0.2.77", "node:cn-hongkong.10.0.4.141"
TRACES = {
    "clb-reuse": ("clb-reuse", N1, "192.168.1.200:443", "refused"),
    "served": ("clb-reuse", N3, "192.168.1.200:80", "ok"),
    "local-terway": ("local-1.28-terway", N3, "192.168.1.200:80", "timeout"),
    "local-flannel": ("local-1.28-flannel", N3, "192.168.1.200:80", "ok"),
    "loopback": ("hostname-loopback", N1, "192.168.1.200:80", "timeout"),
}
"""Picture -> (sample, source, target, outcome of the path that is drawn)."""


def picture(sample: str, source: str, target: str, outcome: str) -> str:
    """The first path with that outcome."""
    with analyzer.opened(ROOT / "samples" / f"{sample}.tar.gz") as snapshot:
        trace = analyzer.trace(analyzer.build_world(snapshot), source, target)
    return str(draw(next(path for path in trace.paths if path.outcome == outcome), Messages("en"))) + "\n"


def main() -> int:
    PICTURES.mkdir(exist_ok=True)
    stale = []
    for name, what in TRACES.items():
        file, drawn = PICTURES / f"{name}.svg", picture(*what)
        if not file.exists() or file.read_text("utf-8") != drawn:
            stale.append(name)
            if "--check" not in sys.argv:
                file.write_text(drawn, "utf-8")
    if stale and "--check" in sys.argv:
        print(f"docs/pictures: {', '.join(stale)} not up to date: run scripts/make_pictures.py", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
