"""F11: a newer Kubernetes. Never the fix alone: it changes the symptom.

From 1.24 a Local virtual server without local endpoint lists all endpoints (kubernetes#97081): refused becomes partly
working, and a timeout for host processes. From 1.26 KUBE-IPVS-FILTER rejects ports that nothing serves (kubernetes#108460).
"""

from __future__ import annotations

from analyzer.remedies import sources
from analyzer.remedies.cards.f05_policy_cluster import look_at_servers
from analyzer.remedies.case import Case
from analyzer.remedies.cluster import version
from analyzer.remedies.effects import Effects
from analyzer.remedies.model import Remedy
from analyzer.remedies.plan import Plan
from analyzer.remedies.words import lines, listed
from analyzer.whatif.edits import Version


def build(case: Case) -> Remedy | None:
    """Only for nodes whose kube-proxy is known to be older than the change that matters here."""
    need = "1.26" if case.finding.situation == "S2" else "1.24"
    old = {
        node: value for node, value in case.cluster.proxy_versions.items() if value and version(value) < version(need)
    }
    if not old:
        return None
    effects = Effects().add("clean-refusal" if need == "1.26" else "refused-becomes-timeout").add("upgrade-risk")
    values = {"need": need, "found": listed(sorted(set(old.values()), key=version)), "nodes": listed(sorted(old))}
    return Remedy(
        "F11", values, (), (), tuple(effects.slugs),
        (
            lines("kubectl get nodes --output=wide", title="change.read-versions"),
            *look_at_servers(case, [service for service in case.services if service.external_local]),
        ),
        (sources.IPVS_FILTER,) if need == "1.26" else (sources.LOCAL_FALLBACK,), partial=True,
    )  # fmt: skip


def plan(case: Case) -> Plan:
    return Plan((Version("1.26" if case.finding.situation == "S2" else "1.24"),))


CARDS = {"F11": build}
PLANS = {"F11": plan}
