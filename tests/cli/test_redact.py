"""``redact``, ``unredact`` and ``analyze --redact`` as a user runs them."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest

from analyzer.cli.analyze import run as run_analyze
from analyzer.cli.redact import back, run
from analyzer.errors import UsageError

SAMPLE = Path(__file__).parents[2] / "samples" / "clb-reuse.tar.gz"


def test_a_report_about_the_redacted_bundle_gets_its_names_back(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = run_analyze(
        [SAMPLE], tmp_path / "report", ["json", "html"], "warning", "", "en",
        symptoms=["from node:cn-hongkong.10.0.2.77 to 192.168.1.200:443 refused"], simulate=False, redact=(None, None),
    )  # fmt: skip
    assert code == 1
    mapping = tmp_path / "report.mapping.json"
    assert stat.S_IMODE(mapping.stat().st_mode) == 0o600
    assert sorted(path.name for path in (tmp_path / "report").iterdir()) == ["report.html", "report.json"]
    for name in ("report.json", "report.html"):
        text = (tmp_path / "report" / name).read_text("utf-8")
        assert "10.0.2.77" not in text
        assert "192.168.1.200" not in text
        assert back(tmp_path / "report" / name, mapping, tmp_path / name) == 0
        assert "cn-hongkong.10.0.2.77" in (tmp_path / name).read_text("utf-8")
    (finding,) = json.loads((tmp_path / "report.json").read_text("utf-8"))["findings"]
    assert (finding["rule"], finding["about"]) == ("REACH-001", "192.168.1.200:443/tcp")
    shown = capsys.readouterr()
    assert "10.0.2.77" not in shown.out
    assert "report.mapping.json" in shown.err


def test_redact_says_what_it_did_and_what_it_cannot_promise(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    key = tmp_path / "key"
    key.write_bytes(b"sixteen bytes or more")
    assert run(SAMPLE, tmp_path / "out.tar.gz", None, key, "", "zh_CN") == 0
    shown = capsys.readouterr().out
    assert str(tmp_path / "out.mapping.json") in shown
    assert "请在发送之前检查" in shown
    (tmp_path / "key2").write_bytes(b"some other sixteen bytes")
    with pytest.raises(UsageError, match="another key"):
        run(SAMPLE, tmp_path / "new.tar.gz", tmp_path / "out.mapping.json", tmp_path / "key2", "", "en")


def test_wrong_use_is_told(tmp_path: Path) -> None:
    (tmp_path / "key").write_bytes(b"short")
    with pytest.raises(UsageError, match="in the output"):
        run(SAMPLE, tmp_path / "out", tmp_path / "out" / "m.json", None, "", "en")
    with pytest.raises(UsageError, match="16 bytes"):
        run(SAMPLE, tmp_path / "out", None, tmp_path / "key", "", "en")
    with pytest.raises(UsageError, match="--intent"):
        run_analyze(
            SAMPLE, tmp_path / "o", ["json"], "warning", "", "en", intent=tmp_path / "i.yaml", redact=(None, None)
        )
    with pytest.raises(UsageError, match="cannot be read"):
        back(tmp_path / "none", tmp_path / "none", None)
    (tmp_path / "report.pdf").write_bytes(b"%PDF-1.7 \xff\xfe")
    (tmp_path / "m.json").write_text(
        json.dumps(
            {
                "format": 1,
                "tool": "ipvscope redact",
                "key": "00" * 32,
                "words": [],
                "phrases": [],
                "replaced": {},
                "addresses": {},
            }
        ),
        "utf-8",
    )
    with pytest.raises(UsageError, match="no text"):
        back(tmp_path / "report.pdf", tmp_path / "m.json", None)
