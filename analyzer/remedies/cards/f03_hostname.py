"""F3: publish a name instead of the address, so that kube-proxy does not bind it. F3b: on every Service that shares it.

**Helps** where the binding itself is the fault: foreign ports, PROXY protocol, TLS or headers made by the load balancer.
**Needs** a vendor's setting and delivery to rewritten addresses; never where packets arrive with the VIP as destination.
The bound set is per address: one Service that still publishes it binds it for all, so all sharers change together.
"""

from __future__ import annotations

from analyzer.remedies.case import Case
from analyzer.remedies.checks import delivery_rewritten, listeners_exist, unbind_setting
from analyzer.remedies.effects import Effects, unbound
from analyzer.remedies.model import Remedy
from analyzer.remedies.parts import annotate_all, dial_vips, look_at_unbound, status_of
from analyzer.remedies.words import DNS_NAME, listed
from analyzer.snapshot.objects import Service


def single(case: Case) -> Remedy | None:
    """For an address of one Service. A shared one is left to F3b; where the finding does not list that, it stands in."""
    if len(case.all_binders) > 1:
        return None if "F3b" in case.finding.fixes else _remedy(case, "F3b")
    return _remedy(case, "F3")


def shared(case: Case) -> Remedy | None:
    """For all Services that publish the address."""
    return None if len(case.all_binders) < 2 and "F3" in case.finding.fixes else _remedy(case, "F3b")


def _remedy(case: Case, card: str) -> Remedy | None:
    services = case.all_binders
    found = {case.profile(service) for service in services}
    if len(found) != 1:  # none bound, or two products behind one address: nothing that could be said of both
        return None
    profile = found.pop()
    if not profile.can_unbind or not profile.annotation:
        return None
    effects = Effects()
    if profile.value == DNS_NAME:
        effects.add("status-hostname").add("no-dns-record")
    unbound(case, effects, profile, case.vips)
    _policy_local(effects, services)
    values = {
        "services": listed(service.id for service in services), "addresses": listed(case.vips), "provider": profile.title,
        "annotation": profile.annotation, "count": str(len(services)), **effects.values,
    }  # fmt: skip
    return Remedy(
        card, values, (annotate_all(services, {profile.annotation: profile.value}, "change.annotate"),),
        (delivery_rewritten(profile), *unbind_setting(case, profile), listeners_exist(case, services)), tuple(effects.slugs),
        (status_of(services), look_at_unbound(case.vips), *dial_vips(case)), profile.sources,
    )  # fmt: skip


def _policy_local(effects: Effects, services: tuple[Service, ...]) -> None:
    """Local and un-bound go well together: nodes without endpoint are no backends, so they never meet the limit."""
    local = [service.id for service in services if service.external_local]
    if local:
        effects.add("local-keeps-clients-apart", local_services=listed(local))


CARDS = {"F3": single, "F3b": shared}
