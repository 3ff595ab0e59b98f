"""The node part with the real commands, in a network namespace that the test sets up."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import analyzer
from analyzer.snapshot import Snapshot
from tests.collector.setting import ROOT, Bundle, contents, tool

NEEDED = ("unshare", "ip", "ss", "iptables", "ip6tables", "ipset", "nft", "conntrack", "sysctl")


def in_namespace(*arguments: str, cwd: Path) -> str:
    """Run collect.sh in a namespace; standard error. Skips the test where that is not possible."""
    if missing := [name for name in NEEDED if not tool(name)]:
        pytest.skip(f"not installed: {', '.join(missing)}")
    run = subprocess.run(
        [tool("unshare"), "--net", sys.executable, "-m", "tests.collector.inside", *arguments],
        cwd=cwd,
        env={
            **os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(cwd),
            "PATH": os.environ["PATH"] + ":/usr/sbin:/sbin",
        },
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )  # fmt: skip
    if run.returncode == 77 or "unshare failed" in run.stderr:
        pytest.skip(f"no network namespaces here: {run.stderr.strip()[-300:]}")
    assert run.returncode == 0, run.stderr
    return run.stderr


@pytest.fixture(scope="module")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> tuple[Bundle, Bundle]:
    """One namespace collected twice: everything, and only the connections of Services."""
    folder = tmp_path_factory.mktemp("node")
    said = in_namespace("-o", "all.tgz", "--", "-o", "filtered.tgz", "--with-conntrack-filter", cwd=folder)
    found = []
    for name in ("all.tgz", "filtered.tgz"):
        files = contents((folder / name).read_bytes())
        found.append(Bundle(folder / name, files, json.loads(files["manifest.json"]), said))
    return found[0], found[1]


def flows(snapshot: Snapshot) -> set[tuple[str, int]]:
    """Destination and port of the established connections."""
    frame = snapshot["connections"].query("protocol == 'tcp' and state == 'ESTABLISHED'")
    return {(str(ip), int(port)) for ip, port in zip(frame["orig_dst"], frame["orig_dport"], strict=True)}


def test_the_state_of_a_namespace_comes_through(bundles: tuple[Bundle, Bundle]) -> None:
    with analyzer.opened(bundles[0].path) as snapshot:
        addresses = snapshot["addresses"].query("interface == 'kube-ipvs0'")
        assert "10.96.0.10" in set(addresses["address"])
        assert "10.9.0.0/16" in set(snapshot["routes"]["dst"])
        assert "100" in set(snapshot["rules"]["table"])
        assert "10.0.0.2" in set(snapshot["neighbours"]["address"])
        assert "KUBE-CLUSTER-IP" in set(snapshot["ipsets"]["set"])
        assert "KUBE-SERVICES" in set(snapshot["iptables_chains"]["chain"])
        assert "host-firewall" in set(snapshot["nft_objects"]["nft_table"])
        assert 8080 in set(snapshot["listeners"]["port"])
        assert {("10.96.0.10", 80), ("10.0.0.1", 8080), ("::1", 8080)} <= flows(snapshot)
        assert "net.ipv4.ip_forward" in set(snapshot["sysctls"]["key"])
        regime = snapshot.regime("node-a")
        assert (regime.value("proxy_mode"), regime.value("kube_proxy_version")) == ("ipvs", "v1.28.3")


def test_every_file_is_read(bundles: tuple[Bundle, Bundle]) -> None:
    with analyzer.opened(bundles[0].path) as snapshot:
        captures = snapshot["captures"]
        bad = captures[captures["state"].isin(["ignored", "failed", "refused"]) & (captures["file"] != "manifest.json")]
        assert bad[["file", "state", "detail"]].to_dict("records") == []


def test_text_and_json_of_one_command_say_the_same(bundles: tuple[Bundle, Bundle]) -> None:
    with analyzer.opened(bundles[0].path) as snapshot:
        captures = snapshot["captures"].set_index("file")["rows"]
    for name in ("ip-addr", "ip-d-link", "ip-route-all", "ip-rule", "ip-6-rule", "ip-neigh"):
        assert captures[f"nodes/node-a/{name}.txt"] == captures[f"nodes/node-a/json/{name}.json"] > 0


def test_what_is_not_there_is_said(bundles: tuple[Bundle, Bundle]) -> None:
    listing = bundles[0].command("ipvsadm-Ln.txt")
    if not listing["present"]:  # this kernel has no IPVS
        assert listing["exit_code"] != 0
        assert "virtual servers are computed from the objects" in bundles[0].said
    assert bundles[0].manifest["root"] is (os.geteuid() == 0)


def test_the_filter_keeps_the_connections_of_services(bundles: tuple[Bundle, Bundle]) -> None:
    taken = bundles[1].command("conntrack-L-extended.txt")
    assert taken["complete"] is False
    assert taken["filtered"].startswith("connections that touch no Service left out: ")
    with analyzer.opened(bundles[1].path) as snapshot:
        assert flows(snapshot) == {("10.96.0.10", 80)}
        assert not snapshot.complete("node-a", "conntrack")
    with analyzer.opened(bundles[0].path) as snapshot:
        assert snapshot.complete("node-a", "conntrack")
