"""What must hold for every walk: it ends, it never raises, one cell is one probe, and less knowledge never gives a surer lie."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from analyzer.bundle import open_bundle
from analyzer.forwarding import Source, Target, Verdict, World, matrix, trace
from analyzer.forwarding.journey import MAX_HOPS, MAX_PATHS
from tests.forwarding import cases
from tests.forwarding.cases import Cluster

SAMPLES = Path(__file__).parent.parent.parent / "samples"
NAMES = ("clb-reuse", "local-1.28-terway", "local-1.22-flannel")
SLOW = re.compile(r"conntrack|-Lnc|kube-proxy\.log")
OUTCOMES = {"ok", "refused", "timeout", "unreachable", "wrong-server", "mixed", "unknown"}
Cell = tuple[Source, Target]


@cache
def files_of(name: str) -> Mapping[str, bytes]:
    with open_bundle(SAMPLES / f"{name}.tar.gz") as bundle:
        return {member.path: member.read() for member in bundle.members if not SLOW.search(member.name)}


@cache
def full(name: str) -> World:
    return cases.world(files_of(name))


@cache
def cells(name: str) -> tuple[Cell, ...]:
    """The matrix and some ports that nobody serves."""
    world = full(name)
    every = list(matrix(world).cells)
    sources = sorted({source for source, _ in every}, key=str)
    addresses = sorted({target.address for _, target in every})
    return (
        *every,
        *((source, Target(address, port)) for source in sources for address in addresses for port in (22, 443, 9999)),
    )


@cache
def verdict(name: str, cell: Cell) -> Verdict:
    return trace(full(name), *cell).verdict


# ---------------------------------------------------------------------- damage


GROUPS = {
    "ip-addr": "/ip-(addr|d-addr|j-addr)", "ip-route": "/ip-route", "ip-rule": "/ip-rule", "ipvsadm": "/ipvsadm-", "ipset": "/ipset-",
    "iptables": "/iptables-", "sockets": "/ss-", "sysctl": "/sysctl", "endpoints": "^cluster/endpoint",
    "services": "^cluster/(services|kubectl-get-svc)", "pods": "^cluster/pods", "nodes": "^cluster/nodes", "config": "^cluster/configmap",
    "daemonsets": "^cluster/daemonsets", "version": "^cluster/version", "cloud": "^cloud/", "listeners": "^cloud/.*Listeners",
    "groups": "^cloud/.*VServer", "balancers": "^cloud/.*BalancerAttribute", "node": "^nodes/",
}  # fmt: skip


def without(files: Mapping[str, bytes], dropped: Iterable[tuple[str, int]]) -> dict[str, bytes]:
    """Drop each named group, on one node (by number) or, for -1, everywhere."""
    nodes = sorted({path.split("/")[1] for path in files if path.startswith("nodes/")})
    left = dict(files)
    for group, number in dropped:
        for path in files:
            here = number < 0 or not path.startswith("nodes/") or path.split("/")[1] == nodes[number % len(nodes)]
            if here and re.search(GROUPS[group], path):
                left.pop(path, None)
    return left


DROPS = st.lists(st.tuples(st.sampled_from(sorted(GROUPS)), st.integers(-1, 2)), min_size=1, max_size=4)


def present(world: World, source: Source) -> bool:
    known = {"node": world.node_names, "pod": world.pods}.get(source.kind)
    return known is None or source.name in known


def walk(world: World, cell: Cell) -> Verdict:
    got = trace(world, *cell)
    assert got.verdict.outcome in OUTCOMES
    assert 0 < len(got.paths) <= MAX_PATHS
    for path in got.paths:
        assert len(path.hops) <= MAX_HOPS + 2
        assert path.outcome in OUTCOMES
        assert path.mechanism
    if got.verdict.outcome == "unknown":
        assert got.verdict.missing
        assert not got.verdict.servers
    return got.verdict


@settings(max_examples=4, deadline=None, derandomize=True, phases=(Phase.explicit, Phase.generate))
@given(st.sampled_from(NAMES[:2]), DROPS, st.data())
def test_a_dropped_capture_never_gives_a_sure_other_answer(
    name: str, dropped: list[tuple[str, int]], data: st.DataObject
) -> None:
    world = cases.world(without(files_of(name), dropped))
    chosen = data.draw(st.lists(st.sampled_from(cells(name)), min_size=10, max_size=25, unique=True))
    for cell in chosen:
        if present(world, cell[0]):
            compare(verdict(name, cell), walk(world, cell), cell, dropped)


@pytest.mark.parametrize(
    "group",
    [
        "ip-addr",
        "iptables",
        "ipset",
        "ipvsadm",
        "sockets",
        "ip-route",
        "sysctl",
        "cloud",
        "pods",
        "endpoints",
        "services",
    ],
)
def test_each_capture_matters_or_is_named(group: str) -> None:
    name = "local-1.28-terway"
    world = cases.world(without(files_of(name), [(group, -1)]))
    for cell in cells(name)[::4]:
        if present(world, cell[0]):
            compare(verdict(name, cell), walk(world, cell), cell, group)


def compare(whole: Verdict, part: Verdict, cell: Cell, dropped: object) -> None:
    same = (part.outcome, part.outcomes, part.servers, part.seen_source_ips) == (
        whole.outcome, whole.outcomes, whole.servers, whole.seen_source_ips,
    )  # fmt: skip
    assert same or part.outcome == "unknown" or part.confidence != "high", (dropped, *map(str, cell), whole, part)
    if part.confidence != "high" and not same:
        assert part.missing, (dropped, *map(str, cell), part)


@settings(max_examples=8, deadline=None, derandomize=True, phases=(Phase.explicit, Phase.generate))
@given(st.sampled_from(NAMES[:2]), DROPS, st.randoms(use_true_random=False), st.data())
def test_damaged_captures_never_break_a_walk(
    name: str, dropped: list[tuple[str, int]], rng: object, data: st.DataObject
) -> None:
    files = without(files_of(name), dropped[:2])
    damaged = data.draw(st.lists(st.sampled_from(sorted(files) or ["none"]), max_size=6))
    for path in damaged:
        content = files.get(path, b"")
        if data.draw(st.booleans()):
            files[path] = content[: data.draw(st.integers(0, len(content)))]
        else:
            lines = content.splitlines(keepends=True)
            gone = data.draw(st.sets(st.integers(0, max(len(lines) - 1, 0)), max_size=8))
            files[path] = b"".join(line for number, line in enumerate(lines) if number not in gone)
    world = cases.world(files)
    sources = [Source("external", "203.0.113.200"), Source("external", "2001:db8::1")]
    sources += [Source("node", node) for node in world.node_names[:3]]
    sources += [Source("pod", pod) for pod in list(world.pods)[:4]]
    targets = [target for _, target in cells(name)[::17]] + [
        Target("192.0.2.1", 1, "sctp"),
        Target("2001:db8::1", 80),
        Target("127.0.0.1", 30080),
    ]
    for source in data.draw(st.lists(st.sampled_from(sources), min_size=1, max_size=4)):
        for target in data.draw(st.lists(st.sampled_from(targets), min_size=1, max_size=8)):
            walk(world, (source, target))


@pytest.mark.parametrize("name", NAMES)
def test_a_cell_of_the_matrix_is_a_probe(name: str) -> None:
    world = full(name)
    table = matrix(world)
    for position, (cell, seen) in enumerate(table.cells.items()):
        if position % 7 == 0:
            assert seen == trace(world, *cell).verdict
    assert len(table.frame()) == len(table.cells) == len(table.targets) * len(table.vantages)


@settings(max_examples=12, deadline=None, derandomize=True, phases=(Phase.explicit, Phase.generate))
@given(
    cni=st.sampled_from(["terway", "flannel"]),
    policy=st.sampled_from(["Local", "Cluster"]),
    endpoint=st.sampled_from(["remote-pod", "remote-hostnet", "self", "none"]),
    bound=st.booleans(),
    conntrack=st.sampled_from(["0", "1"]),
    port=st.sampled_from([80, 443, 30080, 22]),
)
def test_every_small_cluster_is_decided(
    cni: str, policy: str, endpoint: str, bound: bool, conntrack: str, port: int
) -> None:
    """With everything captured, inside clients of addresses the cluster owns always get a definite answer."""
    one = Cluster(cni=cni, policy=policy, endpoint=endpoint, bound=bound, vs_conntrack=conntrack)
    world = cases.world(one.files())
    for source in (Source("node", cases.A), Source("node", cases.B), Source("pod", "default/client-node-a")):
        for address in (cases.CLUSTER_IP, cases.NODE_IP[cases.A], *([cases.VIP] if bound else [])):
            got = walk(world, (source, Target(address, port)))
            assert got.outcome != "unknown", got


def test_a_packet_that_two_nodes_send_to_each_other_ends() -> None:
    files = Cluster(endpoint="none", external_ip=True).files()
    for node, other in ((cases.A, cases.NODE_IP[cases.B]), (cases.B, cases.NODE_IP[cases.A])):
        path = f"nodes/{node}/iptables-save.txt"
        files[path] = files[path].replace(
            "-A PREROUTING -j KUBE-SERVICES",
            f"-A PREROUTING -p tcp -m tcp --dport 7 -j DNAT --to-destination {other}:7",
        )
    got = trace(cases.world(files), Source("external", cases.OUTSIDE), Target(cases.NODE_IP[cases.A], 7))
    assert got.verdict.mechanism == "loop"
    assert max(len(path.hops) for path in got.paths) <= MAX_HOPS + 2


@pytest.mark.parametrize("dropped", ["iptables-save", "ip6tables-save"])
@pytest.mark.parametrize("six", [False, True])
def test_one_family_of_rules_says_nothing_of_the_other(dropped: str, six: bool) -> None:
    files = Cluster(six=six, policy="Cluster").files()
    cell = (Source("node", cases.A), Target(cases.VIP6 if six else cases.VIP, 80))
    whole = walk(cases.world(files), cell)
    part = walk(cases.world({path: text for path, text in files.items() if f"/{dropped}" not in path}), cell)
    if (dropped == "ip6tables-save") == six:
        assert part.outcome == "unknown" or part.confidence != "high"
        assert part.missing
    else:
        assert (part.outcome, part.servers) == (whole.outcome, whole.servers)


@pytest.mark.parametrize("table", ["nat", "filter"])
def test_a_listing_of_one_table_says_nothing_of_the_other(table: str) -> None:
    files = Cluster(policy="Cluster").files()
    for node in (cases.A, cases.B):
        path = f"nodes/{node}/iptables-save.txt"
        files[path] = f"*{table}" + files[path].partition(f"*{table}")[2].partition("COMMIT")[0] + "COMMIT\n"
    got = walk(cases.world(files), (Source("node", cases.A), Target(cases.VIP, 80)))
    assert got.outcome == "unknown"
    assert any("table" in name for name in got.missing)
