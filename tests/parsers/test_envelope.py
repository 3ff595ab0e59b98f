"""What surrounds output, and choosing the form; ids in test names are those of the catalogue of formats."""

from __future__ import annotations

import time
from typing import Any

import pytest

from analyzer.parsers import envelope, registry
from analyzer.parsers.base import Parsed

TABLE = "TCP  203.0.113.10:443 wrr\n  -> 10.20.1.7:8443               Masq    3      12         4\n"
ADDR = "6: kube-ipvs0: <BROADCAST,NOARP> mtu 1500 state DOWN\n    inet 203.0.113.10/32 scope global kube-ipvs0\n"
CLEAN = TABLE.splitlines()


def kept(text: str) -> list[str]:
    return [line for _, line in envelope.lines(text.encode()).pairs if line.strip()]


def members(text: str, name: str = "capture.txt") -> list[tuple[str, Parsed]]:
    return [(form.name, parsed) for form, parsed in registry.parse_member(text.encode(), name)]


def reasons(parsed: Parsed) -> list[tuple[int, str]]:
    return [(note.line, note.reason) for note in parsed.notes]


def prefixed(text: str, prefix: str) -> str:
    return "".join(f"{prefix}{line}\n" for line in text.splitlines())


WRAPPED = {
    "clean": TABLE,
    "byte-order-mark": "\ufeff" + TABLE,
    "carriage-returns": TABLE.replace("\n", "\r\n"),
    "EN-01 prompt": "[root@node-a ~]# ipvsadm -Ln\n" + TABLE + "[root@node-a ~]#\n",
    "EN-01 prompt with colon": "root@node-a:~# ipvsadm -Ln\n" + TABLE + "root@node-a:~# ",
    "EN-01 bare prompt": "# ipvsadm -Ln   # all of it\n" + TABLE,
    "EN-01 dollar": "$ sudo ipvsadm -Ln\n" + TABLE,
    "EN-01 shell without user": "bash-4.2# ipvsadm -Ln\n" + TABLE,
    "EN-01 container": "/ # ipvsadm -Ln\n" + TABLE + "/ # exit\n",
    "EN-01 arrow": "➜  ~ ipvsadm -Ln\n" + TABLE,
    "EN-04 comment prefix": prefixed(TABLE, "# "),
    "EN-05 quoted": prefixed(TABLE, "> "),
    "EN-05 quoted twice": prefixed(TABLE, "> > "),
    "EN-08 margin": prefixed(TABLE, "    "),
    "EN-08 tabs": prefixed(TABLE, "\t\t"),
    "EN-11 watch": "Every 2.0s: ipvsadm -Ln            node-a: Sat Jan  3 10:00:00 2026\n\n" + TABLE,
    "EN-17 fence": "```\n" + TABLE + "```\n",
    "EN-17 fence with language": "```console\n" + TABLE + "```\n",
    "EN-17 fence glued to the last line": "```\n" + TABLE.rstrip() + "```",
    "EN-17 line numbers": "".join(f"{number:6}\t{line}\n" for number, line in enumerate([*CLEAN, ""], 1)),
    "EN-20 heading": "[+] Virtual servers:\n=== ipvs ===\n" + TABLE,
    "frame": "+----+\n" + "".join(f"| {line:70} |\n" for line in CLEAN) + "+----+\n",
    "colours": "\x1b[1mTCP\x1b[0m" + TABLE[3:],
}


@pytest.mark.parametrize("case", [case for case in WRAPPED if case != "EN-17 line numbers"])
def test_the_envelope_comes_off(case: str) -> None:
    assert [line.split() for line in kept(WRAPPED[case])] == [line.split() for line in CLEAN]


@pytest.mark.parametrize("case", WRAPPED)
def test_wrapped_and_clean_give_the_same_rows(case: str) -> None:
    ((_, clean),) = members(TABLE)
    ((name, parsed),) = members(WRAPPED[case])
    assert name == "ipvsadm-list"
    for table, frame in clean.tables.items():
        other = parsed.tables[table]
        hidden = ["line", "vs_line"] if table == "real_servers" else ["line"]
        assert other.drop(columns=hidden).equals(frame.drop(columns=hidden))
    first = 1 + WRAPPED[case].split("203.0.113.10")[0].count("\n")
    assert parsed.tables["virtual_servers"]["line"].tolist() == [first]
    assert parsed.notes == ()


def test_furniture_and_facts_are_remembered() -> None:
    opened = envelope.lines(WRAPPED["EN-01 prompt"].encode())
    assert opened.furniture == [1, 4]
    assert opened.facts == {"command": "ipvsadm -Ln", "host": "node-a"}
    watched = envelope.lines(WRAPPED["EN-11 watch"].encode())
    assert watched.facts == {"command": "ipvsadm -Ln", "host": "node-a", "time": "Sat Jan  3 10:00:00 2026"}


