"""F1: call the Service inside the cluster by its ClusterIP name instead of the load balancer's address.

**Helps** wherever the way over the load balancer's address fails from inside: the packet never meets that address.
**Needs** the server to be in this cluster; for a listener that leads elsewhere, that server's own address.
"""

from __future__ import annotations

from analyzer.forwarding import Target
from analyzer.forwarding.addresses import family_of
from analyzer.remedies import sources
from analyzer.remedies.case import Case
from analyzer.remedies.checks import internal_policy_cluster, ready_endpoints_exist
from analyzer.remedies.effects import Effects
from analyzer.remedies.model import Change, Prerequisite, Remedy
from analyzer.remedies.plan import Moved, Plan
from analyzer.remedies.words import (
    DNS_NAME,
    command,
    dial,
    endpoint,
    ipvs_server,
    is_label,
    kubectl,
    lines,
    listed,
    plain,
)
from analyzer.snapshot.objects import Service, ServicePort

DOMAIN = "cluster.local"
"""Default cluster domain; the text of the card says that it may differ."""


def build(case: Case) -> Remedy | None:
    """One destination per dialled port; of a port that nobody in the cluster serves, the servers behind the listener."""
    inside, outside, open_question = _destinations(case)
    if not inside and not outside and not open_question:
        return None
    addresses = [(ip, port) for service, port in inside for ip in service.cluster_ips if family_of(ip)]
    texts = [_named(service, port) for service, port in inside] + [
        f"{endpoint(ip, port)}/{proto}" for ip, port, proto in outside
    ]
    changes = [Change("text", "\n".join(dict.fromkeys(texts)), "change.destinations")] if texts else []
    effects = Effects()
    # A name cannot carry a port: it is rewritten only where the port stays the same.
    dialled = {target.port for target in case.targets}
    same = [one for one in inside if not dialled or one[1].port in dialled]
    records = _dns(same, [one for one in outside if one[1] in dialled])
    if records:
        changes += [records, lines(kubectl("kube-system", "edit", "configmap/coredns"), title="change.coredns-edit")]
        effects.add("node-dns")
    if any(service.annotation("loadbalancer-cert-id") for service, _ in inside):
        effects.add("tls-ends-at-lb")
    effects.add("certificate-name")
    services = [service for service, _ in inside]
    prerequisites: list[Prerequisite] = []
    if services:
        prerequisites += [ready_endpoints_exist(services), internal_policy_cluster(services)]
    if outside or open_question:
        prerequisites.append(
            Prerequisite("server-reachable", "unknown", {"servers": listed(endpoint(a, p) for a, p, _ in outside)})
        )
    verify = [ipvs_server(ip, port.port, port.protocol) for ip, port in addresses]
    look = (
        [lines(*(command("ipvsadm", "-Ln", *server) for server in verify), title="change.look-at-node")]
        if verify
        else []
    )
    dials = [dial(ip, port.port, port.protocol) for ip, port in addresses]
    dials += [dial(*one) for one in outside]
    return Remedy(
        "F1", {"destinations": listed(texts), "domain": DOMAIN}, tuple(changes), tuple(prerequisites), tuple(effects.slugs),
        (*look, *([lines(*dials[:6], title="change.dial")] if dials else [])), (sources.ACK_LB_NOTES, sources.SLB_LOOPBACK),
    )  # fmt: skip


def _destinations(
    case: Case,
) -> tuple[list[tuple[Service, ServicePort]], list[tuple[str, int, str]], bool]:
    """(Services and ports of this cluster, servers outside, whether a listener's servers are not known)."""
    inside: list[tuple[Service, ServicePort]] = []
    outside: list[tuple[str, int, str]] = []
    open_question = False
    for target in case.targets:
        served = None if case.foreign(target) else case.serving(target)
        if served is not None:
            inside.append(served)
            continue
        listener = case.listener(target.address, target.port, target.protocol)
        if listener is None or listener.backends is None:
            open_question = open_question or target.address in case.vips
            continue
        for backend in [one for one in listener.backends if one.weight] or listener.backends:
            owner = case.owner_of(backend, target.protocol)
            if owner is not None:
                inside.append(owner)
            else:
                outside.append((backend.address, backend.port, target.protocol))
    if not case.targets:
        inside = [(service, port) for service in case.services for port in service.ports]
    unique = {
        (service.id, port.port, port.protocol): (service, port) for service, port in inside if not service.headless
    }
    return list(unique.values()), list(dict.fromkeys(outside)), open_question


def _named(service: Service, port: ServicePort) -> str:
    name = f"{plain(service.name)}.{plain(service.namespace)}.svc.{DOMAIN}:{port.port}/{port.protocol}"
    return f"{name} ({', '.join(endpoint(ip, port.port) for ip in service.cluster_ips if family_of(ip))})"


def _dns(inside: list[tuple[Service, ServicePort]], outside: list[tuple[str, int, str]]) -> Change | None:
    """Lines for the Corefile. A name that cannot be a DNS label is not written into a configuration file."""
    names = [s for s, _ in inside if is_label(s.name) and is_label(s.namespace)]
    if names:
        service = names[0]
        line = f"rewrite name exact {DNS_NAME} {service.name}.{service.namespace}.svc.{DOMAIN}"
        return Change("text", line, "change.coredns-rewrite")
    if outside:
        return Change("text", f"hosts {{\n  {outside[0][0]} {DNS_NAME}\n  fallthrough\n}}", "change.coredns-hosts")
    return None


def plan(case: Case) -> Plan:
    """Clients dial the ClusterIP, or the server behind the foreign listener."""
    moves = []
    for target in case.targets:
        family = family_of(target.address)
        served = None if case.foreign(target) else case.serving(target)
        listener = case.listener(target.address, target.port, target.protocol) if served is None else None
        for backend in (listener.backends or ())[:1] if listener else ():
            served = case.owner_of(backend, target.protocol)
            if served is None:
                moves.append(Moved(target, Target(backend.address, backend.port, target.protocol)))
        if served is not None:
            service, port = served
            ip = next((ip for ip in service.cluster_ips if family_of(ip) == family), "")
            if ip:
                moves.append(Moved(target, Target(ip, port.port, port.protocol)))
    return Plan(moves=tuple(moves))


CARDS = {"F1": build}
PLANS = {"F1": plan}
