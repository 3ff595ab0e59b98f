"""The fields of Kubernetes objects that the analysis reads, as msgspec structs.

Source: the API types of Kubernetes 1.16 to 1.34 (core/v1, discovery.k8s.io/v1 and v1beta1, apps/v1, events.k8s.io/v1).
Every field may be absent; an absent field stays null and API defaults are never filled in here.
"""

from __future__ import annotations

from typing import Annotated, Any

import msgspec

Int32 = Annotated[int, msgspec.Meta(ge=-(2**31), le=2**31 - 1)]
Text = dict[str, str]

_NAMES = {
    "cluster_ip": "clusterIP",
    "cluster_ips": "clusterIPs",
    "external_ips": "externalIPs",
    "load_balancer_ip": "loadBalancerIP",
    "pod_cidr": "podCIDR",
    "pod_cidrs": "podCIDRs",
    "provider_id": "providerID",
    "pod_ip": "podIP",
    "pod_ips": "podIPs",
    "host_ip": "hostIP",
    "client_ip": "clientIP",
}


def _api_name(field: str) -> str:
    """`external_traffic_policy` -> `externalTrafficPolicy`, with the API's own capitals for IP, ID and CIDR."""
    if field in _NAMES:
        return _NAMES[field]
    head, *rest = field.split("_")
    return head + "".join(part.capitalize() for part in rest)


class Api(msgspec.Struct, rename=_api_name, gc=False):
    """A part of an object; unknown fields are skipped."""


class Owner(Api):
    kind: str | None = None
    name: str | None = None
    controller: bool | None = None


class Meta(Api):
    name: str | None = None
    namespace: str | None = None
    uid: str | None = None
    labels: Text | None = None
    annotations: Text | None = None
    owner_references: list[Owner] | None = None
    deletion_timestamp: str | None = None


class Ref(Api):
    kind: str | None = None
    namespace: str | None = None
    name: str | None = None


class ServicePort(Api):
    name: str | None = None
    protocol: str | None = None
    port: Int32 | None = None
    target_port: Int32 | str | None = None
    node_port: Int32 | None = None
    app_protocol: str | None = None


class ClientIp(Api):
    timeout_seconds: Int32 | None = None


class AffinityConfig(Api):
    client_ip: ClientIp | None = None


class ServiceSpec(Api):
    type: str | None = None
    cluster_ip: str | None = None
    cluster_ips: list[str] | None = None
    external_ips: list[str] | None = None
    external_traffic_policy: str | None = None
    internal_traffic_policy: str | None = None
    session_affinity: str | None = None
    session_affinity_config: AffinityConfig | None = None
    health_check_node_port: Int32 | None = None
    load_balancer_source_ranges: list[str] | None = None
    load_balancer_class: str | None = None
    load_balancer_ip: str | None = None
    selector: Text | None = None
    publish_not_ready_addresses: bool | None = None
    ip_families: list[str] | None = None
    traffic_distribution: str | None = None
    ports: list[ServicePort] | None = None


class Ingress(Api):
    ip: str | None = None
    hostname: str | None = None
    ip_mode: str | None = None


class LoadBalancer(Api):
    ingress: list[Ingress] | None = None


class ServiceStatus(Api):
    load_balancer: LoadBalancer | None = None


class Service(Api):
    metadata: Meta | None = None
    spec: ServiceSpec | None = None
    status: ServiceStatus | None = None
    kind: str | None = None


class EndpointPort(Api):
    name: str | None = None
    protocol: str | None = None
    port: Int32 | None = None


class EndpointAddress(Api):
    ip: str | None = None
    node_name: str | None = None
    target_ref: Ref | None = None


class Subset(Api):
    addresses: list[EndpointAddress] | None = None
    not_ready_addresses: list[EndpointAddress] | None = None
    ports: list[EndpointPort] | None = None


class Endpoints(Api):
    metadata: Meta | None = None
    subsets: list[Subset] | None = None
    kind: str | None = None


class Conditions(Api):
    ready: bool | None = None
    serving: bool | None = None
    terminating: bool | None = None


class Zone(Api):
    name: str | None = None


class Hints(Api):
    for_zones: list[Zone] | None = None


class SliceEndpoint(Api):
    addresses: list[str] | None = None
    conditions: Conditions | None = None
    node_name: str | None = None
    zone: str | None = None
    target_ref: Ref | None = None
    hints: Hints | None = None
    topology: Text | None = None
    deprecated_topology: Text | None = None


