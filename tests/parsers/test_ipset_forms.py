"""The odd forms of ipset output (ids of the catalogue in the test names)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from analyzer.parsers import ipset
from analyzer.parsers.base import Parsed

LAB = Path(__file__).parents[1] / "data" / "lab"
LISTED = """Name: {name}
Type: {type}
Revision: 6
Header: family inet hashsize 1024 maxelem 65536 bucketsize 12 initval 0x2e22dfa2
Size in memory: 192
References: 3
Number of entries: {declared}
Members:
{members}"""


def reasons(parsed: Parsed) -> list[str]:
    return [note.reason for note in parsed.notes]


def parse(text: str) -> Parsed:
    return ipset.parse(text.encode(), "ipset.txt")


def cells(parsed: Parsed, table: str, *columns: str) -> list[Any]:
    frame = parsed.tables[table][list(columns)].astype(object)
    rows = list(frame.where(frame.notna(), None).itertuples(index=False, name=None))
    return [row[0] for row in rows] if len(columns) == 1 else rows


def listed(type_: str, *members: str, declared: int | None = None, name: str = "A") -> str:
    count = len(members) if declared is None else declared
    return LISTED.format(name=name, type=type_, declared=count, members="".join(f"{m}\n" for m in members))


def test_se01_list_with_facts() -> None:
    parsed = parse(listed("hash:ip,port", "203.0.113.10,tcp:443"))
    assert cells(parsed, "ipsets", "set", "type", "family", "references", "declared_entries", "entries") == [
        ("A", "hash:ip,port", 4, 3, 1, 1)
    ]
    assert parsed.notes == ()


def test_se01_declared_and_read_disagree() -> None:
    parsed = parse(listed("hash:ip", "203.0.113.10", declared=3))
    assert reasons(parsed) == ["count"]
    assert not parsed.complete


def test_se02_empty_set() -> None:
    parsed = parse(listed("hash:ip,port") + "\n" + listed("hash:ip", name="B"))
    assert cells(parsed, "ipsets", "set", "entries") == [("A", 0), ("B", 0)]
    assert parsed.state == "rows"
    assert parsed.notes == ()


def test_se03_save() -> None:
    parsed = parse(
        "create A hash:ip,port family inet hashsize 1024 maxelem 65536\nadd A 203.0.113.10,tcp:443\n"
        "create B hash:ip,port family inet6\n"
    )
    assert cells(parsed, "ipsets", "set", "family", "references", "declared_entries", "entries") == [
        ("A", 4, None, None, 1), ("B", 6, None, None, 0),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("type_", "member", "parts"),
    [
        ("hash:ip,port", "203.0.113.10,tcp:443", ("203.0.113.10", "tcp", 443, 443, None)),
        ("hash:ip,port,ip", "10.20.1.7,tcp:8443,10.20.1.7", ("10.20.1.7", "tcp", 8443, 8443, "10.20.1.7")),
        (
            "hash:ip,port,net",
            "203.0.113.10,tcp:443,198.51.100.0/24",
            ("203.0.113.10", "tcp", 443, 443, "198.51.100.0/24"),
        ),
        ("hash:ip", "203.0.113.10", ("203.0.113.10", None, None, None, None)),
        ("bitmap:port", "30443", (None, None, 30443, 30443, None)),
        ("bitmap:port", "30443-30445", (None, None, 30443, 30445, None)),
        ("hash:ip,port", "192.0.2.11,sctp:30443", ("192.0.2.11", "sctp", 30443, 30443, None)),
        ("hash:net", "198.51.100.0/24", ("198.51.100.0/24", None, None, None, None)),
        ("hash:ip,port", "2001:DB8:0::10,tcp:443", ("2001:db8::10", "tcp", 443, 443, None)),
        ("hash:ip,port,ip", "2001:db8::7,udp:53,2001:db8::7", ("2001:db8::7", "udp", 53, 53, "2001:db8::7")),
        ("hash:ip,port", "203.0.113.53,17:53", ("203.0.113.53", "udp", 53, 53, None)),
        ("hash:ip,port", "203.0.113.53,132:53", ("203.0.113.53", "sctp", 53, 53, None)),
    ],
)
def test_se04_se05_members_by_type(type_: str, member: str, parts: tuple[Any, ...]) -> None:
    for text in (listed(type_, member), f"create A {type_}\nadd A {member}\n"):
        parsed = parse(text)
        assert cells(parsed, "ipset_members", "member", "address", "protocol", "port", "port_end", "address2") == [
            (member, *parts)
        ]
        assert parsed.notes == ()


def test_se04_members_of_unknown_types_stay_text() -> None:
    parsed = parse("create A hash:mac\nadd A 02:00:5e:10:00:01\nadd A 02:00:5e:10:00:02\n")
    assert cells(parsed, "ipset_members", "member", "address") == [
        ("02:00:5e:10:00:01", None),
        ("02:00:5e:10:00:02", None),
    ]
    assert reasons(parsed) == ["extra"]


def test_se06_shortened_by_hand() -> None:
    parsed = parse(
        "Name: A\nType: hash:ip,port\nMembers:\n203.0.113.10,tcp:443  <-- the VIP\n203.0.113.x,tcp:80\n...\n203.0.113.11,tcp:80\n"
    )
    assert cells(parsed, "ipset_members", "address", "port") == [
        ("203.0.113.10", 443),
        (None, 80),
        ("203.0.113.11", 80),
    ]
    assert sorted(reasons(parsed)) == ["cut", "extra", "masked"]
    assert not parsed.complete


def test_se07_members_before_the_first_name_belong_to_no_set() -> None:
    parsed = parse("203.0.113.9,tcp:1\n\n" + listed("hash:ip", "203.0.113.10"))
    assert cells(parsed, "ipset_members", "address") == ["203.0.113.10"]
    assert [(note.reason, note.line) for note in parsed.notes] == [("unparsed", 1)]


@pytest.mark.parametrize(
    ("options", "extra", "nomatch"),
    [
        ("timeout 300", "timeout 300", False),
        ("packets 1 bytes 60", "packets 1 bytes 60", False),
        ('comment "a nomatch b"', 'comment "a nomatch b"', False),
        ("nomatch", None, True),
        ("timeout 0 nomatch", "timeout 0", True),
    ],
)
def test_se08_options_behind_a_member(options: str, extra: str | None, nomatch: bool) -> None:
    parsed = parse(f"create A hash:net family inet\nadd A 198.51.100.0/24 {options}\n")
    assert cells(parsed, "ipset_members", "address", "extra", "nomatch") == [("198.51.100.0/24", extra, nomatch)]
    assert parsed.notes == ()


def test_se09_ipv6_names_as_printed() -> None:
    name = "KUBE-6-LOAD-BALANCER-SOURCE-CID"
    assert cells(parse(listed("hash:ip", "2001:db8::1", name=name)), "ipset_members", "set", "address") == [
        (name, "2001:db8::1")
    ]


def test_se10_list_and_save_in_one_file() -> None:
    one = listed("hash:ip", "203.0.113.10") + "\ncreate A hash:ip family inet\nadd A 203.0.113.10\n"
    parsed = parse(one)
    assert cells(parsed, "ipsets", "set", "references", "line") == [("A", 3, 1)]
    assert cells(parsed, "ipset_members", "address", "line") == [("203.0.113.10", 9)]
    assert parsed.notes == ()
    assert reasons(parse(one + "add A 203.0.113.11\n")) == ["suspect"]


def test_a_terse_list_has_no_members() -> None:
    parsed = parse("Name: A\nType: hash:ip\nHeader: family inet\nReferences: 1\nNumber of entries: 4\n")
    assert cells(parsed, "ipsets", "declared_entries", "entries") == [(4, None)]
    assert reasons(parsed) == ["count"]


@pytest.mark.parametrize("path", sorted(LAB.rglob("ipset-list.txt")), ids=lambda path: "/".join(path.parts[-3:-1]))
def test_lab_list_and_save_agree(path: Path) -> None:
    one, two = (ipset.parse((path.parent / name).read_bytes(), "f") for name in ("ipset-list.txt", "ipset-save.txt"))
    assert one.notes == two.notes == ()
    columns = ["set", "member", "address", "protocol", "port", "port_end", "address2", "nomatch"]
    first, second = (
        p.tables["ipset_members"][columns].sort_values(["set", "member"], ignore_index=True) for p in (one, two)
    )
    assert first.equals(second)
    assert cells(one, "ipsets", "set", "type", "family", "entries") == cells(
        two, "ipsets", "set", "type", "family", "entries"
    )
    assert cells(one, "ipsets", "declared_entries") == cells(one, "ipsets", "entries")
