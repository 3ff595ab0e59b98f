"""What remedies ask about the whole cluster, read once per snapshot: versions, cloud, controller, CNI, workloads."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from analyzer.remedies import profiles
from analyzer.snapshot.model import Snapshot
from analyzer.snapshot.objects import Service, columns, mapping, number, records, text

_VERSION = re.compile(r"v?(\d{1,4}(?:\.\d{1,4}){1,3})")
_CCM_IMAGE = re.compile(r"cloud-controller-manager[^,:]{0,80}:(v?\d[\w.-]{0,60})")
LABEL_LB_ID = "service.k8s.alibaba/loadbalancer-id"
EXCLUDED = (
    "node.kubernetes.io/exclude-from-external-load-balancers",
    "alpha.service-controller.kubernetes.io/exclude-balancer",
    "service.alibabacloud.com/exclude-node",
    "service.beta.kubernetes.io/exclude-node",
)
"""Labels by which the cloud controller leaves a node out of the backends."""


def version(value: str) -> tuple[int, ...]:
    """The numbers at the start of a version, empty when there are none.

    >>> version("v1.28.3-aliyun.1"), version("latest")
    ((1, 28, 3), ())
    """
    found = _VERSION.match(value or "")
    return tuple(int(part) for part in found[1].split(".")) if found else ()


@dataclass(frozen=True, slots=True)
class Controller:
    """The cloud controller manager's version: exact from its image, or a lower bound from a label it writes."""

    version: str = ""
    exact: bool = False

    @property
    def shown(self) -> str:
        return (self.version if self.exact else f"≥ {self.version}") if self.version else "?"


@dataclass(frozen=True, slots=True)
class Node:
    """A Node object, as far as remedies ask."""

    name: str
    address: str
    zone: str
    region: str
    ready: bool | None
    unschedulable: bool
    excluded_by: tuple[str, ...]

    @property
    def candidate(self) -> bool:
        """Whether the cloud controller takes it as a backend (`externalTrafficPolicy: Cluster`)."""
        return self.ready is not False and not self.excluded_by


