"""On captures without a fault kube-proxy programmed exactly what the model expects, node by node."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest

from analyzer.bundle import open_bundle
from analyzer.kubeproxy import expected_on
from analyzer.snapshot import Snapshot, load

LAB = Path(__file__).parent.parent / "data" / "lab-truth"
SLOW = re.compile("conntrack|Lnc|iptables|-j-|stats|^ss-")
CASES = sorted(folder.name for folder in LAB.iterdir() if not folder.name.endswith("-fault"))


@cache
def captured(case: str) -> Snapshot:
    with open_bundle(LAB / case / "bundle.tar.gz") as bundle:
        members = tuple(member for member in bundle.members if not SLOW.search(member.name))
        return load(replace(bundle, members=members))


@pytest.mark.parametrize("case", CASES)
def test_expected_equals_captured(case: str) -> None:
    snapshot = captured(case)
    assert len(snapshot.node_names) >= 2
    for node in snapshot.node_names:
        expected = expected_on(snapshot, node)
        assert not expected.undecided
        own = snapshot.by_node[node]
        assert servers_of(snapshot, node) == {key: set(one.real_servers) for key, one in expected.servers.items()}, node
        addresses = own["addresses"]
        assert set(addresses[addresses["interface"] == "kube-ipvs0"]["address"]) == set(expected.vips), node
        members: dict[str, set[str]] = {
            str(name): set()
            for name in own["ipsets"]["set"]
            if str(name).startswith("KUBE-") and not str(name).startswith("KUBE-6-")
        }
        for name, member in zip(own["ipset_members"]["set"], own["ipset_members"]["member"], strict=True):
            if name in members:
                members[str(name)].add(str(member).replace(",TCP:", ",tcp:"))
        assert members == {name: set(entries) for name, (_, entries) in expected.sets.items()}, node


def servers_of(snapshot: Snapshot, node: str) -> dict[tuple[str, str, int], set[tuple[str, int]]]:
    own = snapshot.by_node[node]
    table = own["virtual_servers"]
    found: dict[tuple[str, str, int], set[tuple[str, int]]] = {
        (str(protocol), str(address), int(port)): set()
        for protocol, address, port in zip(table["protocol"], table["address"], table["port"], strict=True)
    }
    real = own.get("real_servers")
    if real is not None:
        columns = (real[name] for name in ("vs_protocol", "vs_address", "vs_port", "address", "port"))
        for protocol, vip, vip_port, address, port in zip(*columns, strict=True):
            found[(str(protocol), str(vip), int(vip_port))].add((str(address), int(port)))
    return found
