"""ss, netstat and /proc/net/tcp: every column set gives the same listeners."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analyzer.parsers import envelope, netstat, proc_net_tcp, ss
from analyzer.parsers.base import Parsed

DATA = Path(__file__).parent.parent / "data" / "sockets"
SS_TITLE = "Netid State  Recv-Q Send-Q Local Address:Port  Peer Address:PortProcess"
NETSTAT_TITLE = (
    "Active Internet connections (only servers)\n"
    "Proto Recv-Q Send-Q Local Address           Foreign Address         State       PID/Program name"
)


def read(module: ModuleType, text: str, file: str = "capture.txt") -> Parsed:
    parsed: Parsed = module.parse(text.encode(), file)
    count = parsed.lines
    assert count.total == count.blank + count.rows + count.furniture + count.noted
    return parsed


def rows(parsed: Parsed) -> list[dict[str, Any]]:
    frame = parsed.tables["listeners"].astype(object)
    return [{str(k): v for k, v in row.items()} for row in frame.where(frame.notna(), None).to_dict("records")]


def brief(parsed: Parsed) -> list[tuple[Any, ...]]:
    return [(row["protocol"], row["family"], row["address"], row["port"]) for row in rows(parsed)]


def reasons(parsed: Parsed) -> list[str]:
    return [note.reason for note in parsed.notes]


def test_so01_other_families_are_skipped_with_one_note() -> None:
    text = f"""{SS_TITLE}
nl    UNCONN 0      0                   rtnl:kernel                *
u_str LISTEN 0      4096    /run/systemd/private 1145             * 0
udp   UNCONN 0      0           127.0.0.53%lo:53             0.0.0.0:*
tcp   LISTEN 0      4096            0.0.0.0:22             0.0.0.0:*
"""
    parsed = read(ss, text)
    assert brief(parsed) == [("udp", 4, "127.0.0.53", 53), ("tcp", 4, "0.0.0.0", 22)]
    assert rows(parsed)[0]["scope_interface"] == "lo"
    assert [(note.line, note.reason, note.detail) for note in parsed.notes] == [
        (2, "extra", "2 sockets of other families")
    ]


def test_so02_without_netid() -> None:
    text = "State  Recv-Q Send-Q Local Address:Port Peer Address:Port\nLISTEN 0 128 192.0.2.11:22 0.0.0.0:*\n"
    text += "UNCONN 0 0 192.0.2.11:68 0.0.0.0:*\n"
    parsed = read(ss, text)
    assert [row["protocol"] for row in rows(parsed)] == ["tcp", "udp"]
    assert reasons(parsed) == ["assumed"]
    assert reasons(read(ss, f"# ss -lntu\n{text}")) == []
    assert reasons(read(ss, text, "nodes/node-a/ss-lnut.txt")) == []


def test_so03_without_state_connected_sockets_are_no_rows() -> None:
    text = "Recv-Q Send-Q Local Address:Port Peer Address:Port\n0 0 192.0.2.11:22 198.51.100.7:50000\n"
    parsed = read(ss, text)
    assert (rows(parsed), parsed.state) == ([], "empty")
    assert parsed.lines.furniture == 2


@pytest.mark.parametrize("row", ["tcp LISTEN 0 128 0.0.0.0:22 0.0.0.0:*", "LISTEN 0 128 0.0.0.0:22 0.0.0.0:*"])
def test_so04_without_header(row: str) -> None:
    assert brief(read(ss, row)) == [("tcp", 4, "0.0.0.0", 22)]
    assert ss.FORMS[0].sniff(envelope.head(row.encode(), "x.txt")) > 0


@pytest.mark.parametrize("end", ["", "Process", "              Process", "   "])
def test_so05_glued_title(end: str) -> None:
    title = f"State  Recv-Q Send-Q Local Address:Port  Peer Address:Port{end}"
    parsed = read(ss, f"{title}\nLISTEN 0 128 0.0.0.0:22 0.0.0.0:*\n", "ss-lnt.txt")
    assert (parsed.lines.furniture, len(rows(parsed)), reasons(parsed)) == (1, 1, [])


@pytest.mark.parametrize(
    ("column", "names", "pid"),
    [
        ('users:(("nginx",4120,6))', "nginx", 4120),
        ('users:(("nginx",pid=4120,fd=6),("nginx",pid=4121,fd=6),("python3",pid=9,fd=3))', "nginx,python3", 4120),
        ('users:(("x",pid=7,fd=3)) uid:0 ino:1145 sk:5 cgroup:/system.slice/x.service <->', "x", 7),
        ('users:(("sshd",4120,fd:5))', "sshd", 4120),
        ('users:(("x uid:0 ino:9",pid=8,fd=3))', "x uid:0 ino:9", 8),
        ('users:(("a"b)(",pid=8,fd=3))', 'a"b)(', 8),
        ("", None, None),
    ],
)
def test_so06_so13_processes(column: str, names: str | None, pid: int | None) -> None:
    row = rows(read(ss, f"tcp LISTEN 0 128 0.0.0.0:22 0.0.0.0:* {column}"))[0]
    assert (row["process"], row["pid"], row["port"]) == (names, pid, 22)
    assert row["extra"] == ("uid:0 ino:1145 sk:5 cgroup:/system.slice/x.service <->" if "cgroup" in column else None)


def test_so07_star_is_dual_in_current_ss_and_ipv4_in_old() -> None:
    current = "tcp LISTEN 0 128 *:10256 *:*\ntcp LISTEN 0 128 0.0.0.0:22 0.0.0.0:*\ntcp LISTEN 0 128 [::]:80 [::]:*\n"
    assert brief(read(ss, current)) == [("tcp", None, "*", 10256), ("tcp", 4, "0.0.0.0", 22), ("tcp", 6, "::", 80)]
    old = read(ss, "tcp LISTEN 0 128 *:22 *:*\ntcp LISTEN 0 128 :::10256 :::*\n")
    assert brief(old) == [("tcp", 4, "0.0.0.0", 22), ("tcp", None, "*", 10256)]
    assert reasons(old) == ["assumed"]


def test_so08_scoped_and_mapped() -> None:
    text = """tcp LISTEN 0 5 192.0.2.53%eth0:53 0.0.0.0:*
