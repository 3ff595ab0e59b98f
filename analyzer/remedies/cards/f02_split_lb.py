"""F2: one load balancer for clients outside, another one for the cluster. F2b: a Service for the port that lacks one.

**Helps** where the address is shared: ports that no Service serves stop being local once no Service publishes the address.
Where the port's server is in this cluster, a virtual server for it (F2b) does the same, and F2b takes the place of F2.
**Needs** a new Service, because the load balancer of an existing one cannot be changed.
"""

from __future__ import annotations

from typing import Any

from analyzer.remedies import sources
from analyzer.remedies.case import Case
from analyzer.remedies.checks import has_selector
from analyzer.remedies.effects import Effects
from analyzer.remedies.model import Change, Remedy
from analyzer.remedies.parts import look_at_unbound, new_service, status_of
from analyzer.remedies.profiles import ALIBABA, CLB
from analyzer.remedies.words import command, document, endpoint, ipvs_server, kubectl, lines, listed
from analyzer.snapshot.objects import Service, ServicePort


def build(case: Case) -> Remedy | None:
    """Add the port where its server is a Service of this cluster, else split the load balancer."""
    if case.finding.situation != "S17" and (added := add_port(case)):
        return added
    services = _to_split(case)
    if not services or not case.vips:
        return None
    manifests, effects = [], Effects()
    for service in services:
        manifests.append(new_service(service, "own", _annotations(case, service), service.ports))
    effects.add("new-address").add("clb-quota")
    reused = [service for service in services if service.annotation("loadbalancer-id")]
    if reused:
        effects.add("reused-lb-stays", reused_services=listed(s.id for s in reused))
    if len(reused) < len(services):
        effects.add("delete-releases-address")
    changes = (
        document(*manifests, title="change.new-service"),
        lines(
            *(kubectl(s.namespace, "delete", f"service/{s.name}") for s in services), title="change.delete-old-service"
        ),
    )
    finder = lines(
        *(f"kubectl get services --all-namespaces --output=wide | {command('grep', '-wF', vip)}" for vip in case.vips),
        title="change.who-publishes",
    )
    values = {"services": listed(s.id for s in services), "addresses": listed(case.vips), **effects.values}
    return Remedy(
        "F2", values, changes, (has_selector(services),), tuple(effects.slugs), (finder, look_at_unbound(case.vips)),
        (sources.ACK_REUSE, sources.ACK_LB_NOTES),
    )  # fmt: skip


def _to_split(case: Case) -> tuple[Service, ...]:
    """All that bind the address; of two that claim one listener the first stays where it is."""
    binders = case.all_binders or (case.balanced if case.finding.situation == "S21" else ())
    if case.finding.situation != "S17":
        return binders
    claimed: set[tuple[str, int, str]] = set()
    later = []
    for service in binders:
        own = {(ip, port.port, port.protocol) for ip in service.published for port in service.ports}
        if own & claimed:
            later.append(service)
        claimed |= own
    return tuple(later)


def _annotations(case: Case, service: Service) -> dict[str, str]:
    if case.profile(service) is not CLB:
        return {}
    wanted = service.annotation("loadbalancer-address-type")
    if wanted not in ("internet", "intranet"):
        internet = any(case.is_internet(vip) for vip in case.vips)
        wanted = "internet" if internet and case.finding.situation != "S21" else "intranet"
    if case.finding.situation == "S21":
        wanted = "intranet"
    return {f"{ALIBABA}loadbalancer-address-type": wanted}


def add_port(case: Case) -> Remedy | None:
    """The foreign port's servers are pods of this cluster: a Service on the same load balancer gives it a virtual server."""
    found: list[tuple[Service, ServicePort, str, int, str]] = []
    for target in case.targets:
        listener = case.listener(target.address, target.port, target.protocol) if case.foreign(target) else None
        owners = [case.owner_of(backend, target.protocol) for backend in (listener.backends or ())] if listener else []
        if not owners or owners[0] is None or any(owner is None or owner[0].id != owners[0][0].id for owner in owners):
            return None
        found.append((*owners[0], target.address, target.port, target.protocol))
    if not found:
        return None
    manifests: list[dict[str, Any]] = []
    checks: list[Change] = []
    for service, port, address, number, protocol in found:
        exposed = ServicePort(port.name, protocol, number, port.target_port, None, port.evidence)
        lb = next(
            (b.annotation("loadbalancer-id") for b in case.binders(address) if b.annotation("loadbalancer-id")), None
        )
        annotations = {f"{ALIBABA}loadbalancer-id": lb} if lb else {}
        manifests.append(new_service(service, str(number), annotations, [exposed]))
        checks.append(
            lines(command("ipvsadm", "-Ln", *ipvs_server(address, number, protocol)), title="change.look-at-node")
        )
    services = [service for service, *_ in found]
    values = {
        "services": listed(service.id for service in services),
        "addresses": listed(endpoint(address, number) for _, _, address, number, _ in found),
    }
    return Remedy(
        "F2b", values, (document(*manifests, title="change.service-for-port"),), (has_selector(services),),
        ("same-port-listener",), (status_of(services), *checks), (sources.ACK_REUSE,),
    )  # fmt: skip


CARDS = {"F2": build, "F2b": add_port}
