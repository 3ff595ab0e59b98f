"""The process that renders the PDF: what a page names is not fetched, and it may not take the machine."""

from __future__ import annotations

import http.server
import importlib.util
import json
import subprocess
import sys
import threading
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(not importlib.util.find_spec("weasyprint"), reason="WeasyPrint is not installed")


def child(page: str, setting: str = "pass") -> subprocess.CompletedProcess[bytes]:
    code = f"import sys; from analyzer.report import pdf_child; {setting}; sys.exit(pdf_child.main())"
    order = json.dumps({"page": page, "cjk": False, "attached": [], "identifier": "00"})
    return subprocess.run([sys.executable, "-c", code], input=order.encode(), capture_output=True, check=False)


class Asked(http.server.BaseHTTPRequestHandler):
    paths: list[str] = []  # noqa: RUF012

    def do_GET(self) -> None:
        self.paths.append(self.path)
        self.send_response(404)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


def test_nothing_that_a_page_names_is_fetched(tmp_path: Path) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("the-secret-of-this-machine")
    with http.server.HTTPServer(("127.0.0.1", 0), Asked) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        web, file = f"http://127.0.0.1:{server.server_port}", secret.as_uri()
        page = "".join(
            f"""<link rel=stylesheet href="{base}"><link rel=attachment href="{base}"><link rel=icon href="{base}">
            <style>@import "{base}"; @font-face {{font-family: f; src: url({base})}} p {{font-family: f; background: url({base})}}</style>
            <p>text</p><img src="{base}"><object data="{base}"></object><embed src="{base}"><a rel=attachment href="{base}">a</a>
            <svg width=9 height=9><image href="{base}" width=9 height=9/><use href="{base}#a"/></svg>"""
            for base in (web + "/x", file)
        )
        done = child(page)
        server.shutdown()
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(b"%PDF-")
    assert Asked.paths == []
    pypdf = pytest.importorskip("pypdf")
    reader = pypdf.PdfReader(__import__("io").BytesIO(done.stdout))
    assert not reader.attachments
    assert b"the-secret" not in done.stdout
    assert "the-secret" not in "".join(one.extract_text() for one in reader.pages)


def test_its_memory_and_time_are_bounded() -> None:
    page = "<p>" + "<b>word</b> " * 40_000
    done = child(page, "pdf_child.MEMORY = 300 << 20")
    assert done.returncode != 0
    assert b"MemoryError" in done.stderr
    done = child(page, "pdf_child.CPU_S = 1")
    assert done.returncode == -24  # SIGXCPU
    assert not done.stdout