tcp LISTEN 0 5 [::ffff:192.0.2.31]:9090 *:*
tcp LISTEN 0 5 ::ffff:192.0.2.32:9091 :::*
udp UNCONN 0 0 [fe80::1]%eth0:546 [::]:*
tcp LISTEN 0 5 [2001:db8:200:300:400:500:600:17]:8443 [::]:*
"""
    parsed = read(ss, text)
    assert [row[2] for row in brief(parsed)] == [
        "192.0.2.53", "192.0.2.31", "192.0.2.32", "fe80::1", "2001:db8:200:300:400:500:600:17",
    ]  # fmt: skip
    assert [row["scope_interface"] for row in rows(parsed)][::3] == ["eth0", "eth0"]


def test_so09_names() -> None:
    parsed = read(ss, "tcp LISTEN 0 5 192.0.2.11:ssh 0.0.0.0:*\ntcp LISTEN 0 5 node-a.example:odd-service 0.0.0.0:*\n")
    assert brief(parsed) == [("tcp", 4, "192.0.2.11", 22), ("tcp", None, None, None)]
    assert reasons(parsed) == ["assumed", "name", "name"]


def test_so10_queues() -> None:
    row = rows(read(ss, "tcp LISTEN 129 128 0.0.0.0:22 0.0.0.0:*"))[0]
    assert (row["recv_q"], row["send_q"]) == (129, 128)


def test_so11_so12_second_line_and_timers_are_extra() -> None:
    text = f"""{SS_TITLE}
