"""Kubernetes objects as typed values, joined once: a Service with its ports and endpoints, a Node, a Pod."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from analyzer.evidence import Evidence

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True)
class ServicePort:
    name: str
    protocol: str
    port: int
    target_port: str
    node_port: int | None
    evidence: Evidence


@dataclass(frozen=True, slots=True)
class EndpointAddress:
    """One (address, port) of a Service. `ready` applies the API's reading of an absent condition (true)."""

    address: str
    family: int
    port_name: str
    protocol: str
    port: int | None
    node: str
    ready: bool
    serving: bool
    terminating: bool
    target: str
    zone: str
    hint_zones: tuple[str, ...]
    source: str
    evidence: Evidence

    @property
    def pod(self) -> str:
        kind, _, rest = self.target.partition("/")
        return f"pod:{rest}" if kind == "Pod" else ""


@dataclass(frozen=True)
class Service:
    """A Service, its ports and its endpoints. `ingress` pairs each published ip with its ipMode (empty when absent)."""

    namespace: str
    name: str
    type: str
    cluster_ips: tuple[str, ...]
    external_ips: tuple[str, ...]
    ingress: tuple[tuple[str, str], ...]
    hostnames: tuple[str, ...]
    external_policy: str
    internal_policy: str
    affinity_s: int | None
    health_check_node_port: int | None
    source_ranges: tuple[str, ...]
    load_balancer_class: str
    annotations: Mapping[str, str]
    labels: Mapping[str, str]
    ports: tuple[ServicePort, ...]
    endpoints: tuple[EndpointAddress, ...]
    selector: str
    evidence: Evidence
    endpoints_known: bool = True

    @property
    def id(self) -> str:
        return f"{self.namespace}/{self.name}"

    @property
    def headless(self) -> bool:
        return not [ip for ip in self.cluster_ips if ip.lower() != "none"] or self.type == "ExternalName"

    @property
    def external_local(self) -> bool:
        return self.external_policy == "Local" and self.externally_accessible

    @property
    def externally_accessible(self) -> bool:
        return self.type in ("NodePort", "LoadBalancer") or bool(self.external_ips)

    @property
    def published(self) -> tuple[str, ...]:
        return tuple(ip for ip, _ in self.ingress)

    def annotation(self, suffix: str) -> str | None:
        """An annotation of the Alibaba Cloud controller manager; the new prefix wins over the legacy one."""
        for prefix in ("alibaba-cloud-", "alicloud-"):
            value = self.annotations.get(f"service.beta.kubernetes.io/{prefix}{suffix}")
            if value is not None:
                return value
        return None

    def endpoints_of(self, port: ServicePort, family: int) -> tuple[EndpointAddress, ...]:
        return tuple(
            one
            for one in self.endpoints
            if one.family == family and one.protocol == port.protocol and one.port_name == port.name
        )


@dataclass(frozen=True)
class Objects:
    """The typed objects of a snapshot."""

    services: tuple[Service, ...]
    by_id: Mapping[str, Service] = field(default_factory=dict)


def text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def parts(value: Any) -> tuple[str, ...]:
    return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else ()


def number(value: Any) -> int | None:
    return None if value is None or str(value) in ("<NA>", "nan", "NaT") else int(value)


def flag(value: Any, default: bool) -> bool:
    return default if value is None or str(value) in ("<NA>", "nan") else bool(value)


def mapping(value: Any) -> dict[str, str]:
    if not isinstance(value, str) or not value:
        return {}
    try:
        loaded = json.loads(value)
    except ValueError:
        return {}
    return {str(k): str(v) for k, v in loaded.items()} if isinstance(loaded, dict) else {}


def columns(frame: pd.DataFrame, *names: str) -> Iterator[tuple[Any, ...]]:
    """Rows of some columns as tuples of plain values, None for null: the fast way over a large frame."""
    return zip(*(_plain(frame[name]) for name in names), strict=True)


