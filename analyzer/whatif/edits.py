"""Changes to a cluster: what somebody would apply with kubectl, in the cloud console or by an upgrade."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class PatchService:
    """A patch of a Service: a merge patch (lists of ports are merged by port) or a JSON patch, as JSON text."""

    service: str
    patch: str
    form: Literal["merge", "json"] = "merge"


@dataclass(frozen=True, slots=True)
class PutService:
    """A Service as a whole, new or instead of the one of that name; `manifest` is JSON text. A status in it is taken as said."""

    manifest: str


@dataclass(frozen=True, slots=True)
class DeleteService:
    service: str


@dataclass(frozen=True, slots=True)
class PutObjects:
    """EndpointSlices, Endpoints, Nodes or Pods of a manifest (JSON text of a list); each replaces the one of its name."""

    manifests: str


@dataclass(frozen=True, slots=True)
class Version:
    """kube-proxy of that Kubernetes release on every node (or on `node`), configured as now."""

    version: str
    node: str = ""


@dataclass(frozen=True, slots=True)
class ProxyMode:
    """kube-proxy in that mode on every node (or on `node`), what another mode left behind cleaned up."""

    mode: Literal["ipvs", "iptables", "nftables"]
    node: str = ""


@dataclass(frozen=True, slots=True)
class AddEndpoint:
    """One more ready pod behind a Service, on that node."""

    service: str
    node: str


@dataclass(frozen=True, slots=True)
class RemoveEndpoint:
    """The endpoint of a Service with that address, pod name, or (all of them) node name is gone."""

    service: str
    which: str


@dataclass(frozen=True, slots=True)
class ReadyPods:
    """The pods that a Service selects become ready, and with them their endpoints."""

    service: str


@dataclass(frozen=True, slots=True)
class DrainNode:
    """The node is cordoned and its pods are gone (those of DaemonSets stay); nobody reschedules them here."""

    node: str


@dataclass(frozen=True, slots=True)
class Sysctl:
    """A kernel parameter on every node (or on `node`)."""

    key: str
    value: str
    node: str = ""


@dataclass(frozen=True, slots=True)
class ProxyConfig:
    """A key of kube-proxy's configuration, on every node: one of `apply.PROXY_KEYS`; an empty value is the default."""

    key: str
    value: str


@dataclass(frozen=True, slots=True)
class SetListener:
    """A listener that somebody makes or changes by hand in the cloud console; without backends it is deleted."""

    address: str
    port: int
    protocol: str
    backends: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Resync:
    """kube-proxy of a node starts anew and programs what the objects ask for; what it no longer owns is removed."""

    node: str


Edit = (
    PatchService | PutService | DeleteService | PutObjects | Version | ProxyMode | AddEndpoint | RemoveEndpoint | ReadyPods | DrainNode
    | Sysctl | ProxyConfig | SetListener | Resync
)  # fmt: skip
