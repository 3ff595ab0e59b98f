"""Prerequisites of the cards, checked against the snapshot. What the bundle does not tell stays unknown."""

from __future__ import annotations

from collections.abc import Iterable

from analyzer.remedies.case import Case, ready_endpoints
from analyzer.remedies.cluster import version
from analyzer.remedies.model import Check, Prerequisite
from analyzer.remedies.profiles import Profile
from analyzer.remedies.words import endpoint, listed
from analyzer.snapshot.objects import Service, text


def _check(condition: bool | None) -> Check:
    return "unknown" if condition is None else "met" if condition else "not-met"


def _at_least(found: str, need: str) -> bool | None:
    numbers = version(found)
    return numbers >= version(need) if numbers else None


def server_version(case: Case, need: str) -> Prerequisite:
    """The API server's version: fields and subresources exist from there on."""
    found = case.cluster.server_version
    return Prerequisite("kubernetes-version", _check(_at_least(found, need)), {"need": need, "found": found or "?"})


def proxy_version(case: Case, need: str) -> Prerequisite:
    """kube-proxy's version on every node, since nodes of one cluster may differ."""
    found = case.cluster.proxy_versions
    states = {node: _at_least(value, need) for node, value in found.items()}
    below = sorted(node for node, state in states.items() if state is False)
    known = sorted({value for value in found.values() if value}, key=version)
    condition = False if below else None if not states or None in states.values() else True
    return Prerequisite(
        "kube-proxy-version",
        _check(condition),
        {"need": need, "found": listed(known) if known else "?", "below": listed(below)},
    )


def ccm_version(case: Case, need: str) -> Prerequisite:
    """The cloud controller manager: exact from its image; a lower bound proves only what lies below it."""
    controller = case.cluster.controller
    condition: bool | None = None
    if controller.version:
        enough = version(controller.version) >= version(need)
        condition = enough if controller.exact else (True if enough else None)
    return Prerequisite("ccm-version", _check(condition), {"need": need, "found": controller.shown})


def unbind_setting(case: Case, profile: Profile) -> tuple[Prerequisite, ...]:
    """What the vendor's setting needs."""
    component, need = profile.need
    if component == "ccm":
        return (ccm_version(case, need),)
    return (server_version(case, need),) if component == "kubernetes" else ()


def delivery_rewritten(profile: Profile) -> Prerequisite:
    """Un-binding is safe only where packets do not arrive with the VIP as destination."""
    condition = True if profile.delivery == "rewritten" else False if profile.delivery == "vip" else None
    return Prerequisite("delivery-rewritten", _check(condition), {"provider": profile.title})


def listeners_exist(case: Case, services: Iterable[Service]) -> Prerequisite:
    """Once the address leaves the nodes, the load balancer itself must serve every port of these Services."""
    missing, open_question = [], False
    for service in services:
        for address in service.published or case.vips:
            balancer = case.world.load_balancers.get(address)
            for port in service.ports:
                if balancer is None or not balancer.complete:
                    open_question = True
                elif balancer.listener(port.protocol, port.port) is None:
                    missing.append(f"{endpoint(address, port.port)}/{port.protocol}")
    condition = False if missing else None if open_question else True
    return Prerequisite("listeners-exist", _check(condition), {"ports": listed(missing)})


def ready_endpoints_exist(services: Iterable[Service]) -> Prerequisite:
    chosen = list(services)
    if not chosen or not all(service.endpoints_known for service in chosen):
        return Prerequisite("ready-endpoints", "unknown", {"services": listed(service.id for service in chosen)})
    empty = [service.id for service in chosen if not ready_endpoints(service)]
    return Prerequisite(
        "ready-endpoints", _check(not empty), {"services": listed(empty or [service.id for service in chosen])}
    )


def internal_policy_cluster(services: Iterable[Service]) -> Prerequisite:
    """internalTrafficPolicy: Local makes the ClusterIP as narrow as the address one wants to get away from."""
    local = [service.id for service in services if service.internal_policy == "Local"]
    return Prerequisite("internal-policy-cluster", _check(not local), {"services": listed(local)})


def cni_is_terway(case: Case) -> Prerequisite:
    found = case.cluster.cnis
    return Prerequisite("cni-terway", _check(None if not found else found == ("terway",)), {"found": listed(found)})


def guaranteed_clb(case: Case, vips: Iterable[str]) -> Prerequisite:
    """Shared-performance instances take no ENI backends; guaranteed ones name a specification (slb.s1.small ...)."""
    specs = {text(case.cluster.balancer_rows.get(vip, {}).get("spec")) for vip in vips} - {""}
    condition = None if not specs else all(spec.startswith("slb.s") for spec in specs)
    return Prerequisite("clb-guaranteed", _check(condition), {"found": listed(sorted(specs)) if specs else "?"})


def two_zones(case: Case) -> Prerequisite:
    """An NLB needs vSwitches in two zones; the nodes' zones only hint at what the VPC has."""
    zones = sorted({node.zone for node in case.cluster.nodes if node.zone})
    return Prerequisite("two-zones", _check(True if len(zones) > 1 else None), {"found": listed(zones)})


def has_selector(services: Iterable[Service]) -> Prerequisite:
    without = [service.id for service in services if not service.selector]
    return Prerequisite("has-selector", _check(not without), {"services": listed(without)})


def no_ipv6_balancer(case: Case) -> Prerequisite:
    """An IPv6 CLB needs kube-proxy in IPVS mode."""
    six = [s.id for s in case.snapshot.objects.services if any(":" in ip for ip in s.published)]
    known = "services" in case.snapshot.captured.get("", {})
    return Prerequisite(
        "no-ipv6-balancer", _check(False if six else True if known else None), {"services": listed(six)}
    )
