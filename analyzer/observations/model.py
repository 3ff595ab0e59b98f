"""What was observed: for each cell of the matrix whether conntrack agrees, and what IPVS' own tables show."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from analyzer.evidence import Evidence
from analyzer.forwarding import Source, Target

Status = Literal["confirmed", "contradicted", "not-seen"]
Difference = Literal["", "outcome", "server", "source"]
SignKind = Literal["half-open", "syn-recv", "stale-template"]


@dataclass(frozen=True, slots=True)
class Seen:
    """What conntrack says of one cell of the matrix.

    `entries` counts the conntrack entries that decide it (a connection that was answered, or one that was not), `evidence`
    are the first of them. For a contradiction `differs` names what is not as predicted, `predicted` and `observed` say it
    as ``outcome``, a server ``address:port`` or a source address. "not-seen" means that no entry decides: none was there, or
    every one can be explained by age, by another client, or by a connection that is still being made.
    """

    source: Source
    target: Target
    status: Status
    entries: int = 0
    evidence: tuple[Evidence, ...] = ()
    differs: Difference = ""
    predicted: str = ""
    observed: str = ""


@dataclass(frozen=True, slots=True)
class Sign:
    """Something IPVS' own tables show about one real server of one virtual server on one node.

    half-open: ActiveConn without InActConn while its siblings have finished connections, on a real server that is no endpoint;
    syn-recv: connections in SYN_RECV and none beyond, towards a real server that is no endpoint;
    stale-template: a persistence template leads to a real server the virtual server does not have any more.
    `server` is ``tcp/10.0.0.1:80``, `real_server` ``10.1.0.1:8080``, `count` connections or templates.
    """

    kind: SignKind
    node: str
    server: str
    real_server: str
    count: int
    evidence: tuple[Evidence, ...] = ()


@dataclass(frozen=True)
class Observations:
    """Every cell in the order of the matrix, and the signs. `nodes` had a usable conntrack capture.

    `not_compared` counts cells with entries that were left out because `MAX_WALKS` was reached.
    """

    cells: tuple[Seen, ...] = ()
    signs: tuple[Sign, ...] = ()
    nodes: tuple[str, ...] = ()
    not_compared: int = 0

    @cached_property
    def counts(self) -> Mapping[str, int]:
        """Cells by status."""
        found = {"confirmed": 0, "contradicted": 0, "not-seen": 0}
        for cell in self.cells:
            found[cell.status] += 1
        return found

    @property
    def confirmed(self) -> int:
        return self.counts["confirmed"]

    @property
    def decided(self) -> int:
        """Cells of which conntrack says anything: the M of "agrees with N of M"."""
        return self.counts["confirmed"] + self.counts["contradicted"]

    @property
    def agreement(self) -> float | None:
        """confirmed / (confirmed + contradicted); None when nothing was seen."""
        return self.confirmed / self.decided if self.decided else None

    @cached_property
    def contradictions(self) -> tuple[Seen, ...]:
        return tuple(cell for cell in self.cells if cell.status == "contradicted")