tcp   LISTEN 0      128     0.0.0.0:22    0.0.0.0:*    users:(("sshd",pid=1,fd=3)) fwmark:0x2a <->
\t skmem:(r0,rb131072,t0) cubic cwnd:10
tcp   ESTAB  0      0       192.0.2.11:22 198.51.100.7:50000 timer:(on,310ms,0)
\t cubic wscale:7,7 rto:201
"""
    parsed = read(ss, text)
    assert [row["extra"] for row in rows(parsed)] == ["fwmark:0x2a <-> skmem:(r0,rb131072,t0) cubic cwnd:10"]
    assert (parsed.lines.rows, reasons(parsed)) == (2, ["extra"])


def test_so14_columns_removed_by_hand() -> None:
    parsed = read(ss, "tcp LISTEN 192.0.2.11:22\ntcp LISTEN 0 nothing\n")
    assert brief(parsed) == [("tcp", 4, "192.0.2.11", 22)]
    assert reasons(parsed) == ["unparsed"]


def test_so15_summary_is_no_table() -> None:
    summary = """Total: 187
TCP:   13 (estab 2, closed 3, orphaned 0, timewait 0)

Transport Total     IP        IPv6
RAW\t  0         0         0
UDP\t  4         3         1
TCP\t  10        8         2
INET\t  14        11        3
FRAG\t  0         0         0
"""
    alone = read(ss, summary)
    assert (alone.state, reasons(alone)) == ("failed", ["not-a-table"])
    before = read(ss, f"{summary}\n{SS_TITLE}\ntcp LISTEN 0 128 0.0.0.0:22 0.0.0.0:*\n")
    assert (before.state, len(rows(before)), before.notes) == ("rows", 1, ())


def test_en12_a_cut_port_is_not_a_port() -> None:
    parsed = read(ss, "tcp LISTEN 0 128 0.0.0.0:22 0.0.0.0:*\ntcp LISTEN 0 128 0.0.0.0:84")
    assert [row["port"] for row in rows(parsed)] == [22]
    assert (reasons(parsed), parsed.complete) == (["cut"], False)


def test_so20_netstat_tables() -> None:
    text = f"""{NETSTAT_TITLE}
