"""KubeSkoop's collector.json: short and long keys, what is not read, and shapes that do not fit."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analyzer.parsers.base import Parsed
from analyzer.parsers.kubeskoop import read
from analyzer.parsers.netfilter_xml import ipset_text, iptables_text
from analyzer.parsers.registry import parse_member

XML = (
    '<iptables-rules version="1.0"><table name="nat"><chain name="POSTROUTING" policy="ACCEPT" packet-count="7" byte-count="420">'
    '<rule packet-count="3" byte-count="180"><conditions><match><s>172.16.0.0/16</s><d invert="1">224.0.0.0/4</d></match>'
    '<comment><comment>"a &amp; b"</comment></comment></conditions><actions><MASQUERADE><random-fully/></MASQUERADE></actions></rule>'
    "<rule><actions><goto><KUBE-POSTROUTING/></goto></actions></rule></chain></table></iptables-rules>"
)


def dump(**host: Any) -> bytes:
    return json.dumps({"p": [], "n": [{"n": "/proc/1/ns/net", "k": "", **host}]}).encode()


def parsed(data: bytes) -> dict[str, Parsed]:
    return {form.capture: result for form, result in parse_member(data, "node-a.json")}


def test_only_the_hosts_own_namespace_is_read() -> None:
    pod = {"k": "default/web", "c": [{"l": "0.0.0.0", "lp": 80, "p": "tcp", "st": 0}]}
    host = {"k": "", "c": [
        {"l": "::", "lp": 22, "r": "::", "rp": 0, "p": "tcp", "st": 0}, {"l": "192.0.2.1", "lp": 53, "p": "udp", "st": 0},
        {"l": "192.0.2.1", "lp": 9, "r": "192.0.2.2", "rp": 1, "p": "tcp", "st": 1},
    ]}  # fmt: skip
    listeners = parsed(json.dumps({"p": None, "n": [host, pod]}).encode())["sockets"].tables["listeners"]
    assert listeners[["protocol", "address", "port", "state"]].to_numpy().tolist() == [
        ["tcp", "*", 22, "LISTEN"], ["udp", "192.0.2.1", 53, "UNCONN"],
    ]  # fmt: skip
    assert listeners["file"].tolist() == ["node-a.json"] * 2


def test_a_dump_of_one_pod_says_nothing_of_the_node() -> None:
    assert parse_member(json.dumps({"p": [], "n": [{"k": "default/web", "c": []}]}).encode(), "x.json") == []


def test_long_keys_of_old_versions() -> None:
    old = {"pods": [], "netns": [{
        "netns": "/proc/1/ns/net", "key": "", "ipvs_info": ["-A -t 192.0.2.1:80 -s rr", "-a -t 192.0.2.1:80 -r 198.51.100.1:8080 -m -w 1"],
        "ipset_info": '<ipsets><ipset name="S"><type>hash:ip,port</type><header><family>inet</family></header>'
        "<members><member><elem>192.0.2.1,tcp:80</elem></member></members></ipset></ipsets>",
        "iptables_info": XML,
    }]}  # fmt: skip
    found = parsed(json.dumps(old).encode())
    assert found["ipvsadm"].tables["real_servers"]["address"].tolist() == ["198.51.100.1"]
    assert found["ipset"].tables["ipset_members"]["member"].tolist() == ["192.0.2.1,tcp:80"]
    assert len(found["iptables"].tables["iptables_rules"]) == 2


def test_rules_are_written_as_iptables_save_prints_them() -> None:
    rules = parsed(dump(it=XML))["iptables"].tables["iptables_rules"]
    assert rules["rule"].tolist() == [
        '-s 172.16.0.0/16 ! -d 224.0.0.0/4 -m comment --comment "a & b" -j MASQUERADE --random-fully', "-g KUBE-POSTROUTING",
    ]  # fmt: skip
    assert rules["packets"].tolist()[0] == 3


def test_firewall_marks_make_the_listing_incomplete() -> None:
    servers = {
        "unknown::0": {"pro": "unknown", "ip": "", "p": 0, "s": "rr", "r": None},
        "tcp:192.0.2.1:80": {
            "pro": "tcp", "ip": "192.0.2.1", "p": 80, "s": "wlc", "r": [{"ip": "192.0.2.9", "p": 80, "m": False, "w": 3}],
        },
    }  # fmt: skip
    found = parsed(dump(vs=servers))["ipvsadm"]
    assert not found.complete
    assert found.tables["virtual_servers"]["scheduler"].tolist() == ["wlc"]
    assert [note.reason for note in found.notes] == ["extra"]


def test_one_unreadable_fact_does_not_cost_the_others() -> None:
    found = parsed(dump(it="no xml", vs={}, c=[{"st": 0, "lp": "x", "p": "tcp", "l": "192.0.2.1"}]))
    assert {name: result.state for name, result in found.items()} == {
        "iptables": "failed", "ipvsadm": "empty", "sockets": "failed",
    }  # fmt: skip


@pytest.mark.parametrize(
    "text",
    ['<!DOCTYPE x [<!ENTITY a "b">]><x>&a;</x>', "<x>", "", '<x xmlns:xi="y"><xi:include href="file:///etc/passwd"/>'],
)
def test_documents_that_declare_entities_or_do_not_end_are_refused(text: str) -> None:
    assert iptables_text(text) is None
    assert ipset_text(text) is None


def test_other_json_is_left_to_others() -> None:
    assert read(b'{"p": [], "n": [], "kind": "List"}', "x") is None
    assert read(b'{"p": [', "x") is None
    assert read(b'{"p": ' + b"[" * 100_000, "x") is None


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(["n", "i", "m", "a", "d", "IP", "Mask", "p", "ip", "r", "l", "lp", "st", "t", "x"]), inner, max_size=4
    ),
    max_leaves=8,
)  # fmt: skip


@settings(deadline=None, max_examples=80)
@given(st.dictionaries(st.sampled_from(["if", "r", "ru", "it", "is", "vs", "c", "s", "k"]), VALUES, max_size=5))
def test_any_shape_is_read_or_noted(host: dict[str, Any]) -> None:
    data = json.dumps({"p": [], "n": [host]}).encode("utf-8", "replace")
    for form, result in read(data, "x.json") or []:
        assert set(result.tables) == set(form.tables)
        assert result.state != "failed" or result.notes
