"""F29: take the address out of the status of a Service that is no LoadBalancer any more.

**Helps** when status.loadBalancer still holds an address, so that every node keeps binding it. The cloud controller normally
removes it when the type changes; a controller that is gone does not.
"""

from __future__ import annotations

from analyzer.remedies.case import Case
from analyzer.remedies.effects import Effects
from analyzer.remedies.model import Remedy
from analyzer.remedies.parts import look_at_unbound, status_of
from analyzer.remedies.words import compact, kubectl, lines, listed

PATCH: dict[str, object] = {"status": {"loadBalancer": {"ingress": []}}}


def build(case: Case) -> Remedy | None:
    """For Services of another type that publish an address."""
    services = [one for one in case.services if one.type != "LoadBalancer" and one.published]
    if not services:
        return None
    commands = [
        kubectl(
            one.namespace,
            "patch",
            f"service/{one.name}",
            "--subresource=status",
            "--type=merge",
            f"--patch={compact(PATCH)}",
        )
        for one in services
    ]
    vips = [ip for one in services for ip in one.published]
    return Remedy(
        "F29", {"services": listed(one.id for one in services), "addresses": listed(vips)},
        (lines(*commands, title="change.patch-status"),), (), tuple(Effects().add("address-leaves-nodes").slugs),
        (status_of(services), look_at_unbound(vips)),
    )  # fmt: skip


CARDS = {"F29": build}