@pytest.mark.parametrize("case", sorted({"clean", "carriage-returns"}))
def test_clean_text_keeps_all_lines(case: str) -> None:
    opened = envelope.lines(WRAPPED[case].encode())
    assert opened.pairs == list(enumerate(CLEAN, 1))
    assert not opened.furniture


def test_en_02_several_hosts_are_never_merged() -> None:
    text = "[root@node-a ~]# ipvsadm -Ln\n" + TABLE + "[root@node-b ~]# ipvsadm -Ln\n" + TABLE
    results = members(text)
    assert [parsed.facts["host"] for _, parsed in results] == ["node-a", "node-b"]
    assert [len(parsed.tables["virtual_servers"]) for _, parsed in results] == [1, 1]
    assert results[1][1].tables["virtual_servers"]["line"].tolist() == [5]
    assert reasons(results[1][1]) == [(4, "second-host")]
    assert sum(parsed.lines.total for _, parsed in results) == text.count("\n")


def test_en_03_same_command_twice_the_later_one_counts() -> None:
    results = members(
        "# ip addr show kube-ipvs0\n" + ADDR + "# ip addr show kube-ipvs0\n" + ADDR.replace("DOWN", "UNKNOWN")
    )
    assert [parsed.tables["interfaces"]["state"].tolist() for _, parsed in results] == [["UNKNOWN"]]
    assert reasons(results[0][1]) == [(1, "repeated")]
    assert results[0][1].lines.total == 6


def test_en_04_comments_of_a_tool_stay() -> None:
    text = "# Generated by iptables-save v1.8.9\n# Completed on Sat\n"
    assert kept(text) == text.splitlines()


def test_en_06_continued_lines_are_joined_and_noted() -> None:
    ((_, parsed),) = members("local 203.0.113.10 dev kube-ipvs0 proto kernel \\\n    scope host src 203.0.113.10\n")
    assert parsed.tables["routes"].loc[0, "prefsrc"] == "203.0.113.10"
    assert reasons(parsed) == [(1, "assumed")]
    assert parsed.lines.total == parsed.lines.rows + parsed.lines.furniture == 2


@pytest.mark.parametrize(
    "text",
    [
        "local 203.0.113.10 dev kube-ipvs0 \\\n\n",
        "a \\\n   \nb\n",
        " \\\n\nb\n",
        " \\\n \\\n\n",
        "a \\\n \\\n\n\nb \\\n",
        "x src=3D1=\n\ny dst=3D2 =3D=\n\n",
    ],
)
def test_en_06_joined_blank_lines_stay_in_the_account(text: str) -> None:
    opened = envelope.lines(text.encode())
    numbers = sorted([number for number, _ in opened.pairs] + opened.furniture)
    assert numbers == list(range(1, text.count("\n") + 1))


@pytest.mark.parametrize("gap", ["[cut]", "(snip)", "<omitted>", "#omitted"])
def test_en_09_a_gap_is_seen_in_otherwise_clean_text(gap: str) -> None:
    banner = "IP Virtual Server version 1.2.1 (size=4096)\n"
    assert envelope.lines(f"{banner}TCP  203.0.113.10:443 rr\n{gap}\n".encode()).filtered


def test_en_07_quoted_printable_is_decoded() -> None:
    text = "ipv4     2 udp      17 24 src=3D10.20.1.7 dst=3D203.0.113.53 sport=3D53=\n124 dport=3D53 [UNREPLIED]\n"
    opened = envelope.lines(text.encode())
    assert opened.pairs == [
        (1, "ipv4     2 udp      17 24 src=10.20.1.7 dst=203.0.113.53 sport=53124 dport=53 [UNREPLIED]")
    ]
    assert [note.reason for note in opened.notes] == ["assumed"]


@pytest.mark.parametrize("gap", ["...", "   ...", "…", "## omitted", "[...]", "<snip>"])
def test_en_09_ellipsis_is_furniture_and_the_table_incomplete(gap: str) -> None:
    ((_, parsed),) = members("-A -t 203.0.113.10:443 -s rr\n" + gap + "\n-A -t 203.0.113.11:443 -s rr\n")
    assert len(parsed.tables["virtual_servers"]) == 2
    assert reasons(parsed) == [(2, "cut")]
    assert not parsed.complete


def test_en_10_grep_leaves_a_filtered_capture() -> None:
    banner = "IP Virtual Server version 1.2.1 (size=4096)\n"
    ((_, whole),) = members(banner + TABLE)
    ((_, grouped),) = members(banner + TABLE + "--\n" + TABLE.replace("10:443", "11:443"))
    ((_, piped),) = members("# ipvsadm -Ln | grep -A2 203.0.113.10\n" + TABLE)
    assert (whole.complete, grouped.complete, piped.complete) == (True, False, False)


