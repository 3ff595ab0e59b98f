"""F6: pods as backends of the load balancer (`backend-type: eni`) and policy Cluster. Terway only.

**Helps** against `Local` on a node without endpoint and keeps the client's address for clients outside. **Partial** for
the loop-back limit: a client pod and a backend pod on one node still meet it.
"""

from __future__ import annotations

from typing import Any

from analyzer.remedies import sources
from analyzer.remedies.case import Case
from analyzer.remedies.checks import ccm_version, cni_is_terway, guaranteed_clb
from analyzer.remedies.cluster import LABEL_LB_ID
from analyzer.remedies.effects import Effects, backend_mode
from analyzer.remedies.model import Remedy
from analyzer.remedies.parts import POLICY_CLUSTER
from analyzer.remedies.profiles import CLB
from analyzer.remedies.words import cloud_id, command, lines, listed, merge_patch
from analyzer.snapshot.objects import Service

BACKEND_TYPE = "service.beta.kubernetes.io/backend-type"


def build(case: Case) -> Remedy | None:
    """Not for another CNI, and only for what is not set yet: newer Terway clusters have such backends already."""
    if case.cluster.cnis and "terway" not in case.cluster.cnis:
        return None
    commands, services, switched = [], [], []
    for service in case.balanced:
        if case.profile(service) is not CLB:
            continue
        eni = backend_mode(case, service) == "eni"
        if eni and not service.external_local:
            continue
        services.append(service)
        patch: dict[str, Any] = {} if eni else {"metadata": {"annotations": {BACKEND_TYPE: "eni"}}}
        if service.external_local:
            patch.update(POLICY_CLUSTER)
        if not eni:
            switched.append(service)
        commands.append(merge_patch(service.namespace, f"service/{service.name}", patch))
    if not commands:
        return None
    effects = Effects()
    if switched:
        effects.add("backends-swapped", switched=listed(service.id for service in switched)).add("pod-security-group")
    effects.add("pod-churn")
    return Remedy(
        "F6", {"services": listed(service.id for service in services), **effects.values},
        (lines(*commands, title="change.patch"),),
        (cni_is_terway(case), ccm_version(case, "1.9.3.164"), guaranteed_clb(case, case.vips)), tuple(effects.slugs),
        (lines(*(_groups(case, service) for service in services), title="change.cloud-backends"),),
        (sources.ACK_CLB, sources.ACK_LB_NOTES), partial=case.finding.situation == "S11",
    )  # fmt: skip


def _groups(case: Case, service: Service) -> str:
    return command(
        "aliyun", "slb", "DescribeVServerGroups", "--RegionId", cloud_id(case.cluster.region, "<region>"),
        "--LoadBalancerId", cloud_id(service.labels.get(LABEL_LB_ID, ""), "<load-balancer-id>"),
    )  # fmt: skip


CARDS = {"F6": build}
