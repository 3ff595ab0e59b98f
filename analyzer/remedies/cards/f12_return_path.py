"""F12: why the reply of a node port does not come back. An explanation; nothing changes.

Without masquerading, the endpoint on another node answers the client directly, and the client does not know that address.
Terway's `symmetric_routing` does not help: it concerns replies that leave the same node the request entered.
"""

from __future__ import annotations

from analyzer.remedies import sources
from analyzer.remedies.case import Case, ready_nodes
from analyzer.remedies.model import Remedy
from analyzer.remedies.words import listed


def build(case: Case) -> Remedy | None:
    """For Local Services with a node port."""
    services = [s for s in case.services if s.external_local and any(port.node_port for port in s.ports)]
    if not services:
        return None
    servers = sorted({node for service in services for node in ready_nodes(service)})
    values = {
        "services": listed(service.id for service in services),
        "nodes": listed(node for node in case.nodes if node not in servers),
        "servers": listed(servers),
    }
    links = (sources.TERWAY_SYMMETRIC,) if "terway" in case.cluster.cnis else ()
    return Remedy("F12", values, (), (), (), (), (*links, sources.LOCAL_NODE_PORT))


CARDS = {"F12": build}
