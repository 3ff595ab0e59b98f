"""``redact``, ``unredact`` and ``analyze --redact`` as a user runs them."""

from __future__ import annotations

import json
import pickle
import stat
from pathlib import Path

import pytest

from analyzer.cli.analyze import run as run_analyze
from analyzer.cli.redact import back, run
from analyzer.errors import IpvscopeError, UsageError
from analyzer.redact import Leak, Survivor

from .test_commands import run as command

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
    for name in ("out.zip", "out.tar.zst"):
        with pytest.raises(UsageError, match="of this kind"):
            run(SAMPLE, tmp_path / name, None, None, "", "en")
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


def test_json_and_limits_as_with_every_command(tmp_path: Path) -> None:
    done = command("redact", str(SAMPLE), "-o", str(tmp_path / "out"), "--json")
    assert (done.returncode, done.stderr) == (0, "")
    told = json.loads(done.stdout)
    assert (told["schema"], told["mapping"]) == ("ipvscope-redact/1", str(tmp_path / "out.mapping.json"))
    assert told["members"] == len([path for path in (tmp_path / "out").rglob("*") if path.is_file()])
    over = command("redact", str(SAMPLE), "-o", str(tmp_path / "two"), "--limits", "cpu=1")
    assert over.returncode == 3
    assert "--limits cpu=" in over.stderr
    assert [path.name for path in sorted(tmp_path.iterdir())] == ["out", "out.mapping.json"]


def test_no_name_of_a_member_drives_the_terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bundle = tmp_path / "bundle"
    (bundle / "nodes" / "a").mkdir(parents=True)
    (bundle / "nodes" / "a" / "uname.txt").write_text("Linux a 5.10.0\n", "utf-8")
    (bundle / "x\x1b]0;y\x07.bin").write_bytes(bytes(range(256)) * 9)
    assert run(bundle, tmp_path / "out", None, None, "", "en") == 0
    shown = capsys.readouterr().out
    assert "control characters" in shown
    assert "\x1b" not in shown


def test_what_survives_is_told_across_the_process_of_the_limits() -> None:
    error = Leak.of("out", [Survivor("nodes/a.txt", "name", "acme")])
    again = pickle.loads(pickle.dumps(error))
    assert str(again) == str(error)
    assert "nodes/a.txt: name acme" in str(again)


def test_without_its_mapping_no_output_is_made(tmp_path: Path) -> None:
    with pytest.raises(IpvscopeError, match="mapping cannot be written"):
        run(SAMPLE, tmp_path / "out", tmp_path / "no" / "such" / "m.json", None, "", "en")
    assert not list(tmp_path.iterdir())
