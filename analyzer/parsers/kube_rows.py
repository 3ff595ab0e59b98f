"""From decoded Kubernetes objects to rows: services, service_ports, endpoints, nodes, pods, configmaps, proxy_configs,
daemonsets, events, versions.

Absent and empty lists give null: the API server omits empty fields, so both say the same. Nothing is defaulted.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from analyzer.parsers import frames
from analyzer.parsers import kube_structs as k
from analyzer.parsers.base import LineCount, Parsed, ParseNote, Reason
from analyzer.parsers.fields import address, family, prefix
from analyzer.parsers.kube_proxy_config import config_texts, proxy_config_row
from analyzer.tables import TABLES

if TYPE_CHECKING:
    import pandas as pd

OBJECT_TABLES = (
    "services", "service_ports", "endpoints", "nodes", "pods", "configmaps", "proxy_configs", "daemonsets", "events",
    "versions",
)  # fmt: skip
# The ConfigMaps whose text the analysis reads; of the others only the number is kept.
_WANTED = re.compile(r"^kube-proxy|^eni-config$|flannel|^coredns$|^calico-config$|^cilium-config$|^ip-masq-agent$")
_HOST_LABEL = "kubernetes.io/hostname"
_ZONE_LABELS = ("topology.kubernetes.io/zone", "failure-domain.beta.kubernetes.io/zone")
_encode = msgspec.json.Encoder(order="deterministic").encode
"""With the keys in order."""
Row = tuple[Any, ...]


def _json(value: dict[str, str] | None) -> str | None:
    return _encode(value).decode() if value else None


def _csv(values: Sequence[str | None] | None) -> str | None:
    if not values:
        return None
    return (values[0] if len(values) == 1 else ",".join([v for v in values if v])) or None


def _lower(text: str | None) -> str | None:
    return text.lower() if text else None


class ObjectRows:
    """Collects the rows of decoded objects; a row is a tuple in the order of the table's columns, `file` left out."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.rows: dict[str, list[Row]] = {name: [] for name in OBJECT_TABLES}
        self.notes: list[ParseNote] = []
        self.objects = 0
        self.other_configmaps = 0
        self._once: set[tuple[str, str]] = set()
        self._adders: dict[str, Callable[[Any, k.Meta, int], None]] = {
            "Service": self._service, "Endpoints": self._endpoints, "EndpointSlice": self._slice, "Node": self._node,
            "Pod": self._pod, "ConfigMap": self._configmap, "DaemonSet": self._daemonset, "Event": self._event,
            "Version": self._version,
        }  # fmt: skip

    def note(self, line: int, reason: Reason, text: str, detail: str = "", *, once: bool = False) -> None:
        if once and (reason, text) in self._once:
            return
        self._once.add((reason, text))
        self.notes.append(ParseNote(line, reason, text[:200], detail))

    def adder(self, kind: str) -> Callable[[Any, int], None]:
        """The function that takes one decoded object of `kind` and the line where it starts."""
        add = self._adders[kind]

        def one(obj: Any, line: int) -> None:
            self.objects += 1
            meta = obj.metadata if kind != "Version" else None
            if kind != "Version" and (meta is None or not meta.name):
                self.note(line, "cut", f"{kind} without a name")
            add(obj, meta or k.Meta(), line)

        return one

    def tables(self) -> dict[str, pd.DataFrame]:
        return {name: _frame(name, rows, self.file) for name, rows in self.rows.items()}

    def _address(self, text: str | None, line: int) -> str | None:
        """Canonical address; text that is none gives null and a note."""
        if not text:
            return None
        known = address(text)
        if known is None:
            self.note(line, "masked", text, "not an address")
        return known

    def _addresses(self, texts: Sequence[str | None] | None, line: int) -> str | None:
        return _csv([self._address(text, line) for text in texts]) if texts else None

    def _networks(self, texts: list[str] | None, line: int) -> str | None:
        for text in texts or ():
            if prefix(text.strip()) is None:
                self.note(line, "masked", text, "not a prefix")
        return _csv([prefix(text.strip()) for text in texts]) if texts else None

    def _bare(self, line: int, kind: str) -> None:
        self.note(line, "cut", f"{kind}: names only", "neither spec nor status: the content is unknown", once=True)

    def _service(self, obj: k.Service, meta: k.Meta, line: int) -> None:
        spec, status = obj.spec, obj.status
        if spec is None:
            if status is None:
                self._bare(line, "Service")
            spec = k.ServiceSpec()
        ingress = (status.load_balancer.ingress if status and status.load_balancer else None) or ()
        with_ip = [(ip, i.ip_mode or "") for i in ingress if i.ip and (ip := self._address(i.ip, line))]
        affinity = spec.session_affinity_config
        raw_ips = spec.cluster_ips or ([spec.cluster_ip] if spec.cluster_ip else None)
        cluster_ips = _csv([i if i == "None" else self._address(i, line) for i in raw_ips]) if raw_ips else None
        self.rows["services"].append((
            meta.namespace, meta.name, spec.type, cluster_ips, self._addresses(spec.external_ips, line),
            _csv([ip for ip, _ in with_ip]), ",".join([mode for _, mode in with_ip]) if with_ip else None,
            _csv([i.hostname for i in ingress]) if ingress else None, spec.external_traffic_policy or None,
            spec.internal_traffic_policy or None, spec.session_affinity or None,
            affinity.client_ip.timeout_seconds if affinity and affinity.client_ip else None,
            spec.health_check_node_port or None, self._networks(spec.load_balancer_source_ranges, line),
            spec.load_balancer_class, self._address(spec.load_balancer_ip, line), _json(spec.selector),
            spec.publish_not_ready_addresses, _csv(spec.ip_families), _json(meta.labels), _json(meta.annotations),
            spec.traffic_distribution, meta.uid, line,
        ))  # fmt: skip
        for port in spec.ports or ():
            target = port.target_port
            self.rows["service_ports"].append((
                meta.namespace, meta.name, port.name or "", _lower(port.protocol), port.port,
                None if target is None else str(target), port.node_port or None, port.app_protocol, line,
            ))  # fmt: skip

    def _endpoints(self, obj: k.Endpoints, meta: k.Meta, line: int) -> None:
        add = self.rows["endpoints"].append
        for subset in obj.subsets or ():
            ports = subset.ports or (k.EndpointPort(),)
            for ready, members in ((True, subset.addresses), (False, subset.not_ready_addresses)):
                for member in members or ():
                    ip = self._address(member.ip, line)
                    for port in ports:
                        add((
                            meta.namespace, meta.name, ip, family(ip), port.name or "", _lower(port.protocol),
                            port.port, member.node_name, ready, None, None, _target(member.target_ref), None, None,
                            "Endpoints", meta.name, line,
                        ))  # fmt: skip

    def _slice(self, obj: k.EndpointSlice, meta: k.Meta, line: int) -> None:
        add = self.rows["endpoints"].append
        service = (meta.labels or {}).get("kubernetes.io/service-name") or next(
            (owner.name for owner in meta.owner_references or () if owner.kind == "Service"), None
        )
        fqdn = obj.address_type == "FQDN"
        ports = obj.ports or (k.EndpointPort(),)
        for end in obj.endpoints or ():
            topology = end.topology or end.deprecated_topology or {}
            state = end.conditions or k.Conditions()
            node = end.node_name or topology.get(_HOST_LABEL)
            zone = end.zone or next((topology[label] for label in _ZONE_LABELS if label in topology), None)
            hints = _csv([z.name for z in end.hints.for_zones]) if end.hints and end.hints.for_zones else None
            target = _target(end.target_ref)
            # kube-proxy uses the first address of an endpoint only; the API allows more, each is a row.
            for text in end.addresses or ():
                ip = None if fqdn else self._address(text, line)
                if fqdn:
                    self.note(line, "name", text, "FQDN endpoint", once=True)
                for port in ports:
                    add((
                        meta.namespace, service, ip, family(ip), port.name or "", _lower(port.protocol), port.port,
                        node, state.ready, state.serving, state.terminating, target, zone, hints,
                        "EndpointSlice", meta.name, line,
                    ))  # fmt: skip

    def _node(self, obj: k.Node, meta: k.Meta, line: int) -> None:
        spec, status, labels = obj.spec or k.NodeSpec(), obj.status or k.NodeStatus(), meta.labels or {}
        if obj.spec is None and obj.status is None:
            self._bare(line, "Node")
        info, addresses = status.node_info or k.NodeInfo(), status.addresses or ()
        cidrs = spec.pod_cidrs or ([spec.pod_cidr] if spec.pod_cidr else None)
        self.rows["nodes"].append((
            meta.name, self._addresses([a.address for a in addresses if a.type == "InternalIP"], line),
            self._addresses([a.address for a in addresses if a.type == "ExternalIP"], line),
            self._networks(cidrs, line), spec.provider_id, info.kubelet_version, info.kube_proxy_version,
            info.kernel_version, _ready(status.conditions), spec.unschedulable,
            next((labels[label] for label in _ZONE_LABELS if label in labels), None), _json(meta.labels),
            _csv([taint.key for taint in spec.taints or ()]), line,
        ))  # fmt: skip

    def _pod(self, obj: k.Pod, meta: k.Meta, line: int) -> None:
        spec, status = obj.spec or k.PodSpec(), obj.status or k.PodStatus()
        if obj.spec is None and obj.status is None:
            self._bare(line, "Pod")
        containers = spec.containers or ()
        # A restartable init container runs as long as the pod, so its ports can be targets (KEP-753).
        sidecars = [c for c in spec.init_containers or () if c.restart_policy == "Always"]
        ports = [port for c in (*containers, *sidecars) for port in c.ports or () if port.container_port]
        ips = [ip.ip for ip in status.pod_ips or ()] or [status.pod_ip]
        owner = next((o for o in meta.owner_references or () if o.controller), None)
        self.rows["pods"].append((
            meta.namespace, meta.name, spec.node_name, spec.host_network, self._addresses(ips, line), status.phase,
            _ready(status.conditions), _csv([_port(p) for p in ports]) if ports else None,
            _csv([c.image for c in containers]), _json(meta.labels), _json(meta.annotations),
            f"{owner.kind}/{owner.name}" if owner else None, meta.deletion_timestamp is not None,
            _csv([f"{p.name}={_number(p)}" for p in ports if p.name]) if ports else None, line,
        ))  # fmt: skip

    def _configmap(self, obj: k.ConfigMap, meta: k.Meta, line: int) -> None:
        if not _WANTED.search(meta.name or ""):
            self.other_configmaps += 1
            return
        data = obj.data or {}
        if obj.data is None:
            self._bare(line, "ConfigMap")
        for key, value in data.items():
            self.rows["configmaps"].append((meta.namespace, meta.name, key, value, line))
        for key, text in config_texts(meta.name or "", data):
            row, problem = proxy_config_row(meta.name, text)
            if row is not None:
                self.rows["proxy_configs"].append((*row, line))
            if problem:
                self.note(line, "cut", f"ConfigMap {meta.name}: {key}", problem)

    def _daemonset(self, obj: k.DaemonSet, meta: k.Meta, line: int) -> None:
        template = obj.spec.template if obj.spec else None
        containers = (template.spec.containers if template and template.spec else None) or ()
        if obj.spec is None and obj.status is None:
            self._bare(line, "DaemonSet")
        args = [arg for c in containers for arg in (*(c.command or ()), *(c.args or ()))]
        status = obj.status or k.DaemonSetStatus()
        self.rows["daemonsets"].append((
            meta.namespace, meta.name, _csv([c.image for c in containers]), _csv([c.name for c in containers]),
            msgspec.json.encode(args).decode() if containers else None, _json(meta.labels),
            status.desired_number_scheduled, status.number_ready, line,
        ))  # fmt: skip

    def _event(self, obj: k.Event, meta: k.Meta, line: int) -> None:
        ref = obj.involved_object or obj.regarding or k.Ref()
        series = obj.series or k.Series()
        counts = (obj.count, obj.deprecated_count, series.count)
        times = (obj.last_timestamp, obj.deprecated_last_timestamp, series.last_observed_time, obj.event_time)
        self.rows["events"].append((
            ref.namespace or meta.namespace, ref.kind, ref.name, obj.reason, obj.type,
            obj.message if obj.message is not None else obj.note, next((n for n in counts if n is not None), None),
            next((t for t in times if t), None), line,
        ))  # fmt: skip

    def _version(self, obj: k.Version, _meta: k.Meta, line: int) -> None:
        found = (
            ("client", obj.client_version.git_version if obj.client_version else None),
            ("server", obj.server_version.git_version if obj.server_version else obj.git_version),
        )
        self.rows["versions"].extend((name, version, line) for name, version in found if version)


