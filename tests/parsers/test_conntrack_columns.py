"""conntrack by columns: equal in every respect to reading by lines, whatever the input."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analyzer.parsers import conntrack, conntrack_columns, conntrack_fast, conntrack_slow
from analyzer.tables import CONNECTIONS

DATA = Path(__file__).parent.parent / "data" / "conntrack"
STATES = ("TIME_WAIT", "ESTABLISHED", "SYN_SENT", "CLOSE", "SYN_SENT2", "ODD_STATE")


def assert_equal(data: bytes) -> conntrack_columns.Columns:
    """Both readers on the same bytes; gives the columns, to see what the fast one took."""
    slow, fast = conntrack_slow.parse(data, "f.txt"), conntrack.parse_columns(data, "f.txt")
    left, right = slow.tables["connections"], fast.tables["connections"]
    assert tuple(right.columns) == CONNECTIONS.names
    assert [str(dtype) for dtype in right.dtypes] == [column.dtype for column in CONNECTIONS.columns]
    for name in CONNECTIONS.names:
        assert _plain(right[name]) == _plain(left[name]), name
    assert fast.notes == slow.notes
    assert fast.lines == slow.lines
    assert (fast.state, fast.complete, fast.facts) == (slow.state, slow.complete, slow.facts)
    return conntrack_fast.read(data)


def _plain(series: Any) -> list[Any]:
    listed: list[Any] = series.astype(object).where(series.notna(), None).tolist()
    return listed


class Writer:
    """Writes entries of all kinds as the kernel or the tool prints them."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)

    def address(self, six: bool) -> str:
        r = self.random.randrange
        if not six:
            return f"{r(256)}.{r(256)}.{r(256)}.{r(256)}"
        if r(2):
            return f"2001:db8:{r(65536):x}::{r(65536):x}"
        return ":".join(f"{word:04x}" for word in (0x2001, 0xDB8, 0, 0, r(65536), 0, 0, r(65536)))

    def row(self, kind: int) -> str:
        r = self.random.randrange
        six = kind in (3, 7)
        a, b, c = (self.address(six) for _ in range(3))
        prefix = ("ipv6     10 " if six else "ipv4     2 ") if kind in (2, 3) else ""
        counters = f" packets={r(10 ** r(1, 17))} bytes={r(10 ** r(1, 17))}" if kind in (4, 7) else ""
        zone = " zone=3" if kind in (2, 5) else ""
        flag = ("", " [ASSURED]", " [OFFLOAD]", " [HW_OFFLOAD]")[r(4)]
        tail = f"{flag} mark={r(1 << 32) if kind == 6 else 0}{zone} use={r(1, 30)}"
        if kind == 8:
            tail = f"{flag} mark=0 secctx=system_u:object_r:unlabeled_t:s{r(3)} use=1"
        if kind == 9:
            return (
                f"icmp     1 {r(30)} src={a} dst={b} type=8 code=0 id={r(65536)} "
                f"src={b} dst={a} type=0 code=0 id={r(65536)}{tail}"
            )
        if kind == 10:
            return f"unknown  2 {r(600)} src={a} dst={b} [UNREPLIED] src={b} dst={a} mark=0 use=1"
        unreplied = " [UNREPLIED]" if r(4) == 0 else ""
        head = (
            f"udp      17 {r(180)}" if r(3) == 0 else f"tcp      6 {r(432001)} {STATES[r(len(STATES) - (kind != 1))]}"
        )
        if "OFFLOAD" in flag:
            head = "tcp      6"
        return (
            f"{prefix}{head} src={a} dst={b} sport={r(65536)} dport={r(65536)}{counters}{unreplied} "
            f"src={c} dst={a} sport={r(65536)} dport={r(65536)}{counters}{tail}"
        )

    def damaged(self, row: str) -> str:
        """The row with one character changed, cut, doubled or moved; or another line altogether."""
        at = self.random.randrange(1, len(row))
        letter = self.random.choice("=[] .:x0123456789\tüE\\\r")
        return self.random.choice(
            (
                row[:at], row[at:], row[:at] + letter + row[at:], row[:at] + letter + row[at + 1 :],
                row + row, "", f"> {row}", "...", "-- cut --", "# conntrack -L", row.replace("src=", "src=999.", 1),
                row + " \\", row + " ",
                row.replace("dport=", "dport=9999", 1), row.replace(" use=", " vendor=x use="),
                row.replace(" mark=0", ""),
            )
        )  # fmt: skip


