"""Reading and resolving what a user asks: sources and targets."""

from __future__ import annotations

import ipaddress
import re

from analyzer.errors import UsageError
from analyzer.forwarding.model import Source, Target
from analyzer.forwarding.world import World

_TARGET = re.compile(
    r"(?:\[(?P<six>[0-9A-Fa-f:.]+)\]|(?P<four>[^:\[\]/]+)):(?P<port>\d{1,5})(?:/(?P<proto>[A-Za-z]+))?"
)


def parse_target(text: str) -> Target:
    """``IP:PORT``, ``IP:PORT/udp``, ``[IPv6]:PORT/sctp``.

    >>> parse_target("[2001:db8::1]:53/UDP")
    Target(address='2001:db8::1', port=53, protocol='udp')

    Raises:
        UsageError: anything else.
    """
    found = _TARGET.fullmatch(text.strip())
    hint = "a target is IP:PORT, [IPv6]:PORT, optionally with /tcp, /udp or /sctp"
    if found is None:
        raise UsageError(f"not a target: {text!r}", hint=hint)
    try:
        address = str(ipaddress.ip_address(found["six"] or found["four"]))
    except ValueError:
        raise UsageError(f"not an address in target {text!r}", hint=hint) from None
    port, protocol = int(found["port"]), (found["proto"] or "tcp").lower()
    if not 0 < port < 65536 or protocol not in ("tcp", "udp", "sctp"):
        raise UsageError(f"no such port or protocol in target {text!r}", hint=hint)
    return Target(address, port, protocol)


def parse_source(text: str, world: World) -> Source:
    """``node:NAME`` (or its address), ``pod:NAMESPACE/NAME``, ``external:IP``; an address of a node or pod means that one.

    Raises:
        UsageError: no such node or pod in the snapshot, or not a source at all.
    """
    kind, _, name = text.strip().partition(":")
    if kind == "node":
        if name in world.node_names:
            return Source("node", name)
        if name in world.node_by_address:
            return Source("node", world.node_by_address[name])
        raise UsageError(f"no node {name!r} in this bundle", hint=_some("nodes", world.node_names))
    if kind == "pod":
        wanted = name if "/" in name else f"default/{name}"
        if wanted in world.pods:
            return Source("pod", wanted)
        named = [key for key in world.pods if key.rpartition("/")[2] == name]
        if len(named) == 1:
            return Source("pod", named[0])
        raise UsageError(f"no pod {name!r} in this bundle", hint=_some("pods", tuple(world.pods)))
    if kind == "external":
        try:
            address = str(ipaddress.ip_address(name))
        except ValueError:
            raise UsageError(f"not an address in source {text!r}") from None
        if address in world.pod_by_ip:
            pod = world.pod_by_ip[address]
            return Source("pod", f"{pod.namespace}/{pod.name}")
        if address in world.node_by_address:
            return Source("node", world.node_by_address[address])
        return Source("external", address)
    raise UsageError(f"not a source: {text!r}", hint="a source is node:NAME, pod:NAMESPACE/NAME or external:IP")


def _some(what: str, names: tuple[str, ...]) -> str:
    shown = ", ".join(names[:5])
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""
    return f"{what} in it: {shown}{more}" if names else f"it has no {what}"
