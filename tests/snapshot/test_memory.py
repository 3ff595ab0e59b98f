"""A capture that there is no memory for costs that capture alone; notes do not grow with a file."""

from __future__ import annotations

from analyzer.bundle import Bundle, Member
from analyzer.parsers import registry
from analyzer.parsers.base import MAX_NOTES
from analyzer.snapshot import load
from analyzer.snapshot.load import TOO_LARGE


def test_a_capture_without_room_is_refused_and_the_rest_is_read() -> None:
    def no_room() -> bytes:
        raise MemoryError

    members = (
        Member("nodes/a/conntrack-L.txt", 1 << 40, "node", "a", no_room),
        Member("nodes/a/sysctl.txt", 24, "node", "a", lambda: b"net.ipv4.ip_forward = 1\n"),
    )
    snapshot = load(Bundle("b", "native", members))
    told = {row.file: (row.state, row.detail) for row in snapshot["captures"].itertuples()}
    assert told["nodes/a/conntrack-L.txt"] == ("refused", TOO_LARGE)
    assert told["nodes/a/sysctl.txt"][0] == "rows"
    assert set(snapshot.captured["a"]) == {"sysctl"}


def test_a_file_of_another_kind_gives_so_many_notes_and_no_more() -> None:
    lines = 3 * MAX_NOTES
    parsed = registry.form("ip-addr").parse(b"no such line\n" * lines, "ip-addr.txt")
    assert len(parsed.notes) == MAX_NOTES + 1
    assert f"and {lines - MAX_NOTES - 1} more notes" in parsed.notes[-1].detail
    assert parsed.lines.noted == parsed.lines.total == lines
