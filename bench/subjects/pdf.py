"""The PDF of 10, 100 and 1,000 findings (imports and the rendering child included).

The checksum is the number of findings, and that a PDF came out.
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

SIZE = 1_000
BASE = "10 findings"
TARGETS = {"100 findings": "≤ 3x", "1000 findings": "≤ 6 s"}
RUN = """
import dataclasses, sys
from analyzer.cli.words import words
from analyzer.report import pdf
from tests.report import make
count = int(sys.argv[1])
whole = make.analysis()
one = whole.findings.findings[0]
many = tuple(dataclasses.replace(one, about=f"shop/web-{number}") for number in range(count))
made = pdf.render(dataclasses.replace(whole, findings=dataclasses.replace(whole.findings, findings=many)), words("en"))
print(len(many), made[:5].decode())
"""


def missing() -> str:
    return "" if importlib.util.find_spec("weasyprint") else "weasyprint is not installed"


def make(path: Path, size: int) -> None:
    path.write_text(f"{size}\n", encoding="utf-8")


def reference(path: Path) -> Mapping[str, str]:
    most = int(path.read_text(encoding="utf-8"))
    return {f"{count} findings": f"{count} %PDF-" for count in (most // 100, most // 10, most)}


def ways(path: Path) -> Mapping[str, Sequence[str]]:
    most = int(path.read_text(encoding="utf-8"))
    return {f"{count} findings": [sys.executable, "-c", RUN, str(count)] for count in (most // 100, most // 10, most)}
