"""No text makes a parser raise or lose a line: every form, any bytes, and damaged real captures."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from analyzer.parsers import envelope, registry
from analyzer.parsers.base import Form, Parsed
from analyzer.tables import TABLES

LAB = Path(__file__).parents[1] / "data" / "lab"
FORMS = registry.forms()
relaxed = settings(
    max_examples=8,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.function_scoped_fixture],
)

# Lines that look like the beginning of something in one of the formats, and what surrounds captures.
HINTS = [
    b"TCP  203.0.113.10:443 wrr", b"  -> 10.20.1.7:8443               Masq    1      0", b"-A -t 203.0.113.10:443",
    b"IP Virtual Server version 1.2.1 (size=4096)", b"Prot LocalAddress:Port Scheduler Flags", b"FWM  7 IPv6 wlc",
    b"-a -t 203.0.113.10:443 -r", b"TCP 14:58  ESTABLISHED 198.51.100.23:50122", b"6: kube-ipvs0: <BROADCAST,NOARP> mtu",
    b"    inet 203.0.113.10/32 scope", b"   inet6 fe80::/200", b"default via", b"\tnexthop via 192.0.2.1 dev eth0 weight",
    b"0:\tfrom all", b"[{", b"}]", b"[[[[[[[[", b'{"kind": "List", "items": [', b"net.ipv4.ip_forward =", b"...", b"--",
    b"```", b"> ", b"# ", b"[root@node-a ~]# ipvsadm -Ln", b"node-b:~# ip addr", b"  17  x", b"src=3D10.0.0.1=",
    b"bash: ipvsadm: command not found", b"Chain INPUT (policy ACCEPT)", b":KUBE-SERVICES - [0:0]", b"*nat", b"COMMIT",
    b"Name: KUBE-CLUSTER-IP", b"Members:", b"create A hash:ip", b"add A 203.0.113.1", b"State Recv-Q Send-Q",
    b"tcp      6 86112 ESTABLISHED src=198.51.100.23 dst=", b"- name: x", b"\xff\xfe\x00", b"99999999999999999999999",
]  # fmt: skip


@cache
def captures() -> tuple[tuple[str, bytes], ...]:
    """Distinct small real captures of the lab, by name."""
    found = {path.name: path.read_bytes() for path in sorted(LAB.rglob("*")) if path.is_file()}
    return tuple((name, data) for name, data in sorted(found.items()) if len(data) < 20_000)


@cache
def samples(form: Form) -> tuple[bytes, ...]:
    """Real captures this form recognises; any capture where there is none."""
    own = tuple(data for name, data in captures() if form in registry.identify(data, name))
    return own or tuple(data for _, data in captures())[:3]


def check(form: Form, parsed: Parsed) -> None:
    count = parsed.lines
    assert count.total == count.blank + count.rows + count.furniture + count.noted, (form.name, count)
    assert min(count.blank, count.rows, count.furniture, count.noted) >= 0
    assert set(parsed.tables) <= set(form.tables)
    for name, frame in parsed.tables.items():
        assert tuple(frame.columns) == TABLES[name].names
        assert {column.name: str(frame[column.name].dtype) for column in TABLES[name].columns} == {
            column.name: column.dtype for column in TABLES[name].columns
        }
    assert parsed.state != "rows" or any(len(frame) for frame in parsed.tables.values())


def mutate(data: bytes, edits: list[tuple[str, int, int]]) -> bytes:
    """Drop, repeat, cut, swap and insert lines."""
    lines = data.split(b"\n")
    for kind, where, what in edits:
        if not lines:
            break
        at = where % len(lines)
        if kind == "drop":
            del lines[at]
        elif kind == "repeat":
            lines.insert(at, lines[at])
        elif kind == "cut":
            lines[at] = lines[at][: what % (len(lines[at]) + 1)]
        elif kind == "swap":
            other = what % len(lines)
            lines[at], lines[other] = lines[other], lines[at]
        elif kind == "join":
            lines[at : at + 2] = [b" ".join(lines[at : at + 2])]
        elif kind == "end":
            return b"\n".join(lines[:at]) + b"\n" + lines[at][: what % (len(lines[at]) + 1)]
        else:
            lines.insert(at, HINTS[what % len(HINTS)])
    return b"\n".join(lines)


EDITS = st.lists(
    st.tuples(
        st.sampled_from(("drop", "repeat", "cut", "swap", "join", "insert", "insert", "end")),
        st.integers(0, 500),
        st.integers(0, 500),
    ),
    min_size=1,
    max_size=8,
)
TEXT = st.lists(
    st.one_of(st.sampled_from(HINTS), st.binary(max_size=40), st.text(max_size=40).map(lambda text: text.encode())),
    max_size=10,
).map(b"\n".join)


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.name)
@relaxed
@given(data=TEXT)
def test_any_bytes(form: Form, data: bytes) -> None:
    check(form, form.parse(data, "nodes/node-a/capture.txt"))


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.name)
@relaxed
@given(pick=st.integers(0, 1000), edits=EDITS)
def test_damaged_captures(form: Form, pick: int, edits: list[tuple[str, int, int]]) -> None:
    own = samples(form)
    data = mutate(own[pick % len(own)], edits)
    check(form, form.parse(data, "nodes/node-a/capture.txt"))


@settings(relaxed, max_examples=80)
@given(data=TEXT, name=st.sampled_from([name for name, _ in captures()] + ["x", "", "conntrack.txt"]))
def test_any_member(data: bytes, name: str) -> None:
    results = registry.parse_member(data, name)
    for form, parsed in results:
        check(form, parsed)
    if results:
        total = len(envelope.number_lines(envelope.decode(data)))
        assert sum(parsed.lines.total for _, parsed in results) <= total


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.name)
def test_fixed_hostile_texts(form: Form) -> None:
    deep = b"[" * 5000
    for data in (
        b"",
        b"\n\n",
        b"\xef\xbb\xbf",
        b"\0" * 50,
        b"\r\r\r",
        deep,
        b"{" * 5000,
        b" " * 3000 + b"x",
        b"\xff" * 99,
    ):
        check(form, form.parse(data, "capture.txt"))


@pytest.mark.parametrize(("name", "data"), captures(), ids=[name for name, _ in captures()])
def test_every_lab_capture_is_known_and_read_to_its_end(name: str, data: bytes) -> None:
    results = registry.parse_member(data, name)
    assert results, "no form recognises it"
    for form, parsed in results:
        check(form, parsed)
        assert {note.reason for note in parsed.notes} <= {"extra", "assumed"}
        assert parsed.lines.noted == 0
        assert parsed.state != "failed"
