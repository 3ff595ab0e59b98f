"""Which tickets have the same kind of cause: a name made of rule, situation, CNI and version, and of nothing that is a customer's own."""

from __future__ import annotations

from collections.abc import Iterable

from analyzer.findings.incidents import Incident
from analyzer.snapshot import Snapshot
from analyzer.snapshot.regime import minor_version

_CNI = frozenset({"terway", "flannel", "calico", "cilium"})
_MODES = frozenset({"ipvs", "iptables", "nftables", "ebpf", "none"})


def fingerprint(incident: Incident, snapshot: Snapshot) -> str:
    """The same text for the same kind of cause in any cluster, for example ``REACH-001:S1:terway:1.28``.

    The rule and the reference situation are those of the finding that shows the cause best; ``-`` where it has no situation.
    """
    lead = incident.lead
    return ":".join((lead.rule, lead.situation or "-", cni_of(snapshot), version_of(snapshot)))


def version_of(snapshot: Snapshot) -> str:
    """The release of kube-proxy (1.28) that all nodes have; of Kubernetes where that is not known; mixed, or unknown."""
    found = []
    for node in snapshot.node_names:
        regime = snapshot.regime(node)
        minor = minor_version(regime.value("kube_proxy_version")) or minor_version(regime.value("kubernetes_version"))
        found.append(f"{minor[0]}.{minor[1]}" if minor else "unknown")
    return _one(found)


def cni_of(snapshot: Snapshot) -> str:
    """The CNI that all nodes have: terway, flannel, calico, cilium, mixed or unknown."""
    values = (snapshot.regime(node).value("cni") for node in snapshot.node_names)
    return _one(value if value in _CNI else "unknown" for value in values)


def mode_of(snapshot: Snapshot) -> str:
    """The proxy mode that all nodes have: ipvs, iptables, nftables, ebpf, none, mixed or unknown."""
    values = (snapshot.regime(node).value("proxy_mode") for node in snapshot.node_names)
    return _one(value if value in _MODES else "unknown" for value in values)


def _one(values: Iterable[str]) -> str:
    found = set(values)
    known = found - {"unknown"}
    if len(known) > 1:
        return "mixed"
    return known.pop() if known else "unknown"
