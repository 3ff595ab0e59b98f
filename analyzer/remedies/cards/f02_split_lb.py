"""F2: one load balancer for clients outside, another one for the cluster. F2c: one inside the VPC beside a public one.

**Helps** where the address is shared: ports that no Service serves stop being local once no Service publishes the address.
Where the port's servers are in this cluster, F2b takes its place. F2c spares clients inside the way over the internet.
**Needs** a new Service, because the load balancer of an existing one cannot be changed.
"""

from __future__ import annotations

from analyzer.forwarding import Target
from analyzer.remedies import sources
from analyzer.remedies.cards import f02b_add_port
from analyzer.remedies.case import Case
from analyzer.remedies.checks import has_selector
from analyzer.remedies.effects import Effects
from analyzer.remedies.model import Remedy
from analyzer.remedies.parts import look_at_unbound, new_service
from analyzer.remedies.plan import Moved, Plan, edits_of
from analyzer.remedies.profiles import ALIBABA, CLB
from analyzer.remedies.words import command, document, kubectl, lines, listed
from analyzer.snapshot.objects import Service


def build(case: Case) -> Remedy | None:
    """One new Service per Service that binds the address; F2b or F2c where they fit better."""
    if case.finding.situation == "S21":
        return inside(case)
    if case.finding.situation != "S17" and (added := f02b_add_port.build(case)):
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


def inside(case: Case) -> Remedy | None:
    """A second Service with an address of the VPC; the public one stays for clients outside."""
    services = case.balanced
    if not services:
        return None
    manifests = [new_service(one, "vpc", _annotations(case, one, "intranet"), one.ports) for one in services]
    return Remedy(
        "F2c", {"services": listed(s.id for s in services), "addresses": listed(case.vips)},
        (document(*manifests, title="change.new-service"),), (has_selector(services),), ("new-address", "clb-quota"),
        (lines(*(kubectl(s.namespace, "get", "services", "--output=wide") for s in services), title="change.read-status"),),
        (sources.ACK_LB_NOTES,),
    )  # fmt: skip


def _to_split(case: Case) -> tuple[Service, ...]:
    """All that bind the address; of two that claim one listener the first stays where it is."""
    binders = case.all_binders
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


def _annotations(case: Case, service: Service, wanted: str | None = None) -> dict[str, str]:
    """The address type the load balancer has now, or the one that is wanted; only a CLB reads it."""
    if case.profile(service) is not CLB:
        return {}
    wanted = wanted or service.annotation("loadbalancer-address-type")
    if wanted not in ("internet", "intranet"):
        wanted = "internet" if any(case.is_internet(vip) for vip in case.vips) else "intranet"
    return {f"{ALIBABA}loadbalancer-address-type": wanted}


def plan(case: Case) -> Plan:
    """As the remedy says; clients of the old Services dial the new ones, those of foreign ports stay."""
    remedy = build(case)
    if remedy is None or remedy.card == "F2b":
        return Plan(edits_of(remedy.changes) if remedy else ())
    return Plan(edits_of(remedy.changes), _moves(_to_split(case), "own"))


def plan_inside(case: Case) -> Plan:
    remedy = inside(case)
    return Plan(edits_of(remedy.changes) if remedy else (), _moves(case.balanced, "vpc"))


def _moves(services: tuple[Service, ...], suffix: str) -> tuple[Moved, ...]:
    return tuple(
        Moved(
            Target(ip, port.port, port.protocol),
            service=f"{one.namespace}/{new_service(one, suffix, {}, ())['metadata']['name']}", port=port.port,
        )
        for one in services for ip in one.published for port in one.ports
    )  # fmt: skip


CARDS = {"F2": build, "F2c": inside}
PLANS = {"F2": plan, "F2c": plan_inside}
