"""What columns say of a set of members is what its rows say."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from analyzer.findings.captured_members import Members
from analyzer.parsers import ipset
from analyzer.parsers.frames import from_rows
from analyzer.tables import TABLES

SCHEMA = TABLES["ipset_members"]
ENTRIES = ("192.0.2.1,tcp:80", "192.0.2.1,TCP:80", "192.0.2.1,udp:80", "192.0.2.2", "É", None)
PORTS = (0, 80, 81, 30080, 70000, None)
HASHED = st.fixed_dictionaries(
    {"member": st.sampled_from(ENTRIES), "address": st.sampled_from(("192.0.2.1", "192.0.2.1", "", None))}
)
PORT = st.sampled_from(PORTS).map(lambda port: {"member": str(port), "port": port, "port_end": port})
RANGE = st.fixed_dictionaries(
    {"port": st.sampled_from(PORTS), "port_end": st.sampled_from(PORTS), "member": st.just("80-81")}
)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from(("A", "B", None)), st.one_of(HASHED, PORT, PORT, RANGE)), max_size=6),
    st.sampled_from(("hash:ip,port", "bitmap:port")),
    st.lists(st.sampled_from(("80", "81", "30080", "192.0.2.1,tcp:80", "192.0.2.2")), max_size=3, unique=True),
)
def test_a_set_is_said_to_hold_what_it_should_only_if_its_rows_do(
    rows: list[tuple[str | None, dict[str, object]]], kind: str, wanted: list[str]
) -> None:
    if kind == "bitmap:port":
        wanted = [member for member in wanted if member.isdigit()]
    frame = from_rows(SCHEMA, [{**row, "set": name, "line": at} for at, (name, row) in enumerate(rows)])
    members = Members({"ipset_members": frame})
    for name in ("A", "B", "", "C"):
        if members.are(name, kind, tuple(wanted)):
            assert set(members.of(name, "node-a")) == set(wanted)


def test_columns_suffice_for_sets_as_they_should_be() -> None:
    text = (
        "create A hash:ip,port family inet hashsize 1024 maxelem 65536\nadd A 192.0.2.1,TCP:80\nadd A 192.0.2.2,udp:53\n"
        "create B bitmap:port range 0-65535\nadd B 30081\nadd B 30080\ncreate C hash:ip family inet\n"
    )
    members = Members(ipset.parse(text.encode(), "ipset-save.txt").tables)
    assert members.are("A", "hash:ip,port", ("192.0.2.2,udp:53", "192.0.2.1,tcp:80"))
    assert members.are("B", "bitmap:port", ("30080", "30081"))
    assert members.are("C", "hash:ip", ())
    assert not members.are("A", "hash:ip,port", ("192.0.2.1,tcp:80",))
    assert not members.are("B", "bitmap:port", ("30080", "30081", "30082"))
    assert not members.are("C", "hash:ip", ("192.0.2.1",))
