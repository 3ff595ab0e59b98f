"""Captures of a real run, byte for byte: exact expectations, and forms of one fact that must agree."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from analyzer.parsers import registry
from analyzer.parsers.base import Parsed

LAB = Path(__file__).parents[1] / "data" / "lab"
TERWAY = LAB / "1.28.3-terway-cluster" / "nodes" / "cn-hongkong.10.0.4.141"
FLANNEL = LAB / "1.22.0-flannel-local" / "nodes" / "cn-hongkong.10.0.4.141"
NODES = [TERWAY, FLANNEL]


def read(path: Path) -> Parsed:
    ((_, parsed),) = registry.parse_member(path.read_bytes(), path.name)
    return parsed


def table(path: Path, name: str) -> pd.DataFrame:
    return read(path).tables[name]


def rows(frame: pd.DataFrame, columns: list[str]) -> list[tuple[Any, ...]]:
    return [tuple(None if pd.isna(value) else value for value in row) for row in frame[columns].itertuples(index=False)]


def test_virtual_servers_of_the_listing() -> None:
    parsed = read(TERWAY / "ipvsadm-Ln.txt")
    assert rows(parsed.tables["virtual_servers"], ["protocol", "address", "port", "scheduler", "line"]) == [
        ("tcp", "172.21.0.1", 443, "rr", 4),
        ("tcp", "172.21.3.10", 80, "rr", 6),
        ("tcp", "192.168.1.200", 80, "rr", 9),
        ("tcp", "10.0.4.141", 30745, "rr", 12),
    ]
    assert rows(parsed.tables["real_servers"], ["vs_address", "address", "port", "weight", "active", "inactive"]) == [
        ("172.21.0.1", "10.0.6.100", 6443, 1, 0, 0),
        ("172.21.3.10", "10.0.0.172", 80, 1, 0, 7),
        ("172.21.3.10", "10.0.2.78", 80, 1, 0, 7),
        ("192.168.1.200", "10.0.0.172", 80, 1, 0, 7),
        ("192.168.1.200", "10.0.2.78", 80, 1, 0, 7),
        ("10.0.4.141", "10.0.0.172", 80, 1, 0, 32),
        ("10.0.4.141", "10.0.2.78", 80, 1, 0, 33),
    ]
    assert (parsed.lines.total, parsed.lines.rows, parsed.lines.furniture) == (14, 11, 3)


def test_counters_of_the_statistics() -> None:
    frame = table(TERWAY / "ipvsadm-Ln-stats.txt", "real_servers")
    columns = ["address", "conns", "in_pkts", "out_pkts", "in_bytes", "out_bytes"]
    assert rows(frame, columns)[-1] == ("10.0.2.78", 33, 162, 132, 8688, 8409)
    assert frame["weight"].isna().all()


def test_routes() -> None:
    frame = table(TERWAY / "ip-route-all.txt", "routes")
    assert frame["table"].value_counts().to_dict() == {"local": 17, "main": 8, "1003": 1}
    first = frame.loc[0, ["family", "type", "dst", "gateway", "interface", "table", "flags"]].tolist()
    assert first == [4, "unicast", "0.0.0.0/0", "10.0.4.253", "eth1", "1003", "onlink"]
    vips = frame[(frame["interface"] == "kube-ipvs0") & (frame["table"] == "local")]
    assert vips["dst"].tolist() == ["172.21.0.1/32", "172.21.3.10/32", "192.168.1.200/32"]
    assert vips["prefsrc"].tolist() == ["172.21.0.1", "172.21.3.10", "192.168.1.200"]


def test_rules() -> None:
    frame = table(TERWAY / "ip-rule.txt", "rules")
    assert rows(frame, ["priority", "src", "dst", "iif", "action", "table"])[1:4] == [
        (512, None, "10.0.4.142/32", None, "lookup", "main"),
        (512, None, "10.0.4.150/32", None, "lookup", "main"),
        (2048, "10.0.4.142/32", None, "cali39e3779b1", "lookup", "1003"),
    ]


def test_kinds_of_links() -> None:
    frame = table(TERWAY / "ip-d-link.txt", "interfaces")
    assert rows(frame, ["interface", "kind", "peer"]) == [
        ("lo", None, None),
        ("eth0", "veth", "if8"),
        ("eth1", "veth", "if9"),
        ("cali39e3779b1", "veth", "if2"),
        ("cali33c6ef362", "veth", "if2"),
        ("kube-ipvs0", "dummy", None),
    ]


@pytest.mark.parametrize(
    ("node", "mode", "version"), [(TERWAY, "ipvs", "v1.28.3"), (FLANNEL, "ipvs", "v1.22.0")], ids=["terway", "flannel"]
)
def test_mode_and_version_of_kube_proxy(node: Path, mode: str, version: str) -> None:
    frame = table(node / "kube-proxy.log", "host_facts")
    assert rows(frame, ["fact", "value"]) == [("kube-proxy-mode", mode), ("kube-proxy-version", version)]


@pytest.mark.parametrize("node", NODES, ids=["terway", "flannel"])
def test_listing_and_save_form_agree(node: Path) -> None:
    listing, saved = read(node / "ipvsadm-Ln.txt"), read(node / "ipvsadm-save-n.txt")
    drop = ["line", "vs_line", "active", "inactive", "file"]
    for name in ("virtual_servers", "real_servers"):
        one, other = (parsed.tables[name].drop(columns=drop, errors="ignore") for parsed in (listing, saved))
        pd.testing.assert_frame_equal(one, other)


@pytest.mark.parametrize("node", NODES, ids=["terway", "flannel"])
def test_text_and_json_of_addresses_agree(node: Path) -> None:
    text, document = read(node / "ip-addr.txt"), read(node / "ip-j-addr.json")
    for name in ("interfaces", "addresses"):
        pd.testing.assert_frame_equal(
            text.tables[name].drop(columns=["file", "line"]), document.tables[name].drop(columns=["file", "line"])
        )
    assert text.complete
    assert document.complete


@pytest.mark.parametrize("node", NODES, ids=["terway", "flannel"])
def test_detail_of_one_interface_agrees_with_the_whole(node: Path) -> None:
    part, whole = read(node / "ip-d-addr-kube-ipvs0.txt"), read(node / "ip-addr.txt")
    frame = whole.tables["addresses"]
    vips = frame[frame["interface"] == "kube-ipvs0"]["address"].tolist()
    assert part.tables["addresses"]["address"].tolist() == vips
    assert part.tables["interfaces"]["kind"].tolist() == ["dummy"]
    assert not part.complete


@pytest.mark.parametrize("node", NODES, ids=["terway", "flannel"])
def test_every_connection_entry_is_a_row(node: Path) -> None:
    path = node / "ipvsadm-Lnc.txt"
    frame = table(path, "ipvs_connections")
    assert len(frame) == len(path.read_text().splitlines()) - 2
    assert not frame[["expires_s", "client_address", "virtual_port", "real_address", "real_port"]].isna().any().any()
    assert not frame["template"].any()
