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
    need = _need(case)
    old = {
        node: value for node, value in case.cluster.proxy_versions.items() if value and version(value) < version(need)
    }
    if not old:
        return None
    effects = Effects()
    if need != "1.28":
        effects.add("clean-refusal" if need == "1.26" else "refused-becomes-timeout")
    effects.add("upgrade-risk")
    values = {"need": need, "found": listed(sorted(set(old.values()), key=version)), "nodes": listed(sorted(old))}
    return Remedy(
        "F11", values, (), (), tuple(effects.slugs),
        (
            lines("kubectl get nodes --output=wide", title="change.read-versions"),
            *look_at_servers(case, [service for service in case.services if service.external_local]),
        ),
        (sources.LOCAL_FALLBACK,) if need == "1.24" else (sources.IPVS_FILTER,), partial=True,
    )  # fmt: skip


def _need(case: Case) -> str:
    """The release with the change that matters here."""
    if case.finding.rule == "SVC-007":  # health check ports pass KUBE-IPVS-FILTER (kubernetes#117621)
        return "1.28"
    return "1.26" if case.finding.situation == "S2" else "1.24"


def plan(case: Case) -> Plan:
    return Plan((Version(_need(case)),))


CARDS = {"F11": build}
PLANS = {"F11": plan}