tcp        0      0 192.0.2.11:10250        0.0.0.0:*               LISTEN      -
tcp        0      0 192.0.2.11:22           198.51.100.7:50000      ESTABLISHED 900/sshd: root
udp        0      0 0.0.0.0:68              0.0.0.0:*                           612/dhclient
raw        0      0 0.0.0.0:1               0.0.0.0:*               7           -
Active UNIX domain sockets (only servers)
Proto RefCnt Flags       Type       State         I-Node   PID/Program name     Path
unix  2      [ ACC ]     STREAM     LISTENING     1145     1/init               /run/systemd/private
"""
    parsed = read(netstat, text)
    assert brief(parsed) == [("tcp", 4, "192.0.2.11", 10250), ("udp", 4, "0.0.0.0", 68)]
    assert [(row["state"], row["process"], row["pid"]) for row in rows(parsed)] == [
        ("LISTEN", None, None), ("UNCONN", "dhclient", 612),
    ]  # fmt: skip
    assert [note.detail for note in parsed.notes] == ["1 sockets that do not listen", "3 lines of other families"]


def test_so21_tcp6_wildcard_is_dual() -> None:
    text = f"{NETSTAT_TITLE}\ntcp6 0 0 :::10256 :::* LISTEN 1/kube-proxy\ntcp6 0 0 :::80 :::* LISTEN -\n"
    parsed = read(netstat, f"{text}tcp6 0 0 ::1:6010 :::* LISTEN -\ntcp6 0 0 ::ffff:192.0.2.1:81 :::* LISTEN -\n")
    assert [row[1:3] for row in brief(parsed)] == [(None, "*"), (None, "*"), (6, "::1"), (4, "192.0.2.1")]
    assert reasons(parsed) == ["assumed"]


def test_so22_program_with_blanks() -> None:
    row = rows(read(netstat, f"{NETSTAT_TITLE}\ntcp 0 0 0.0.0.0:80 0.0.0.0:* LISTEN 2210/haproxy: maste/x\n"))[0]
    assert (row["process"], row["pid"]) == ("haproxy: maste/x", 2210)


def test_so23_owner_and_timer_columns() -> None:
    title = (
        "Active Internet connections (servers and established)\n"
        "Proto Recv-Q Send-Q Local Address Foreign Address State User Inode PID/Program name Timer"
    )
    text = f"{title}\ntcp 0 0 0.0.0.0:22 0.0.0.0:* LISTEN 0 15893 957/sshd: /usr/sbin off (0.00/0/0)\n"
    text += "udp 0 0 0.0.0.0:68 0.0.0.0:* 101 15894 612/dhclient off (0.00/0/0)\n"
    listed = rows(read(netstat, text))
    assert [(row["process"], row["pid"]) for row in listed] == [("sshd: /usr/sbin", 957), ("dhclient", 612)]
    assert listed[1]["extra"] == "user=101 inode=15894 off (0.00/0/0)"


def test_so24_cut_and_edited_columns() -> None:
    parsed = read(netstat, f"{NETSTAT_TITLE}\ntcp 0.0.0.0:80 0.0.0.0:* LISTEN 5/x\ntcp 0 0 0.0.0.0:81 0.0.0.0:*\n")
    assert [(row["port"], row["state"], row["recv_q"]) for row in rows(parsed)] == [(80, "LISTEN", None), (81, None, 0)]
    assert reasons(parsed) == ["cut"]
    assert reasons(read(netstat, f"{NETSTAT_TITLE}\ntcp 0 0 0.0.0.0:8")) == ["cut"]


PROC = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode"


def proc(local: str, remote: str, state: str) -> str:
    return f"   0: {local} {remote} {state} 00000000:00000000 00:00000000 00000000     0        0 4563 1 00000000"


def test_so25_proc_net_tcp_is_little_endian() -> None:
    lines = [proc("0B0200C0:280A", "00000000:0000", "0A"), proc("0B0200C0:0016", "076433C6:C350", "01")]
    parsed = read(proc_net_tcp, "\n".join((PROC, *lines)))
    assert brief(parsed) == [("tcp", 4, "192.0.2.11", 10250)]
    assert reasons(parsed) == ["extra"]


def test_so25_ipv6_and_udp() -> None:
    any6 = "0" * 32
    six = [
        proc(f"{any6}:2810", f"{any6}:0000", "0A"),
        proc("B80D0120000000000000000001000000:0050", f"{any6}:0000", "0A"),
    ]
    parsed = read(proc_net_tcp, "\n".join((PROC.replace("rem_address", "remote_address"), *six)))
    assert brief(parsed) == [("tcp", None, "*", 10256), ("tcp", 6, "2001:db8::1", 80)]
    udp = read(proc_net_tcp, f"{PROC} ref pointer drops\n{proc('00000000:0044', '00000000:0000', '07')}\n")
    assert [(row["protocol"], row["state"], row["port"]) for row in rows(udp)] == [("udp", "UNCONN", 68)]


def test_real_captures_of_one_node_agree() -> None:
    names = {"ss-lnt.txt": ss, "ss-lntup.txt": ss, "netstat-lntp.txt": netstat}
    found = {}
    for name, module in names.items():
        parsed = read(module, (DATA / name).read_text(), name)
        assert (parsed.state, parsed.complete) == ("rows", True)
        found[name] = {row for row in brief(parsed) if row[0] == "tcp"}
    assert found["ss-lnt.txt"] == found["ss-lntup.txt"] == found["netstat-lntp.txt"]


_WORDS = st.sampled_from(
    (
        *(
            "tcp",
            "udp",
            "LISTEN",
            "UNCONN",
            "ESTAB",
            "0",
            "128",
            "*:*",
            "*:22",
            ":::22",
            "[::]:80",
            "0.0.0.0:*",
            "x",
            ":",
        ),
        *("192.0.2.1%eth0:53", 'users:(("a",1,2))', "-", "5/x", "\n", "\t", "unix"),
    )
)


@settings(max_examples=150, deadline=None)
@given(st.one_of(st.binary(max_size=200), st.lists(_WORDS, max_size=40).map(lambda words: " ".join(words).encode())))
def test_any_text_is_accounted_for(data: bytes) -> None:
    for module in (ss, netstat, proc_net_tcp):
        read(module, data.decode("utf-8", errors="replace"))
