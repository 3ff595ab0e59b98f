"""The cloud controller's reaction: what a changed Service publishes, and which listeners and backends its load balancer has.

Follows cloud-provider-alibaba-cloud (clbv1/service_controller.go, vgroups.go, listeners.go): a hostname annotation replaces the
address in the status, a removed one brings it back; server groups follow policy, endpoints and nodes; listeners of a reused
load balancer are made only with force-override-listeners. Of other clouds only the status is followed.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from analyzer.errors import UsageError
from analyzer.forwarding.balancers import LABEL, implied_listener
from analyzer.forwarding.build import node_addresses
from analyzer.forwarding.world import Backend
from analyzer.snapshot.model import Snapshot
from analyzer.snapshot.objects import Service, ServicePort, mapping, number, parts, records, text
from analyzer.whatif.manifests import Manifest
from analyzer.whatif.tableset import TableSet

PREFIXES = ("service.beta.kubernetes.io/alibaba-cloud-", "service.beta.kubernetes.io/alicloud-")
NLB_CLASS = "alibabacloud.com/nlb"
MADE = "k8s/"
"""How descriptions of what the controller made begin."""
RESERVED = ipaddress.ip_network("192.0.2.0/24")
"""RFC 5737: addresses that nobody has, for a load balancer that is yet to be made."""


def annotation(manifest: Mapping[str, Any], suffix: str) -> str:
    found = (manifest.get("metadata") or {}).get("annotations") or {}
    return next((str(found[prefix + suffix]) for prefix in PREFIXES if prefix + suffix in found), "")


def published(snapshot: Snapshot, manifest: Manifest, before: Manifest | None) -> tuple[list[dict[str, Any]], str]:
    """(status.loadBalancer.ingress the controller would write, the new load balancer's address if one has to be made)."""
    spec = manifest.get("spec") or {}
    if spec.get("type") != "LoadBalancer":
        return [], ""
    have = ((manifest.get("status") or {}).get("loadBalancer") or {}).get("ingress") or []
    if spec.get("loadBalancerClass") == NLB_CLASS:
        return [{"hostname": "nlb-example.cn-hangzhou.nlb.aliyuncsslb.com"}], ""
    hostname = annotation(manifest, "loadbalancer-hostname")
    if hostname:
        return [{"hostname": hostname}], ""
    was_named = before is not None and bool(annotation(before, "loadbalancer-hostname"))
    if have and not was_named:
        return list(have), ""
    address = known_address(snapshot, manifest)
    if address:
        return [{"ip": address}], ""
    if have and not all("hostname" in one for one in have):
        return list(have), ""
    made = unused_address(snapshot)
    return [{"ip": made}], made


def known_address(snapshot: Snapshot, manifest: Manifest) -> str:
    """The address of the load balancer that the Service names or was labelled with."""
    labels = (manifest.get("metadata") or {}).get("labels") or {}
    wanted = annotation(manifest, "loadbalancer-id") or str(labels.get(LABEL, ""))
    rows = records(snapshot["load_balancers"])
    return next((text(row["address"]) for row in rows if wanted and text(row["id"]) == wanted), "")


def unused_address(snapshot: Snapshot) -> str:
    used = {ip for service in snapshot.objects.services for ip in service.published}
    return next(str(one) for one in RESERVED.hosts() if str(one) not in used)


# ---------------------------------------------------------------------- listeners and backends


def follow(before: Snapshot, after: Snapshot) -> Snapshot:
    """`after` with the listeners and backends of its load balancers as the controller would keep them.

    Only load balancers that cloud documents describe: of all others listeners are inferred from the Services anyway.
    """
    changes = TableSet(after)
    balancers = {text(row["id"]): text(row["address"]) for row in records(after["load_balancers"]) if text(row["id"])}
    by_id = after.objects.by_id
    for old in before.objects.services:
        new = by_id.get(old.id)
        lb = balancer_of(before, old)
        if lb not in balancers:
            continue
        kept = (
            {(port.protocol, port.port) for port in new.ports}
            if new is not None and _same(before, old, after, new)
            else set()
        )
        for port in old.ports:
            if (port.protocol, port.port) not in kept:
                _remove(changes, after, lb, old, port)
    for new in after.objects.services:
        lb = balancer_of(after, new)
        if new.type != "LoadBalancer" or lb not in balancers:
            continue
        was = before.objects.by_id.get(new.id)
        for port in new.ports:
            _follow_port(changes, before, after, lb, was if was and _same(before, was, after, new) else None, new, port)
    return changes.apply()


def balancer_of(snapshot: Snapshot, service: Service) -> str:
    """The id of a Service's load balancer: its label, its annotation, or the owner of the address it publishes."""
    named = service.labels.get(LABEL) or service.annotation("loadbalancer-id") or ""
    if named:
        return named
    rows = records(snapshot["load_balancers"])
    return next((text(row["id"]) for row in rows if text(row["address"]) in service.published), "")


def _same(before: Snapshot, old: Service, after: Snapshot, new: Service) -> bool:
    return new.type == "LoadBalancer" and balancer_of(before, old) == balancer_of(after, new)


def _listener_rows(snapshot: Snapshot, lb: str, port: ServicePort) -> list[tuple[Any, dict[str, Any]]]:
    frame = snapshot["lb_listeners"]
    own = frame[(frame["lb_id"] == lb) & (frame["port"] == port.port)]
    transport = "udp" if port.protocol == "udp" else "tcp"
    rows = zip(own.index, records(own), strict=True)
    return [(i, row) for i, row in rows if (text(row["protocol"]) == "udp") == (transport == "udp")]


def _remove(changes: TableSet, snapshot: Snapshot, lb: str, service: Service, port: ServicePort) -> None:
    """Take away the listener that the controller made for a Service port."""
    for index, row in _listener_rows(snapshot, lb, port):
        if _made_for(text(row["description"]), service):
            changes.drop("lb_listeners", [index])


def _made_for(description: str, service: Service) -> bool:
    words = description.split("/")
    return description.startswith(MADE) and words[2:4] == [service.name, service.namespace]


def _follow_port(
    changes: TableSet,
    before: Snapshot,
    after: Snapshot,
    lb: str,
    was: Service | None,
    service: Service,
    port: ServicePort,
) -> None:
    rows = _listener_rows(after, lb, port)
    wanted = _backends(after, service, port)
    mine = [(i, row) for i, row in rows if _made_for(text(row["description"]), service)]
    reused = bool(service.annotation("loadbalancer-id"))
    override = service.annotation("loadbalancer-force-override-listeners") == "true"
    protocol = implied_listener(after, service, port, {}).protocol
    if wanted is None:
        return
    group = f"what-if-{service.namespace}-{service.name}-{port.protocol}-{port.port}"
    if not mine:
        if rows and not override:
            return  # somebody else's listener is left alone
        if not rows and reused and not override:
            return
        changes.drop("lb_listeners", [i for i, _ in rows])
        changes.add("lb_listeners", {
            "lb_id": lb, "port": port.port, "port_end": port.port, "protocol": protocol, "status": "running",
            "server_group": group, "description": f"{MADE}{port.port}/{service.name}/{service.namespace}/what-if",
        })  # fmt: skip
        _add_backends(changes, after, lb, group, wanted)
        return
    old_port = (
        next((one for one in was.ports if (one.protocol, one.port) == (port.protocol, port.port)), None)
        if was
        else None
    )
    had = (_backends(before, was, old_port) if was and old_port else None) or ()
    for index, row in mine:
        if text(row["protocol"]) != protocol and (override or not reused):
            changes.drop("lb_listeners", [index])
            changes.add("lb_listeners", {**{k: v for k, v in row.items() if v is not None}, "protocol": protocol})
        _change_backends(changes, after, lb, text(row["server_group"]), had, wanted)


def _backends(snapshot: Snapshot, service: Service, port: ServicePort) -> Sequence[Backend] | None:
    return implied_listener(snapshot, service, port, node_addresses(snapshot)).backends


def _add_backends(changes: TableSet, snapshot: Snapshot, lb: str, group: str, backends: Iterable[Backend]) -> None:
    instances = {text(row["name"]): text(row["provider_id"]).rpartition(".")[2] for row in records(snapshot["nodes"])}
    for one in backends:
        changes.add("lb_backends", {
            "server_group": group, "lb_id": lb, "server_id": instances.get(one.node, "") if one.kind == "ecs" else None,
            "server_ip": one.address, "port": one.port, "weight": one.weight, "type": one.kind,
        })  # fmt: skip


def _change_backends(
    changes: TableSet, snapshot: Snapshot, lb: str, group: str, had: Iterable[Backend], wanted: Iterable[Backend]
) -> None:
    """Enter the difference of what the controller wanted before and wants now; hand-made weights of the others stay."""
    old = {(one.address, one.port) for one in had}
    new = {(one.address, one.port): one for one in wanted}
    frame = snapshot["lb_backends"]
    own = frame[frame["server_group"] == group]
    instances = {text(row["provider_id"]).rpartition(".")[2]: text(row["name"]) for row in records(snapshot["nodes"])}
    addresses = node_addresses(snapshot)
    held = set()
    for index, row in zip(own.index, records(own), strict=True):
        node = instances.get(text(row["server_id"]), "")
        address = text(row["server_ip"]) or next(iter(addresses.get(node, ())), "")
        place = (address, number(row["port"]) or 0)
        held.add(place)
        if place in old and place not in new:
            changes.drop("lb_backends", [index])
    _add_backends(
        changes, snapshot, lb, group, [one for place, one in new.items() if place not in held and place not in old]
    )


def set_listener(
    snapshot: Snapshot, address: str, port: int, protocol: str, backends: tuple[tuple[str, int], ...]
) -> Snapshot:
    """The listener address:port made, changed or (without backends) deleted by hand.

    Raises:
        UsageError: no cloud document describes the load balancer of that address.
    """
    owner = next(
        (text(row["id"]) for row in records(snapshot["load_balancers"]) if text(row["address"]) == address), ""
    )
    if not owner:
        raise UsageError(f"no load balancer with the address {address} is described in this bundle")
    changes = TableSet(snapshot)
    frame = snapshot["lb_listeners"]
    own = frame[(frame["lb_id"] == owner) & (frame["port"] == port)]
    changes.drop("lb_listeners", [i for i, row in zip(own.index, records(own), strict=True)
                                  if (text(row["protocol"]) == "udp") == (protocol == "udp")])  # fmt: skip
    if backends:
        group = f"what-if-{owner}-{protocol}-{port}"
        changes.add("lb_listeners", {"lb_id": owner, "port": port, "port_end": port, "protocol": protocol, "status": "running",
                                     "server_group": group, "description": "what-if"})  # fmt: skip
        for server, number_ in backends:
            changes.add("lb_backends", {"server_group": group, "lb_id": owner, "server_ip": server, "port": number_,
                                        "weight": 100, "type": "ecs"})  # fmt: skip
    return changes.apply()


# ---------------------------------------------------------------------- what the API server fills in


def allocated(snapshot: Snapshot, manifest: Manifest) -> Manifest:
    """The manifest with the ClusterIP and nodePorts an API server would give a new Service: the next free ones."""
    spec = dict(manifest.get("spec") or {})
    kind = spec.setdefault("type", "ClusterIP")
    if kind == "ExternalName":
        return {**manifest, "spec": spec}
    if not spec.get("clusterIPs") and not spec.get("clusterIP"):
        used = {ip for service in snapshot.objects.services for ip in service.cluster_ips if ip != "None"}
        known = sorted((ipaddress.ip_address(ip) for ip in used), key=lambda ip: (ip.version, int(ip)))
        last = [ip for ip in known if ip.version == (known[0].version if known else 4)]
        spec["clusterIPs"] = [str(last[-1] + 1) if last else "10.96.0.2"]
    if kind in ("NodePort", "LoadBalancer"):
        spec.setdefault("externalTrafficPolicy", "Cluster")
        taken = {port.node_port for service in snapshot.objects.services for port in service.ports}
        ports = []
        for port in spec.get("ports") or []:
            made = dict(port)
            if not made.get("nodePort"):
                made["nodePort"] = next(number_ for number_ in range(32767, 29999, -1) if number_ not in taken)
                taken.add(made["nodePort"])
            ports.append(made)
        spec["ports"] = ports
    else:
        spec["ports"] = [{k: v for k, v in port.items() if k != "nodePort"} for port in spec.get("ports") or []]
        spec.pop("externalTrafficPolicy", None)
    return {**manifest, "spec": spec}


def selected(snapshot: Snapshot, manifest: Manifest) -> list[dict[str, Any]]:
    """Rows of `endpoints` that the EndpointSlice controller would make for a Service: ready pods its selector matches."""
    metadata, spec = manifest.get("metadata") or {}, manifest.get("spec") or {}
    selector = spec.get("selector") or {}
    rows = []
    for pod in records(snapshot["pods"]) if selector else ():
        labels = mapping(pod["labels"])
        if text(pod["namespace"]) != metadata.get("namespace", "default"):
            continue
        if not all(labels.get(key) == value for key, value in selector.items()):
            continue
        if text(pod["phase"]) in ("Succeeded", "Failed"):
            continue
        for address in parts(pod["ips"]):
            family = ipaddress.ip_address(address).version
            for port in spec.get("ports") or []:
                number_ = _target_port(port, pod)
                if number_ is not None:
                    rows.append({
                        "namespace": metadata.get("namespace", "default"), "service": metadata.get("name"), "address": address,
                        "family": family, "port_name": port.get("name", ""), "protocol": str(port.get("protocol", "TCP")).lower(),
                        "port": number_, "node_name": text(pod["node_name"]), "ready": str(pod["ready"]) != "False",
                        "target": f"Pod/{text(pod['namespace'])}/{text(pod['name'])}", "source": "EndpointSlice",
                        "object": f"{metadata.get('name')}-what-if",
                    })  # fmt: skip
    return rows


def _target_port(port: Mapping[str, Any], pod: Mapping[str, Any]) -> int | None:
    target = port.get("targetPort") or port.get("port")
    if isinstance(target, int) or str(target).isdecimal():
        return int(str(target))
    for item in parts(pod["named_ports"]):
        name, _, rest = item.partition("=")
        if name == target and rest.partition("/")[0].isdecimal():
            return int(rest.partition("/")[0])
    return None
