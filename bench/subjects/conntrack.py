"""conntrack -L to a typed frame, imports included, against mawk by key.

The checksum is rows, bad lines, and the sums of the four ports.
"""

from __future__ import annotations

import importlib.util
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

SIZE = 1_000_000
BASE = "mawk by key"
TARGETS = {"ipvscope": "≤ 0.5x, peak ≤ 2x file"}
PORTS = ("orig_sport", "orig_dport", "reply_sport", "reply_dport")
# By key, as the parser reads: a row needs both tuples. Ports are absent from ICMP.
MAWK = r"""
{
  n = 0; ok = 0; rsrc = ""; dst = 0; split("", v)
  for (i = 1; i <= NF; i++) {
    p = index($i, "=")
    if (!p) continue
    key = substr($i, 1, p - 1); value = substr($i, p + 1)
    if (key == "src") n++
    v[n key] = value
  }
  if (n == 2 && ("1dst" in v) && ("2dst" in v) && $2 ~ /^[0-9]+$/) {
    rows++
    a += v["1sport"]; b += v["1dport"]; c += v["2sport"]; d += v["2dport"]
  } else bad++
}
END { printf "%d %d %.0f %.0f %.0f %.0f\n", rows, bad, a, b, c, d }
"""
PARSE = """
import sys
from analyzer.parsers import conntrack{slow}
with open(sys.argv[1], "rb") as file:
    data = file.read()
parsed = conntrack{slow}.parse(data, "conntrack-L.txt")
frame = parsed.tables["connections"]
print(len(frame), parsed.lines.noted, *(int(frame[name].sum()) for name in {ports}))
"""


def missing() -> str:
    return "" if importlib.util.find_spec("analyzer.parsers.conntrack") else "analyzer.parsers.conntrack is not there"


def make(path: Path, size: int) -> None:
    sys.path.insert(0, str(Path(__file__).parent.parent))
    import make_bundle

    make_bundle.write_lines(make_bundle.conntrack(size, seed=1), path)


def reference(path: Path) -> str:
    """By lines with `str.split`, the plainest way."""
    rows = bad = 0
    sums = [0, 0, 0, 0]
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            pairs = [token.partition("=") for token in line.split() if "=" in token]
            starts = [at for at, pair in enumerate(pairs) if pair[0] == "src"]
            if len(starts) != 2:
                bad += 1
                continue
            rows += 1
            tuples = (
                {key: value for key, _, value in pairs[: starts[1]]},
                {key: value for key, _, value in pairs[starts[1] :]},
            )
            for at, (which, key) in enumerate(((0, "sport"), (0, "dport"), (1, "sport"), (1, "dport"))):
                sums[at] += int(tuples[which].get(key, 0))
    return " ".join(map(str, (rows, bad, *sums)))


def ways(path: Path) -> Mapping[str, Sequence[str]]:
    found: dict[str, Sequence[str]] = {}
    if mawk := shutil.which("mawk"):
        found[BASE] = [mawk, MAWK, str(path)]
    found["ipvscope"] = [sys.executable, "-c", PARSE.format(slow="", ports=PORTS), str(path)]
    return found
