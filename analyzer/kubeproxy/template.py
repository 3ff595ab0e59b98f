"""The state that all nodes of a kind have in common, made once for a node that has nothing of its own.

Such a node has no endpoint, no address of a Service, and an address that only source ranges of length 0 hold.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import chain
from typing import Any

from analyzer.evidence import Evidence
from analyzer.kubeproxy.assembled import Listed, bound_ips, listed
from analyzer.kubeproxy.builder import Builder, Call, Ranges, Recorder
from analyzer.kubeproxy.model import Asked, ProxyNode, ServerKey
from analyzer.kubeproxy.passes import families_of, node_port_members
from analyzer.kubeproxy.servers import Common, Line
from analyzer.kubeproxy.shared import Own, Shared
from analyzer.kubeproxy.versions import family_of
from analyzer.snapshot.objects import Service

VARYING = ("KUBE-LOOP-BACK", "KUBE-LOAD-BALANCER-SOURCE-IP")
"""Sets that hold other members on each node"""
Entries = tuple[tuple[str, Asked], ...]
Notes = tuple[str, ...]


@dataclass(eq=False)
class Template:
    """What is the same on all nodes of a kind; `varying`, `notes` and `lines_of` are by the index of the Service.

    `sets` are those without nodePorts. `disputed` are the Services one of whose virtual servers is claimed more than once;
    `doubled` tells whether two nodePorts are one. `known` keeps what is made of it.
    """

    served: Sequence[Service]
    family: int
    bare: Sequence[Own]
    vips: dict[str, tuple[Evidence, ...]]
    common: Common
    contested: frozenset[ServerKey]
    sets: Mapping[str, Listed]
    varying: Mapping[str, Mapping[int, Entries]]
    notes: Mapping[int, Notes]
    lines_of: Mapping[int, Sequence[int]]
    disputed: frozenset[int]
    known: dict[Hashable, Any] = field(default_factory=dict)

    @property
    def doubled(self) -> bool:
        return len(self.common.places) < len(self.common.lines)

    @cached_property
    def addresses(self) -> frozenset[str]:
        """Addresses of all virtual servers but nodePorts'."""
        return frozenset(address for _, address, _ in self.common.servers)

    @cached_property
    def ipvs_ips(self) -> Listed:
        return bound_ips(self.vips, self.common.servers, self.family)

    @cached_property
    def with_sctp(self) -> bool:
        return any(line.protocol == "sctp" for line in self.common.lines)

    def node_port_sets(self, node: ProxyNode, opened: Sequence[str]) -> Mapping[str, Listed]:
        """The sets of nodePorts that are open on these addresses, which only those of SCTP name."""
        mine = [address for address in opened if family_of(address) == self.family]
        key = ("node ports", bool(mine))
        if key not in self.known:
            self.known[key] = self._entered(node, mine, ("tcp", "udp"))
        found: Mapping[str, Listed] = self.known[key]
        return {**found, **self._entered(node, mine, ("sctp",))} if self.with_sctp else found

    def _entered(self, node: ProxyNode, mine: Sequence[str], protocols: Sequence[str]) -> Mapping[str, Listed]:
        builder = Builder(node, self.family)
        for service in self.served:
            for port in service.ports if self.family in families_of(service) else ():
                if port.node_port and port.protocol in protocols:
                    node_port_members(builder, service, port, mine)
        return {name: listed(entries) for name, entries in builder.sets.items()}

    def varied(self, name: str, own: Mapping[int, Entries]) -> Listed:
        """A varying set on a node where some Services enter `own` instead."""
        common = self.varying.get(name, {})
        differing = {index: entries for index, entries in own.items() if entries != common.get(index, ())}
        if differing:
            return _merged({**common, **differing})
        if name not in self.known:
            self.known[name] = _merged(common)
        found: Listed = self.known[name]
        return found

    def noted(self, own: Mapping[int, Notes]) -> Iterable[str]:
        """Open questions on a node where some Services note `own` instead."""
        return self._in_order("notes", self.notes, own)

    def lines_noted(self, own: Mapping[int, Line], families: Sequence[int]) -> Iterable[str]:
        """Open questions of nodePorts on addresses of these families, where some lines (by position) are `own` instead."""
        key = ("line notes", tuple(families))
        if key not in self.known:
            every = ((place, _of_line(line, families)) for place, line in enumerate(self.common.lines))
            self.known[key] = {place: notes for place, notes in every if notes}
        return self._in_order((*key, ""), self.known[key], {at: _of_line(line, families) for at, line in own.items()})

    def _in_order(self, key: Hashable, common: Mapping[int, Notes], own: Mapping[int, Notes]) -> Iterable[str]:
        differing = {index: notes for index, notes in own.items() if notes != common.get(index, ())}
        if differing:
            return _joined({**common, **differing})
        if key not in self.known:
            self.known[key] = _joined(common)
        found: Iterable[str] = self.known[key]
        return found


