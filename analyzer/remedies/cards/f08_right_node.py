"""F8: dial the node port only on nodes that have a ready endpoint. Nothing changes in the cluster.

**Helps** clients of a node port with policy Local. **Needs** that the client's list of nodes can be changed, and kept up.
"""

from __future__ import annotations

from analyzer.forwarding import Target
from analyzer.remedies import sources
from analyzer.remedies.case import Case, ready_nodes
from analyzer.remedies.checks import ready_endpoints_exist
from analyzer.remedies.effects import Effects
from analyzer.remedies.model import Change, Prerequisite, Remedy
from analyzer.remedies.plan import Moved, Plan
from analyzer.remedies.words import command, dial, endpoint, lines, listed
from analyzer.snapshot.objects import Service, ServicePort


def build(case: Case) -> Remedy | None:
    """The addresses to use, from the endpoints of the snapshot."""
    pairs = [pair for pair in _node_ports(case) if pair[0].external_local]
    if not pairs:
        return None
    good: list[tuple[str, int, str]] = []
    healths: list[str] = []
    names: list[str] = []
    for service, port in pairs:
        for node in ready_nodes(service):
            address = case.world.primary(node, 4) or case.world.primary(node, 6)
            if not address or port.node_port is None:
                continue
            names.append(node)
            good.append((address, port.node_port, port.protocol))
            if service.health_check_node_port:
                url = f"http://{endpoint(address, service.health_check_node_port)}/healthz"
                healths.append(command("curl", "--silent", "--show-error", "--max-time", "3", url))
    shown = [f"{endpoint(address, port)}/{protocol}" for address, port, protocol in good]
    verify = [lines(*(dial(*one) for one in good[:6]), title="change.dial")] if good else []
    if healths:
        verify.append(lines(*healths[:6], title="change.health-check"))
    services = [service for service, _ in pairs]
    return Remedy(
        "F8", {"nodes": listed(names), "services": listed(service.id for service in services)},
        (Change("text", "\n".join(dict.fromkeys(shown)), "change.good-addresses"),) if shown else (),
        (ready_endpoints_exist(services), Prerequisite("client-can-change", "unknown")),
        tuple(Effects().add("list-goes-stale").slugs), tuple(verify), (sources.LOCAL_NODE_PORT, sources.TRAFFIC_POLICY),
    )  # fmt: skip


def _node_ports(case: Case) -> list[tuple[Service, ServicePort]]:
    dialled = {(target.protocol, target.port) for target in case.targets}
    pairs = [(service, port) for service in case.services for port in service.ports if port.node_port]
    return [pair for pair in pairs if (pair[1].protocol, pair[1].node_port) in dialled] or pairs


def plan(case: Case) -> Plan:
    """Clients dial the port on a node with a ready endpoint."""
    moves = []
    for service, port in _node_ports(case):
        nodes = ready_nodes(service) if service.external_local else ()
        for target in case.targets:
            if nodes and (target.protocol, target.port) == (port.protocol, port.node_port):
                address = case.world.primary(nodes[0], 4) or case.world.primary(nodes[0], 6)
                if address:
                    moves.append(Moved(target, Target(address, target.port, target.protocol)))
    return Plan(moves=tuple(moves))


CARDS = {"F8": build}
PLANS = {"F8": plan}
