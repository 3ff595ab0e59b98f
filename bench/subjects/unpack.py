"""Reading a packed bundle: all members of a .tar.gz, against gzip -dc.

The checksum is the bytes of all members; for gzip those of the archive are not counted, only that it ends well.
"""

from __future__ import annotations

import subprocess
import sys
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path

SIZE = 12
BASE = "gzip -dc"
RUN = """
import sys
from analyzer.bundle import open_bundle
with open_bundle(sys.argv[1]) as bundle:
    print(sum(len(member.read()) for member in bundle.members))
"""


def missing() -> str:
    return ""


def make(path: Path, size: int) -> None:
    generator = Path(__file__).parent.parent / "make_cluster.py"
    options = [f"--nodes={size}", "--services=100", "--conntrack=10000"]
    packed = path.with_suffix(".tar.gz")
    subprocess.run([sys.executable, str(generator), *options, "--out", str(packed)], check=True)
    packed.rename(path)


def reference(path: Path) -> Mapping[str, str]:
    with tarfile.open(path) as archive:
        return {BASE: "", "ipvscope": str(sum(member.size for member in archive if member.isfile()))}


def ways(path: Path) -> Mapping[str, Sequence[str]]:
    return {
        BASE: ["sh", "-c", 'gzip -dc <"$1" >/dev/null', "sh", str(path)],
        "ipvscope": [sys.executable, "-c", RUN, str(path)],
    }
