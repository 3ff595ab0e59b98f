"""What the nodes of two real clusters say about their kube-proxy and CNI, with the lines that prove it."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest

from analyzer.bundle import open_bundle
from analyzer.snapshot import Snapshot, load
from analyzer.snapshot.model import REGIME_KEYS
from tests.forwarding.cases import Cluster, snapshot

LAB = Path(__file__).parent.parent / "data" / "lab"
FACTS = {
    "1.22.0-flannel-local": {
        "proxy_mode": "ipvs", "local_fallback": "none", "ipvs_filter": "absent", "masquerade_mark": "0x4000", "cni": "flannel",
        "data_path": "bridge", "cni_masquerade": "flannel", "vs_conntrack": "1", "node_port_sockets": "yes",
    },
    "1.28.3-terway-cluster": {
        "proxy_mode": "ipvs", "local_fallback": "all", "ipvs_filter": "present", "masquerade_mark": "0x4000", "cni": "terway",
        "data_path": "veth", "cni_masquerade": "none", "vs_conntrack": "1", "node_port_sockets": "no", "masquerade": "src-dst",
    },
}  # fmt: skip
WITHOUT_A_LINE = {"local_fallback", "node_port_sockets", "ipvs_filter", "cni_masquerade"}
"""Facts that may rest on the absence of something, or on the version alone."""


@cache
def lab(case: str) -> Snapshot:
    with open_bundle(LAB / case) as bundle:
        one = load(bundle)
        for node in one.node_names:
            for key in REGIME_KEYS:
                for evidence in one.regime(node)[key].evidence:
                    assert one.quote(evidence).text, (node, key, evidence)
    return one


@pytest.mark.parametrize("case", FACTS)
def test_regime_of_a_real_cluster(case: str) -> None:
    one = lab(case)
    assert len(one.node_names) == 3
    captured = [node for node in one.node_names if one.has(node, "iptables")]
    assert captured
    for node in captured:
        regime = one.regime(node)
        assert {key: regime.value(key) for key in FACTS[case]} == FACTS[case], node
        assert regime.value("kube_proxy_version").removeprefix("v").startswith(case.partition("-")[0])
        for key in FACTS[case].keys() - WITHOUT_A_LINE:
            assert regime[key].evidence, (node, key)
            assert regime[key].how in ("state", "object")


def test_each_key_is_known_to_every_node() -> None:
    for case in FACTS:
        for node in lab(case).node_names:
            assert lab(case).regime(node).facts.keys() == set(REGIME_KEYS)


def test_nothing_captured_is_unknown_never_a_default() -> None:
    one = snapshot({"nodes/n/uname.txt": "Linux n 6.1.0-51-cloud-amd64 #1 SMP x86_64 GNU/Linux\n"})
    regime = one.regime("n")
    for key in (
        "proxy_mode",
        "kube_proxy_version",
        "ipvs_filter",
        "local_fallback",
        "data_path",
        "masquerade",
        "cni_masquerade",
    ):
        assert regime.value(key) == "unknown", key


def test_state_beats_the_version() -> None:
    """A kube-proxy that says 1.28 but lists nothing for a Local Service without local endpoint, and has no filter."""
    files = Cluster(endpoint="remote-pod", filter_chain=False).files()
    path = "nodes/node-a/ipvsadm-Ln.txt"
    files[path] = "\n".join(line for line in files[path].splitlines() if "->" not in line or "Remote" in line) + "\n"
    regime = snapshot(files).regime("node-a")
    assert (regime.value("local_fallback"), regime["local_fallback"].how) == ("none", "state")
    assert (regime.value("ipvs_filter"), regime["ipvs_filter"].how) == ("absent", "state")
    assert regime.value("kube_proxy_version").lstrip("v") == "1.28.3"
