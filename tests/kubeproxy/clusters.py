"""Random Services and nodes, made so that addresses, ports and claims collide about as often as not."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hypothesis import strategies as st

from analyzer.evidence import Evidence
from analyzer.kubeproxy import ProxyNode
from analyzer.snapshot.objects import EndpointAddress, Service, ServicePort

NODES = ("node-a", "node-b", "node-c")
ADDRESSES = ("192.0.2.11", "192.0.2.12", "2001:db8:1::11", "127.0.0.1", "fe80::1")
VIPS = ("203.0.113.10", "203.0.113.11", "2001:db8:f::1", *ADDRESSES[:1])
CLUSTER_IPS = ("198.51.100.10", "198.51.100.11", "198.51.100.12", "2001:db8:c::10", "odd", *VIPS[:1])
RANGES = ("0.0.0.0/0", "192.0.2.0/28", "192.0.2.11/32", "203.0.113.0/24", "::/0", "2001:db8:1::/64", "odd")


def subset(values: tuple[str, ...], most: int = 2) -> st.SearchStrategy[tuple[str, ...]]:
    return st.lists(st.sampled_from(values), max_size=most, unique=True).map(tuple)


def rarely(value: Any, often: Any) -> st.SearchStrategy[Any]:
    return st.sampled_from([often] * 5 + [value])


@st.composite
def endpoints(draw: st.DrawFn, port_names: tuple[str, ...], line: int) -> EndpointAddress:
    family = draw(rarely(6, 4))
    address = f"2001:db8:e::{draw(st.integers(1, 4))}" if family == 6 else f"198.51.100.{draw(st.integers(130, 134))}"
    ready = draw(rarely(False, True))
    return EndpointAddress(
        address, family, draw(st.sampled_from(port_names)), draw(rarely("udp", "tcp")), draw(rarely(None, 8080)),
        draw(st.sampled_from((*NODES, ""))), ready, ready or draw(st.booleans()), not ready and draw(st.booleans()), "", "",
        draw(st.sampled_from(((), ("z1",)))), "EndpointSlice", Evidence("endpoints", line),
    )  # fmt: skip


@st.composite
def services(draw: st.DrawFn, number: int, clash: bool) -> Service:
    names = ("web", "dns")[: draw(st.integers(1, 2))]
    own = f"198.51.100.{20 + number}"
    first = 30080 if clash else 30080 + number
    ports = tuple(
        ServicePort(
            name, draw(st.sampled_from(("tcp", "tcp", "udp", "sctp"))), draw(st.sampled_from((80, 443))), "8080",
            draw(st.sampled_from((None, first + 10 * place))), Evidence("ports", number),
        )
        for place, name in enumerate(names)
    )  # fmt: skip
    return Service(
        "default", f"s{number}", draw(st.sampled_from(("ClusterIP", "NodePort", "LoadBalancer"))),
        draw(subset(CLUSTER_IPS)) if clash else (own, *(("2001:db8:c::10",) if draw(rarely(True, False)) else ())),
        draw(subset(VIPS)) if clash else (),
        tuple((ip, draw(rarely("Proxy", ""))) for ip in (draw(subset(VIPS)) if clash else (f"203.0.113.{number}",))),
        (), draw(st.sampled_from(("Local", "Cluster"))), draw(rarely("Local", "Cluster")), draw(rarely(300, None)),
        draw(rarely(32000 + number, None)), draw(subset(RANGES)), "", {}, {}, ports,
        tuple(draw(endpoints(names, line)) for line in range(draw(st.integers(0, 4)))), "", Evidence("services", number),
    )  # fmt: skip


@st.composite
def clusters(draw: st.DrawFn) -> tuple[list[Service], list[ProxyNode], int]:
    clash = draw(st.booleans())
    served = [draw(services(number, clash)) for number in range(draw(st.integers(1, 5)))]
    common = ProxyNode(
        "", (), draw(st.sampled_from((None, (1, 21), (1, 23), (1, 26), (1, 27), (1, 28), (1, 30), (1, 33)))),
        draw(st.sampled_from(("", "z1"))), draw(st.sampled_from(("", "", "all", "none"))),
        scheduler=draw(rarely("mh", "rr")), patch=draw(st.sampled_from((None, 0, 4))),
        node_port_addresses=draw(st.sampled_from(((), (), ("192.0.2.0/24",), ("primary",), ("0.0.0.0/0",), ("203.0.113.0/24",)))),
    )  # fmt: skip
    nodes = [
        replace(
            common, name=name, addresses=draw(subset(ADDRESSES, 4)), node_ip=draw(st.sampled_from(("", *ADDRESSES[:2]))),
            node_ip6=draw(st.sampled_from(("", "2001:db8:1::11"))), open=draw(st.sampled_from(((), ("configuration",)))),
            cluster_cidr=draw(st.sampled_from(("", "198.51.100.0/24"))), zone=draw(rarely("z2", common.zone)),
        )
        for name in NODES
    ]  # fmt: skip
    return served, nodes, draw(rarely(6, 4))