def finish(rows: ObjectRows, count: LineCount) -> Parsed:
    """Close a file of objects; `other_configmaps` tells how many were counted but not kept."""
    tables = rows.tables()
    found = any(len(frame) for frame in tables.values())
    broken = any(note.reason in ("unparsed", "unusable") for note in rows.notes)
    failed = broken and not rows.objects
    cut = broken or any(note.reason == "cut" for note in rows.notes)
    return Parsed(
        tables=tables,
        notes=tuple(sorted(rows.notes, key=lambda note: note.line)),
        lines=count,
        state="rows" if found else "failed" if failed else "empty",
        complete=not cut,
        detail=rows.notes[0].text if failed else "",
        facts={"other_configmaps": str(rows.other_configmaps)} if rows.other_configmaps else {},
    )


def _target(ref: k.Ref | None) -> str | None:
    return f"{ref.kind or ''}/{ref.namespace or ''}/{ref.name or ''}" if ref else None


def _ready(conditions: list[k.Condition] | None) -> bool | None:
    return next((c.status == "True" for c in conditions or () if c.type == "Ready"), None)


def _number(port: k.ContainerPort) -> str:
    return f"{port.container_port}/{port.protocol.lower()}" if port.protocol else str(port.container_port)


def _port(port: k.ContainerPort) -> str:
    return f"{_number(port)}:{port.host_port}" if port.host_port else _number(port)


def _frame(name: str, rows: list[Row], file: str) -> pd.DataFrame:
    """A frame of the table's schema from tuples in the order of its columns."""
    schema = TABLES[name]
    if not rows:
        return frames.empty(schema)
    names = [column for column in schema.names if column != "file"]
    columns: dict[str, Any] = dict(zip(names, zip(*rows, strict=True), strict=True))
    return frames.frame(schema, {**columns, "file": frames.constant(file, len(rows))}, len(rows))
