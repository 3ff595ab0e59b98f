"""Side effects computed for this cluster: who meets the loop-back limit, which ACL starts to apply, what clients lose."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from analyzer.forwarding.world import LbListener
from analyzer.remedies.case import Case
from analyzer.remedies.cluster import LABEL_LB_ID
from analyzer.remedies.profiles import Profile
from analyzer.remedies.words import endpoint, listed
from analyzer.snapshot.objects import Service, mapping, text

BACKEND_QUOTA = 200
"""Backends of one CLB by default (vendor's documentation)."""


@dataclass
class Effects:
    """Slugs in order, and the values their sentences take."""

    slugs: list[str] = field(default_factory=list)
    values: dict[str, str] = field(default_factory=dict)

    def add(self, slug: str, **values: str) -> Effects:
        if slug not in self.slugs:
            self.slugs.append(slug)
        self.values.update(values)
        return self


def shares(listener: LbListener) -> dict[str, float] | None:
    """Node -> its part of the backends' weight; None when the backends are not known."""
    if listener.backends is None:
        return None
    total = sum(backend.weight for backend in listener.backends)
    found: dict[str, float] = {}
    for backend in listener.backends:
        if backend.node and backend.weight > 0 and total > 0:
            found[backend.node] = found.get(backend.node, 0.0) + backend.weight / total
    return found


def loopback(case: Case, effects: Effects, profile: Profile, vips: Iterable[str]) -> None:
    """The loop-back limit on the listeners of the addresses: each client node's share of failing connections."""
    texts, unknown, internet = [], False, False
    for vip in vips:
        balancer = case.world.load_balancers.get(vip)
        if balancer is None:
            unknown = True
            continue
        for listener in balancer.listeners:
            if listener.layer7:
                continue
            found = shares(listener)
            if found is None:
                unknown = True
            elif found:
                internet = internet or case.is_internet(vip)
                each = listed((f"{node} {share * 100:.0f} %" for node, share in sorted(found.items())), 4)
                texts.append(f"{endpoint(vip, listener.port)}/{listener.transport}: {each}")
    if profile.loopback_l4 == "no" or (not texts and not unknown):
        effects.add("loopback-none")
    elif not texts:
        effects.add("loopback-unknown")
    else:
        certain = profile.loopback_l4 == "yes" and not internet
        shown = "; ".join(texts[:4]) + (f" (+{len(texts) - 4})" if len(texts) > 4 else "")
        effects.add("loopback-share" if certain else "loopback-possible", loopback_shares=shown)


def access_lists(case: Case, effects: Effects, vips: Iterable[str]) -> None:
    """Access control lists: the short cut through the node skips them, the load balancer does not."""
    guarded, open_question = [], False
    for vip in vips:
        balancer = case.world.load_balancers.get(vip)
        if balancer is None or not balancer.complete:
            open_question = True
        for listener in balancer.listeners if balancer else ():
            if listener.acl:
                guarded.append(f"{endpoint(vip, listener.port)}/{listener.transport}")
    for service in case.all_binders:
        if service.annotation("loadbalancer-acl-status") == "on":
            guarded.append(service.id)
    if guarded:
        effects.add("acl-applies", acl_listeners=listed(guarded))
    elif open_question:
        effects.add("acl-unknown")


def unbound(case: Case, effects: Effects, profile: Profile, vips: tuple[str, ...]) -> None:
    """What follows when the addresses leave kube-ipvs0, by whatever setting."""
    loopback(case, effects, profile, vips)
    access_lists(case, effects, vips)
    if any(case.is_internet(vip) for vip in vips):
        effects.add("internet-egress")
    effects.add("connections-cut")


def backend_mode(case: Case, service: Service) -> str:
    """eni, ecs or unknown: the registered backends, then the annotation, then what the CNI allows."""
    kinds = case.cluster.backend_kinds.get(service.labels.get(LABEL_LB_ID, ""), frozenset())
    said = service.annotations.get("service.beta.kubernetes.io/backend-type")
    if said in ("eni", "ecs"):
        return said
    if kinds and kinds <= {"ecs", "eni"} and len(kinds) == 1:
        return next(iter(kinds))
    if case.cluster.cnis and "terway" not in case.cluster.cnis:
        return "ecs"
    return "unknown"


def policy_cluster(case: Case, effects: Effects, services: Iterable[Service]) -> None:
    """`externalTrafficPolicy: Cluster`: who loses the client's address, and how many backends it makes."""
    by_mode: dict[str, list[str]] = {}
    for service in services:
        mode = backend_mode(case, service) if service.type == "LoadBalancer" else "ecs"
        by_mode.setdefault(mode, []).append(service.id)
    if by_mode.get("ecs"):
        effects.add("client-address-lost", address_lost=listed(by_mode["ecs"]))
    if by_mode.get("unknown"):
        effects.add("client-address-unless-eni", address_unsure=listed(by_mode["unknown"]))
    if by_mode.get("eni"):
        effects.add("no-external-effect", eni_services=listed(by_mode["eni"]))
    balanced = [s for s in services if s.type == "LoadBalancer" and s.id not in by_mode.get("eni", [])]
    candidates = sum(1 for node in case.cluster.nodes if node.candidate)
    if balanced and candidates:
        over = candidates > BACKEND_QUOTA
        effects.add("backend-quota" if over else "more-backends", backends=str(candidates), quota=str(BACKEND_QUOTA))
    ports = [f"{s.id} {s.health_check_node_port}" for s in services if s.health_check_node_port]
    if ports:
        effects.add("health-port-released", health_ports=listed(ports))
    if balanced and not any(service.published for service in balanced):
        effects.add("more-loopback")


def workloads(case: Case, service: Service) -> tuple[str, ...]:
    """``deployment/NAME``, ``daemonset/NAME`` ... behind the Service's endpoints, empty when the pods do not tell.

    A ReplicaSet of a Deployment is called as the Deployment with the pod-template-hash behind it.
    """
    wanted = {one.target for one in service.endpoints if one.target.startswith("Pod/")}
    if not wanted:
        return ()
    frame = case.snapshot["pods"]
    names = {target.rpartition("/")[2] for target in wanted}
    chosen = frame[(frame["namespace"] == service.namespace) & frame["name"].isin(names)]
    found: dict[str, None] = {}
    for owner, labels in zip(chosen["owner"], chosen["labels"], strict=True):
        kind, _, name = text(owner).partition("/")
        if kind == "ReplicaSet":
            suffix = mapping(labels).get("pod-template-hash")
            if suffix and name.endswith(f"-{suffix}"):
                found[f"deployment/{name[: -len(suffix) - 1]}"] = None
        elif kind in ("DaemonSet", "StatefulSet"):
            found[f"{kind.lower()}/{name}"] = None
    return tuple(found)
