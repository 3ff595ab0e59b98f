"""Nearness by sorted numbers is that of asking every prefix."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from analyzer.forwarding.addresses import contains
from analyzer.observations.inside import Inside


def slow(prefixes: list[str], part: str) -> bool:
    if ":" in part:
        return any(contains(prefix, part) for prefix in prefixes)
    base = f"{part}.0"
    return any(contains(prefix, base) or contains(f"{base}/24", prefix.partition("/")[0]) for prefix in prefixes)


V4 = st.builds("{}.{}.{}.{}".format, *([st.sampled_from([0, 1, 2, 127, 128, 255])] * 4))
V6 = st.builds("2001:db8:{:x}::{:x}".format, st.integers(0, 3), st.integers(0, 300))
PREFIX = st.one_of(
    st.builds("{}/{}".format, V4, st.integers(0, 32)),
    st.builds("{}/{}".format, V6, st.integers(0, 128)),
    st.sampled_from(["127.0.0.0/8", "::1/128", "x/24", "10.0.0.1", "10.0.0.1/33", ""]),
)
PART = st.one_of(
    V4.map(lambda one: one.rpartition(".")[0]), V6, st.sampled_from(["", "1.2", "x", "::ffff:10.0.0", "1.2.3.4"])
)


@settings(max_examples=300, deadline=None)
@given(prefixes=st.lists(PREFIX, max_size=5), parts=st.lists(PART, min_size=1, max_size=6))
def test_near_is_what_each_prefix_says(prefixes: list[str], parts: list[str]) -> None:
    inside = Inside(prefixes)
    assert [inside.near(part) for part in parts] == [slow(prefixes, part) for part in parts]
