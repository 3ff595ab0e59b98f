"""The reachability matrix: each Service address and port from each distinct vantage point, by the same walk as `trace`."""

from __future__ import annotations

from collections.abc import Iterable

from analyzer.forwarding.addresses import family_of
from analyzer.forwarding.matrix_model import Matrix, MatrixTarget, Vantage
from analyzer.forwarding.model import Source, Target, Verdict
from analyzer.forwarding.verdict import trace
from analyzer.forwarding.world import LbListener, World

OUTSIDE = {4: "198.51.100.1", 6: "2001:db8:ffff::1"}
"""The outside client (RFC 5737, RFC 3849): an address no node, pod or load balancer has."""

MAX_CELLS = 20_000


def matrix(world: World, *, max_cells: int = MAX_CELLS) -> Matrix:
    """Walk every cell. Beyond `max_cells` nodes alike in role are left out first, and `left_out` says which."""
    targets = tuple(_targets(world))
    vantages = tuple(_vantages(world))
    left_out: list[str] = []
    if targets and len(targets) * len(vantages) > max_cells:
        vantages, targets, left_out = _reduce(world, vantages, targets, max_cells)
    cells: dict[tuple[Source, Target], Verdict] = {}
    for vantage in vantages:
        for row in targets:
            cells[(vantage.source, row.target)] = trace(world, vantage.source, row.target).verdict
    return Matrix(targets, vantages, cells, tuple(left_out))


def _targets(world: World) -> Iterable[MatrixTarget]:
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
                for node in world.node_names:
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
    for service in world.snapshot.objects.services:
        for port in service.ports:
            if port.protocol != listener.transport:
                continue
            if one.node and port.node_port == one.port and one.kind == "ecs":
                return service.id
            if any(e.address == one.address and e.port == one.port for e in service.endpoints_of(port, 4)):
                return service.id
    return ""


def _vantages(world: World) -> Iterable[Vantage]:
    """Each node, an ordinary pod of it, a pod of it that is an endpoint, and one client outside."""
    backends = {one.pod for group in world.endpoints.values() for one in group if one.pod}
    for node in world.node_names:
        yield Vantage(Source("node", node), "node", node)
        here = sorted(
            (pod for pod in world.pods.values() if pod.node == node and not pod.host_network and pod.ips),
            key=lambda pod: (pod.namespace in ("kube-system",), pod.namespace, pod.name),
        )
        plain = [pod for pod in here if pod.id not in backends]
        serving = [pod for pod in here if pod.id in backends]
        if plain:
            yield Vantage(Source("pod", f"{plain[0].namespace}/{plain[0].name}"), "pod", node)
        if serving:
            yield Vantage(Source("pod", f"{serving[0].namespace}/{serving[0].name}"), "backend-pod", node)
    yield Vantage(Source("external", OUTSIDE[4]), "external", "")


def _reduce(
    world: World, vantages: tuple[Vantage, ...], targets: tuple[MatrixTarget, ...], max_cells: int
) -> tuple[tuple[Vantage, ...], tuple[MatrixTarget, ...], list[str]]:
    """Keep nodes in order of how much they differ: every node with an endpoint role, then as many as fit."""
    left_out = []
    room = max(max_cells // max(len(targets), 1), 4)
    if len(vantages) > room:
        kept = [*vantages[: room - 1], vantages[-1]]
        left_out.append(f"{len(vantages) - len(kept)} of {len(vantages)} vantage points")
        vantages = tuple(kept)
    most = max(max_cells // len(vantages), 1)
    if len(targets) > most:
        left_out.append(f"{len(targets) - most} of {len(targets)} targets")
        targets = targets[:most]
    return vantages, targets, left_out
