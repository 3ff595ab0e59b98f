"""Nodes that share what they have in common have the very state they have alone, whatever Services and nodes are like."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields

from hypothesis import given, settings

from analyzer.evidence import Evidence
from analyzer.kubeproxy import ProxyNode, expected
from analyzer.kubeproxy.expected import Shared, replayed
from analyzer.kubeproxy.model import Expected
from analyzer.kubeproxy.own import on_template
from analyzer.kubeproxy.servers import NodeServers
from analyzer.snapshot.objects import Service, ServicePort
from tests.kubeproxy.clusters import NODES, clusters
from tests.kubeproxy.test_versions import endpoint


def differences(left: Expected, right: Expected) -> list[str]:
    """Fields that are not equal, or not in one order."""
    found = []
    for one in fields(left):
        mine, others = getattr(left, one.name), getattr(right, one.name)
        ordered = not isinstance(mine, Mapping) or list(mine) == list(others)
        if mine != others or not ordered:
            found.append(one.name)
    found += [f"asked {name}" for name, asked in left.asked.items() if list(asked) != list(right.asked.get(name, {}))]
    return found


@settings(max_examples=40, deadline=None)
@given(clusters())
def test_shared_state_is_that_of_each_node_alone(cluster: tuple[list[Service], list[ProxyNode], int]) -> None:
    served, nodes, family = cluster
    shared = Shared(served)
    for node in nodes:
        got = expected(served, node, family=family, shared=shared)
        alone = expected(served, node, family=family)
        assert not differences(got, alone), node
        assert not differences(got, replayed(shared, node, family)), node
        _same_mapping(got, alone)


def _same_mapping(got: Expected, alone: Expected) -> None:
    """Each way to ask the virtual servers."""
    servers = got.servers
    assert len(servers) == len(alone.servers)
    assert list(servers.items()) == list(alone.servers.items())
    assert list(servers.values()) == list(alone.servers.values())
    asked = [*alone.servers, ("tcp", "192.0.2.77", 30080), ("tcp", "192.0.2.11", 1), ("sctp", "", 30080)]
    assert [servers.get(key) for key in asked] == [alone.servers.get(key) for key in asked]
    assert [key in servers for key in asked] == [key in alone.servers for key in asked]


def test_ordinary_nodes_share_and_nodes_that_hold_a_vip_do_not() -> None:
    ends = tuple(
        endpoint(f"198.51.100.{130 + place}", node, evidence=Evidence("e", place))
        for place, node in enumerate(NODES[:2])
    )
    web = Service(
        "default", "web", "LoadBalancer", ("198.51.100.10",), (), (("203.0.113.10", ""),), (), "Local", "Cluster", None, None,
        ("192.0.2.0/28",), "", {}, {}, (ServicePort("web", "tcp", 80, "8080", 30080, Evidence("p", 1)),), ends, "",
        Evidence("s", 1),
    )  # fmt: skip
    shared = Shared([web])
    for name, local in (("node-a", 1), ("node-c", 2)):
        state = on_template(shared, ProxyNode(name, ("192.0.2.11",), (1, 30), node_ip="192.0.2.11"), 4)
        assert state is not None
        assert isinstance(state.servers, NodeServers)
        assert len(state.servers["tcp", "192.0.2.11", 30080].real_servers) == local
        assert state.sets["KUBE-LOAD-BALANCER-SOURCE-IP"][1] == ("203.0.113.10,tcp:80,203.0.113.10",)
    assert len(shared.templates) == 1
    assert on_template(shared, ProxyNode("node-a", ("192.0.2.11", "203.0.113.10"), (1, 30)), 4) is None
