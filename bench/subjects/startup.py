"""The start of the command line; importing the package loads no heavy library (checksum: how many of them are loaded)."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

SIZE = 1
BASE = "python -c pass"
TARGETS = {"ipvscope --help": "≤ 5x", "import analyzer": "0 heavy modules"}
PASS = "print(0)"
HELP = """
import contextlib, io, sys
from analyzer.cli.main import main
sys.argv = ["ipvscope", "--help"]
with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit):
    main()
print(sum(name in sys.modules for name in ("pandas", "pyarrow", "weasyprint")))
"""
IMPORT = """
import sys
import analyzer
print(sum(name in sys.modules for name in ("pandas", "pyarrow", "weasyprint")))
"""


def missing() -> str:
    return ""


def make(path: Path, size: int) -> None:
    path.write_text(f"{size}\n", encoding="utf-8")


def reference(path: Path) -> str:
    return "0"


def ways(path: Path) -> Mapping[str, Sequence[str]]:
    return {
        BASE: [sys.executable, "-c", PASS],
        "import analyzer": [sys.executable, "-c", IMPORT],
        "ipvscope --help": [sys.executable, "-c", HELP],
    }
