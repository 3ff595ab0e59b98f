"""ipvsadm listings by columns: equal in every respect to reading by lines, whatever the input."""

from __future__ import annotations

import random
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analyzer.parsers import envelope, ipvsadm_fast, ipvsadm_list, ipvsadm_plain
from analyzer.parsers.base import Parsed
from analyzer.tables import TABLES

LAB = Path(__file__).parents[1] / "data" / "lab"
CAPTURES = sorted(LAB.rglob("ipvsadm*.txt"))
HEAD = (
    "IP Virtual Server version 1.2.1 (size=4096)\n"
    "Prot LocalAddress:Port Scheduler Flags\n"
    "  -> RemoteAddress:Port           Forward Weight ActiveConn InActConn\n"
)
ODD = [
    "", "   ", "TCP  203.0.113.10:443 wrr", "TCP  203.0.113.10:https wrr", "TCP  203.0.113.10:443", "TCP  10.x.7.8:443 rr",
    "UDP  [2001:db8::A]:53 rr", "FWM  7 IPv6 wlc", "FWM  x rr", "SCTP 203.0.113.11:3868 mh (mh-fallback,mh-port)",
    "TCP  203.0.113.12:80 rr persistent 10800", "TCP  203.0.113.12:80 rr persistent x", "TCP TCP 203.0.113.12:80 rr",
    "TCP  203.0.113.12:80", "UDP  203.0.113.53:53 rr ops", "tcp  203.0.113.12:80 rr", "TCP  203.0.113.300:80 rr",
    "  -> 10.20.1.7:8443               Masq    3      12         4         ", "  -> 10.20.1.7:8443 Teleport 1 0 0",
    "  -> [2001:db8::21]:53            Tunnel  5      0          0         ", "  -> 10.20.1.7:99999 Masq 1 0 0",
    "  -> 10.20.1.7:8443 Masq 1", "  -> 10.20.1.7:8443 Masq 1 0 0 9", "  -> host.example:https Masq 1 0 0", "-> 10.20.1.9:1 Route 0 0 0",
    "  -> 10.20.1.07:80 Masq 1 0 0", "  -> 10.20.1.7:80 Masq 1 x 0", "  -> 10.20.1.7:80 Masq 1 99999999999999999999 0",
    "  -> Masq 1 0 0 2 3", "  -> 10.20.1.7:80 Masq ١ 0 0", "  -> 10.20.1.7:80 annotated Masq 1 0 0", "garbage", "...", "--",
    "# ipvsadm -Ln", "> TCP  203.0.113.10:443 wrr", "  -> RemoteAddress:Port           Forward Weight ActiveConn InActConn",
    "  -> 10.20.1.7:80 Masq 1 0 0  -> 10.20.1.8:80 Masq 1 0 0", "TCP  203.0.113.10:443 wrr \\", "\x0c", "TCP  203.0.113.1:1 TCP",
]  # fmt: skip
RESTARTS = [
    HEAD,
    HEAD.split("\n")[1],
    "-A -t 203.0.113.10:443 -s rr",
    "  -> RemoteAddress:Port  Weight  PersistConn ActiveConn InActConn",
]


def both(data: bytes) -> tuple[Parsed, Parsed | None]:
    cut = bool(data) and not data.endswith(b"\n")
    lines = ipvsadm_list.parse_lines(envelope.lines(data), "f.txt", cut=cut)
    return lines, ipvsadm_plain.parse(envelope.lines(data), "f.txt", cut=cut)


def assert_equal(data: bytes) -> bool:
    """All ways on the same bytes; whether the one by columns took the file."""
    lines, plain = both(data)
    fast = ipvsadm_fast.parse(data, "f.txt")
    if fast is not None:
        assert_same(fast, lines)
    if plain is None:
        assert fast is None
        return False
    assert_same(plain, lines)
    return True


def assert_same(plain: Parsed, lines: Parsed) -> None:
    for name, frame in plain.tables.items():
        assert [str(dtype) for dtype in frame.dtypes] == [column.dtype for column in TABLES[name].columns]
        pd.testing.assert_frame_equal(frame, lines.tables[name])
    assert plain.tables.keys() == lines.tables.keys()
    assert plain.notes == lines.notes
    assert (plain.lines, plain.state, plain.complete, plain.detail, plain.facts) == (
        lines.lines, lines.state, lines.complete, lines.detail, lines.facts,
    )  # fmt: skip