class EndpointSlice(Api):
    metadata: Meta | None = None
    address_type: str | None = None
    endpoints: list[SliceEndpoint] | None = None
    ports: list[EndpointPort] | None = None
    kind: str | None = None


class Taint(Api):
    key: str | None = None


class NodeSpec(Api):
    pod_cidr: str | None = None
    pod_cidrs: list[str] | None = None
    provider_id: str | None = None
    unschedulable: bool | None = None
    taints: list[Taint] | None = None


class NodeAddress(Api):
    type: str | None = None
    address: str | None = None


class Condition(Api):
    type: str | None = None
    status: str | None = None


class NodeInfo(Api):
    kubelet_version: str | None = None
    kube_proxy_version: str | None = None
    kernel_version: str | None = None


class NodeStatus(Api):
    addresses: list[NodeAddress] | None = None
    conditions: list[Condition] | None = None
    node_info: NodeInfo | None = None


class Node(Api):
    metadata: Meta | None = None
    spec: NodeSpec | None = None
    status: NodeStatus | None = None
    kind: str | None = None


class ContainerPort(Api):
    name: str | None = None
    container_port: Int32 | None = None
    host_port: Int32 | None = None
    protocol: str | None = None


class Container(Api):
    name: str | None = None
    image: str | None = None
    command: list[str] | None = None
    args: list[str] | None = None
    ports: list[ContainerPort] | None = None
    restart_policy: str | None = None


class PodSpec(Api):
    node_name: str | None = None
    host_network: bool | None = None
    containers: list[Container] | None = None
    init_containers: list[Container] | None = None


class PodIp(Api):
    ip: str | None = None


class PodStatus(Api):
    phase: str | None = None
    pod_ip: str | None = None
    pod_ips: list[PodIp] | None = None
    conditions: list[Condition] | None = None


class Pod(Api):
    metadata: Meta | None = None
    spec: PodSpec | None = None
    status: PodStatus | None = None
    kind: str | None = None


class ConfigMap(Api):
    metadata: Meta | None = None
    data: Text | None = None
    kind: str | None = None


class Template(Api):
    spec: PodSpec | None = None


class DaemonSetSpec(Api):
    template: Template | None = None


class DaemonSetStatus(Api):
    desired_number_scheduled: Int32 | None = None
    number_ready: Int32 | None = None


class DaemonSet(Api):
    metadata: Meta | None = None
    spec: DaemonSetSpec | None = None
    status: DaemonSetStatus | None = None
    kind: str | None = None


class Series(Api):
    count: Int32 | None = None
    last_observed_time: str | None = None


class Event(Api):
    """core/v1 names first, then those of events.k8s.io/v1."""

    metadata: Meta | None = None
    involved_object: Ref | None = None
    reason: str | None = None
    type: str | None = None
    message: str | None = None
    count: Int32 | None = None
    last_timestamp: str | None = None
    event_time: str | None = None
    regarding: Ref | None = None
    note: str | None = None
    deprecated_count: Int32 | None = None
    deprecated_last_timestamp: str | None = None
    series: Series | None = None
    kind: str | None = None


class GitVersion(Api):
    git_version: str | None = None


class Version(Api):
    """`kubectl version -o json`, or the API server's own `/version`."""

    client_version: GitVersion | None = None
    server_version: GitVersion | None = None
    git_version: str | None = None


class Raw(Api):
    """What an object is, before its fields are read; `items` of a list stay undecoded."""

    kind: str | None = None
    api_version: str | None = None
    items: list[msgspec.Raw] | None = None
    server_version: Any = None
    client_version: Any = None
    git_version: str | None = None


class Kind(Api):
    kind: str | None = None


KINDS: dict[str, type[Api]] = {
    "Service": Service,
    "Endpoints": Endpoints,
    "EndpointSlice": EndpointSlice,
    "Node": Node,
    "Pod": Pod,
    "ConfigMap": ConfigMap,
    "DaemonSet": DaemonSet,
    "Event": Event,
    "Version": Version,
}


def listed_kind(kind: str | None) -> str | None:
    """The kind of the items of a typed list (`ServiceList` -> `Service`); null for `List`, which says nothing."""
    return kind[:-4] if kind and kind.endswith("List") and kind != "List" else None


def fields(struct: type[Api]) -> dict[str, Any]:
    """API field name -> type, as msgspec describes it."""
    return {field.encode_name: field.type for field in msgspec.structs.fields(struct)}
