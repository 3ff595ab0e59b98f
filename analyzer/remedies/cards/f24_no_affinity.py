"""F24: session affinity off.

**Helps** when all clients come from one address, so that affinity sends all of them to one endpoint. **Not for** applications that keep a
session on one endpoint: there the clients' own addresses have to be kept instead (policy Local, no proxy in between).
"""

from __future__ import annotations

from analyzer.remedies.case import Case
from analyzer.remedies.effects import Effects
from analyzer.remedies.model import Remedy
from analyzer.remedies.parts import patch_all
from analyzer.remedies.words import kubectl, lines, listed

AFFINITY_NONE = {"spec": {"sessionAffinity": "None"}}


def build(case: Case) -> Remedy | None:
    """For Services with affinity by client address."""
    services = [one for one in case.services if one.affinity_s is not None]
    if not services:
        return None
    looks = [
        kubectl(one.namespace, "get", f"service/{one.name}", "--output=jsonpath={.spec.sessionAffinity}")
        for one in services
    ]
    return Remedy(
        "F24", {"services": listed(one.id for one in services)}, (patch_all(services, AFFINITY_NONE, "change.patch"),),
        (), tuple(Effects().add("sessions-move").slugs), (lines(*looks, title="change.read-status"),),
    )  # fmt: skip


CARDS = {"F24": build}
