"""One bundle whose names are payloads, through every output: pages, JSON, PDF, tables, the terminal."""

from __future__ import annotations

import csv
import io
import json
import re
import subprocess
import sys
import tarfile
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

SAMPLE = Path(__file__).parents[2] / "samples" / "clb-reuse.tar.gz"
PAYLOAD = (
    "=1+cmd|' /C calc'!A0<script>alert(1)</script>\"><img src=x onerror=alert(2)></style></text><svg onload=alert(3)>"
    "{0.__class__}%(x)s{{7*7}}${7*7}\x1b]0;owned\x07\x1b[2J\x9b31m\u202e;@SUM(1)\nFAKE LINE\r&#x3c;"
)
SOURCE, TARGET = "node:cn-hongkong.10.0.4.141", "192.168.1.200:443"
REPLACED = {"nginx": PAYLOAD, "tcp-80": PAYLOAD, "https": PAYLOAD, "lb-j6c3e705f3f808e03": PAYLOAD}


def poisoned(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: poisoned(item) for key, item in value.items()}
    if isinstance(value, list):
        return [poisoned(item) for item in value]
    return REPLACED.get(value, value) if isinstance(value, str) else value


@pytest.fixture(scope="module")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The sample as it is, and with the names of a Service, its ports and its load balancer replaced."""
    at = tmp_path_factory.mktemp("poison")
    for name in ("plain", "poisoned"):
        with tarfile.open(SAMPLE) as archive:
            archive.extractall(at / name, filter="data")
    for path in (at / "poisoned").rglob("*.json"):
        try:
            document = json.loads(path.read_text("utf-8"))
        except ValueError:
            continue
        path.write_text(json.dumps(poisoned(document), indent=1), "utf-8")
    for path in (at / "poisoned").rglob("sysctl.txt"):
        path.write_text(path.read_text("utf-8") + f"net.evil = {PAYLOAD}\n", "utf-8")
    return at / "plain", at / "poisoned"


def ipvscope(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "analyzer.cli.main", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, encoding="utf-8", check=False)


@pytest.fixture(scope="module")
def reports(bundles: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    out = []
    for bundle in bundles:
        out.append(tmp_path_factory.mktemp("report"))
        done = ipvscope("analyze", bundle, "-o", out[-1], "-f", "html", "-f", "json", "--no-simulate")
        assert done.returncode == 1, done.stderr
        (out[-1] / "printed").write_text(done.stdout, "utf-8")
    return out


class Page(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.kinds: Counter[tuple[str, ...]] = Counter()
        self.text: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.kinds[tag, *sorted(name for name, _ in attrs)] += 1

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def test_the_page_has_no_element_that_the_plain_one_has_not(reports: list[Path]) -> None:
    plain, evil = (Page((out / "report.html").read_text("utf-8")) for out in reports)
    assert set(evil.kinds) <= set(plain.kinds) | {("wbr",)}
    assert evil.kinds["script",] == plain.kinds["script",]
    assert "<script>alert(1)</script>" in "".join(evil.text)
    assert "{0.__class__}%(x)s{{7*7}}${7*7}" in "".join(evil.text)


def test_reports_hold_no_control_characters(reports: list[Path]) -> None:
    for name in ("report.html", "report.json", "printed"):
        text = (reports[1] / name).read_text("utf-8")
        assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e]", text), name
    assert "alert(1)" in json.dumps(json.loads((reports[1] / "report.json").read_text("utf-8")))


@pytest.mark.parametrize(
    "arguments",
    [
        ("matrix", "BUNDLE", "--max-cells", 40),
        ("inspect", "BUNDLE", "-t", "services"),
        ("inspect", "BUNDLE", "-t", "service_ports"),
        ("inspect", "BUNDLE", "-t", "sysctls"),
    ],
)
def test_cells_are_no_formulas(bundles: tuple[Path, Path], arguments: tuple[object, ...]) -> None:
    done = ipvscope(*(bundles[1] if one == "BUNDLE" else one for one in arguments))
    assert done.returncode == 0, done.stderr
    rows = list(csv.reader(io.StringIO(done.stdout)))
    cells = [cell for row in rows for cell in row]
    assert {len(row) for row in rows} == {len(rows[0])}
    assert any("cmd|" in cell for cell in cells)
    for cell in cells:
        for part in re.split(r"[;\t\n]", cell):
            assert not part.lstrip().startswith(("=", "+", "@")), cell
            assert not part.lstrip().startswith("-") or re.fullmatch(r"-\d+(\.\d+)?", part), cell
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e]", done.stdout)


@pytest.mark.parametrize(
    "arguments",
    [
        ("inspect", "BUNDLE"),
        ("trace", "BUNDLE", "--from", SOURCE, "--to", TARGET),
        (
            "whatif",
            "BUNDLE",
            "--apply",
            "service default/" + PAYLOAD.replace("\n", " ") + " externalTrafficPolicy=Local",
        ),
        ("whatif", "BUNDLE", "--apply", f"drain {SOURCE[5:]}"),
        ("diff", "PLAIN", "BUNDLE", "--max-cells", 40),
        ("expected", "BUNDLE", "--node", SOURCE[5:], "--what", "all", "--diff"),
    ],
    ids=lambda arguments: " ".join(map(str, arguments[:1])),
)
def test_the_terminal_is_not_driven(bundles: tuple[Path, Path], arguments: tuple[object, ...]) -> None:
    names = {"PLAIN": bundles[0], "BUNDLE": bundles[1]}
    done = ipvscope(*(names.get(str(one), one) for one in arguments))
    assert "Traceback" not in done.stderr
    assert done.returncode in (0, 1, 2), done.stderr
    for text in (done.stdout, done.stderr):
        assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e]", text)
        assert not re.search(r"^\s*FAKE LINE", text, re.MULTILINE)


def test_the_words_of_a_bundle_are_no_templates(reports: list[Path]) -> None:
    for name in ("report.html", "printed", "report.json"):
        assert "<class" not in (reports[1] / name).read_text("utf-8")
        assert "&lt;class" not in (reports[1] / name).read_text("utf-8")
