"""The commands as a user runs them: exit codes, what is printed, errors without a traceback."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from pathlib import Path

import pytest

SAMPLES = Path(__file__).parents[2] / "samples"


def run(*arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "analyzer.cli.main", *arguments], capture_output=True, text=True, cwd=cwd, check=False
    )


def test_help_names_the_commands() -> None:
    done = run("--help")
    assert done.returncode == 0
    for command in ("analyze", "inspect", "probe", "trace"):
        assert command in done.stdout


def test_help_loads_no_heavy_library() -> None:
    code = (
        "import sys; import analyzer, analyzer.cli.main; "
        "print([m for m in ('pandas', 'pyarrow', 'numpy', 'weasyprint', 'jinja2', 'msgspec', 'rich') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_analyze_writes_the_reports_and_exits_with_1_on_findings(tmp_path: Path) -> None:
    done = run("analyze", str(SAMPLES / "clb-reuse.tar.gz"), "-o", str(tmp_path / "out"), "-f", "html", "-f", "json")
    assert done.returncode == 1, done.stderr
    lines = done.stdout.splitlines()
    assert "REACH-001" in lines[2]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["report.html", "report.json"]
    report = json.loads((tmp_path / "out" / "report.json").read_text("utf-8"))
    assert report["schema"] == "ipvscope-report/1"
    assert [finding["rule"] for finding in report["findings"]] == ["REACH-001"]


def test_analyze_exits_with_0_when_nothing_reaches_the_threshold(tmp_path: Path) -> None:
    sample = str(SAMPLES / "healthy-split.tar.gz")
    assert run("analyze", sample, "-o", str(tmp_path), "-f", "json").returncode == 0
    assert run("analyze", sample, "-o", str(tmp_path), "-f", "json", "--fail-on", "notice").returncode == 1
    assert run("analyze", sample, "-o", str(tmp_path), "-f", "json", "--fail-on", "never").returncode == 0


def test_analyze_of_a_bundle_without_anything_to_decide_exits_with_4(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "notes.md").write_text("nothing here\n")
    done = run("analyze", str(tmp_path / "in"), "-o", str(tmp_path / "out"), "-f", "json")
    assert done.returncode == 4, done.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("analyze", "no-such-bundle"), 3, "no-such-bundle"),
        (("probe", "BUNDLE"), 2, "--from"),
        (("probe", "BUNDLE", "--from", "node:nobody", "--to", "10.0.0.1:80"), 2, "no node 'nobody'"),
        (("probe", "BUNDLE", "--from", "node:cn-hongkong.10.0.2.77", "--to", "10.0.0.1"), 2, "not a target"),
        (("trace", "BUNDLE", "--from", "somewhere", "--to", "10.0.0.1:80"), 2, "not a source"),
        (("probe", "BUNDLE", "--probes", "no-such.csv"), 2, "no such file"),
        (("inspect", "BUNDLE", "-t", "no_such_table"), 2, "no table"),
        (("nonsense",), 2, "nonsense"),
    ],
)
def test_errors_are_one_message_and_an_exit_code(arguments: tuple[str, ...], code: int, words: str) -> None:
    real = [str(SAMPLES / "clb-reuse.tar.gz") if one == "BUNDLE" else one for one in arguments]
    done = run(*real)
    assert done.returncode == code
    assert words in done.stderr
    assert "Traceback" not in done.stderr


def test_probe_says_one_verdict() -> None:
    done = run(
        "probe", str(SAMPLES / "clb-reuse.tar.gz"), "--from", "pod:centos-5d8f9c7b44-aaaaa", "--to", "192.168.1.200:443"
    )
    assert done.returncode == 0, done.stderr
    assert "refused" in done.stdout
    assert "192.168.1.200:443" in done.stdout


def test_probe_of_a_table_keeps_order_and_columns(tmp_path: Path) -> None:
    questions = tmp_path / "in.csv"
    questions.write_text(
        "ticket,source,target\n"
        "7,node:cn-hongkong.10.0.2.77,192.168.1.200:443/tcp\n"
        "8,pod:default/nobody,192.168.1.200:80\n"
        "9,external:10.0.3.72,192.168.1.200:443/tcp\n"
    )
    answers = tmp_path / "out.csv"
    done = run("probe", str(SAMPLES / "clb-reuse.tar.gz"), "--probes", str(questions), "--output", str(answers))
    assert done.returncode == 0, done.stderr
    with answers.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["ticket"] for row in rows] == ["7", "8", "9"]
    assert [row["outcomes"] for row in rows] == ["refused", "unknown", "ok"]
    assert rows[1]["missing"]
    assert rows[2]["servers"] == "external:10.0.6.100"
    assert rows[2]["seen_source_ips"] == "10.0.3.72"


def test_trace_shows_steps_with_the_lines_that_prove_them() -> None:
    arguments = (
        "trace", str(SAMPLES / "local-1.28-terway.tar.gz"), "--from", "node:cn-hongkong.10.0.4.141",
        "--to", "192.168.1.200:80",
    )  # fmt: skip
    done = run(*arguments)
    assert done.returncode == 0, done.stderr
    assert "martian" in done.stdout
    assert "ip-addr.txt:" in done.stdout
    assert "⟦" not in done.stdout
    as_json = json.loads(run(*arguments, "--json").stdout)
    assert as_json["verdict"]["outcome"] == "timeout"


def test_inspect_shows_regime_and_captures(tmp_path: Path) -> None:
    done = run("inspect", str(SAMPLES / "clb-reuse.tar.gz"))
    assert done.returncode == 0, done.stderr
    assert "proxy_mode           ipvs" in done.stdout
    assert "ipvsadm-Ln.txt" in done.stdout
    table = tmp_path / "servers.parquet"
    assert run("inspect", str(SAMPLES / "clb-reuse.tar.gz"), "-t", "virtual_servers", "-o", str(table)).returncode == 0
    import pandas as pd

    assert len(pd.read_parquet(table)) == 12


def test_a_bare_folder_of_loose_files_works(tmp_path: Path) -> None:
    """`a.txt` with ipvsadm output and `b.txt` with `ip addr`: identified by content, node by option."""
    folder = tmp_path / "loose"
    folder.mkdir()
    (folder / "a.txt").write_text(
        "IP Virtual Server version 1.2.1 (size=4096)\n"
        "Prot LocalAddress:Port Scheduler Flags\n"
        "  -> RemoteAddress:Port           Forward Weight ActiveConn InActConn\n"
        "TCP  203.0.113.10:80 rr\n"
    )
    (folder / "b.txt").write_text(
        "1: lo: <LOOPBACK,UP,LOWER_UP> mtu 65536 qdisc noqueue state UNKNOWN group default qlen 1000\n"
        "    inet 127.0.0.1/8 scope host lo\n"
        "2: eth0: <BROADCAST,UP,LOWER_UP> mtu 1500 qdisc fq state UP group default\n"
        "    inet 192.0.2.11/24 brd 192.0.2.255 scope global eth0\n"
        "3: kube-ipvs0: <BROADCAST,NOARP> mtu 1500 qdisc noop state DOWN group default\n"
        "    inet 203.0.113.10/32 scope global kube-ipvs0\n"
    )
    done = run("probe", str(folder), "--node", "node-a", "--from", "node:node-a", "--to", "203.0.113.10:80")
    assert done.returncode == 0, done.stderr
    assert "refused" in done.stdout
