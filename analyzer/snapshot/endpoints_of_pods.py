"""Endpoints where none were captured: the pods that a Service selects, ready as the pod is.

What kube-controller-manager would make of these pods (pkg/controller/endpoint: `podToEndpointAddressForService`, `shouldPodBeInEndpoints`,
`FindPort`). It says who may serve, not who does: the snapshot does not say that endpoints were captured, so that no absence follows from
them, rules that need endpoints stay off, and a verdict that uses them has low confidence.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from analyzer.snapshot.objects import flag, mapping, number, parts, records, text
from analyzer.tables import TABLES

if TYPE_CHECKING:
    import pandas as pd

ENDED = ("Succeeded", "Failed")


def endpoints_of_pods(tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame | None:
    """Rows of the table endpoints with source ``Pod``, or none. Needs services, service_ports and pods."""
    if not {"services", "service_ports", "pods"} <= tables.keys():
        return None
    pods: dict[str, list[tuple[dict[str, str], dict[str, Any]]]] = defaultdict(list)
    for pod in records(tables["pods"]):
        if text(pod["phase"]) not in ENDED and text(pod["ips"]):
            pods[text(pod["namespace"])].append((mapping(pod["labels"]), pod))
    ports: dict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
    for port in records(tables["service_ports"]):
        ports[(text(port["namespace"]), text(port["service"]))].append(port)
    rows: list[dict[str, Any]] = []
    for service in records(tables["services"]):
        selector, namespace = mapping(service["selector"]), text(service["namespace"])
        if not selector:
            continue
        for labels, pod in pods[namespace]:
            if selector.items() <= labels.items():
                rows += _rows(service, ports[(namespace, text(service["name"]))], pod)
    return TABLES["endpoints"].frame(rows) if rows else None


def _rows(service: Mapping[str, Any], ports: list[dict[str, Any]], pod: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    namespace, name = text(service["namespace"]), text(pod["name"])
    leaving = flag(pod["deleting"], False)
    ready = flag(pod["ready"], False) or flag(service["publish_not_ready"], False)
    for port in ports:
        target = _target(port, pod)
        for address in parts(pod["ips"]) if target is not None else ():
            yield {
                "namespace": namespace, "service": text(service["name"]), "address": address, "family": 6 if ":" in address else 4,
                "port_name": text(port["port_name"]), "protocol": text(port["protocol"]) or "tcp", "port": target,
                "node_name": text(pod["node_name"]) or None, "ready": ready and not leaving, "serving": None, "terminating": leaving,
                "target": f"Pod/{namespace}/{name}", "source": "Pod", "object": name,
                "file": text(pod["file"]) or str(pod["file"]), "line": pod["line"],
            }  # fmt: skip


def _target(port: Mapping[str, Any], pod: Mapping[str, Any]) -> int | None:
    """The port of a pod that a Service's port means; a name is looked up in the pod."""
    wanted = text(port["target_port"])
    if not wanted:
        return number(port["port"])
    if wanted.isdigit():
        return int(wanted)
    protocol = text(port["protocol"]) or "tcp"
    for item in parts(pod["named_ports"]):
        name, _, rest = item.partition("=")
        digits, _, spoken = rest.partition("/")
        if name == wanted and (spoken or "tcp").lower() == protocol and digits.isdigit():
            return int(digits)
    return None
