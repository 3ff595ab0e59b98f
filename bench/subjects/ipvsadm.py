"""ipvsadm -Ln of one node, against mawk to CSV (Python includes its imports).

The checksum is virtual servers, real servers, and the sums of weights and active connections.
"""

from __future__ import annotations

import importlib.util
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

SIZE = 17_500
BASE = "mawk to CSV"
TARGETS = {"a further equal node": "≤ 0.6x"}
LESS = {
    "a further equal node": (("ipvscope, 2 nodes", "ipvscope, 1 node"), (BASE, "")),
    "a further unlike node": (("ipvscope, 2 unlike nodes", "ipvscope, 1 node"), (BASE, "")),
}
MAWK = r"""
$1 == "TCP" || $1 == "UDP" || $1 == "SCTP" { vs++; key = $1 "," $2; print key "," $3 > "/dev/null"; next }
$1 == "->" && $5 ~ /^[0-9]+$/ { rs++; w += $4; a += $5; print key "," $2 "," $3 "," $4 "," $5 "," $6 > "/dev/null" }
END { printf "%d %d %d %d\n", vs, rs, w, a }
"""
PARSE = """
import sys
from analyzer.parsers import registry
with open(sys.argv[1], "rb") as file:
    data = file.read()
for number in range({times}):
    one = data.replace(b" Masq ", b" Route" if number else b" Masq ") if {unlike} else data
    [(form, parsed)] = registry.parse_member(one, "ipvsadm-Ln.txt")
real = parsed.tables["real_servers"]
print(len(parsed.tables["virtual_servers"]), len(real), int(real["weight"].sum()), int(real["active"].sum()))
"""


def missing() -> str:
    return (
        ""
        if importlib.util.find_spec("analyzer.parsers.ipvsadm_list")
        else "analyzer.parsers.ipvsadm_list is not there"
    )


def make(path: Path, size: int) -> None:
    sys.path.insert(0, str(Path(__file__).parent.parent))
    import make_bundle

    make_bundle.write_lines(make_bundle.ipvsadm(size, seed=1), path)


def reference(path: Path) -> str:
    rows = [line.split() for line in path.read_text(encoding="utf-8").splitlines()[3:]]
    real = [row for row in rows if row[0] == "->"]
    return f"{len(rows) - len(real)} {len(real)} {sum(int(row[3]) for row in real)} {sum(int(row[4]) for row in real)}"


def ways(path: Path) -> Mapping[str, Sequence[str]]:
    found: dict[str, Sequence[str]] = {}
    if mawk := shutil.which("mawk"):
        found[BASE] = [mawk, MAWK, str(path)]
    for times in (1, 2):  # the difference is a further node with the same content
        run = PARSE.format(times=times, unlike=False)
        found[f"ipvscope, {times} node{'s' * (times > 1)}"] = [sys.executable, "-c", run, str(path)]
    found["ipvscope, 2 unlike nodes"] = [sys.executable, "-c", PARSE.format(times=2, unlike=True), str(path)]
    return found