def _plain(series: Any) -> list[Any]:
    import pandas as pd

    array = series.array
    if isinstance(array, pd.Categorical):
        known = [*array.categories.tolist(), None]
        return [known[code] for code in array.codes.tolist()]
    return list(series.to_numpy(dtype=object, na_value=None).tolist())


def records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows as plain dictionaries, None for null: the one place where a frame's row becomes untyped."""
    if not len(frame):
        return []
    names = [str(name) for name in frame.columns]
    return [dict(zip(names, row, strict=True)) for row in columns(frame, *names)]


def evidence_of(row: Mapping[str, Any], node: str = "") -> Evidence:
    return Evidence(text(row.get("file")) or str(row.get("file") or ""), number(row.get("line")) or 0, "", node)


def build(tables: Mapping[str, pd.DataFrame], *, endpoints_known: bool) -> Objects:
    """Join Services with their ports and endpoints; EndpointSlices win over Endpoints of the same Service."""
    ports: dict[tuple[str, str], list[ServicePort]] = defaultdict(list)
    for row in records(tables["service_ports"]):
        port = number(row["port"])
        if port is None:
            continue
        ports[(text(row["namespace"]), text(row["service"]))].append(
            ServicePort(
                text(row["port_name"]),
                text(row["protocol"]) or "tcp",
                port,
                text(row["target_port"]),
                number(row["node_port"]),
                evidence_of(row),
            )  # fmt: skip
        )
    endpoints: dict[tuple[str, str], list[EndpointAddress]] = defaultdict(list)
    for row in records(tables["endpoints"]):
        ready = flag(row["ready"], True)
        endpoints[(text(row["namespace"]), text(row["service"]))].append(
            EndpointAddress(
                text(row["address"]),
                number(row["family"]) or 4,
                text(row["port_name"]),
                text(row["protocol"]) or "tcp",
                number(row["port"]),
                text(row["node_name"]),
                ready,
                flag(row["serving"], ready),
                flag(row["terminating"], False),
                text(row["target"]),
                text(row["zone"]),
                parts(row["hint_zones"]),
                text(row["source"]),
                evidence_of(row),
            )  # fmt: skip
        )
    services = []
    for row in records(tables["services"]):
        key = (text(row["namespace"]), text(row["name"]))
        own = endpoints.get(key, [])
        if any(one.source == "EndpointSlice" for one in own):
            own = [one for one in own if one.source == "EndpointSlice"]
        modes = text(row["ingress_ip_modes"]).split(",") if text(row["ingress_ip_modes"]) else []
        addresses = parts(row["ingress_ips"])
        services.append(
            Service(
                namespace=key[0],
                name=key[1],
                type=text(row["type"]) or "ClusterIP",
                cluster_ips=parts(row["cluster_ips"]),
                external_ips=parts(row["external_ips"]),
                ingress=tuple(
                    (ip, modes[position].strip() if position < len(modes) else "")
                    for position, ip in enumerate(addresses)
                ),
                hostnames=parts(row["ingress_hostnames"]),
                external_policy=text(row["external_policy"]) or "Cluster",
                internal_policy=text(row["internal_policy"]) or "Cluster",
                affinity_s=(number(row["affinity_timeout_s"]) or 10800)
                if text(row["session_affinity"]) == "ClientIP"
                else None,
                health_check_node_port=number(row["health_check_node_port"]),
                source_ranges=parts(row["source_ranges"]),
                load_balancer_class=text(row["load_balancer_class"]),
                annotations=mapping(row["annotations"]),
                labels=mapping(row["labels"]),
                ports=tuple(ports.get(key, ())),
                endpoints=tuple(own),
                selector=text(row["selector"]),
                evidence=evidence_of(row),
                endpoints_known=endpoints_known,
            )
        )
    services.sort(key=lambda one: (one.namespace, one.name))
    return Objects(tuple(services), {one.id: one for one in services})