def _joined(notes: Mapping[int, Notes]) -> Iterable[str]:
    return dict.fromkeys(chain.from_iterable(notes[index] for index in sorted(notes)))


def _of_line(line: Line, families: Sequence[int]) -> Notes:
    return tuple(chain.from_iterable(line.choices[family][2] for family in families if family in line.choices))


def _merged(entries: Mapping[int, Entries]) -> Listed:
    found: dict[str, Asked] = {}
    for index in sorted(entries):
        for entry, why in entries[index]:
            found.setdefault(entry, why)
    return listed(found)


class _Bare(Recorder):
    """A node whose address only source ranges hold that hold all addresses."""

    def admitted(self, ranges: Ranges) -> bool | None:
        return _hold_all(ranges)


def _hold_all(ranges: Ranges) -> bool:
    return any(not cidr.prefixlen for cidr in ranges)


def varying_in(steps: Iterable[Call]) -> Mapping[str, Entries]:
    """What the steps enter into the varying sets."""
    found: dict[str, Entries] = {}
    for name, values in steps:
        if name == "entered" and values[0] in VARYING:
            found[values[0]] = (*found.get(values[0], ()), values[1:])
    return found


def make(shared: Shared, kind: Hashable, node: ProxyNode, family: int) -> Template:
    """The template of the kind that `node` is of."""
    nobody = replace(node, name=shared.nobody, addresses=(), open=())
    builder, recorder = Builder(nobody, family), _Bare(nobody, family)
    bare = [_bare(shared, index, family) for index in range(len(shared.served))]
    claims: dict[ServerKey, list[int]] = {}
    varying: dict[str, dict[int, Entries]] = {name: {} for name in VARYING}
    notes: dict[int, Notes] = {}
    for own in bare:
        steps = shared.recorded(recorder, kind, own)
        builder.undecided = []
        builder.take(steps)
        if builder.undecided:
            notes[own.service] = tuple(builder.undecided)
        for name, entries in varying_in(steps).items():
            varying[name][own.service] = entries
        for name, values in steps:
            if name == "serve":
                claims.setdefault(values[0].key, []).append(own.service)
    lines: list[Line] = []
    lines_of: dict[int, Sequence[int]] = {}
    for own in bare:
        made = lines_on(recorder, shared, kind, own)
        if made:
            lines_of[own.service] = range(len(lines), len(lines) + len(made))
            lines += made
    return Template(
        shared.served, family, bare, builder.vips, Common(builder.servers, tuple(lines)), frozenset(builder.contested),
        {name: listed(entries) for name, entries in builder.sets.items() if name not in VARYING}, varying, notes, lines_of,
        frozenset(index for owners in claims.values() if len(owners) > 1 for index in owners),
    )  # fmt: skip


def _bare(shared: Shared, index: int, family: int) -> Own:
    ranges = shared.ranges[index][family] if index in shared.ranges else ()
    return Own(index, admitted=_hold_all(ranges) if ranges else "")


def lines_on(recorder: Recorder, shared: Shared, kind: Hashable, own: Own) -> list[Line]:
    """The nodePorts of a Service on a node of which it sees `own`."""
    service, node = shared.served[own.service], recorder.node
    recorder.choices = shared.choices(kind, own)
    return [
        Line(
            port.protocol, port.node_port, service.id, node.scheduler, service.affinity_s, recorder.flags,
            {
                family: recorder.choose(service, port, family, local=service.external_local)
                for family in sorted(families_of(service))
            },
        )
        for port in service.ports
        if port.node_port
    ]  # fmt: skip
