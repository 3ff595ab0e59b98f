"""Any table of connections gives an answer; a large one gives it soon."""

from __future__ import annotations

import time

import numpy as np
import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

from analyzer.observations import observe
from analyzer.tables import CONNECTIONS, IPVS_CONNECTIONS, REAL_SERVERS

from .edit import N1, N2, N3, one

ADDRESSES = st.sampled_from(
    ["10.0.2.78", "10.0.4.150", "10.0.4.141", "10.0.3.72", "192.168.1.200", "172.21.3.10", "127.0.0.1", "2001:db8::9", "x", "", None]
)  # fmt: skip
PORTS = st.sampled_from([80, 443, 30745, 40000, 0, -1, 70000, None])
NODES = st.sampled_from([N1, N2, N3, "other", None])
FLAGS = st.sampled_from([True, False, None])
LINES = st.integers(-1, 9) | st.none()
CONNECTION = st.fixed_dictionaries(
    {
        "node": NODES, "protocol": st.sampled_from(["tcp", "udp", "icmp", "sctp", None]),
        "state": st.sampled_from(["SYN_SENT", "TIME_WAIT", "ESTABLISHED", "CLOSE", "?", None]),
        "timeout_s": st.sampled_from([5, 119, 432000, -3, None]), "orig_src": ADDRESSES, "orig_dst": ADDRESSES,
        "orig_sport": PORTS, "orig_dport": PORTS, "reply_src": ADDRESSES, "reply_dst": ADDRESSES, "reply_sport": PORTS,
        "reply_dport": PORTS, "unreplied": FLAGS, "assured": FLAGS, "offload": FLAGS,
        "origin": st.sampled_from(["live", "event", None]), "file": st.sampled_from(["a", None]), "line": LINES,
    }
)  # fmt: skip
IPVS = st.fixed_dictionaries(
    {
        "node": NODES, "protocol": st.sampled_from(["tcp", "udp", "ip", None]), "client_address": ADDRESSES,
        "state": st.sampled_from(["SYN_RECV", "NONE", None]), "virtual_address": ADDRESSES, "virtual_port": PORTS,
        "real_address": ADDRESSES, "real_port": PORTS, "template": FLAGS, "file": st.just("b"), "line": LINES,
    }
)  # fmt: skip
REAL = st.fixed_dictionaries(
    {
        "node": NODES, "vs_protocol": st.sampled_from(["tcp", None]), "vs_address": ADDRESSES, "vs_port": PORTS,
        "address": ADDRESSES, "port": PORTS, "active": st.sampled_from([0, 9, None]), "inactive": st.sampled_from([0, 9, None]),
        "file": st.just("c"), "line": LINES,
    }
)  # fmt: skip


@given(
    rows=st.lists(CONNECTION, max_size=12), ipvs=st.lists(IPVS, max_size=6), real=st.lists(REAL, max_size=6)
)  # fmt: skip
@settings(max_examples=40, deadline=None)
def test_any_rows(rows: list[dict[str, object]], ipvs: list[dict[str, object]], real: list[dict[str, object]]) -> None:
    snapshot, world, cells = one()
    changed = snapshot.with_tables(
        connections=CONNECTIONS.frame(rows), ipvs_connections=IPVS_CONNECTIONS.frame(ipvs),
        real_servers=REAL_SERVERS.frame(real),
    )  # fmt: skip
    seen = observe(changed, world, cells)
    assert sum(seen.counts.values()) == len(cells.cells)
    for each in seen.cells:
        assert each.entries <= len(rows)
        assert bool(each.differs) == (each.status == "contradicted") == bool(each.observed)


def test_order_of_rows_does_not_matter() -> None:
    snapshot, world, cells = one()
    straight = observe(snapshot, world, cells)
    turned = observe(snapshot.with_tables(connections=snapshot["connections"].iloc[::-1]), world, cells)
    assert [(each.status, each.entries) for each in straight.cells] == [
        (each.status, each.entries) for each in turned.cells
    ]


def test_many_entries_of_many_clients() -> None:
    snapshot, world, cells = one()
    flows = snapshot["connections"]
    pattern = flows[(flows["orig_src"] == "10.0.3.72") & (flows["orig_dport"] == 30745)]
    many = 100_000
    big = pattern.iloc[np.arange(many) % len(pattern)].reset_index(drop=True)
    clients = [f"203.{n // 62500}.{n // 250 % 250}.{n % 250 + 1}" for n in range(many)]
    big["orig_src"] = pd.Categorical(clients)
    kept = pattern["reply_dst"].iloc[0] == "10.0.3.72"
    assert kept
    big["reply_dst"] = pd.Categorical(clients)
    begun = time.perf_counter()
    seen = observe(snapshot.with_tables(connections=big), world, cells)
    assert time.perf_counter() - begun < 10
    assert seen.agreement == 1.0
    assert max(each.entries for each in seen.cells) >= many // len(pattern)
