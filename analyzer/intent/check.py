"""Statements against the walk: each distinct client of a statement dials each of its addresses."""

from __future__ import annotations

from collections.abc import Iterator

from analyzer.errors import UsageError
from analyzer.forwarding import Source, Target, Vantage, Verdict, World, parse_source, parse_target, verdict_of
from analyzer.forwarding.balancers import LABEL
from analyzer.forwarding.matrix import vantages
from analyzer.intent.model import Cell, Intent, Result, Standing, Statement
from analyzer.snapshot.objects import Service


def check(intent: Intent, world: World) -> tuple[Result, ...]:
    """How each statement stands.

    A connection of which nothing definite can be said is open, whatever it must do. One that reaches only some servers, or
    a wrong one, is not reached; for ``not-reach`` any way through is a violation.

    Raises:
        UsageError: a statement names a client, Service or port that is not there.
    """
    every = tuple(vantages(world, world.node_names))
    return tuple(Result(one, tuple(_cells(one, intent, world, every))) for one in intent.statements)


def _cells(statement: Statement, intent: Intent, world: World, every: tuple[Vantage, ...]) -> Iterator[Cell]:
    where = f"{intent.file}:{statement.line}"
    try:
        sources = dict.fromkeys(source for text in statement.clients for source in _sources(text, world, every))
        targets = dict.fromkeys(target for text in statement.targets for target in _targets(text, world))
    except UsageError as error:
        raise UsageError(error.what, where=where, hint=error.hint) from None
    for source in sources:
        for target in targets:
            verdict = verdict_of(world, source, target)
            yield Cell(
                source,
                target,
                verdict,
                _standing(statement, source, verdict, world),
            )


def _standing(statement: Statement, source: Source, verdict: Verdict, world: World) -> Standing:
    if verdict.outcome == "unknown":
        return "open"
    if statement.must == "not-reach":
        return "violated" if "ok" in verdict.outcomes or verdict.outcome == "wrong-server" else "holds"
    if verdict.outcome != "ok":
        return "violated"
    kept = set(verdict.seen_source_ips) <= _own(source, world)
    return "violated" if statement.keep_client_address and not kept else "holds"


def _own(source: Source, world: World) -> set[str]:
    if source.kind == "pod":
        return set(world.pods[source.name].ips)
    return set(world.node_addresses.get(source.name, ())) if source.kind == "node" else {source.name}


def _sources(text: str, world: World, every: tuple[Vantage, ...]) -> Iterator[Source]:
    kind, _, name = text.partition(":")
    match kind, name:
        case ("nodes", ""):
            yield from (one.source for one in every if one.kind == "node")
        case ("pods", ""):
            yield from (one.source for one in every if one.kind in ("pod", "backend-pod"))
        case ("outside", ""):
            yield from (one.source for one in every if one.kind == "external")
        case ("namespace", _):
            found = [Source("pod", key) for key, pod in sorted(world.pods.items()) if pod.namespace == name and pod.ips]
            if not found:
                raise UsageError(f"no pod in namespace {name!r}")
            yield from found
        case _:
            yield parse_source(text, world)


def _targets(text: str, world: World) -> Iterator[Target]:
    kind, _, rest = text.partition(":")
    if kind not in ("service", "lb", "nodeport"):
        yield parse_target(text)
        return
    name, _, wanted = rest.partition(":")
    service = world.snapshot.objects.by_id.get(name if "/" in name else f"default/{name}")
    if service is None:
        known = ", ".join(list(world.snapshot.objects.by_id)[:5])
        raise UsageError(f"no Service {name!r}", hint=f"Services: {known}")
    found = [target for target in _of_service(kind, service, world) if wanted in ("", str(target[0]))]
    if not found:
        raise UsageError(f"Service {service.id} has no {kind} address{f' for port {wanted}' if wanted else ''}")
    yield from (target for _, target in found)


def _of_service(kind: str, service: Service, world: World) -> Iterator[tuple[int, Target]]:
    """(Service port, address) pairs."""
    for port in service.ports:
        if kind == "nodeport":
            for node in world.node_names if port.node_port else ():
                address = world.primary(node, 4) or world.primary(node, 6)
                if address and port.node_port:
                    yield port.port, Target(address, port.node_port, port.protocol)
            continue
        hidden = [one for one in _hidden(service, world) if not service.published]
        for address in service.cluster_ips if kind == "service" else (*service.published, *hidden):
            if address and address != "None":
                yield port.port, Target(address, port.port, port.protocol)


def _hidden(service: Service, world: World) -> Iterator[str]:
    """The address of a load balancer that is published by name only."""
    wanted = service.labels.get(LABEL)
    yield from (address for address, one in world.load_balancers.items() if wanted and one.id == wanted)
