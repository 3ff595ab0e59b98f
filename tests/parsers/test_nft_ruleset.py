"""`nft list ruleset`: which objects there are, every line accounted for."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analyzer.parsers import nft_ruleset, registry
from analyzer.parsers.base import Parsed

SAMPLE = (Path(__file__).parent.parent / "data" / "nftables-mode" / "1.33.txt").read_bytes()


def accounted(parsed: Parsed) -> bool:
    lines = parsed.lines
    return lines.total == lines.blank + lines.rows + lines.furniture + lines.noted


def test_objects_and_their_lines() -> None:
    parsed = nft_ruleset.parse(SAMPLE, "nft-list-ruleset.txt")
    assert (parsed.state, parsed.complete, parsed.notes) == ("rows", True, ())
    assert accounted(parsed)
    rows = parsed.tables["nft_objects"]
    own = rows[rows["nft_table"] == "kube-proxy"]
    maps = own[own["kind"] == "map"]
    assert list(maps["name"]) == ["no-endpoint-services", "service-ips", "service-nodeports"]
    assert set(own["family"]) == {4}
    inside = own[(own["kind"] == "rule") & (own["name"] == "services")]
    assert list(inside["text"]) == [
        "ip daddr . meta l4proto . th dport vmap @service-ips",
        "ip daddr @nodeport-ips meta l4proto . th dport vmap @service-nodeports",
    ]
    line = int(maps["line"].iloc[1])
    assert SAMPLE.decode().splitlines()[line - 1].strip() == "map service-ips {"


def test_elements_over_several_lines_belong_to_their_set() -> None:
    rows = nft_ruleset.parse(SAMPLE, "x").tables["nft_objects"]
    found = rows[(rows["name"] == "cluster-ips") & (rows["kind"] == "rule")]["text"]
    assert list(found)[-2:] == ["elements = { 198.51.100.10, 198.51.100.11,", "198.51.100.12 }"]


def test_other_families_and_named_counters() -> None:
    text = b"""table inet t { # handle 3
        counter c { packets 1 bytes 2 }
        ct helper h {
                type "ftp" protocol tcp
        }
}
table e {
}
"""
    rows = nft_ruleset.parse(text, "x").tables["nft_objects"]
    assert rows[["nft_family", "kind", "name"]].values.tolist()[:2] == [
        ["inet", "counter", "c"],
        ["inet", "ct helper", "h"],
    ]
    assert rows["family"].isna().all()


@pytest.mark.parametrize(
    ("text", "state", "complete"),
    [
        (b"", "empty", True),
        (b"table ip filter {\n}\n", "empty", True),
        (b"bash: nft: command not found\n", "failed", True),
        (b"table ip kube-proxy {\n\tchain services {\n\t\tjump x\n", "rows", False),
    ],
)
def test_empty_failed_and_cut(text: bytes, state: str, complete: bool) -> None:
    parsed = nft_ruleset.parse(text, "nft-list-ruleset.txt")
    assert (parsed.state, parsed.complete) == (state, complete)
    assert accounted(parsed)


def test_the_content_decides_the_form() -> None:
    assert [form.name if form else "" for form in registry.identify(SAMPLE, "anything.txt")] == ["nft-ruleset"]
    assert [form.name if form else "" for form in registry.identify(b"", "nft-list-ruleset.txt")] == ["nft-ruleset"]


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.sampled_from([*SAMPLE.splitlines(keepends=True), b"}\n", b"{\n", b"\xff\n"]), max_size=40),
    st.integers(0, 9),
)
def test_any_order_of_lines_keeps_the_account(lines: list[bytes], cut: int) -> None:
    text = b"".join(lines)
    assert accounted(nft_ruleset.parse(text[: len(text) - cut], "nft.txt"))
