"""Addresses of kube-ipvs0 read all at once: equal in every respect to reading line by line, whatever surrounds them."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analyzer.parsers import ip_addr, ip_addr_runs

LAB = Path(__file__).parents[1] / "data" / "lab"
CAPTURES = sorted(LAB.rglob("ip-addr*.txt"))
LIFE = "       valid_lft forever preferred_lft forever"
HEAD = [
    "1: lo: <LOOPBACK,UP,LOWER_UP> mtu 65536 qdisc noqueue state UNKNOWN group default qlen 1000",
    "    link/loopback 00:00:00:00:00:00 brd 00:00:00:00:00:00", "    inet 127.0.0.1/8 scope host lo", LIFE,
    "6: kube-ipvs0: <BROADCAST,NOARP> mtu 1500 qdisc noop state DOWN group default ",
]  # fmt: skip
ODD = [
    "", "   ", LIFE, "    inet 203.0.113.7/32 scope global secondary kube-ipvs0", "    inet 203.0.113.999/32 scope global kube-ipvs0",
    "    inet 203.0.113.07/32 scope global kube-ipvs0", "    inet 10.x.7.8/32 scope global kube-ipvs0", "    inet 203.0.113.7/32",
    "7: eth1@if9: <UP> mtu 1500", "8: eth2 <UP> mtu 1500", "1: lo: <LOOPBACK> mtu 1", "    inet6 2001:db8::1/64 scope global ",
    "    inet6 2001:DB8::1/128 scope global ", "    inet 203.0.113.7/24 brd 198.51.100.1 scope global eth0", "garbage", "...", "--",
    "# ip addr", "> quoted", ">quoted", "```", "___", "root@node:~> exit", "node# ip addr", "**bold**", "=== ip ===", "=3D", "| 1 |",
    "\x0c",
    "    RX: bytes packets", "    1 2 3", "kube-ipvs0 UNKNOWN 203.0.113.7/32", "9: eth3    inet 203.0.113.7/32 scope global eth3", "cut \\",
    "    link/ether 00:00:5e:00:53:2a brd ff:ff:ff:ff:ff:ff", "Every 2.0s: ip addr", "\r", "\x1b[0m", "é",
]  # fmt: skip


def run(first: int, size: int, six: bool = False) -> list[str]:
    if six:
        return [f"    inet6 2001:db8::{n:x}/128 scope global \n{LIFE}" for n in range(first + 1, first + size + 1)]
    return [f"    inet 10.96.{n >> 8}.{n & 255}/32 scope global kube-ipvs0\n{LIFE}" for n in range(first, first + size)]


def assert_equal(data: bytes) -> bool:
    """Both ways on the same bytes; whether the runs were taken."""
    fast, lines = ip_addr._fast(data, "f.txt"), ip_addr._parse(data, "f.txt", ip_addr.INTERFACE_TABLES)
    if fast is None:
        return False
    assert fast.tables.keys() == lines.tables.keys()
    for name, frame in lines.tables.items():
        pd.testing.assert_frame_equal(fast.tables[name], frame)
    assert (fast.notes, fast.lines, fast.state, fast.complete) == (
        lines.notes,
        lines.lines,
        lines.state,
        lines.complete,
    )
    assert (fast.detail, fast.facts) == (lines.detail, lines.facts)
    return True


@settings(max_examples=60, deadline=None)
@given(
    runs=st.lists(st.tuples(st.integers(0, 900), st.integers(28, 60), st.booleans()), min_size=1, max_size=3),
    odd=st.lists(st.tuples(st.integers(0, 400), st.sampled_from(ODD)), max_size=4),
    head=st.sampled_from([HEAD, HEAD[4:], HEAD[:4], [], ["", *HEAD]]),
    end=st.sampled_from(["\n", "", "\n\n", "\n    inet 10.9.9."]),
)
def test_generated_listings_read_alike(
    runs: list[tuple[int, int, bool]], odd: list[tuple[int, str]], head: list[str], end: str
) -> None:
    lines = [*head, *(line for one in runs for line in run(*one))]
    for at, line in odd:
        lines.insert(min(at, len(lines)), line)
    assert_equal(("\n".join(lines) + end).encode())


@pytest.mark.parametrize("line", ODD)
def test_each_odd_line_before_between_and_after(line: str) -> None:
    text = "\n".join([*HEAD, line, *run(0, 40), line, *run(100, 40), line]) + "\n"
    assert_equal(text.encode())


def test_ordinary_listings_are_taken() -> None:
    text = "\n".join([*HEAD, *run(0, 40), *run(0, 40, six=True)]) + "\n"
    assert assert_equal(text.encode())
    longer = "\n".join([*HEAD, *run(0, 60), *run(0, 39, six=True), "9: eth1: <UP> mtu 1500", *run(500, 33)]) + "\n"
    assert assert_equal(longer.encode()), "after another listing that begins alike"


def test_a_run_outside_of_a_block_is_left_to_the_line_reader() -> None:
    assert not assert_equal(("\n".join(["# addresses", *run(0, 40)]) + "\n").encode())


@pytest.mark.parametrize("path", CAPTURES, ids=lambda path: str(path.relative_to(LAB)))
def test_real_captures_read_alike(path: Path) -> None:
    assert_equal(path.read_bytes())


def test_frames_of_equal_nodes_do_not_share_memory() -> None:
    data = ("\n".join([*HEAD, *run(0, 40)]) + "\n").encode()
    one, other = ip_addr.parse(data, "a.txt"), ip_addr.parse(data, "b.txt")
    assert ip_addr_runs.cut(data) is not None
    one.tables["addresses"].loc[5, ["address", "line"]] = ["x", 1]
    assert other.tables["addresses"].loc[5, "address"] == "10.96.0.4"
    assert set(other.tables["addresses"]["file"]) == {"b.txt"}
