"""What a rule works with: the snapshot, the walker's world, the matrix, drift, and questions rules ask often."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from analyzer.evidence import Evidence
from analyzer.findings.drift import Drift, drift
from analyzer.forwarding import Matrix, MatrixTarget, Path, Trace, Vantage, Verdict, World, trace
from analyzer.observations import Observations
from analyzer.snapshot import Snapshot
from analyzer.snapshot.objects import Service, number

BAD = frozenset({"refused", "timeout", "unreachable", "mixed", "wrong-server"})
ENOUGH_EVIDENCE = 12


@dataclass(frozen=True, slots=True)
class Cell:
    """One matrix cell with what it is about."""

    vantage: Vantage
    row: MatrixTarget
    verdict: Verdict

    @property
    def key(self) -> tuple[str, str]:
        return (str(self.vantage.source), str(self.row.target))

    @property
    def bad(self) -> bool:
        return self.verdict.outcome in BAD


@dataclass(frozen=True)
class Context:
    """Everything the rules may read."""

    snapshot: Snapshot
    world: World
    matrix: Matrix
    explained: set[tuple[str, str]] = field(default_factory=set)
    """Cells that findings so far explain; late rules look at the rest."""
    observations: Observations = field(default_factory=Observations)
    """What conntrack and IPVS show of the cells."""

    @cached_property
    def cells(self) -> tuple[Cell, ...]:
        return tuple(
            Cell(vantage, row, self.matrix.verdict(vantage, row))
            for row in self.matrix.targets
            for vantage in self.matrix.vantages
        )

    @cached_property
    def by_service(self) -> Mapping[str, tuple[Cell, ...]]:
        found: dict[str, list[Cell]] = defaultdict(list)
        for cell in self.cells:
            found[cell.row.service].append(cell)
        return {service: tuple(cells) for service, cells in found.items()}

    @cached_property
    def services(self) -> Mapping[str, Service]:
        return self.snapshot.objects.by_id

    @cached_property
    def drift(self) -> tuple[Drift, ...]:
        return drift(self.snapshot)

    def endpoint_nodes(self, service: Service) -> frozenset[str]:
        """Nodes that run a ready endpoint of the Service."""
        return frozenset(one.node for one in service.endpoints if one.ready and one.node)

    def without_endpoint(self, service: Service) -> frozenset[str]:
        """Nodes without a ready endpoint while another node has one; empty if nobody has one."""
        having = self.endpoint_nodes(service)
        return frozenset(self.snapshot.node_names) - having if having else frozenset()

    def trace(self, cell: Cell) -> Trace:
        return trace(self.world, cell.vantage.source, cell.row.target)

    def evidence(self, example: Trace | None, *more: Evidence) -> tuple[Evidence, ...]:
        """The lines a trace rests on (of its worst path), then others, without repetition, quoted."""
        listed = list(more)
        if example is not None:
            steps = [step for hop in worst(example).hops for step in hop.steps]
            listed = [one for step in steps for one in step.evidence] + listed
        found = {(one.file, one.line): one for one in reversed(listed) if one.file}
        ordered = dict.fromkeys((one.file, one.line) for one in listed if one.file)
        return tuple(self.snapshot.quote(found[place]) for place in list(ordered)[:ENOUGH_EVIDENCE])

    def flows(self, node: str, destination: str, port: int, *, limit: int = 2) -> tuple[Evidence, ...]:
        """conntrack entries of that node towards destination:port, unanswered ones first: what did happen."""
        frame = self.snapshot.by_node.get(node, {}).get("connections")
        if frame is None:
            return ()
        hits = frame[(frame["orig_dst"] == destination) & (frame["orig_dport"] == port)]
        hits = hits.sort_values("unreplied", ascending=False, kind="stable").head(limit)
        return tuple(
            Evidence(str(file), int(line), "", node)
            for file, line in zip(hits["file"], hits["line"], strict=True)
            if number(line)
        )


def worst(example: Trace) -> Path:
    """The path that shows the trouble best: the first one that does not end well."""
    return next((path for path in example.paths if path.outcome != "ok"), example.paths[0])


def names(cells: Iterable[Cell]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(str(cell.vantage.source) for cell in cells))


def targets(cells: Iterable[Cell]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(str(cell.row.target) for cell in cells))


def keys(cells: Iterable[Cell]) -> tuple[tuple[str, str], ...]:
    return tuple(dict.fromkeys(cell.key for cell in cells))


def nodes(cells: Iterable[Cell]) -> tuple[str, ...]:
    return tuple(sorted({cell.vantage.node for cell in cells if cell.vantage.node}))
