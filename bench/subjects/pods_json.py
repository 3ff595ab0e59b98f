"""kubectl get pods -o json to tables (imports included).

The checksum is the number of pods and of those with an address.
"""

from __future__ import annotations

import importlib.util
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

SIZE = 20_000
BASE = "json.load only"
TARGETS = {"parsing": "≥ 300 MB/s"}
LESS = {"parsing": (("ipvscope", "imports alone"), (BASE, ""))}
LOAD = """
import json, sys
with open(sys.argv[1], "rb") as file:
    items = json.load(file)["items"]
print(len(items), sum(1 for item in items if item["status"]["podIP"]))
"""
PARSE = """
import sys
from analyzer.parsers import registry
with open(sys.argv[1], "rb") as file:
    data = file.read()
[(form, parsed)] = registry.parse_member(data, "pods.json")
pods = parsed.tables["pods"]
print(len(pods), int(pods["ips"].notna().sum()))
"""
IMPORTS = """
from analyzer.parsers import registry
registry.parse_member(b'{"apiVersion": "v1", "kind": "List", "items": []}', "pods.json")
import pandas, pyarrow
print(0, 0)
"""


def missing() -> str:
    return (
        ""
        if importlib.util.find_spec("analyzer.parsers.kubectl_json")
        else "analyzer.parsers.kubectl_json is not there"
    )


def make(path: Path, size: int) -> None:
    sys.path.insert(0, str(Path(__file__).parent.parent))
    import make_bundle

    make_bundle.write_list(make_bundle.pods(size, seed=1), path)


def reference(path: Path) -> Mapping[str, str]:
    items = json.loads(path.read_bytes())["items"]
    told = f"{len(items)} {sum(1 for item in items if item['status']['podIP'])}"
    return {BASE: told, "ipvscope": told, "imports alone": "0 0"}


def ways(path: Path) -> Mapping[str, Sequence[str]]:
    return {
        BASE: [sys.executable, "-c", LOAD, str(path)],
        "ipvscope": [sys.executable, "-c", PARSE, str(path)],
        "imports alone": [sys.executable, "-c", IMPORTS],
    }