@dataclass(frozen=True)
class Cluster:
    """Facts for all cards. Build it with `cluster_of`."""

    snapshot: Snapshot

    @cached_property
    def server_version(self) -> str:
        rows = records(self.snapshot["versions"])
        found = next((text(row["version"]) for row in rows if text(row["component"]) == "server"), "")
        return found or min(
            (text(row["kubelet_version"]) for row in records(self.snapshot["nodes"]) if version(text(row["kubelet_version"]))),
            key=version, default="",
        )  # fmt: skip

    @cached_property
    def proxy_versions(self) -> Mapping[str, str]:
        """Node -> version of its kube-proxy, empty when unknown."""
        found = {}
        for node in self.snapshot.node_names:
            fact = self.snapshot.regime(node)["kube_proxy_version"]
            found[node] = fact.value if fact.known and version(fact.value) else ""
        return found

    @cached_property
    def controller(self) -> Controller:
        """Managed clusters run it outside, so that usually only the label tells (written since 2.4.0)."""
        for table in ("daemonsets", "pods"):
            for images in self.snapshot[table]["images"].dropna():
                found = _CCM_IMAGE.search(str(images)) if "cloud-controller-manager" in str(images) else None
                if found and version(found[1]):
                    return Controller(found[1], exact=True)
        if any(LABEL_LB_ID in service.labels for service in self.snapshot.objects.services):
            return Controller("2.4.0")
        return Controller()

    @cached_property
    def nodes(self) -> tuple[Node, ...]:
        found = []
        for row in records(self.snapshot["nodes"]):
            labels = mapping(row["labels"])
            excluded = [label for label in EXCLUDED if label in labels]
            if text(row["provider_id"]).startswith("ack-hybrid://"):
                excluded.append("ack-hybrid")
            ready = None if str(row["ready"]) in ("<NA>", "None", "nan") else bool(row["ready"])
            found.append(
                Node(
                    text(row["name"]),
                    text(row["internal_ips"]).partition(",")[0],
                    text(row["zone"]),
                    labels.get("topology.kubernetes.io/region", ""),
                    ready,
                    str(row["unschedulable"]) == "True",
                    tuple(excluded),
                )  # fmt: skip
            )
        return tuple(found)

    @cached_property
    def cnis(self) -> tuple[str, ...]:
        """The CNIs of the nodes that are known, sorted."""
        values = {self.snapshot.regime(node).value("cni") for node in self.snapshot.node_names}
        return tuple(sorted(values - {"unknown"}))

    @cached_property
    def cloud(self) -> profiles.Profile:
        rows = records(self.snapshot["nodes"])
        return profiles.of_cluster(
            (text(row["provider_id"]) for row in rows),
            (self.server_version, *(text(row["kubelet_version"]) for row in rows)),
        )

    @cached_property
    def announcers(self) -> tuple[profiles.Profile, ...]:
        return profiles.announcers({str(images) for images in self.snapshot["pods"]["images"].dropna()})

    @cached_property
    def balancer_rows(self) -> Mapping[str, Mapping[str, Any]]:
        """Address -> the cloud's own description of the load balancer."""
        return {text(row["address"]): row for row in records(self.snapshot["load_balancers"]) if text(row["address"])}

    @cached_property
    def backend_kinds(self) -> Mapping[str, frozenset[str]]:
        """Load-balancer id -> types of its backends (ecs, eni ...)."""
        groups: dict[str, set[str]] = {}
        kinds: dict[str, set[str]] = {}
        for row in records(self.snapshot["lb_backends"]):
            groups.setdefault(text(row["server_group"]), set()).add(text(row["type"]) or "ecs")
            if text(row["lb_id"]):
                kinds.setdefault(text(row["lb_id"]), set()).add(text(row["type"]) or "ecs")
        for row in records(self.snapshot["lb_listeners"]):
            if text(row["server_group"]) in groups and text(row["server_group"]):
                kinds.setdefault(text(row["lb_id"]), set()).update(groups[text(row["server_group"])])
        return {lb: frozenset(found) for lb, found in kinds.items()}

    @cached_property
    def _kube_proxies(self) -> tuple[Mapping[str, Any], ...]:
        frame = self.snapshot["pods"]
        chosen = records(frame[frame["name"].str.startswith("kube-proxy", na=False)])
        return tuple(
            row for row in chosen if text(row["node_name"]) and text(row["phase"]) not in ("Succeeded", "Failed")
        )

    @cached_property
    def kube_proxy_pods(self) -> Mapping[str, tuple[str, str]]:
        """Node -> (namespace, name) of its kube-proxy pod."""
        return {text(row["node_name"]): (text(row["namespace"]), text(row["name"])) for row in self._kube_proxies}

    @cached_property
    def kube_proxy_owners(self) -> Mapping[str, tuple[str, str]]:
        """Node -> (namespace, ``daemonset/NAME``) of its kube-proxy pod."""
        found = {}
        for row in self._kube_proxies:
            kind, _, name = text(row["owner"]).partition("/")
            owner = f"{kind.lower()}/{name}" if kind == "DaemonSet" else "daemonset/<kube-proxy>"
            found[text(row["node_name"])] = (text(row["namespace"]), owner)
        return found

    def bound(self, nodes: Iterable[str]) -> Mapping[str, int]:
        """Address on kube-ipvs0 of one of the nodes -> its prefix length there, in the order of the captures."""
        wanted = set(nodes)
        found: dict[str, int] = {}
        for node in (one for one in self.snapshot.by_node if one in wanted):
            frame = self.snapshot.by_node[node].get("addresses")
            for interface, address, length in (
                columns(frame, "interface", "address", "prefix_len") if frame is not None else ()
            ):
                if interface == "kube-ipvs0" and address:
                    found.setdefault(address, length or (128 if ":" in address else 32))
        return found

    @cached_property
    def proxy_configs(self) -> tuple[str, ...]:
        """Names of the ConfigMaps that hold a kube-proxy configuration."""
        return tuple(
            dict.fromkeys(text(row["name"]) for row in records(self.snapshot["proxy_configs"]) if text(row["name"]))
        )

    @cached_property
    def abnormal(self) -> tuple[tuple[str, str], ...]:
        """(load-balancer id or empty, backend) of each failing health check."""
        return tuple(
            (text(row["lb_id"]), f"{text(row['server_ip']) or text(row['server_id'])}:{number(row['port']) or '?'}")
            for row in records(self.snapshot["lb_health"])
            if text(row["status"]) == "abnormal"
        )

    @cached_property
    def by_balancer(self) -> Mapping[str, tuple[Service, ...]]:
        """Load-balancer id -> the Services that carry it as a label."""
        found: dict[str, list[Service]] = {}
        for service in self.snapshot.objects.services:
            found.setdefault(service.labels.get(LABEL_LB_ID, ""), []).append(service)
        return {lb: tuple(services) for lb, services in found.items() if lb}

    @cached_property
    def region(self) -> str:
        return next((node.region for node in self.nodes if node.region), "")


def cluster_of(snapshot: Snapshot) -> Cluster:
    """The facts of this snapshot. They are kept with it, as its own cached properties are: all findings share them."""
    kept = vars(snapshot)
    found = kept.get("_remedies_cluster")
    if not isinstance(found, Cluster):
        found = kept["_remedies_cluster"] = Cluster(snapshot)
    return found
