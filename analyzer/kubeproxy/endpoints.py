"""Which endpoints a virtual server lists: CategorizeEndpoints and syncEndpoint (M1 to M7).

Sources: pkg/proxy/topology.go and pkg/proxy/ipvs/proxier.go of each release.
"""

from __future__ import annotations

from analyzer.kubeproxy.versions import HINTS, INTERNAL_POLICY, TERMINATING, Versions
from analyzer.snapshot.objects import EndpointAddress, Service, ServicePort

_ANNOTATIONS = ("service.kubernetes.io/topology-aware-hints", "service.kubernetes.io/topology-mode")


def endpoints_for(
    versions: Versions, service: Service, port: ServicePort, family: int, *, local_only: bool
) -> tuple[EndpointAddress, ...]:
    """The endpoints one virtual server gets; `local_only` where its traffic policy is Local."""
    node = versions.node
    every = service.endpoints_of(port, family)
    ready = [one for one in every if one.ready]
    here = [one for one in ready if one.node == node.name]
    fading = [one for one in every if not one.ready and one.serving and one.terminating]
    if fading and not versions.gate(TERMINATING, "M3 terminating endpoints"):
        fading = []
    fading_here = [one for one in fading if one.node == node.name]
    if service.internal_policy == "Local" and versions.gate(INTERNAL_POLICY, "M5 internalTrafficPolicy"):
        if not versions.since(24, "M6b internalTrafficPolicy"):
            return tuple(here or fading_here)  # M6b: in 1.22 and 1.23 the policy filters all servers of the Service
        cluster = ready or fading if service.externally_accessible else []  # M5; UsesClusterEndpoints
    elif fading and not ready and not versions.since(24, "M4 terminating endpoints"):
        cluster = []
    else:
        cluster = ready or fading  # M4
    if cluster and ready:
        cluster = _hinted(versions, service, ready)
    if not local_only:
        return tuple(cluster)
    local = here or fading_here  # M1, M3
    if local:
        return tuple(local)
    if node.local_fallback:
        return tuple(cluster) if node.local_fallback == "all" else ()
    if cluster and not versions.since(24, "M2 fallback of Local servers"):
        return ()
    return tuple(cluster)  # M2, M6a: kubernetes#97081


def _hinted(versions: Versions, service: Service, ready: list[EndpointAddress]) -> list[EndpointAddress]:
    """M7: zone hints count when every ready endpoint has one and the node's zone has an endpoint."""
    if not all(one.hint_zones for one in ready) or not versions.gate(HINTS, "M7 zone hints"):
        return ready
    # Up to 1.30 only with the annotation; with ServiceTrafficDistribution (GA in 1.33) whenever hints are there.
    if not any(service.annotations.get(name) in ("auto", "Auto") for name in _ANNOTATIONS):
        if versions.version < (1, 31):
            return ready
        if versions.version < (1, 33):
            versions.note("M7 zone hints without annotation")
    zone = versions.node.zone
    if not zone:
        versions.note("M7 zone of the node")
        return ready
    near = [one for one in ready if zone in one.hint_zones]
    return near or ready
