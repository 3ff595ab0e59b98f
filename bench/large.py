"""Whole analyses of large clusters: ``ipvscope analyze BUNDLE`` with HTML and JSON, as a user runs it, without limits.

CPU and memory are those of the command and all that it starts; the bundle is an archive of `make_cluster.py`.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

SIZES = "50x1000,100x1000,200x1000"
"""NODESxSERVICES; the target is 5000x5000 within 4 GB."""
CONNTRACK = 100
RUN = """
import sys
from analyzer.cli.main import main
sys.argv[1:] = ["analyze", sys.argv[1], "-o", sys.argv[2], "--format", "html,json", "--limits", "off", "--fail-on", "never"]
main()
"""


def records(
    measure: Callable[[Sequence[str]], tuple[float, float, str]], folder: Path, sizes: str
) -> Iterator[dict[str, Any]]:
    """One record per size."""
    for size in sizes.split(","):
        nodes, _, services = size.partition("x")
        bundle, out = folder / f"large-{size}.tar.gz", folder / f"large-{size}"
        options = [f"--nodes={nodes}", f"--services={services}", f"--conntrack={CONNTRACK}", "--dump=json"]
        measure([sys.executable, str(Path(__file__).with_name("make_cluster.py")), *options, "--out", str(bundle)])
        begun = time.monotonic()
        cpu, rss, said = measure([sys.executable, "-c", RUN, str(bundle), str(out)])
        wall = time.monotonic() - begun
        record = {
            "kind": "large", "nodes": int(nodes), "services": int(services), "conntrack": CONNTRACK,
            "packed": bundle.stat().st_size if bundle.exists() else 0,
        }  # fmt: skip
        bundle.unlink(missing_ok=True)
        report = out / "report.json"
        if not report.exists():
            yield {**record, "wrong": said[:200]}
            continue
        told = json.loads(report.read_bytes())
        yield {
            **record, "cpu_s": round(cpu, 1), "wall_s": round(wall, 1), "rss_mb": round(rss), "findings": len(told["findings"]),
            "html": (out / "report.html").stat().st_size, "json": report.stat().st_size,
        }  # fmt: skip