def written(seed: int, size: int, kinds: list[int], bad: float, trailer: bool) -> bytes:
    writer = Writer(seed)
    lines = []
    for _ in range(size):
        row = writer.row(writer.random.choice(kinds))
        lines.append(writer.damaged(row) if writer.random.random() < bad else row)
    text = "\n".join(lines) + writer.random.choice(("\n", ""))
    if trailer:
        at = writer.random.randrange(len(text) + 1)
        text = f"{text[:at]}conntrack v1.4.7 (conntrack-tools): {size} flow entries have been shown.\n{text[at:]}"
    return text.encode()


@settings(max_examples=100, deadline=None)
@given(
    seed=st.integers(0, 1 << 32),
    size=st.integers(1, 80),
    kinds=st.lists(st.integers(0, 10), min_size=1, max_size=4),
    bad=st.sampled_from((0.0, 0.02, 0.3)),
    trailer=st.booleans(),
)
def test_generated_captures_read_alike(seed: int, size: int, kinds: list[int], bad: float, trailer: bool) -> None:
    assert_equal(written(seed, size, kinds, bad, trailer))


@settings(max_examples=50, deadline=None)
@given(st.binary(max_size=400), st.integers(0, 1 << 16))
def test_any_bytes_read_alike(noise: bytes, seed: int) -> None:
    rows = written(seed, 40, [0], 0.0, False)
    at = seed % len(rows)
    assert_equal(rows[:at] + noise + rows[at:])
    assert_equal(noise)


@pytest.mark.parametrize("kind", range(11))
def test_regular_rows_are_taken_by_columns(kind: int) -> None:
    """Else the comparison would compare the line reader with itself."""
    columns = assert_equal(written(kind, 300, [kind], 0.0, False))
    assert columns.taken.sum() > (240 if kind == 1 else 299)  # kind 1 has states the kernel does not know


def test_mixed_layouts_and_one_bad_line_in_a_thousand() -> None:
    columns = assert_equal(written(7, 6_000, [0, 2, 3, 4, 5, 9], 0.001, True))
    assert columns.taken.mean() > 0.995


def test_rows_cross_the_borders_of_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conntrack_fast, "BLOCK", 1000)
    monkeypatch.setattr(conntrack_fast, "WORTH_A_LOOK", 1)
    assert_equal(written(3, 500, [0, 4, 7], 0.01, True))
    assert_equal(b"x" * 5000 + b"\n" + written(4, 50, [0], 0.0, False))


@pytest.mark.parametrize("mark", ["> ", "    ", "# "])
def test_a_quoted_or_indented_paste_is_unwrapped_first(mark: str) -> None:
    rows = written(5, 200, [0], 0.0, False).decode().strip().split("\n")
    assert_equal("".join(f"{mark}{row}\n" for row in rows).encode())
    assert (
        len(conntrack.parse_columns("".join(f"{mark}{r}\n" for r in rows).encode(), "f").tables["connections"]) == 200
    )


@pytest.mark.parametrize("encoding", ["utf-16", "utf-8-sig"])
def test_other_encodings(encoding: str) -> None:
    assert_equal(written(6, 100, [0], 0.0, False).decode().replace("\n", "\r\n").encode(encoding))


def test_hostile_lines_cost_no_memory() -> None:
    assert_equal(b"=" * 300_000 + b"\n" + b"tcp      6 1 " + b"a=" * 5000 + b"\n" + written(8, 50, [0], 0.0, False))


def test_address_columns_share_their_categories() -> None:
    frame = conntrack.parse_columns(written(9, 300, [0, 3], 0.0, False), "f.txt").tables["connections"]
    names = [frame[name].cat.categories for name in ("orig_src", "orig_dst", "reply_src", "reply_dst")]
    assert all(other is names[0] or other.equals(names[0]) for other in names)


@pytest.mark.parametrize("path", sorted(DATA.glob("*.txt")), ids=lambda path: path.stem)
def test_real_captures_read_alike(path: Path) -> None:
    assert_equal(path.read_bytes())


def test_real_captures_read_alike_many_times_over() -> None:
    columns = assert_equal(b"".join(path.read_bytes() for path in sorted(DATA.glob("*.txt"))) * 20)
    assert columns.taken.mean() > 0.9
