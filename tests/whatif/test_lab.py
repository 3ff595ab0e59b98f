"""A change predicted on one recorded cluster against the connections measured on another one that had it."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from analyzer import api
from analyzer.findings.drift import drift_on
from analyzer.forwarding import build_world, parse_source, parse_target, verdict_of
from analyzer.kubeproxy import expected_on
from analyzer.snapshot import Snapshot
from analyzer.whatif import apply, parse_edits
from analyzer.whatif.proxy import bare
from tests import lab

CLUSTERS = [f"{version}-{cni}" for version in ("1.22.0", "1.28.3") for cni in ("flannel", "terway")]
SPLIT = (
    "listener 192.168.1.200:443=", "listener 192.168.1.201:443=10.0.6.100:443",
    "listener 192.168.1.201:80=10.0.2.77:30745,10.0.0.171:30745,10.0.4.141:30745",
)  # fmt: skip
SECOND = ("192.168.1.201", "172.21.3.11", ":30746")
"""The second Service of scenario `hostname`, which `cluster` does not have."""


def changed(snapshot: Snapshot, words: Sequence[str]) -> Snapshot:
    return apply(snapshot, parse_edits(words, snapshot)).snapshot


def wrong(after: Snapshot, case: str, leave: Sequence[str] = ()) -> tuple[list[str], int]:
    """(cells that were measured otherwise, number of cells)."""
    world = build_world(after)
    found = []
    number = 0
    for cell in lab.measured(case):
        if any(part in cell.target for part in leave):
            continue
        number += 1
        verdict = verdict_of(world, parse_source(cell.source, world), parse_target(cell.target))
        servers = lab.bare(verdict.servers)
        right = lab.fold(frozenset(verdict.outcomes)) == cell.outcomes and (
            not cell.servers or (servers >= cell.servers if cell.sticky else servers == cell.servers)
        )
        if not right:
            found.append(f"{cell.source} {cell.target}: {verdict.outcome}, measured {sorted(cell.outcomes)}")
    return found, number


@pytest.mark.parametrize("cluster", CLUSTERS)
@pytest.mark.parametrize(
    ("before", "words", "after", "leave", "cells"),
    [
        ("cluster", ["service default/nginx hostname=nginx.example.com"], "hostname", SECOND, 100),
        ("cluster", ["service default/nginx externalTrafficPolicy=Local"], "local", (), 100),
        ("local", ["service default/nginx externalTrafficPolicy=Cluster"], "cluster", (), 100),
        ("cluster", SPLIT, "two-clbs", (), 110),
    ],
    ids=["hostname", "local", "cluster", "two-clbs"],
)
def test_a_change_gives_what_was_measured_with_it(
    cluster: str, before: str, words: Sequence[str], after: str, leave: Sequence[str], cells: int
) -> None:
    with api.opened(lab.bundle(f"{cluster}-{before}")) as snapshot:
        differing, number = wrong(changed(snapshot, words), f"{cluster}-{after}", leave)
    assert number > cells
    assert not differing


@pytest.mark.parametrize("cni", ["flannel", "terway"])
@pytest.mark.parametrize(
    "scenario", ["cluster", "local", "local-one", "noep", "hostnet", "udp", "hostname", "listener", "two-clbs"]
)
def test_an_upgrade_gives_what_was_measured_after_it(cni: str, scenario: str) -> None:
    with api.opened(lab.bundle(f"1.22.0-{cni}-{scenario}")) as snapshot:
        differing, number = wrong(changed(snapshot, ["k8s=1.28.3"]), f"1.28.3-{cni}-{scenario}")
    assert number > 80
    assert not differing


def kube_rules(snapshot: Snapshot, node: str) -> dict[tuple[str, str], list[str]]:
    """KUBE-* chains and what the built-in ones send there, by table and chain, in order."""
    own = snapshot.by_node[node]
    chains = own["iptables_chains"]
    found: dict[tuple[str, str], list[str]] = {
        (str(table), str(chain)): []
        for family, table, chain in zip(chains["family"], chains["table"], chains["chain"], strict=True)
        if family == 4 and str(chain).startswith("KUBE-") and chain != "KUBE-KUBELET-CANARY"
    }
    rules = own["iptables_rules"].sort_values("position", kind="stable")
    columns = (rules[name] for name in ("family", "table", "chain", "rule", "target"))
    for family, table, chain, rule, target in zip(*columns, strict=True):
        if family == 4 and (str(chain).startswith("KUBE-") or str(target).startswith("KUBE-")):
            found.setdefault((str(table), str(chain)), []).append(bare(str(rule)))
    return found


@pytest.mark.parametrize("cluster", CLUSTERS)
@pytest.mark.parametrize(
    "words",
    [
        ["service default/nginx externalTrafficPolicy=Local"], ["service default/nginx hostname=x.example.com"],
        ["delete service default/nginx"], ["k8s=1.30"], ["k8s=1.20"], ["service default/nginx type=ClusterIP"],
        ["endpoint remove default/nginx cn-hongkong.10.0.2.77"], ["service default/nginx loadBalancerSourceRanges=10.0.0.0/8"],
        ["service default/nginx sessionAffinity=ClientIP"],
    ],
    ids=lambda words: words[0].rpartition(" ")[2],
)  # fmt: skip
def test_nodes_hold_what_is_expected_after_a_change(cluster: str, words: Sequence[str]) -> None:
    """kube-proxy's part of each node follows whole: nothing is missing, stale or different."""
    with api.opened(lab.bundle(f"{cluster}-cluster")) as snapshot:
        after = changed(snapshot, words)
        for node in after.node_names:
            left = [one for one in drift_on(after, node) if not one.benign]
            assert not left, left[:3]
            state = expected_on(after, node)
            written: dict[tuple[str, str], list[str]] = {key: [] for key in state.chains}
            for table, chain, rule in state.rules:
                written.setdefault((table, chain), []).append(bare(rule))
            assert kube_rules(after, node) == written
