"""The frames of ACK's diagnose_k8s.sh."""

from __future__ import annotations

from analyzer.parsers.dashed_runs import sections
from analyzer.parsers.registry import parse_member

START = b"-----------------run %s------------------\n"
END = b"------------End of %s----------------\n"
ROUTE = b"default via 192.0.2.1 dev eth0\n"


def test_a_start_line_closes_an_open_section_as_cut() -> None:
    data = (
        START % b"ip route show"
        + ROUTE
        + START % b"uname -a"
        + b"Linux a 6.1.0 #1 SMP x86_64 GNU/Linux\n"
        + END % b"uname"
    )
    assert [(one.command, one.cut) for one in sections(data)] == [("ip route show", True), ("uname -a", False)]
    found = {form.capture: parsed for form, parsed in parse_member(data, "network_info")}
    assert not found["ip-route"].complete
    assert found["uname"].complete


def test_only_the_word_of_the_command_ends_it() -> None:
    data = START % b"ip route show" + ROUTE + END % b"cat" + ROUTE.replace(b"default", b"192.0.2.0/24") + END % b"ip"
    assert [(one.first, one.last) for one in sections(data)] == [(1, 5)]


def test_an_argv_may_hold_dashes() -> None:
    assert sections(START % b"ip --details ad show --x-" + END % b"ip")[0].command == "ip --details ad show --x-"


def test_a_failed_command_is_no_empty_table() -> None:
    data = START % b"ip route show" + b"failed to collect info: ip route show\n" + END % b"ip"
    ((form, parsed),) = parse_member(data, "network_info")
    assert (form.capture, parsed.state) == ("ip-route", "failed")


def test_lines_keep_the_numbers_of_the_file() -> None:
    data = (
        START % b"uname -a"
        + b"Linux a 6.1.0 #1 SMP x86_64 GNU/Linux\n"
        + END % b"uname"
        + b"\n"
        + START % b"ip route show"
        + ROUTE
    )
    found = {form.capture: parsed for form, parsed in parse_member(data, "f")}
    assert found["ip-route"].tables["routes"]["line"].tolist() == [6]
    assert sum(parsed.lines.total for parsed in found.values()) == 6


def test_listings_without_a_frame_follow_the_last_section() -> None:
    title = b"Active Internet connections (only servers)\nProto Recv-Q Send-Q Local Address Foreign Address State\n"
    data = (
        START % b"ip route show" + ROUTE + END % b"ip" + b"\n" + title
        + b"tcp        0      0 0.0.0.0:22              0.0.0.0:*               LISTEN\n"
        + b"Active UNIX domain sockets (only servers)\nunix  2      [ ACC ]     STREAM     LISTENING     1 /run/x\n"
    )  # fmt: skip
    found = {form.capture: parsed for form, parsed in parse_member(data, "network_info")}
    assert found["sockets"].tables["listeners"]["port"].tolist() == [22]
