"""The reachability matrix: each Service address and port from each distinct vantage point, by the same walk as `trace`.

Cells that are alike share a walk (`shared.py`).
"""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Iterable, Sequence
from heapq import heapify, heappop, heapreplace

from analyzer.forwarding.addresses import family_of
from analyzer.forwarding.matrix_model import Matrix, MatrixTarget, Vantage
from analyzer.forwarding.model import Source, Target, Verdict
from analyzer.forwarding.shared import shared_walks, verdict_of
from analyzer.forwarding.world import LbListener, Pod, World
from analyzer.progress import Report
from analyzer.snapshot.spill import SpilledTables

OUTSIDE = {4: "198.51.100.1", 6: "2001:db8:ffff::1"}
"""The outside client (RFC 5737, RFC 3849): an address no node, pod or load balancer has."""

MAX_CELLS = 8_000
"""What one report walks; beyond, the nodes that differ most in role stand for the others."""


def matrix(
    world: World, *, max_cells: int = MAX_CELLS, listeners: bool = False, progress: Report | None = None
) -> Matrix:
    """Walk every cell.

    Beyond `max_cells` only some nodes are vantage points and NodePort entries: chosen so that each kube-proxy regime, and for
    each Service with a Local policy a node with and one without endpoint, is among them as far as possible. If one pair of
    nodes is still too much, Services are left out from the end. `left_out` says what was not walked.

    Args:
        max_cells: 0 for no limit.
        progress: called with the cells that are walked and those that there are.
        listeners: also ports of published addresses that no Service has but a process of some node listens on.
    """
    max_cells = max_cells or sys.maxsize
    order = _by_difference(world)
    nodes = order
    sizes = _Sizes(world)
    while sizes.cells(nodes) > max_cells and len(nodes) > 2:  # less than there are: listeners come on top
        nodes = nodes[: max(2, len(nodes) * 3 // 4)]
    targets, columns = _rows_and_columns(world, nodes, listeners)
    while len(targets) * len(columns) > max_cells and len(nodes) > 2:
        nodes = nodes[: max(2, len(nodes) * 3 // 4)]
        targets, columns = _rows_and_columns(world, nodes, listeners)
    left_out: list[str] = []
    if len(nodes) < len(order):
        left_out.append(f"{len(order) - len(nodes)} of {len(order)} nodes")
    most = max(max_cells // max(len(columns), 1), 1)
    if len(targets) > most:
        left_out.append(f"{len(targets) - most} of {len(targets)} addresses")
        targets = targets[:most]
    cells: dict[tuple[Source, Target], Verdict] = {}
    apart = isinstance(world.snapshot.tables, SpilledTables)
    if apart:
        shared_walks(world).prepare((vantage.source, row.target) for row in targets for vantage in columns)
    for vantage in columns:
        for row in targets:
            cells[(vantage.source, row.target)] = verdict_of(world, vantage.source, row.target)
            if progress is not None:
                progress(len(cells), len(columns) * len(targets))
    return Matrix(targets, columns, cells, tuple(left_out))


class _Sizes:
    """How many cells some nodes give, counted: making the rows of thousands of nodes costs more than walking the few."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.fixed = {row.target for row in _targets(world, ())}
        self.ports = {
            (port.protocol, port.node_port)
            for one in world.snapshot.objects.services
            if not one.headless
            for port in one.ports
            if port.node_port
        }
        self.columns = {node: len(sources) for node, sources in _sources(world, world.node_names).items()}

    def cells(self, nodes: Sequence[str]) -> int:
        world = self.world
        addresses = {world.primary(node, 4) or world.primary(node, 6) for node in nodes} - {""}
        known = sum(one.address in addresses and (one.protocol, one.port) in self.ports for one in self.fixed)
        rows = len(self.fixed) + len(addresses) * len(self.ports) - known
        return rows * (sum(self.columns[node] for node in nodes) + 1)


def _rows_and_columns(
    world: World, nodes: Sequence[str], listeners: bool
) -> tuple[tuple[MatrixTarget, ...], tuple[Vantage, ...]]:
    chosen = sorted(nodes)
    targets = tuple(_targets(world, chosen))
    if listeners:
        targets += tuple(_listening(world, chosen, {row.target for row in targets}))
    return targets, tuple(vantages(world, chosen))


def _listening(world: World, nodes: Sequence[str], known: set[Target]) -> Iterable[MatrixTarget]:
    """Ports of published addresses on which only wildcard sockets of nodes could answer."""
    published = sorted({ip for service in world.snapshot.objects.services for ip in service.published})
    sockets = {
        (one.protocol, one.port)
        for node in nodes
        for one in world.state(node).listeners
        if one.address in ("*", "0.0.0.0", "::")  # noqa: S104 - compared, not bound
    }
    for address in published:
        for protocol, port in sorted(sockets - world.node_ports):
            target = Target(address, port, protocol)
            if target not in known:
                yield MatrixTarget(target, "local-listener")


def _by_difference(world: World) -> list[str]:
    """Nodes in the order in which they add something not seen before: regimes, roles for Services with a Local policy.

    Each such Service tells a node with an endpoint of it from a node without.
    """
    services = [one for one in world.snapshot.objects.services if one.external_local or one.internal_policy == "Local"]
    having: dict[str, set[str]] = defaultdict(set)
    for one in services:
        for end in one.endpoints:
            if end.ready:
                having[end.node].add(one.id)
    features: dict[str, set[tuple[str, str]]] = {}
    for node in world.node_names:
        regime = world.snapshot.regime(node)
        own = {(key, regime.value(key)) for key in ("proxy_mode", "kube_proxy_version", "data_path", "ipvs_filter")}
        own.add(("captures", ",".join(sorted(world.snapshot.captured.get(node, {})))))
        features[node] = own
    seen: set[tuple[str, str]] = set()
    with_endpoint = {one.id for one in services}
    """Services of which no node with an endpoint was chosen yet."""
    without = set(with_endpoint)

    def gain(node: str) -> int:
        here = having.get(node, set())
        return len(features[node] - seen) + len(here & with_endpoint) + len(without) - len(here & without)

    # What a node adds only shrinks, so one whose old gain is not the largest any more need not be counted anew.
    left = [(-gain(node), place, node) for place, node in enumerate(world.node_names)]
    heapify(left)
    order: list[str] = []
    while left:
        _, place, node = left[0]
        now = -gain(node)
        if left[0][0] != now:
            heapreplace(left, (now, place, node))
            continue
        if not now:
            break
        heappop(left)
        order.append(node)
        seen |= features[node]
        with_endpoint -= having.get(node, set())
        without &= having.get(node, set())
    return [*order, *(node for _, _, node in sorted(left, key=lambda one: one[1]))]


def _targets(world: World, nodes: Sequence[str]) -> Iterable[MatrixTarget]:
    seen: set[Target] = set()

    def new(row: MatrixTarget) -> Iterable[MatrixTarget]:
        if row.target not in seen:
            seen.add(row.target)
            yield row

    for service in world.snapshot.objects.services:
        if service.headless:
            continue
        for port in service.ports:
            groups = (
                ("cluster-ip", service.cluster_ips),
                ("external-ip", service.external_ips),
                ("load-balancer", service.published),
            )
            for kind, addresses in groups:
                for address in addresses:
                    if family_of(address):
                        yield from new(MatrixTarget(Target(address, port.port, port.protocol), kind, service.id))  # type: ignore[arg-type]
            if port.node_port:
                for node in nodes:
                    address = world.primary(node, 4) or world.primary(node, 6)
                    if address:
                        target = Target(address, port.node_port, port.protocol)
                        yield from new(MatrixTarget(target, "node-port", service.id, node))
    for address, balancer in sorted(world.load_balancers.items()):
        for listener in sorted(balancer.listeners, key=lambda one: (one.port, one.protocol)):
            yield from new(
                MatrixTarget(
                    Target(address, listener.port, listener.transport),
                    "load-balancer-listener",
                    listener_service(world, listener),
                )
            )


def listener_service(world: World, listener: LbListener) -> str:
    """The Service whose nodePort (or endpoints) a listener's backends are; empty for somebody else's listener."""
    if not listener.backends:
        return ""
    one = listener.backends[0]
    if one.node and one.kind == "ecs" and (found := world.service_of_node_port.get((listener.transport, one.port))):
        return found
    listed = world.endpoint(one.address, one.port, listener.transport)
    return min((end.service for end in listed), default="")


def vantages(world: World, nodes: Sequence[str]) -> Iterable[Vantage]:
    """Each node, an ordinary pod of it, a pod of it that is an endpoint, and one client outside."""
    for own in _sources(world, nodes).values():
        yield from own
    yield Vantage(Source("external", OUTSIDE[4]), "external", "")


def _sources(world: World, nodes: Sequence[str]) -> dict[str, list[Vantage]]:
    """The vantages of each node. Of pods that are alike the one of which conntrack saw most speaks, else the one listed first (not the
    first by name: names may have been replaced)."""
    backends = {one.pod for group in world.endpoints.values() for one in group if one.pod}
    found = {node: [Vantage(Source("node", node), "node", node)] for node in nodes}
    first: dict[tuple[str, bool], tuple[bool, int, Pod]] = {}
    for pod in world.pods.values():
        if pod.node in found and not pod.host_network and pod.ips:
            key = (pod.node, pod.id in backends)
            seen = sum(world.dialled.get(ip, 0) for ip in pod.ips)
            rank = (pod.namespace == "kube-system", -seen)
            if key not in first or rank < first[key][:2]:
                first[key] = (*rank, pod)
    for node, own in found.items():
        for serving, kind in ((False, "pod"), (True, "backend-pod")):
            if (node, serving) in first:
                pod = first[(node, serving)][2]
                own.append(Vantage(Source("pod", f"{pod.namespace}/{pod.name}"), kind, node))  # type: ignore[arg-type]
    return found
