"""F2b: a Service for the port that lacks one, where the servers behind the foreign listener are pods of this cluster.

**Helps** because every node then has a virtual server for the port; the address stays bound. Stands in for F2.
**Needs** a load balancer that may be shared: one that was made by hand, or the Service that owns it anyway.
"""

from __future__ import annotations

from dataclasses import dataclass

from analyzer.forwarding import Target
from analyzer.remedies import sources
from analyzer.remedies.case import Case
from analyzer.remedies.checks import has_selector
from analyzer.remedies.model import Change, Remedy
from analyzer.remedies.parts import new_service, port_entry, status_of
from analyzer.remedies.profiles import ALIBABA
from analyzer.remedies.words import command, compact, document, ipvs_server, kubectl, lines, listed
from analyzer.snapshot.objects import Service, ServicePort


@dataclass(frozen=True)
class _Owned:
    """A dialled port, and the Service of this cluster that all servers behind its listener belong to."""

    target: Target
    service: Service
    port: ServicePort


def build(case: Case) -> Remedy | None:
    """Only when every dialled port is foreign and served by one Service of this cluster each."""
    owned = [_owner(case, target) for target in case.targets]
    changes, effects = [], []
    for one in owned:
        change = _change(case, one) if one else None
        if change is None:
            return None
        changes.append(change)
        effects.append("listener-untouched" if change.kind == "yaml" else "listener-made")
    services = [one.service for one in owned if one]
    if not services:
        return None
    values = {
        "services": listed(service.id for service in services),
        "addresses": listed(str(target) for target in case.targets),
    }
    servers = (ipvs_server(target.address, target.port, target.protocol) for target in case.targets)
    look = lines(*(command("ipvsadm", "-Ln", *server) for server in servers), title="change.look-at-node")
    return Remedy(
        "F2b", values, tuple(changes), (has_selector(services),), tuple(dict.fromkeys(effects)),
        (status_of(services), look), (sources.ACK_REUSE,),
    )  # fmt: skip


def _owner(case: Case, target: Target) -> _Owned | None:
    listener = case.listener(target.address, target.port, target.protocol) if case.foreign(target) else None
    owners = [case.owner_of(backend, target.protocol) for backend in (listener.backends or ())] if listener else []
    if not owners or owners[0] is None or any(one is None or one[0].id != owners[0][0].id for one in owners):
        return None
    return _Owned(target, *owners[0])


def _change(case: Case, one: _Owned) -> Change | None:
    """On a reused load balancer a Service of its own, whose controller leaves the listener alone; else the owner's port.

    A load balancer that the controller made cannot be reused by another Service. A second port needs names for both.
    """
    target, service, port = one.target, one.service, one.port
    exposed = ServicePort(port.name, target.protocol, target.port, port.target_port, None, port.evidence)
    binders = case.binders(target.address)
    lb = next((found for binder in binders if (found := binder.annotation("loadbalancer-id"))), None)
    if lb:
        manifest = new_service(service, str(target.port), {f"{ALIBABA}loadbalancer-id": lb}, [exposed])
        return document(manifest, title="change.service-for-port")
    if service.id not in {binder.id for binder in binders} or not all(one.name for one in service.ports):
        return None
    entry = {**port_entry(exposed), "name": f"{target.protocol}-{target.port}"}
    patch = compact([{"op": "add", "path": "/spec/ports/-", "value": entry}])
    words = ("patch", f"service/{service.name}", "--type=json", f"--patch={patch}")
    return lines(kubectl(service.namespace, *words), title="change.add-port")


CARDS = {"F2b": build}
