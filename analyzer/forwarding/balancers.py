"""Load balancers: from the cloud's own documents, else from the Services that publish their address.

Delivery is that of an Alibaba Cloud CLB: the destination is rewritten to nodeIP:NodePort (ecs) or podIP:targetPort (eni),
layer-4 listeners keep the client's address.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from weakref import WeakKeyDictionary

from analyzer.forwarding.world import Backend, LbListener, LoadBalancer, NodeBackends
from analyzer.snapshot.model import Snapshot
from analyzer.snapshot.objects import Service, ServicePort, evidence_of, number, records, text

LABEL = "service.k8s.alibaba/loadbalancer-id"
KINDS = frozenset({"tcp", "udp", "http", "https", "tcpssl"})
"""Kinds of listeners whose delivery is known."""


def load_balancers(
    snapshot: Snapshot, node_by_address: Mapping[str, str], node_addresses: Mapping[str, tuple[str, ...]]
) -> dict[str, LoadBalancer]:
    """Address -> load balancer. One that no cloud document describes has the listeners its Services imply, not complete."""
    groups = _backends(snapshot, node_by_address, node_addresses)
    listeners: dict[str, list[LbListener]] = defaultdict(list)
    described: set[str] = set()
    unread: set[str] = set()
    rows = records(snapshot["lb_listeners"])
    # A bare list of ports (ListenerPorts) repeats listeners that another document describes.
    told = {(text(row["lb_id"]), number(row["port"])) for row in rows if text(row["protocol"])}
    for row in rows:
        lb = text(row["lb_id"])
        port = number(row["port"])
        if port is None or (not text(row["protocol"]) and (lb, port) in told):
            continue
        described.add(lb)
        if text(row["status"]).lower() == "stopped":
            continue
        if text(row["protocol"]) not in (*KINDS, ""):
            unread.add(lb)
            continue
        group = text(row["server_group"])
        found = groups.get((lb, group)) if group else groups.get((lb, ""))
        if found is None and group:
            found = groups.get(("", group))
        if found is not None and not group:
            fixed = number(row["backend_port"])
            found = [Backend(b.address, fixed, b.weight, b.kind, b.node, b.evidence) for b in found] if fixed else None
        acl = text(row["acl_id"]) or "?"
        listeners[lb].append(
            LbListener(
                text(row["protocol"]) or "tcp",
                port,
                number(row["port_end"]) or port,
                tuple(found) if found is not None else None,
                acl if text(row["acl_status"]).lower() == "on" else "",
                text(row["description"]),
                evidence_of(row),
            )  # fmt: skip
        )
    balancers: dict[str, LoadBalancer] = {}
    for row in records(snapshot["load_balancers"]):
        address, lb = text(row["address"]), text(row["id"])
        if not address:
            continue
        known = lb not in unread and (lb in described or _has_listener_document(snapshot, lb))
        balancers[address] = LoadBalancer(address, lb, tuple(listeners.get(lb, ())), known, evidence_of(row))
    for service in snapshot.objects.services:
        for address in service.published:
            if address in node_by_address or (address in balancers and balancers[address].complete):
                continue
            known_balancer = balancers.get(address)
            implied = tuple(implied_listener(snapshot, service, port, node_addresses) for port in service.ports)
            have = known_balancer.listeners if known_balancer else ()
            balancers[address] = LoadBalancer(
                address, known_balancer.id if known_balancer else text(service.labels.get(LABEL)), (*have, *implied), False,
                known_balancer.evidence if known_balancer else service.evidence,
            )  # fmt: skip
    return balancers


def _has_listener_document(snapshot: Snapshot, lb: str) -> bool:
    """A listing without listeners is knowledge too: the capture names the balancer and has no listener row."""
    captures = snapshot["captures"]
    hits = captures[(captures["capture"] == "cloud") & captures["file"].astype(str).str.contains(lb, regex=False)]
    names = hits["file"].astype(str)
    return bool(names.str.contains("Listener|LoadBalancerAttribute").any())


def _backends(
    snapshot: Snapshot, node_by_address: Mapping[str, str], node_addresses: Mapping[str, tuple[str, ...]]
) -> dict[tuple[str, str], list[Backend]]:
    """(load balancer, server group) and ("", server group) -> backends."""
    instances = {
        text(row["provider_id"]).rpartition(".")[2]: text(row["name"])
        for row in records(snapshot["nodes"])
        if text(row["provider_id"])
    }
    groups: dict[tuple[str, str], list[Backend]] = {}
    captures = snapshot["captures"]
    # Only a document that was read whole and lists nobody shows an empty group.
    empty = captures[(captures["state"] == "empty") & (captures["notes"].fillna(0) == 0)]["file"].astype(str)
    for name in {text(row["server_group"]) for row in records(snapshot["lb_listeners"])} - {""}:
        if empty.str.contains(name, regex=False).any():
            groups[("", name)] = []
    for row in records(snapshot["lb_backends"]):
        node = instances.get(text(row["server_id"]), "")
        address = text(row["server_ip"])
        if not address and node:
            address = next(iter(node_addresses.get(node, ())), "")
        if not address:
            continue
        weight = number(row["weight"])
        backend = Backend(address, number(row["port"]) or 0, 100 if weight is None else weight, text(row["type"]) or "ecs",
                          node_by_address.get(address, node), evidence_of(row))  # fmt: skip
        group = text(row["server_group"])
        keys = {(text(row["lb_id"]), group), ("", group)} if group else {(text(row["lb_id"]), "")}
        for key in keys:
            groups.setdefault(key, []).append(backend)
    return groups


def abnormal_backends(
    snapshot: Snapshot, node_addresses: Mapping[str, tuple[str, ...]]
) -> frozenset[tuple[int, str, int]]:
    """(listener port, backend address, backend port) of DescribeHealthStatus rows with status abnormal."""
    instances = {text(row["provider_id"]).rpartition(".")[2]: text(row["name"]) for row in records(snapshot["nodes"])}
    found = set()
    for row in records(snapshot["lb_health"]):
        if text(row["status"]) != "abnormal":
            continue
        node = instances.get(text(row["server_id"]), "") if text(row["server_id"]) else ""
        for address in {text(row["server_ip"]), *node_addresses.get(node, ())} - {""}:
            found.add((number(row["listener_port"]) or 0, address, number(row["port"]) or 0))
    return frozenset(found)


def implied_listener(
    snapshot: Snapshot, service: Service, port: ServicePort, node_addresses: Mapping[str, tuple[str, ...]]
) -> LbListener:
    """The listener the cloud controller makes for a Service port (cloud-provider-alibaba-cloud, clbv1/vgroups.go)."""
    protocol = port.protocol
    for item in (service.annotation("loadbalancer-protocol-port") or "").split(","):
        name, _, number_text = item.strip().partition(":")
        if number_text == str(port.port):
            protocol = name
    backends: Sequence[Backend] | None = None
    ready = [one for one in service.endpoints_of(port, 4) if one.ready]
    if service.annotations.get("service.beta.kubernetes.io/backend-type") == "eni":
        if service.endpoints_known:
            backends = tuple(Backend(one.address, one.port or 0, 100, "eni", one.node, one.evidence) for one in ready)
    elif port.node_port and service.endpoints_known:
        if service.external_policy == "Local":
            nodes = _reachable({one.node for one in ready}, node_addresses)
        else:
            nodes = _candidates(snapshot, node_addresses)
        backends = NodeBackends(nodes, port.node_port, service.evidence)
    return LbListener(protocol, port.port, port.port, backends, "", "", service.evidence, inferred=True)


def _reachable(names: Iterable[str], node_addresses: Mapping[str, tuple[str, ...]]) -> tuple[tuple[str, str], ...]:
    return tuple((node_addresses[node][0], node) for node in sorted(names) if node_addresses.get(node))


_CANDIDATES: WeakKeyDictionary[Snapshot, tuple[Mapping[str, tuple[str, ...]], tuple[tuple[str, str], ...]]] = (
    WeakKeyDictionary()
)
"""For the addresses that were asked with; every port of every Service asks for the same."""


def _candidates(snapshot: Snapshot, node_addresses: Mapping[str, tuple[str, ...]]) -> tuple[tuple[str, str], ...]:
    """(address, name) of the nodes that the cloud controller registers."""
    known = _CANDIDATES.get(snapshot)
    if known is None or known[0] is not node_addresses:
        names = {
            text(row["name"])
            for row in records(snapshot["nodes"])
            if str(row["ready"]) != "False" and "exclude-from-external-load-balancers" not in text(row["labels"])
        }
        known = _CANDIDATES[snapshot] = (node_addresses, _reachable(names, node_addresses))
    return known[1]