ERRORS = [
    ("ipvsadm-Ln.txt", "bash: ipvsadm: command not found\n"),
    (
        "ipvsadm-Ln.txt",
        "Can't initialize ipvs: Protocol not available\nAre you sure that IP Virtual Server is built in the kernel?\n",
    ),
    ("ipvsadm-save-n.txt", "ipvsadm not installed\n"),
    ("ip-addr.txt", "sh: 1: ip: not found\n"),
    ("sysctl.txt", "sudo: sysctl: command not found\n"),
    ("ip-route.txt", "Cannot open netlink socket: Operation not permitted\n"),
    ("ip-neigh.txt", "cat: /proc/net/arp: No such file or directory\n"),
    ("ip-rule.txt", "ssh: connect to host node-a port 22: 拒绝连接\n"),
]


@pytest.mark.parametrize(("name", "text"), ERRORS)
def test_en_18_error_text_is_never_an_empty_table(name: str, text: str) -> None:
    ((_, parsed),) = members(text, name)
    assert parsed.state == "failed"
    assert parsed.detail == text.splitlines()[0]
    assert [note.reason for note in parsed.notes] == ["error-text"]
    assert parsed.lines.noted == len(text.splitlines())
    assert all(frame.empty for frame in parsed.tables.values())


def test_en_18_the_text_may_name_the_tool() -> None:
    ((name, parsed),) = members("bash: ipvsadm: command not found\n", "x.out")
    assert name.startswith("ipvsadm")
    assert parsed.state == "failed"


def test_en_19_transcript_feeds_known_pieces_and_notes_the_rest() -> None:
    text = (
        "node-a:~# ip rule\n0:\tfrom all lookup local\nnode-a:~# date\nSat Jan  3 10:00:00 UTC 2026\n"
        "node-a:~# ip route show table local\nlocal 203.0.113.10 dev kube-ipvs0 proto kernel scope host src 203.0.113.10\n"
        "node-a:~# ipvsadm -Ln\nbash: ipvsadm: command not found\n"
    )
    results = members(text)
    assert [(name, parsed.state) for name, parsed in results] == [
        ("ip-rule", "rows"),
        ("ip-route", "rows"),
        ("ipvsadm-list", "failed"),
    ]
    assert [note.line for note in results[0][1].notes if note.reason == "unparsed"] == [4]
    assert sum(parsed.lines.total for _, parsed in results) == text.count("\n")


def test_sections_of_a_framed_file() -> None:
    def section(command: str, body: str) -> str:
        return f"-----------------run {command}------------------\n\n{body}------------End of ip----------------\n"

    results = members(
        section("ip --details ad show", ADDR) + section("ip rule", "0:\tfrom all lookup local\n"), "network_info"
    )
    assert [(name, parsed.facts["command"]) for name, parsed in results] == [
        ("ip-addr", "ip --details ad show"),
        ("ip-rule", "ip rule"),
    ]
    assert all(parsed.notes == () for _, parsed in results)


@pytest.mark.parametrize(
    ("name", "form"),
    [
        ("ipvsadm-Lnc.txt", "ipvsadm-connections"),
        ("ipvsadm-Ln.txt", "ipvsadm-list"),
        ("ipvsadm-save-n.txt", "ipvsadm-save"),
        ("ip-neigh.txt", "ip-neigh"),
        ("ip-rule.txt", "ip-rule"),
        ("ip-route-all.txt", "ip-route"),
    ],
)
def test_an_empty_capture_is_known_by_its_name(name: str, form: str) -> None:
    ((known, parsed),) = members("", name)
    assert (known, parsed.state) == (form, "empty")


def test_unknown_content_under_an_unknown_name_is_nothing() -> None:
    assert members("hello\n", "notes.md") == []
    assert members("", "notes.md") == []
    assert registry.identify(b"hello\n", "notes.md") == (None,)


def test_every_form_has_a_unique_name() -> None:
    names = [form.name for form in registry.forms()]
    assert len(names) == len(set(names))
    assert registry.form("ipvsadm-list").capture == "ipvsadm"


def test_utf_16_and_broken_utf_8() -> None:
    assert kept(TABLE) == [text for _, text in envelope.lines(TABLE.encode("utf-16")).pairs]
    assert envelope.lines(b"a\xff\x00b").pairs == [(1, "a\ufffd\ufffdb")]


@pytest.mark.parametrize(
    "line",
    [
        "x" * 200_000,
        "- " * 100_000,
        "1: " * 70_000,
        "a@b " * 50_000,
        "->" * 100_000,
        "." * 200_000,
        "a.b" * 60_000,
        "=" * 200_000,
    ],
)
def test_long_lines_cost_no_more_than_their_length(line: str) -> None:
    begin = time.process_time()
    registry.parse_member(line.encode(), "capture.txt")
    for form in registry.forms():
        form.parse(line.encode(), "capture.txt")
    assert time.process_time() - begin < 20


def test_head_is_bounded() -> None:
    data = b"net.ipv4.ip_forward = 1\n" * 100_000
    head: Any = envelope.head(data, "Nodes/A/Sysctl.TXT")
    assert head.name == "sysctl.txt"
    assert len(head.lines) == envelope.HEAD_LINES
