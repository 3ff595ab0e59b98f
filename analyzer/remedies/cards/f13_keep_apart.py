"""F13: clients and backends on different nodes, so that no client dials a load balancer that sends it back home.

**Helps** against the loop-back limit. **Needs** nodes enough for both.
"""

from __future__ import annotations

from typing import Any

from analyzer.remedies import sources
from analyzer.remedies.case import Case
from analyzer.remedies.checks import has_selector
from analyzer.remedies.effects import Effects, backend_mode, loopback
from analyzer.remedies.model import Prerequisite, Remedy
from analyzer.remedies.parts import annotate_all, dial_vips, patch_all
from analyzer.remedies.plan import Plan
from analyzer.remedies.profiles import ALIBABA, CLB
from analyzer.remedies.words import document, kubectl, lines, listed
from analyzer.snapshot.objects import Service, mapping


def build(case: Case) -> Remedy | None:
    """Anti-affinity for the clients; or fewer backends, by label or by policy Local."""
    services = [service for service in case.balanced if service.selector]
    if not services:
        return None
    changes = []
    for service in services[:3]:
        changes.append(document(_apart(service), title="change.client-anti-affinity"))
        changes.append(
            lines(
                kubectl("<client-namespace>", "patch", "deployment/<client>", "--patch-file=apart.yaml"),
                title="change.apply-apart",
            )
        )
    by_label = [
        s for s in services if case.profile(s) is CLB and backend_mode(case, s) != "eni" and not s.external_local
    ]
    if by_label:
        label = {f"{ALIBABA}loadbalancer-backend-label": "<label>=<value>"}
        changes.append(annotate_all(by_label, label, "change.or-backend-label"))
    unbound = [s for s in services if s.external_policy == "Cluster" and not case.binders_of(s)]
    if unbound:
        changes.append(patch_all(unbound, {"spec": {"externalTrafficPolicy": "Local"}}, "change.or-policy-local"))
    effects = Effects().add("scheduling-limits")
    loopback(case, effects, case.profile(services[0], case.vips[0] if case.vips else ""), case.vips)
    return Remedy(
        "F13", {"services": listed(service.id for service in services), **effects.values}, tuple(changes),
        (has_selector(services), Prerequisite("enough-nodes", "unknown", {"found": str(len(case.cluster.nodes))})),
        tuple(effects.slugs), dial_vips(case), (sources.SLB_LOOPBACK,),
    )  # fmt: skip


def _apart(service: Service) -> dict[str, Any]:
    """Pods of another namespace than the client's must be named."""
    term = {
        "topologyKey": "kubernetes.io/hostname",
        "namespaces": [service.namespace],
        "labelSelector": {"matchLabels": mapping(service.selector)},
    }
    rule = {"requiredDuringSchedulingIgnoredDuringExecution": [term]}
    return {"spec": {"template": {"spec": {"affinity": {"podAntiAffinity": rule}}}}}


def plan(case: Case) -> Plan:
    """Which of the alternatives is taken, and where pods then run, nobody knows yet."""
    return Plan()


CARDS = {"F13": build}
PLANS = {"F13": plan}
