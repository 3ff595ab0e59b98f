"""What one node has of its own beyond the template of its kind, and the state of both.

Of its own are the Services with an endpoint on it, those whose source ranges hold its address, and the addresses that nodePorts
are open on. Where more than that differs (it holds an address of a Service, two Services claim one virtual server that is of its
own) nothing is made here, and every step is taken (`expected.replayed`).
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field

from analyzer.kubeproxy.assembled import assembled
from analyzer.kubeproxy.builder import Builder, Call, Recorder, reads_nodes
from analyzer.kubeproxy.model import Expected, ExpectedServer, ProxyNode, ServerKey
from analyzer.kubeproxy.passes import loop_back, node_port_addresses
from analyzer.kubeproxy.servers import Line, NodeServers
from analyzer.kubeproxy.shared import Shared, kind_of
from analyzer.kubeproxy.template import VARYING, Entries, Notes, Template, lines_on, make, varying_in
from analyzer.kubeproxy.versions import family_of


@dataclass
class Parts:
    """A node's own: virtual servers, nodePorts (by position), members of varying sets and notes (by index of the Service)."""

    servers: dict[ServerKey, ExpectedServer] = field(default_factory=dict)
    lines: dict[int, Line] = field(default_factory=dict)
    varying: dict[str, dict[int, Entries]] = field(default_factory=lambda: {name: {} for name in VARYING})
    notes: dict[int, Notes] = field(default_factory=dict)

    def take(self, index: int, steps: Sequence[Call]) -> None:
        """All that the steps for a Service say."""
        entered = varying_in(steps)
        for name in VARYING:
            self.varying[name][index] = entered.get(name, ())
        self.servers.update((values[0].key, values[0]) for name, values in steps if name == "serve")
        self.notes[index] = tuple(dict.fromkeys(values[0] for name, values in steps if name == "note"))


def on_template(shared: Shared, node: ProxyNode, family: int) -> Expected | None:
    """The state of the node, where it is its kind's with a simple difference."""
    if not shared.addresses.isdisjoint(node.addresses):
        return None
    kind = kind_of(node, family)
    template = shared.templates.get(kind)
    if template is None:
        template = shared.templates[kind] = make(shared, kind, node, family)
    parts = None if template.doubled else _parts(shared, kind, template, node)
    return None if parts is None else _put_together(template, node, parts)


def _put_together(template: Template, node: ProxyNode, parts: Parts) -> Expected | None:
    builder = Builder(node, template.family)
    builder.vips, builder.contested = template.vips, set(template.contested)
    for about in template.noted(parts.notes):
        builder.note(about)
    opened = node_port_addresses(builder) if template.common.lines else ()
    if not template.addresses.isdisjoint(opened):
        return None
    for about in template.lines_noted(parts.lines, tuple(dict.fromkeys(map(family_of, opened)))):
        builder.note(about)
    sets = {**template.sets, **template.node_port_sets(node, opened)}
    sets |= {name: template.varied(name, parts.varying[name]) for name in VARYING}
    if builder.since(26, "M22a KUBE-IPVS-FILTER"):
        sets["KUBE-IPVS-IPS"] = template.ipvs_ips
    servers = NodeServers(template.common, parts.servers, parts.lines, opened)
    return assembled(builder, template.served, servers, sets, opened, template.known)


def _parts(shared: Shared, kind: Hashable, template: Template, node: ProxyNode) -> Parts | None:
    """The node's own; null where more differs than can be put beside the template."""
    recorder, found = Recorder(node, template.family), Parts()
    here = shared.here.get(node.name, {})
    for index in sorted({*here, *shared.ranges}):
        own, service = shared.own(index, node, template.family), shared.served[index]
        if own == template.bare[index]:
            continue
        if own.admitted == template.bare[index].admitted and not reads_nodes(service):
            recorder.calls.clear()
            for port in service.ports:
                loop_back(recorder, service, here[index], port)
            for name, entries in varying_in(recorder.calls).items():
                found.varying[name][index] = entries
        elif index in template.disputed:
            return None
        else:
            found.take(index, shared.recorded(recorder, kind, own))
            found.lines.update(
                zip(template.lines_of.get(index, ()), lines_on(recorder, shared, kind, own), strict=True)
            )
    return found
