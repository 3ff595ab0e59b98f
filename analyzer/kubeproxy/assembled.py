"""From what was programmed for all Services to the whole expected state: sets, rules, sysctls, sockets."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any, NamedTuple

from analyzer.evidence import Evidence
from analyzer.kubeproxy.builder import Builder
from analyzer.kubeproxy.frame import Fixes, set_name
from analyzer.kubeproxy.host import sockets, sysctls
from analyzer.kubeproxy.model import Asked, Expected, ExpectedServer, ServerKey, Socket
from analyzer.kubeproxy.passes import limited
from analyzer.kubeproxy.rules import chains, rules
from analyzer.kubeproxy.versions import Versions, family_of
from analyzer.snapshot.objects import Service

SETS: dict[str, str] = {
    "KUBE-LOOP-BACK": "hash:ip,port,ip",
    "KUBE-CLUSTER-IP": "hash:ip,port",
    "KUBE-EXTERNAL-IP": "hash:ip,port",
    "KUBE-EXTERNAL-IP-LOCAL": "hash:ip,port",
    "KUBE-LOAD-BALANCER": "hash:ip,port",
    "KUBE-LOAD-BALANCER-LOCAL": "hash:ip,port",
    "KUBE-LOAD-BALANCER-FW": "hash:ip,port",
    "KUBE-LOAD-BALANCER-SOURCE-IP": "hash:ip,port,ip",
    "KUBE-LOAD-BALANCER-SOURCE-CIDR": "hash:ip,port,net",
    "KUBE-NODE-PORT-TCP": "bitmap:port",
    "KUBE-NODE-PORT-LOCAL-TCP": "bitmap:port",
    "KUBE-NODE-PORT-UDP": "bitmap:port",
    "KUBE-NODE-PORT-LOCAL-UDP": "bitmap:port",
    "KUBE-NODE-PORT-SCTP-HASH": "hash:ip,port",
    "KUBE-NODE-PORT-LOCAL-SCTP-HASH": "hash:ip,port",
    "KUBE-HEALTH-CHECK-NODE-PORT": "bitmap:port",
    "KUBE-IPVS-IPS": "hash:ip",
}
_SINCE = {"KUBE-IPVS-IPS": 26, "KUBE-HEALTH-CHECK-NODE-PORT": 21}
# Fixes that went into patch releases: minor -> (last patch without, first patch with it, null when not known).
_HEALTH_CHECK_RETURN: dict[int, tuple[int, int | None]] = {26: (0, None), 27: (1, None)}  # kubernetes#117755, #117759
_LOCAL_RETURN: dict[int, tuple[int, int | None]] = {28: (3, None), 29: (0, None)}  # kubernetes#121928, #122323


class Listed(NamedTuple):
    """A set's members: with who asks for each, and in order."""

    asked: Mapping[str, Asked]
    members: tuple[str, ...]


NONE = Listed({}, ())


def listed(asked: Mapping[str, Asked]) -> Listed:
    return Listed(asked, tuple(asked))


def bound_ips(
    vips: Mapping[str, tuple[Evidence, ...]], servers: Mapping[ServerKey, ExpectedServer], family: int
) -> Listed:
    """KUBE-IPVS-IPS: what is bound of the family, and the Service that serves it first."""
    owners = {one.address: one.service for one in reversed(list(servers.values()))}
    return listed({vip: (owners.get(vip, ""), where) for vip, where in vips.items() if family_of(vip) == family})


def assembled(
    builder: Builder,
    services: Sequence[Service],
    servers: Mapping[ServerKey, ExpectedServer],
    sets: Mapping[str, Listed],
    opened: Sequence[str],
    known: dict[Hashable, Any],
) -> Expected:
    """The state of the builder's node; `known` keeps what is equal for nodes of its kind."""
    node, family, version = builder.node, builder.family, builder.version
    names = {name: set_name(name, family) for name in SETS if version >= (1, _SINCE.get(name, 0))}
    plain = {name: (SETS[name], sets.get(name, NONE).members) for name in names}
    fixes = _fixes(builder, plain)
    return Expected(
        node.name,
        builder.vips,
        servers,
        {names[name]: content for name, content in plain.items()},
        _rules(builder, plain, fixes, known),
        chains=chains(version, family),
        asked={real: sets[name].asked for name, real in names.items() if sets.get(name, NONE).members},
        contested=frozenset(builder.contested),
        excluded=node.exclude_cidrs,
        sysctls=sysctls(builder),
        sockets=_sockets(builder, services, opened if limited(node.node_port_addresses) else (), known),
        undecided=tuple(builder.undecided),
    )


def _rules(
    builder: Builder, plain: Mapping[str, tuple[str, tuple[str, ...]]], fixes: Fixes, known: dict[Hashable, Any]
) -> tuple[tuple[str, str, str], ...]:
    """Nodes of a kind differ in few sets that rules depend on: whether one is empty, and the addresses it allows."""
    node = builder.node
    key = (
        "rules", fixes, node.masquerade_bit, node.masquerade_all, node.cluster_cidr, node.local_interface,
        frozenset(name for name, (_, members) in plain.items() if members), plain["KUBE-LOAD-BALANCER-SOURCE-IP"],
    )  # fmt: skip
    if key not in known:
        known[key] = rules(node, builder.version, plain, builder.family, fixes)
    found: tuple[tuple[str, str, str], ...] = known[key]
    return found


def _sockets(
    builder: Builder, services: Sequence[Service], held: Sequence[str], known: dict[Hashable, Any]
) -> tuple[Socket, ...]:
    """They depend on the release alone unless nodePorts are open on some addresses only."""
    found = known.get("sockets") if not held else None
    if found is None:
        asking = Versions(builder.node)
        asking.undecided.clear()
        found = (sockets(asking, services, held), asking.undecided)
        if not held:
            known["sockets"] = found
    made: tuple[Socket, ...] = found[0]
    for about in found[1]:
        builder.note(about)
    return made


def _fixes(builder: Builder, sets: Mapping[str, tuple[str, tuple[str, ...]]]) -> Fixes:
    """Which returns KUBE-IPVS-FILTER has (M22b, M22c); open questions are noted only where a member depends on them."""
    shown = builder.node.filter_returns
    answers = []
    for name, minor, backports, row in (
        ("KUBE-HEALTH-CHECK-NODE-PORT", 28, _HEALTH_CHECK_RETURN, "M22b health-check return"),
        ("KUBE-EXTERNAL-IP-LOCAL", 30, _LOCAL_RETURN, "M22c external-local return"),
    ):
        noted = list(builder.undecided)
        real = set_name(name, builder.family)
        answers.append(builder.fixed(minor, backports, row, real in shown if shown is not None else None))
        if not sets.get(name, ("", ()))[1]:
            builder.undecided = noted
    return Fixes(*answers)
