"""What kube-proxy does to the host besides tables: sysctls it sets at start (M25), sockets it holds (M16, M24)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from analyzer.kubeproxy.model import Socket
from analyzer.kubeproxy.versions import Versions, family_of
from analyzer.snapshot.objects import Service


def sysctls(versions: Versions) -> dict[str, str]:
    """Dotted key -> value, as NewProxier sets them. What it leaves alone is not in the result."""
    node = versions.node
    found = {
        "net.ipv4.vs.conntrack": "1",
        "net.ipv4.vs.expire_nodest_conn": "1",
        "net.ipv4.vs.expire_quiescent_template": "1",
        "net.ipv4.ip_forward": "1",
    }
    if node.version is not None and node.version <= (1, 20):
        found["net.ipv4.conf.all.route_localnet"] = "1"
    # Kernels before 4.1 have no working conn_reuse_mode; 5.9 repaired mode 1 (kubernetes#93297), 1.22 knows that.
    if node.kernel is None:
        versions.note("M25 conn_reuse_mode")
    elif node.kernel >= (4, 1) and (node.kernel < (5, 9) or not versions.since(22, "M25 conn_reuse_mode")):
        found["net.ipv4.vs.conn_reuse_mode"] = "0"
    if node.strict_arp:
        found["net.ipv4.conf.all.arp_ignore"] = "1"
        found["net.ipv4.conf.all.arp_announce"] = "2"
    return dict(sorted(found.items()))


def sockets(versions: Versions, services: Iterable[Service], node_port_addresses: Sequence[str]) -> tuple[Socket, ...]:
    """Sockets of kube-proxy: up to 1.23 one per nodePort and external IP (never SCTP), and the health checks of all versions.

    `node_port_addresses` is empty when nodePorts are open on all addresses. An external IP counts as local as soon as it is
    bound to kube-ipvs0, so from the second sync on every one of them is held.
    """
    held: dict[Socket, None] = {}
    for service in services:
        if service.health_check_node_port:
            held[Socket("tcp", "", service.health_check_node_port, "health-check")] = None
        for port in service.ports:
            wanted = bool(port.node_port) or bool(service.external_ips)
            if port.protocol == "sctp" or not wanted or versions.since(24, "M16 held sockets"):
                continue
            if port.node_port:
                own = {family_of(ip) for ip in service.cluster_ips}
                for address in [one for one in node_port_addresses if family_of(one) in own] or [""]:
                    held[Socket(port.protocol, address, port.node_port, "node-port")] = None
            for address in service.external_ips:
                if family_of(address):
                    held[Socket(port.protocol, address, port.port, "external-ip")] = None
    return tuple(sorted(held, key=lambda one: (one.purpose, one.protocol, one.port, one.address)))
