"""Generated pages are what the code says; every rule has its words."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from analyzer.findings.registry import rules
from analyzer.report.messages import Messages

ROOT = Path(__file__).parent.parent


def test_generated_pages_are_up_to_date() -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "scripts" / "make_docs.py"), "--check"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_every_rule_has_title_text_and_a_reason() -> None:
    messages = Messages("en")
    for rule in rules():
        assert messages.has(f"finding.{rule.id}.title")
        assert messages.has(f"finding.{rule.id}.text")
        assert (rule.check.__doc__ or "").strip()
