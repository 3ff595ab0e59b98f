"""Pieces that several cards share: a new Service, the look at kube-ipvs0 after un-binding, patches of many Services."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from analyzer.remedies.case import Case
from analyzer.remedies.model import Change
from analyzer.remedies.words import annotate, command, dial_often, kubectl, lines, merge_patch
from analyzer.snapshot.objects import Service, ServicePort, mapping

POLICY_CLUSTER = {"spec": {"externalTrafficPolicy": "Cluster"}}


def new_service(
    service: Service, suffix: str, annotations: Mapping[str, str], ports: Iterable[ServicePort], **spec: Any
) -> dict[str, Any]:
    """A second LoadBalancer Service for the same pods; `spec` adds to (or overrides) the specification."""
    metadata: dict[str, Any] = {"name": f"{service.name[: 62 - len(suffix)]}-{suffix}", "namespace": service.namespace}
    if annotations:
        metadata["annotations"] = dict(annotations)
    body: dict[str, Any] = {"type": "LoadBalancer", "externalTrafficPolicy": service.external_policy}
    selector = mapping(service.selector)
    if selector:
        body["selector"] = selector
    body.update(spec)
    body["ports"] = [port_entry(port) for port in ports]
    return {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": body}


def port_entry(port: ServicePort) -> dict[str, Any]:
    """A port of a Service manifest."""
    target: int | str = int(port.target_port) if port.target_port.isdecimal() else port.target_port or port.port
    entry: dict[str, Any] = {"name": port.name} if port.name else {}
    return {**entry, "protocol": port.protocol.upper(), "port": port.port, "targetPort": target}


def annotate_all(services: Iterable[Service], annotations: Mapping[str, str], title: str) -> Change:
    """One command per Service, all of them in one change: half of them would be worse than none."""
    return lines(*(annotate(one.namespace, one.name, annotations) for one in services), title=title)


def patch_all(services: Iterable[Service], patch: Mapping[str, Any], title: str) -> Change:
    return lines(*(merge_patch(one.namespace, f"service/{one.name}", patch) for one in services), title=title)


def status_of(services: Iterable[Service]) -> Change:
    """What the cloud controller published."""
    return lines(
        *(
            kubectl(one.namespace, "get", f"service/{one.name}", "--output=jsonpath={.status.loadBalancer.ingress}")
            for one in services
        ),
        title="change.read-status",
    )


def look_at_unbound(vips: Iterable[str]) -> Change:
    """On a node: the address is gone, and the route leaves by a real interface."""
    commands = []
    for vip in vips:
        family = "-6" if ":" in vip else "-4"
        commands += [
            f"ip {family} addr show dev kube-ipvs0 | {command('grep', '-wF', vip)}",
            f"ipvsadm -Ln | {command('grep', '-F', vip)}",
            command("ip", "route", "get", vip),
        ]
    return lines(*commands, title="change.look-at-node")


def dial_vips(case: Case) -> tuple[Change, ...]:
    """Repeated attempts at the dialled ports, or at every port the addresses serve."""
    targets = [(t.address, t.port, t.protocol) for t in case.targets if t.address in case.vips]
    if not targets:
        targets = [
            (vip, port, proto) for vip in case.vips for proto, port in sorted(case.world.service_ports.get(vip, ()))
        ]
    if not targets:
        return ()
    return (lines(*(dial_often(*target) for target in targets[:4]), title="change.dial-often"),)
