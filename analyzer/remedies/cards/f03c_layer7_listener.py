"""F3c: a layer-7 listener instead of a layer-4 one, since a proxy has no loop-back limit.

**Helps** clients on nodes that are backends themselves. **Needs** HTTP or HTTPS, a CLB, and a listener that the cloud
controller manages.
"""

from __future__ import annotations

import re

from analyzer.remedies import sources
from analyzer.remedies.case import Case
from analyzer.remedies.effects import Effects
from analyzer.remedies.model import Prerequisite, Remedy
from analyzer.remedies.parts import dial_vips
from analyzer.remedies.profiles import ALIBABA, CLB
from analyzer.remedies.words import annotate, lines, listed
from analyzer.snapshot.objects import Service

_ENTRY = re.compile(r"(tcp|udp|http|https):([0-9]{1,5})")
CERTIFICATE = "<certificate-id>"


def build(case: Case) -> Remedy | None:
    """Change the listener protocol of the dialled TCP ports; entries of other ports are kept."""
    commands, ports, unmanaged, services = [], [], [], []
    for service in case.balanced:
        if case.profile(service) is not CLB:
            continue
        own = _ports(case, service)
        if not own:
            continue
        services.append(service)
        ports += [f"{service.id} {port}" for port in own]
        commands.append(annotate(service.namespace, service.name, _annotations(service, own)))
        if (
            service.annotation("loadbalancer-id")
            and service.annotation("loadbalancer-force-override-listeners") != "true"
        ):
            unmanaged.append(service.id)
    if not commands:
        return None
    effects = Effects().add("listener-recreated").add("health-check-off").add("client-address-in-header")
    return Remedy(
        "F3c", {"ports": listed(ports), "services": listed(service.id for service in services)},
        (lines(*commands, title="change.annotate"),),
        (
            Prerequisite("speaks-http", "unknown", {"ports": listed(ports)}),
            Prerequisite("listener-managed", "not-met" if unmanaged else "met", {"services": listed(unmanaged)}),
        ),
        tuple(effects.slugs), dial_vips(case), (sources.SLB_LAYERS, sources.SLB_LOOPBACK),
    )  # fmt: skip


def _ports(case: Case, service: Service) -> list[int]:
    """TCP ports of the Service that are dialled (all of them when the finding names none) and not layer 7 yet."""
    dialled = {target.port for target in case.targets if target.address in case.vips}
    seven = {port for kind, port in _entries(service) if kind in ("http", "https")}
    return [
        port.port
        for port in service.ports
        if port.protocol == "tcp" and port.port not in seven and (not dialled or port.port in dialled)
    ]


def _entries(service: Service) -> list[tuple[str, int]]:
    said = (service.annotation("loadbalancer-protocol-port") or "").split(",")
    found = (_ENTRY.fullmatch(item.strip()) for item in said)
    return [(match[1], int(match[2])) for match in found if match]


def _annotations(service: Service, ports: list[int]) -> dict[str, str]:
    kept = [f"{kind}:{port}" for kind, port in _entries(service) if port not in ports]
    new = [f"{'https' if port in (443, 8443) else 'http'}:{port}" for port in ports]
    annotations = {f"{ALIBABA}loadbalancer-protocol-port": ",".join([*kept, *new])}
    if any(item.startswith("https:") for item in new) and not service.annotation("loadbalancer-cert-id"):
        annotations[f"{ALIBABA}loadbalancer-cert-id"] = CERTIFICATE
    return annotations


CARDS = {"F3c": build}
