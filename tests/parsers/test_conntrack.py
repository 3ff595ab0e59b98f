"""conntrack by lines: every variant of an entry, the trailer in all its places, and what is no entry."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from analyzer.parsers import conntrack, registry
from analyzer.parsers.base import Parsed

DATA = Path(__file__).parent.parent / "data" / "conntrack"
TCP = (
    "tcp      6 86112 ESTABLISHED src=198.51.100.23 dst=203.0.113.10 sport=50122 dport=443 "
    "src=10.20.1.7 dst=198.51.100.23 sport=8443 dport=50122 [ASSURED] mark=0 use=1"
)
UDP = (
    "udp      17 27 src=10.20.3.9 dst=203.0.113.53 sport=40222 dport=53 [UNREPLIED] "
    "src=10.20.4.4 dst=10.20.3.9 sport=53 dport=40222 mark=0 use=1"
)


def read(text: str) -> Parsed:
    parsed = conntrack.parse(text.encode(), "conntrack-L.txt")
    count = parsed.lines
    assert count.total == count.blank + count.rows + count.furniture + count.noted
    return parsed


def rows(parsed: Parsed) -> list[dict[str, Any]]:
    frame = parsed.tables["connections"].astype(object)
    return [{str(k): v for k, v in row.items()} for row in frame.where(frame.notna(), None).to_dict("records")]


def one(text: str) -> dict[str, Any]:
    listed = rows(read(text))
    assert len(listed) == 1
    return listed[0]


def reasons(parsed: Parsed) -> list[tuple[int, str]]:
    return [(note.line, note.reason) for note in parsed.notes]


def subset(row: dict[str, Any], **expected: Any) -> None:
    assert {name: row[name] for name in expected} == expected


def test_ct01_plain_row() -> None:
    subset(
        one(TCP), protocol="tcp", protonum=6, timeout_s=86112, state="ESTABLISHED", orig_src="198.51.100.23", family=4,
        orig_dst="203.0.113.10", orig_sport=50122, orig_dport=443, reply_src="10.20.1.7", reply_dst="198.51.100.23",
        reply_sport=8443, reply_dport=50122, assured=True, unreplied=False, offload=False, mark=0, zone=None,
        origin="live", extra=None, line=1,
    )  # fmt: skip


def test_ct02_extended_and_kernel_file() -> None:
    subset(one(f"ipv4     2 {TCP}"), protocol="tcp", family=4, timeout_s=86112)
    subset(one(f"ipv4     2 {UDP}".replace(" use=1", " zone=0 use=2")), protocol="udp", zone=0, state=None)


def test_ct04_without_mark_and_use_and_with_single_blanks() -> None:
    text = TCP.replace("      6", " 6").removesuffix(" mark=0 use=1")
    parsed = read(f"{text}\n\n{UDP}\n")
    assert [row["mark"] for row in rows(parsed)] == [None, 0]
    assert parsed.lines.blank == 1
    assert parsed.complete


@pytest.mark.parametrize("counters", ["packets=3 bytes=212", "bytes=212 packets=3"])
def test_ct05_accounting_in_any_order(counters: str) -> None:
    text = UDP.replace("dport=53 ", f"dport=53 {counters} ").replace(" mark", " packets=0 bytes=0 mark")
    subset(one(text), orig_packets=3, orig_bytes=212, reply_packets=0, reply_bytes=0, unreplied=True)


@pytest.mark.parametrize("flag", ["[OFFLOAD]", "[HW_OFFLOAD]"])
def test_ct06_offloaded_rows_have_no_timeout_and_no_state(flag: str) -> None:
    text = TCP.replace(" 86112 ESTABLISHED", "").replace("[ASSURED]", flag)
    subset(one(text), timeout_s=None, state=None, offload=True, assured=False, orig_src="198.51.100.23")


def test_ct06_event_with_state_and_offload() -> None:
    subset(one(f" [UPDATE] {TCP}".replace("[ASSURED]", "[OFFLOAD]")), offload=True, state="ESTABLISHED", origin="event")


def test_ct07_zones() -> None:
    subset(one(TCP.replace("use=1", "zone=5 use=1")), zone=5, extra=None)
    subset(one(TCP.replace("use=1", "zone-orig=5 zone-reply=6 use=1")), zone=None, extra="zone-orig=5 zone-reply=6")


def test_ct08_known_additions_are_kept_without_note() -> None:
    more = "secctx=system_u:object_r:unlabeled_t:s0 helper=ftp labels=a,b id=77 delta-time=5 [start=Mon May 6 07:08:09]"
    parsed = read(TCP.replace("use=1", f"{more} use=1"))
    assert rows(parsed)[0]["extra"] == more
    assert parsed.notes == ()


def test_ct09_icmp_has_no_ports() -> None:
    text = (
        "icmp     1 29 src=192.0.2.1 dst=192.0.2.2 type=8 code=0 id=4711 "
        "src=192.0.2.2 dst=192.0.2.1 type=0 code=0 id=4711 mark=0 use=1"
    )
    subset(one(text), orig_dport=None, reply_sport=None, extra="type=8 code=0 id=4711 type=0 code=0 id=4711")
    parsed = read(text.replace("type=8", "type=77"))
    assert len(rows(parsed)) == 1
    assert reasons(parsed) == [(1, "suspect")]


def test_ct10_gre_keys_and_fields_before_the_tuple() -> None:
    text = (
        "gre      47 178 timeout=30, stream_timeout=180 src=192.0.2.1 dst=192.0.2.2 srckey=0x0 dstkey=0x1a "
        "src=192.0.2.2 dst=192.0.2.1 srckey=0x1a dstkey=0x0 [ASSURED] mark=0 use=1"
    )
    row = one(text)
    subset(row, protocol="gre", protonum=47, timeout_s=178, assured=True)
    assert row["extra"].startswith("timeout=30, stream_timeout=180 srckey=0x0")


def test_ct11_unknown_protocol() -> None:
    text = "unknown  2 417 src=0.0.0.0 dst=224.0.0.1 [UNREPLIED] src=224.0.0.1 dst=0.0.0.0 mark=0 use=1"
    subset(one(text), protocol="unknown", protonum=2, orig_sport=None, orig_src="0.0.0.0", unreplied=True)


def test_ct12_sctp_with_and_without_state() -> None:
    text = TCP.replace("tcp      6 86112 ESTABLISHED", "sctp     132 9 COOKIE_WAIT")
    subset(one(text), protocol="sctp", state="COOKIE_WAIT", timeout_s=9)
    subset(one(text.replace(" COOKIE_WAIT", "")), state=None, timeout_s=9)


def test_ct13_ipv6_is_normalised() -> None:
    expanded = "2001:0db8:0000:0000:0000:0000:0000:000a"
    text = (
        TCP.replace("198.51.100.23", expanded)
        .replace("203.0.113.10", "2001:db8::10")
        .replace("10.20.1.7", "2001:DB8::7")
    )
    subset(one(text), family=6, orig_src="2001:db8::a", reply_src="2001:db8::7", reply_dst="2001:db8::a")


def test_ct14_unreplied_keeps_the_expected_reply() -> None:
    subset(one(UDP), unreplied=True, assured=False, reply_src="10.20.4.4")


def test_ct15_four_readings_stay_apart() -> None:
    vip = UDP.replace("10.20.4.4", "203.0.113.53").replace(" [UNREPLIED]", "")
    own = TCP.replace("198.51.100.23", "203.0.113.10")
    listed = rows(read("\n".join((TCP, vip, own))))
    assert listed[0]["reply_src"] != listed[0]["orig_dst"]
    assert listed[1]["reply_src"] == listed[1]["orig_dst"]
    assert listed[2]["orig_src"] == listed[2]["orig_dst"]


def trailer(count: int, done: str = "shown") -> str:
    return f"conntrack v1.4.7 (conntrack-tools): {count} flow entries have been {done}."


@pytest.mark.parametrize("place", ["first", "last"])
def test_ct16_trailer_on_its_own_line(place: str) -> None:
    lines = [TCP, UDP]
    lines.insert(0 if place == "first" else 2, trailer(2))
    parsed = read("\n".join(lines))
    assert (len(rows(parsed)), parsed.lines.furniture, parsed.notes) == (2, 1, ())


@pytest.mark.parametrize("at", range(1, len(TCP), 3))
def test_ct16_trailer_in_the_middle_of_a_row(at: int) -> None:
    text = f"{UDP}\n{TCP[:at]}{trailer(3)}\n{TCP[at:]}\n{UDP}\n"
    parsed = read(text)
    assert [row["line"] for row in rows(parsed)] == [1, 2, 4]
    assert {**rows(parsed)[1], "line": 1} == one(TCP)
    assert parsed.notes == ()


def test_ct16_trailer_glued_between_two_whole_rows() -> None:
    parsed = read(f"{TCP}{trailer(2)}\n{UDP}\n")
    assert [row["protocol"] for row in rows(parsed)] == ["tcp", "udp"]
    assert parsed.notes == ()


def test_ct16_count_that_disagrees() -> None:
    parsed = read(f"{TCP}\n{trailer(7)}\n")
    assert reasons(parsed) == [(2, "count")]
    assert not parsed.complete


def test_ct16_captured_and_empty() -> None:
    parsed = read(trailer(0))
    assert (parsed.state, parsed.complete, parsed.notes) == ("empty", True, ())


def test_ct17_deleted_is_never_live() -> None:
    parsed = read(f"{TCP}\n{UDP}\n{trailer(2, 'deleted')}\n")
    assert {row["origin"] for row in rows(parsed)} == {"deleted"}
    assert reasons(parsed) == [(3, "not-live")]
    logged = read(f"output=<\n\t{TCP}\n >\n{UDP}")
    assert [row["origin"] for row in rows(logged)] == ["deleted", "live"]


def test_ct18_events() -> None:
    destroy = TCP.replace(" 86112 ESTABLISHED", " CLOSE").replace(" mark=0 use=1", "")
    parsed = read(f"    [NEW] {UDP}\n[DESTROY] {destroy}\n".replace(" use=1", ""))
    listed = rows(parsed)
    assert [row["origin"] for row in listed] == ["event", "event"]
    subset(listed[1], timeout_s=None, state="CLOSE", extra="[DESTROY]")
    assert reasons(parsed) == [(1, "not-live")]


def test_ct19_expectations_are_not_flows() -> None:
    parsed = read(f"{TCP}\n295 l3proto = 2 proto=6 src=192.0.2.1 dst=192.0.2.2 sport=0 dport=40000\n")
    assert len(rows(parsed)) == 1
    assert reasons(parsed) == [(2, "not-live")]


def test_ct20_vendor_additions() -> None:
    text = TCP.replace("mark=0", "[FASTPATH a1/b2] swqos mark=0 attrs=") + " vlan=7"
    parsed = read(f"{text}\n{text}\n")
    subset(rows(parsed)[1], mark=0, assured=True, extra="[FASTPATH a1/b2] swqos attrs= vlan=7")
    assert [(note.line, note.detail) for note in parsed.notes if note.reason == "extra"] == [
        (1, "[FASTPATH a1/b2]"), (1, "swqos"), (1, "attrs"), (1, "vlan"),
    ]  # fmt: skip


def test_ct21_missing_reply_is_unknown_not_none() -> None:
    parsed = read("udp 17 20 src=192.0.2.9 dst=192.0.2.10 sport=5000 dport=53\n")
    subset(rows(parsed)[0], orig_dport=53, reply_src=None, reply_dport=None)
    assert reasons(parsed) == [(1, "unparsed")]


def test_ct22_split_by_hand() -> None:
    parsed = read(f"{TCP}\nrequest: src=192.0.2.9 dst=192.0.2.10\nresponse: src=192.0.2.10 dst=192.0.2.9\n")
    assert len(rows(parsed)) == 1
    assert reasons(parsed) == [(2, "unparsed"), (3, "unparsed")]


def test_ct23_counters_are_not_flows() -> None:
    text = "cpu=0   \tfound=7 invalid=0 insert=0 insert_failed=0 drop=1 early_drop=0 error=0 search_restart=9\n" * 2
    ((form, parsed),) = registry.parse_member(text.encode(), "conntrack-S.txt")
    facts = dict(zip(parsed.tables["host_facts"]["fact"], parsed.tables["host_facts"]["value"], strict=True))
    assert (form.name, parsed.state, facts["conntrack-drop"]) == ("conntrack-stats", "rows", "2")
    assert read(text).state == "failed"


def test_ct23_counters_as_the_kernel_keeps_them() -> None:
    text = (
        "entries  clashres found new invalid ignore delete chainlength insert insert_failed drop early_drop\n"
        "00000010  00000000 00000000 00000000 0000000a 00000000 00000000 00000000 00000000 00000000 00000000 00000001\n"
        "00000010  00000000 00000000 00000000 00000010 00000000 00000000 00000000 00000000 00000000 00000000 00000001\n"
    )
    ((form, parsed),) = registry.parse_member(text.encode(), "nf_conntrack_stat.txt")
    facts = dict(zip(parsed.tables["host_facts"]["fact"], parsed.tables["host_facts"]["value"], strict=True))
    assert (form.name, facts) == (
        "conntrack-stats",
        {"conntrack-invalid": "26", "conntrack-insert_failed": "0", "conntrack-drop": "0", "conntrack-early_drop": "2"},
    )


def test_ct24_cut_last_row() -> None:
    at = TCP.index("dport=50122") + len("dport=50")
    parsed = read(f"{TCP}\n{TCP[:at]}")
    subset(rows(parsed)[1], reply_sport=8443, reply_dport=None, orig_dport=443)
    assert reasons(parsed) == [(2, "cut")]
    assert not parsed.complete
    failed = read(f"{TCP}\n{TCP[:at]}\n[FAILED] timed out\n")
    assert reasons(failed) == [(2, "cut"), (3, "unparsed")]
    assert reasons(read(f"{TCP}\ntcp      6 43")) == [(2, "cut")]


def test_ct24_cut_first_row() -> None:
    parsed = read(f"SHED {TCP[32:]}\n{TCP}\n")
    assert [row["line"] for row in rows(parsed)] == [2]
    assert reasons(parsed) == [(1, "cut")]


def test_ct25_impossible_address_gives_a_row_without_keys() -> None:
    parsed = read(TCP.replace("198.51.100.23", "198.51.100.299"))
    subset(rows(parsed)[0], orig_src=None, orig_dst="203.0.113.10", family=4)
    assert reasons(parsed) == [(1, "masked"), (1, "masked")]


def test_impossible_port_is_shown_and_suspect() -> None:
    parsed = read(TCP.replace("dport=443", "dport=70443"))
    subset(rows(parsed)[0], orig_dport=70443)
    assert reasons(parsed) == [(1, "suspect")]


def test_two_rows_on_one_line_are_none() -> None:
    parsed = read(f"{TCP} {UDP}")
    assert (rows(parsed), reasons(parsed)) == ([], [(1, "unparsed")])


def test_en01_prompt_names_the_host() -> None:
    parsed = read(f"[root@node-a ~]# conntrack -L\n{TCP}\n")
    assert parsed.facts["host"] == "node-a"
    assert rows(parsed)[0]["line"] == 2


@pytest.mark.parametrize("path", sorted(DATA.glob("*.txt")), ids=lambda path: path.stem)
def test_real_captures_agree_with_their_own_total(path: Path) -> None:
    parsed = read(path.read_text())
    assert (parsed.state, parsed.complete, parsed.notes) == ("rows", True, ())
    declared = int(path.read_text().split("(conntrack-tools): ")[1].split()[0])
    assert len(rows(parsed)) == declared
