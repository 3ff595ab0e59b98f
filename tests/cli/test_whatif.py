"""``whatif``, and ``--apply`` on the other commands."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from tests.cli.test_commands import SAMPLES, run

SAMPLE = str(SAMPLES / "clb-reuse.tar.gz")
HOSTNAME = ("--apply", "service default/nginx hostname=web.example.com")
NODE, DIALLED = "node:cn-hongkong.10.0.4.141", "192.168.1.200:443"


def test_whatif_says_what_changes() -> None:
    got = run("whatif", SAMPLE, *HOSTNAME)
    assert got.returncode == 0, got.stderr
    assert "works now:" in got.stdout
    assert "192.168.1.200:443/tcp" in got.stdout
    assert "works no longer:" in got.stdout, "a node that is a backend cannot reach itself by the load balancer"


def test_whatif_in_chinese_has_no_english_sentence() -> None:
    got = run("whatif", SAMPLE, *HOSTNAME, "--apply", "k8s=1.30", "--lang", "zh_CN")
    assert got.returncode == 0, got.stderr
    assert "变为可达" in got.stdout
    assert "works" not in got.stdout
    assert "Assumed" not in got.stdout


def test_whatif_as_json_and_as_a_table(tmp_path: Path) -> None:
    out = tmp_path / "changes.csv"
    got = run("whatif", SAMPLE, *HOSTNAME, "--json", "-o", str(out))
    told = json.loads(got.stdout)
    table = pd.read_csv(out, dtype="str", keep_default_na=False)
    assert told["applied"] == [HOSTNAME[1]]
    assert len(told["changes"]) == len(table) == sum(told["counts"].values())
    assert told["changes"] == table.to_dict("records")


@pytest.mark.parametrize(("effect", "code"), [("broken", 1), ("fixed,unknown", 1), ("unknown", 0), ("", 0)])
def test_an_effect_can_fail_a_pipeline(effect: str, code: int) -> None:
    assert run("whatif", SAMPLE, *HOSTNAME, "--fail-on", effect).returncode == code


@pytest.mark.parametrize("words", [(), ("--apply", "nonsense"), ("--apply", "service default/none type=ClusterIP")])
def test_whatif_needs_a_change_that_can_be_applied(words: tuple[str, ...]) -> None:
    got = run("whatif", SAMPLE, *words)
    assert got.returncode == 2
    assert got.stderr.startswith("ipvscope: ")
    assert "Traceback" not in got.stderr


def test_probe_trace_and_matrix_take_changes(tmp_path: Path) -> None:
    question = ("--from", NODE, "--to", DIALLED)
    assert "refused" in run("probe", SAMPLE, *question).stdout
    assert "refused" not in run("probe", SAMPLE, *question, *HOSTNAME).stdout
    assert "lb:192.168.1.200" in run("trace", SAMPLE, *question, *HOSTNAME, "--json").stdout
    probes = tmp_path / "probes.csv"
    probes.write_text(f"source,target\n{NODE},{DIALLED}\n", encoding="utf-8")
    assert ",ok," in run("probe", SAMPLE, "--probes", str(probes), *HOSTNAME).stdout
    assert run("matrix", SAMPLE).stdout != run("matrix", SAMPLE, *HOSTNAME).stdout


def test_a_report_of_a_simulation_says_so(tmp_path: Path) -> None:
    got = run("analyze", SAMPLE, "-o", str(tmp_path), "-f", "json", "-f", "html", *HOSTNAME)
    assert got.returncode in (0, 1), got.stderr
    report = json.loads((tmp_path / "report.json").read_text("utf-8"))
    assert report["input"]["simulated"] == [HOSTNAME[1]]
    assert not any(one["rule"] == "REACH-001" for one in report["findings"])
    assert "This is a simulation" in (tmp_path / "report.html").read_text("utf-8")


def test_a_fix_of_the_report_can_be_applied() -> None:
    got = run("whatif", SAMPLE, "--apply", "fix F3", "--json")
    assert got.returncode == 0, got.stderr
    assert json.loads(got.stdout)["counts"]["fixed"] == 8
    both = run("whatif", SAMPLE, "--apply", "fix F3 default/nginx", "--apply", "service default/nginx annotations."
               "service.beta.kubernetes.io/alibaba-cloud-loadbalancer-protocol-port=http:80", "--fail-on", "broken")  # fmt: skip
    assert both.returncode == 0, both.stdout
    unknown = run("whatif", SAMPLE, "--apply", "fix F99")
    assert unknown.returncode == 2
    assert "advised: F1, " in unknown.stderr
