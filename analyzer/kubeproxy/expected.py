"""kube-proxy's IPVS proxier as a pure function: objects, a node, a version -> the programmed state.

Follows syncProxyRules of pkg/proxy/ipvs/proxier.go, releases 1.20 to 1.33; where releases differ, the row of the version
matrix in docs/kube-proxy-versions.md is named beside the branch (M1 ...). IPv4 and IPv6 are two proxiers in kube-proxy;
here `family` selects one of them for the sets and rules, virtual servers of both families are listed.
"""

from __future__ import annotations

from collections.abc import Sequence

from analyzer.kubeproxy.assembled import assembled, bound_ips, listed
from analyzer.kubeproxy.builder import Builder, Recorder
from analyzer.kubeproxy.model import Expected, ProxyNode
from analyzer.kubeproxy.own import on_template
from analyzer.kubeproxy.passes import node_port, node_port_addresses
from analyzer.kubeproxy.shared import Shared, kind_of
from analyzer.snapshot.objects import Service

__all__ = ["ProxyNode", "Shared", "expected", "replayed"]


def expected(
    services: Sequence[Service], node: ProxyNode, *, family: int = 4, shared: Shared | None = None
) -> Expected:
    """The state kube-proxy in IPVS mode should have programmed on `node`.

    Sets, chains and rules are those of one address family. An unknown version is read as current wherever it matters, and
    `undecided` says where. With `shared`, made of the same Services, nodes share what they have in common.
    """
    if shared is None:
        return replayed(Shared(services), node, family)
    return on_template(shared, node, family) or replayed(shared, node, family)


def replayed(shared: Shared, node: ProxyNode, family: int) -> Expected:
    """The state after all steps for all Services, one after the other as kube-proxy takes them."""
    builder, recorder, kind = Builder(node, family), Recorder(node, family), kind_of(node, family)
    own = [shared.own(index, node, family) for index in range(len(shared.served))]
    for one in own:
        builder.take(shared.recorded(recorder, kind, one))
    opened = node_port_addresses(builder) if any(port.node_port for one in shared.served for port in one.ports) else ()
    for one, service in zip(own, shared.served, strict=True):
        builder.choices = shared.choices(kind, one)
        for port in service.ports:
            if port.node_port:
                node_port(builder, service, port, opened)
    sets = {name: listed(entries) for name, entries in builder.sets.items()}
    if builder.since(26, "M22a KUBE-IPVS-FILTER"):
        sets["KUBE-IPVS-IPS"] = bound_ips(builder.vips, builder.servers, family)
    return assembled(builder, shared.served, builder.servers, sets, opened, {})
