"""`ipvscope expected`: the expected state in each form, and how a capture differs from it."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from analyzer.cli.expected import run
from analyzer.errors import UsageError
from tests import lab

STALE, BEHIND = "cn-hongkong.10.0.2.77", "cn-hongkong.10.0.4.141"
Printed = Callable[..., tuple[int, str, str]]


@pytest.fixture
def unpacked(tmp_path: Path) -> Path:
    lab.unpack("1.28.3-terway-fault", tmp_path)
    for path in tmp_path.rglob("*"):  # what the command does not read
        if any(
            word in path.name
            for word in ("conntrack", "ipvsadm-Lnc", "ipset-list", "iptables", "ss-ln", "netstat", "Describe")
        ):
            path.unlink()
    return tmp_path


@pytest.fixture
def printed(unpacked: Path, capsys: pytest.CaptureFixture[str]) -> Printed:
    def command(node: str, form: str = "ipvsadm", what: str = "servers", *, diff: bool = False) -> tuple[int, str, str]:
        code = run(unpacked, node, form, what, diff=diff)
        out = capsys.readouterr()
        return code, out.out, out.err

    return command


def table(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_prints_what_each_tool_would_print(printed: Printed) -> None:
    code, out, err = printed(STALE)
    assert (code, err) == (0, "")
    assert out.splitlines()[3:5] == [
        "TCP  172.21.0.1:443 rr",
        f"  -> {'10.0.6.100:6443':28} Masq    1      0          0         ",
    ]
    assert "10.0.2.99" not in out
    code, out, _ = printed(STALE, what="all")
    titles = [line for line in out.splitlines() if line.startswith("#")]
    assert titles == ["# ipvsadm -Ln", "# ip -o addr show kube-ipvs0", "# ipset save", "# iptables-save", "# sysctl"]
    assert "net.ipv4.vs.conntrack = 1\n" in out
    assert "add KUBE-NODE-PORT-TCP 30745\n" in out


def test_prints_tables(printed: Printed) -> None:
    assert {row["real_address"] for row in table(printed(STALE, "csv")[1]) if row["port"] == "80"} == {
        "10.0.0.172",
        "10.0.2.78",
    }
    assert [row["address"] for row in table(printed(STALE, "csv", "addresses")[1])] == [
        "172.21.0.1",
        "172.21.3.10",
        "192.168.1.200",
    ]
    assert {row["service"] for row in table(printed(STALE, "csv", "sets")[1]) if row["member"] == "30745"} == {
        "default/nginx"
    }
    assert {row["chain"] for row in table(printed(STALE, "csv", "rules")[1])} >= {"KUBE-SERVICES", "KUBE-IPVS-FILTER"}
    document = json.loads(printed(STALE, "json", "all")[1])
    assert document["undecided"] == []
    assert document["sysctls"]["net.ipv4.ip_forward"] == "1"
    assert set(document) == {
        "schema", "node", "undecided", "servers", "addresses", "sets", "rules", "chains", "sysctls", "sockets",
    }  # fmt: skip
    with pytest.raises(UsageError):
        printed(STALE, "csv", "all")


def test_differences_come_with_the_lines_that_prove_them(printed: Printed) -> None:
    code, out, _ = printed(STALE, diff=True)
    assert code == 1
    lines = out.splitlines()
    assert lines[0] == "real-server-stale: tcp/172.21.3.10:80 10.0.2.99:80 default/nginx"
    assert lines[2].split(None, 1) == [
        f"nodes/{STALE}/ipvsadm-Ln.txt:9",
        "-> 10.0.2.99:80                 Masq    1      19         0",
    ]
    assert "Service default/nginx" in lines[3]
    rows = json.loads(printed(BEHIND, "json", "all", diff=True)[1])["differences"]
    kinds = [row["kind"] for row in rows]
    assert (kinds.count("virtual-server-missing"), kinds.count("vip-missing"), kinds.count("set-member-missing")) == (
        3,
        2,
        5,
    )
    code, out, _ = printed("cn-hongkong.10.0.0.171", what="all", diff=True)
    assert (code, [line for line in out.splitlines() if line[0] != " "]) == (
        1,
        ["vip-missing: 192.168.1.200 default/nginx"],
    )
    assert printed("cn-hongkong.10.0.0.171", diff=True)[:2] == (0, "")


def test_draining_is_benign(printed: Printed, unpacked: Path) -> None:
    for path in (unpacked / "nodes" / STALE).glob("ipvsadm-*"):
        changed = path.read_text().replace(
            "10.0.2.99:80                 Masq    1 ", "10.0.2.99:80                 Masq    0 "
        )
        path.write_text(changed.replace("10.0.2.99:80 -m -w 1", "10.0.2.99:80 -m -w 0"))
    code, out, _ = printed(STALE, diff=True)
    assert code == 0
    assert {line.partition(":")[0] for line in out.splitlines() if line[0] != " "} == {"real-server-draining (benign)"}


@pytest.mark.parametrize(("at", "skewed"), [("00:00:30", False), ("00:05:00", True), ("nonsense", False)])
def test_captures_taken_apart_are_marked(printed: Printed, unpacked: Path, at: str, skewed: bool) -> None:
    commands = [
        {"node": STALE, "file": f"nodes/{STALE}/ipvsadm-Ln.txt", "started": f"2026-01-02T{at}Z"},
        *(
            {"node": "", "file": f"cluster/{name}.json", "started": "2026-01-02T00:00:00Z"}
            for name in ("services", "endpointslices")
        ),
        {"file": 3},
        "junk",
    ]
    (unpacked / "manifest.json").write_text(json.dumps({"format": 1, "commands": commands}))
    assert {row["skew"] for row in table(printed(STALE, "csv", diff=True)[1])} == {str(skewed)}


def test_says_what_it_cannot_answer(printed: Printed, unpacked: Path) -> None:
    with pytest.raises(UsageError, match="no node"):
        printed("node-x")
    with pytest.raises(UsageError, match="which node"):
        printed("")
    with pytest.raises(UsageError):
        printed(STALE, what="rules", diff=True)
    (unpacked / "nodes" / STALE / "ipset-save.txt").unlink()
    code, _, err = printed(STALE, what="sets", diff=True)
    assert (code, err) == (4, "not compared: ipset\n")
    (unpacked / "cluster" / "services.json").unlink()
    for path in (unpacked / "cluster").glob("kubectl*"):
        path.unlink()
    assert printed(STALE)[0] == 4
