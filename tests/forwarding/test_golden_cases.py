"""Every row of the golden cases (observed on a real kernel) as a two-node cluster of text captures."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from analyzer.forwarding import Source, Target, trace
from tests.forwarding import cases
from tests.forwarding.cases import A, B, Cluster

ROWS = list(csv.DictReader((Path(__file__).parent.parent / "data" / "golden-cases.csv").open(encoding="utf-8")))

OTHERWISE = {
    # captures of a real cluster: sendto fails with EPERM, the packet dies in LOCAL_OUT and no ICMP comes back
    "G05c": "unreachable",
    # whether the neighbour entry of the next hop was warm is a matter of the moment; no answer in either case
    "G07b": "timeout",
}
"""Rows where the analyzer says something else, and why."""


def state_of(row: dict[str, str]) -> dict[str, str]:
    return dict(pair.split("=", 1) for pair in row["node_state"].split(";"))


def cluster_of(row: dict[str, str]) -> Cluster:
    state = state_of(row)
    old = row["k8s_range"] == "<=1.25"
    one = Cluster(
        cni="flannel" if row["cni"] == "flannel" or row["id"].startswith("G25") else "terway",
        version="1.22.0" if old else "1.28.3",
        filter_chain=not old,
        policy=state.get("etp", "Local"),
        endpoint=state.get("dests", "remote-pod"),
        vs_conntrack=state.get("vs_conntrack", "1"),
        udp=row["target"].endswith("/udp"),
        six="vip6" in row["target"],
    )
    if one.endpoint == "weight0":
        one.endpoint, one.weight = "remote-pod", 0
    if state.get("listener") == "wildcard":
        one.listeners = ("0.0.0.0:443",)
    one.masquerade = state.get("masq_rule", "detector")
    one.loopback_entry = state.get("loopback_entry", "yes") == "yes"
    one.bound = state.get("vip_bound", "yes") == "yes"
    if not one.bound and row["client_kind"] == "pod":
        one.default_route = False  # the network has no owner of the VIP, as observed
    if row["client_kind"] == "host-bound":
        one.vip_source = "node-ip"  # the kernel chooses what the client would have bound
    if "hostport" in state:
        one.host_port = True
        if row["client_kind"] == "outside":
            one.external_ip, one.nodes, one.endpoint = True, (A,), "none"  # the packet must enter at node-a
    return one


def probe_of(row: dict[str, str], one: Cluster) -> tuple[Source, Target]:
    relation = row["client_node_relation"]
    node = B if relation in ("entry-with-endpoint", "other-with-endpoint") else A
    if row["client_kind"].startswith("host"):
        source = Source("node", node)
    elif row["client_kind"] == "outside":
        source = Source("external", cases.OUTSIDE)
    else:
        source = Source(
            "pod", "default/web" if relation in ("is-the-endpoint", "other-with-endpoint") else f"default/client-{node}"
        )
    place = row["target"].partition("/")[0]
    address = {"lb-vip": cases.VIP, "lb-vip6": cases.VIP6, "cluster-ip": cases.CLUSTER_IP}.get(place.partition(":")[0])
    if place == "node-port@entry":
        return source, Target(cases.NODE_IP[A], cases.NODE_PORT, one.protocol)
    assert address is not None
    return source, Target(address, 443 if place.endswith("other-port") else cases.PORT, one.protocol)


def seen_of(row: dict[str, str], source: Source) -> str:
    node = source.name if source.kind == "node" else A
    return {
        "vip": cases.VIP, "vip6": cases.VIP6, "client-ip": cases.OUTSIDE, "node-ip": cases.NODE_IP[A],
        "pod-ip": cases.CLIENT_POD[A], "bridge-ip": cases.BRIDGE[node if node in cases.BRIDGE else A],
    }[row["backend_sees"]]  # fmt: skip


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["id"])
def test_the_kernel_said_so(row: dict[str, str]) -> None:
    one = cluster_of(row)
    source, target = probe_of(row, one)
    world = cases.world(one.files())
    verdict = trace(world, source, target).verdict
    expected = OTHERWISE.get(row["id"], row["outcome"])
    assert verdict.outcome == {"local-process": "wrong-server"}.get(expected, expected), verdict
    if expected in ("ok", "local-process") and row["backend_sees"]:
        assert verdict.seen_source_ips == (seen_of(row, source),), verdict
    if "hostport" in row["node_state"]:
        assert verdict.servers == ("pod:default/host-port",)


def test_every_row_is_realised() -> None:
    assert len(ROWS) == len({row["id"] for row in ROWS}) >= 40
    assert OTHERWISE.keys() <= {row["id"] for row in ROWS}
