"""The whole analysis of a cluster with 2 Services and 10 conntrack entries a node for each 1 of 1,000, against mawk to CSV.

The checksum is the rows of virtual servers, real servers and connections.
"""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

SIZE = 10
"""Nodes; each has ten thousand conntrack entries, the cluster twenty Services for each node."""
BASE = "mawk to CSV"
TARGETS = {"ipvscope load": "", "ipvscope analyze": "≤ 3x"}
MAWK = r"""
FILENAME ~ /ipvsadm/ && ($1 == "TCP" || $1 == "UDP") { vs++; key = $1 "," $2; print key "," $3 > "/dev/null"; next }
FILENAME ~ /ipvsadm/ && $1 == "->" && $5 ~ /^[0-9]+$/ { rs++; print key "," $2 "," $4 "," $5 "," $6 > "/dev/null"; next }
FILENAME ~ /conntrack/ {
  n = 0; split("", v)
  for (i = 1; i <= NF; i++) {
    p = index($i, "=")
    if (!p) continue
    key = substr($i, 1, p - 1)
    if (key == "src") n++
    v[n key] = substr($i, p + 1)
  }
  if (n == 2) { ct++; print v["1src"] "," v["1dst"] "," v["1sport"] "," v["1dport"] "," v["2src"] "," v["2dst"] > "/dev/null" }
}
END { print vs, rs, ct }
"""
RUN = """
import sys
from analyzer import api
with api.opened(sys.argv[1]) as snapshot:
    if sys.argv[2] == "analyze":
        api.analyze(snapshot)
    print(*(len(snapshot[name]) for name in ("virtual_servers", "real_servers", "connections")))
"""


def missing() -> str:
    return "" if shutil.which("mawk") else "mawk is not installed"


def make(path: Path, size: int) -> None:
    import subprocess

    generator = Path(__file__).parent.parent / "make_cluster.py"
    options = [f"--nodes={size}", f"--services={size * 20}", "--conntrack=10000"]
    subprocess.run([sys.executable, str(generator), *options, "--out", str(path)], check=True)


def reference(path: Path) -> str:
    virtual = real = entries = 0
    for file in path.glob("nodes/*/ipvsadm-Ln.txt"):
        lines = file.read_text(encoding="utf-8").splitlines()[3:]
        virtual += sum(bool(re.match(r"(TCP|UDP) ", line)) for line in lines)
        real += sum(line.startswith("  -> ") for line in lines)
    for file in path.glob("nodes/*/conntrack-L.txt"):
        entries += sum(line.count("src=") == 2 for line in file.read_text(encoding="utf-8").splitlines())
    return f"{virtual} {real} {entries}"


def ways(path: Path) -> Mapping[str, Sequence[str]]:
    files = [str(file) for name in ("ipvsadm-Ln", "conntrack-L") for file in sorted(path.glob(f"nodes/*/{name}.txt"))]
    return {
        BASE: [shutil.which("mawk") or "mawk", MAWK, *files],
        "ipvscope load": [sys.executable, "-c", RUN, str(path), "load"],
        "ipvscope analyze": [sys.executable, "-c", RUN, str(path), "analyze"],
    }
