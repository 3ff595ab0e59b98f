"""kubectl get pods -o yaml to tables, against PyYAML's C loader (imports included).

The checksum is the number of pods and of those with an address.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

SIZE = 1_000
BASE = "CSafeLoader only"
TARGETS = {"ipvscope": "peak ≤ 200 MB at 63 MB"}
LOAD = """
import sys, yaml
with open(sys.argv[1], "rb") as file:
    items = yaml.load(file, yaml.CSafeLoader)["items"]
print(len(items), sum(1 for item in items if item["status"]["podIP"]))
"""
PARSE = """
import sys
from analyzer.parsers import registry
with open(sys.argv[1], "rb") as file:
    data = file.read()
[(form, parsed)] = registry.parse_member(data, "pods.yaml")
pods = parsed.tables["pods"]
print(len(pods), int(pods["ips"].notna().sum()))
"""


def missing() -> str:
    return ""


def make(path: Path, size: int) -> None:
    sys.path.insert(0, str(Path(__file__).parent.parent))
    import make_bundle
    import make_cluster

    listed = make_cluster.dump_list(make_bundle.pods(size, seed=1), "yaml")
    path.write_text(listed, encoding="utf-8")


def reference(path: Path) -> str:
    """By lines: what kubectl prints has one `podIP:` for each pod."""
    lines = path.read_text(encoding="utf-8").splitlines()
    found = [line.strip() for line in lines]
    return (
        json.dumps(None)
        if not found
        else f"{found.count('kind: Pod')} {sum(one.startswith('podIP:') for one in found)}"
    )


def ways(path: Path) -> Mapping[str, Sequence[str]]:
    return {
        BASE: [sys.executable, "-c", LOAD, str(path)],
        "ipvscope": [sys.executable, "-c", PARSE, str(path)],
    }