def written(seed: int, services: int, odd: float, *, head: str = HEAD, end: str = "\n") -> bytes:
    rng = random.Random(seed)
    lines = []
    for number in range(services):
        sticky = " persistent 10800" if rng.random() < 0.1 else ""
        lines.append(
            f"{rng.choice(('TCP', 'UDP'))}  198.51.{number // 256}.{number % 256}:{rng.randrange(65536)} rr{sticky}"
        )
        for _ in range(rng.randrange(5)):
            server = f"10.{rng.randrange(256)}.1.{rng.randrange(256)}:{rng.randrange(65536)}"
            lines.append(
                f"  -> {server:<28} Masq    {rng.randrange(3)}      {rng.randrange(400):<10} {rng.randrange(9):<10}"
            )
    lines = [rng.choice(ODD) if rng.random() < odd else line for line in lines]
    return (head + "\n".join(lines) + end).encode()


@settings(max_examples=150, deadline=None)
@given(
    seed=st.integers(0, 1 << 32), services=st.integers(0, 40), odd=st.sampled_from((0.0, 0.01, 0.1, 0.6)),
    head=st.sampled_from((HEAD, HEAD.split("\n", 1)[1], "", "\n\n" + HEAD, "[root@node-a ~]# ipvsadm -Ln\n" + HEAD)),
    end=st.sampled_from(("\n", "", "\n\n", " ", " \n")),
    block=st.sampled_from((2, 5, 1000)),
)  # fmt: skip
def test_generated_listings_read_alike(seed: int, services: int, odd: float, head: str, end: str, block: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ipvsadm_plain, "BLOCK", block)
        assert_equal(written(seed, services, odd, head=head, end=end))


@settings(max_examples=150, deadline=None)
@given(
    pick=st.integers(0, len(CAPTURES) - 1),
    edits=st.lists(st.tuples(st.integers(0, 99), st.sampled_from([*ODD, *RESTARTS])), max_size=6),
    cut=st.integers(0, 200),
)
def test_damaged_real_captures_read_alike(pick: int, edits: list[tuple[int, str]], cut: int) -> None:
    lines = CAPTURES[pick].read_text(encoding="utf-8").split("\n")
    for at, text in edits:
        lines.insert(at % (len(lines) + 1), text)
    data = "\n".join(lines).encode()
    assert_equal(data[: len(data) - cut])


@pytest.mark.parametrize("path", CAPTURES, ids=lambda path: f"{path.parts[-4]}-{path.stem}")
def test_real_captures_read_alike(path: Path) -> None:
    taken = assert_equal(path.read_bytes())
    if path.stem in ("ipvsadm-Ln", "ipvsadm-Ln-stats", "ipvsadm-save-n"):
        assert taken is (path.stem == "ipvsadm-Ln")


@settings(max_examples=150, deadline=None)
@given(
    seed=st.integers(0, 1 << 32), services=st.integers(1, 30),
    edits=st.lists(st.tuples(st.integers(0, 9999), st.integers(0, 80), st.sampled_from(list(" \t0129.:-x>\r\0é"))), max_size=3),
    odd=st.sampled_from((0.0, 0.05)),
)  # fmt: skip
def test_a_wrong_character_anywhere_reads_alike(
    seed: int, services: int, edits: list[tuple[int, int, str]], odd: float
) -> None:
    """Columns are read at fixed places: no character may be overlooked."""
    rows = written(seed, services, odd).decode().split("\n")
    for line, column, char in edits:
        at = line % len(rows)
        rows[at] = rows[at][:column] + char + rows[at][column + 1 :]
    assert_equal("\n".join(rows).encode())


