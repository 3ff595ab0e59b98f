"""Any sequence of changes leaves a cluster whose nodes hold what its objects ask for, and which can be walked."""

from __future__ import annotations

from functools import cache

from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from analyzer.bundle import open_bundle
from analyzer.errors import UsageError
from analyzer.findings.drift import drift_on
from analyzer.forwarding import build_world, matrix, trace
from analyzer.snapshot import Snapshot, load
from analyzer.whatif import apply, compare, parse_edits
from tests import lab

N1, N3 = "cn-hongkong.10.0.2.77", "cn-hongkong.10.0.4.141"
CASES = ("1.22.0-flannel-cluster", "1.28.3-terway-local", "1.28.3-flannel-udp", "1.28.3-terway-hostname")
CHANGES = (
    "service SERVICE externalTrafficPolicy=Local", "service SERVICE externalTrafficPolicy=Cluster",
    "service SERVICE hostname=a.example.com",
    "service SERVICE hostname=", "service SERVICE internalTrafficPolicy=Local", "service SERVICE sessionAffinity=ClientIP",
    "service SERVICE loadBalancerSourceRanges=10.0.0.0/16", "service SERVICE type=NodePort", "service SERVICE type=LoadBalancer",
    "service SERVICE type=ClusterIP", "service SERVICE ipMode=Proxy", "service SERVICE externalIPs=203.0.113.77",
    "k8s=1.21", "k8s=1.25", "k8s=1.30", "k8s=1.34", f"endpoint add SERVICE {N3}", f"endpoint remove SERVICE {N1}", f"drain {N1}",
    "delete service SERVICE", f"restart kube-proxy {N3}",
)  # fmt: skip


@cache
def captured(case: str) -> Snapshot:
    with open_bundle(lab.bundle(case)) as bundle:
        return load(bundle)


@settings(max_examples=14, deadline=None, derandomize=True, phases=(Phase.explicit, Phase.generate))
@given(st.sampled_from(CASES), st.lists(st.sampled_from(CHANGES), min_size=1, max_size=4), st.data())
def test_any_sequence_of_changes(case: str, words: list[str], data: st.DataObject) -> None:
    snapshot = captured(case)
    service = next(one.id for one in snapshot.objects.services if one.type == "LoadBalancer")
    after = snapshot
    for word in words:
        try:
            after = apply(after, parse_edits([word.replace("SERVICE", service)], after)).snapshot
        except UsageError:
            continue  # what was deleted cannot be changed any more
    for node in after.node_names:
        left = [one for one in drift_on(after, node) if not one.benign]
        assert not left, (words, left[:2])
    world = build_world(after)
    cells = matrix(world).cells
    for source, target in (
        data.draw(st.lists(st.sampled_from(sorted(cells, key=str)), max_size=12, unique=True)) if cells else ()
    ):
        assert cells[(source, target)] == trace(world, source, target).verdict, (words, str(source), str(target))
    found = compare(build_world(snapshot), world)
    assert sum(found.counts.values()) == len(found.changes)
    assert {one.source for one in found.changes if one.source.kind == "pod"} <= {
        source for source, _ in matrix(build_world(snapshot)).cells
    }
