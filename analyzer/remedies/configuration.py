"""Changes of kube-proxy's configuration, as several cards need them: edit the ConfigMap, start kube-proxy again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from analyzer.remedies.case import Case
from analyzer.remedies.effects import Effects
from analyzer.remedies.model import Remedy
from analyzer.remedies.words import document, kubectl, lines, listed


def proxy_configuration(case: Case, card: str, keys: Mapping[str, Any], values: Mapping[str, str]) -> Remedy:
    """The remedy that sets `keys` of KubeProxyConfiguration; `values` are those of the card's own sentences."""
    maps = list(case.cluster.proxy_configs) or ["kube-proxy"]
    owners = dict.fromkeys(case.cluster.kube_proxy_owners.values()) or {("kube-system", "daemonset/kube-proxy"): None}
    return Remedy(
        card, {"configmaps": listed(maps), **values},
        (
            lines(*(kubectl("kube-system", "edit", f"configmap/{name}") for name in maps), title="change.edit-proxy-config"),
            document(dict(keys), title="change.proxy-key"),
            lines(*(kubectl(namespace, "rollout", "restart", owner) for namespace, owner in owners), title="change.restart"),
        ),
        (), tuple(Effects().add("brief-sync-gap").add("addon-reverts").slugs),
        (lines(kubectl("kube-system", "get", f"configmap/{maps[0]}", "--output=yaml"), title="change.read-status"),),
    )  # fmt: skip