@pytest.mark.parametrize(
    "row",
    [
        "  -> 255.255.255.255:65535        Tunnel  9999999 9999999    9999999",
        "  -> 1.2.3.4:0                    Local   0      0          0                     ",
        "  -> 1.2.3.4:080                  Route   01     007        0",
        "  -> 1.2.3.4:65536                Masq    1      0          0",
        "  -> 1.2.3.256:80                 Masq    1      0          0",
        "  -> 1.2.3.4.5:80                 Masq    1      0          0",
        "  -> 01.2.3.4:80                  Masq    1      0          0",
        "  -> 1..3.4:80                    Masq    1      0          0",
        "  -> 1.2.3.4:80                   Masq    123456780          0",
        "  -> 1.2.3.4:80                   Masq    1      12345678901 0",
        "  -> 1.2.3.4:80                  Masq     1      0          0",
        "TCP  1.2.3.4:80 wlc persistent 7                        ",
        "TCP  1.2.3.4:80 lblcr persistent 7 mask 255.255.255.0",
        "SCTP 1.2.3.4:80 rr                                       x",
        "UDP  1.2.3.4:80 none",
    ],
)
def test_rows_at_the_edge_of_the_layout_read_alike(row: str) -> None:
    plain = written(3, 6, 0.0).decode().split("\n")
    for at in (4, 6, len(plain) - 1):
        assert_equal("\n".join([*plain[:at], row, *plain[at:]]).encode())


def test_ordinary_listings_are_read_by_their_bytes() -> None:
    """Else the comparison would be of something that is not used."""
    assert ipvsadm_fast.parse(written(7, 500, 0.0), "f.txt") is not None
    rows = written(7, 500, 0.0) + b"UDP  [2001:db8::a]:53 rr\n  -> [2001:db8::21]:53 Masq 1 0 0\nFWM  7 IPv6 wlc\n"
    assert ipvsadm_fast.parse(rows, "f.txt") is not None
    assert assert_equal(rows)


@pytest.mark.parametrize("odd", [0.0, 0.002])
def test_large_listings_are_taken_and_read_alike(odd: float) -> None:
    """Else the comparison would compare the reader with itself."""
    data = written(7, 2_000, 0.0)
    if odd:
        rows = data.decode().split("\n")
        for at in range(500, len(rows), 500):
            rows[at] = ODD[at // 500 % 30]
        data = "\n".join(rows).encode()
    assert assert_equal(data)


@pytest.mark.parametrize("line", ODD)
def test_each_odd_line_alone_among_plain_ones(line: str) -> None:
    plain = written(3, 6, 0.0).decode().split("\n")
    for at in (0, 3, 4, 6, len(plain) - 1):
        assert_equal("\n".join([*plain[:at], line, *plain[at:]]).encode())
        assert_equal("\n".join([*plain[:at], line, line]).encode())


def test_rows_that_only_together_have_the_right_number_of_words() -> None:
    """Five and seven words, or two and four, are not twice six or three."""
    reals = "  -> 10.20.1.7:80 Masq 1 0\n  -> 10.20.1.8:80 Masq 1 0 0 0\n"
    virtuals = "TCP 203.0.113.1:1\nUDP UDP 203.0.113.2:2 rr\n"
    for text in (reals, virtuals, virtuals + reals, "  -> -> 10.20.1.8:80 Masq 1 0\n" + reals):
        assert_equal((HEAD + "TCP  203.0.113.9:9 rr\n" + text).encode())


@pytest.mark.parametrize("restart", RESTARTS)
def test_a_second_listing_is_left_to_the_reader(restart: str) -> None:
    data = written(5, 100, 0.0) + restart.encode() + b"\n" + written(6, 3, 0.0, head="")
    assert both(data)[1] is None
    assert len(ipvsadm_list.parse(data, "f.txt").tables["virtual_servers"])


def test_frames_of_equal_nodes_do_not_share_memory() -> None:
    data = written(8, 100, 0.0)
    one, two = ipvsadm_list.parse(data, "a.txt"), ipvsadm_list.parse(data, "b.txt")
    one.tables["real_servers"].loc[0, ["weight", "address"]] = [77, "192.0.2.1"]
    assert int(two.tables["real_servers"].loc[0, "weight"]) != 77
    assert two.tables["real_servers"].loc[0, "file"] == "b.txt"
