"""On captures without a fault the chains of kube-proxy hold exactly the rules the model writes, in order, node by node."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest

from analyzer.bundle import open_bundle
from analyzer.kubeproxy import expected_on
from analyzer.snapshot import Snapshot, load

LAB = Path(__file__).parent.parent / "data" / "lab-truth"
SLOW = re.compile(
    "conntrack|Lnc|-j-|stats|^ss-|ipvsadm-save|ipset|netstat|^Describe|ip-route|ip-rule|ip-d-|kubectl-get|lsmod|neigh"
)
CASES = sorted(folder.name for folder in LAB.iterdir() if not folder.name.endswith("-fault"))
Chains = dict[tuple[str, str], list[str]]


@cache
def captured(case: str) -> Snapshot:
    with open_bundle(LAB / case / "bundle.tar.gz") as bundle:
        members = tuple(member for member in bundle.members if not SLOW.search(member.name))
        return load(replace(bundle, members=members))


def bare(rule: str) -> str:
    """Without comment, and without an option that depends on the iptables version."""
    rule = re.sub(r'-m comment --comment (?:"[^"]*"|\S+) ?', "", rule)
    return rule.replace(" --random-fully", "").strip()


def captured_chains(snapshot: Snapshot, node: str) -> Chains:
    """KUBE-* chains, and what the built-in chains send there."""
    own = snapshot.by_node[node]
    chains = own["iptables_chains"]
    found: Chains = defaultdict(list)
    for family, table, chain in zip(chains["family"], chains["table"], chains["chain"], strict=True):
        if family == 4 and table in ("nat", "filter") and str(chain).startswith("KUBE-"):
            found[str(table), str(chain)] = []
    rules = own["iptables_rules"].sort_values("line")
    columns = (rules[name] for name in ("family", "table", "chain", "rule", "target"))
    for family, table, chain, rule, target in zip(*columns, strict=True):
        if family == 4 and (str(chain).startswith("KUBE-") or str(target).startswith("KUBE-")):
            found[str(table), str(chain)].append(bare(str(rule)))
    # The kubelet's canary says nothing about Services.
    return {key: rules for key, rules in found.items() if key[1] != "KUBE-KUBELET-CANARY"}


@pytest.mark.parametrize("case", CASES)
def test_rules_equal_captured(case: str) -> None:
    snapshot = captured(case)
    assert len(snapshot.node_names) >= 2
    for node in snapshot.node_names:
        state = expected_on(snapshot, node)
        assert not state.undecided
        written: Chains = {key: [] for key in state.chains}
        for table, chain, rule in state.rules:
            written.setdefault((table, chain), []).append(bare(rule))
        assert captured_chains(snapshot, node) == written, node


@pytest.mark.parametrize("case", CASES)
def test_sysctls_are_as_set_at_start(case: str) -> None:
    snapshot = captured(case)
    for node in snapshot.node_names:
        table = snapshot.by_node[node]["sysctls"]
        held = dict(zip(table["key"], table["value"], strict=True))
        wanted = expected_on(snapshot, node).sysctls
        assert {key: held[key] for key in wanted} == wanted, node


@pytest.mark.parametrize("case", [case for case in CASES if case.startswith("1.22")])
def test_held_sockets_are_listening(case: str) -> None:
    with open_bundle(LAB / case / "bundle.tar.gz") as bundle:
        members = tuple(member for member in bundle.members if member.name == "ss-lntup.txt")
        listening = load(replace(bundle, members=members))["listeners"]
    snapshot = captured(case)
    for node in snapshot.node_names:
        own = listening[(listening["node"] == node) & (listening["process"] == "kube-proxy")]
        ports = {(str(protocol), int(port)) for protocol, port in zip(own["protocol"], own["port"], strict=True)}
        held = {(one.protocol, one.port) for one in expected_on(snapshot, node).sockets}
        assert held == {pair for pair in ports if pair[1] >= 30000}, node
