"""What a cluster is meant to do: who must reach what, who must not, and how that stands."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from analyzer.forwarding import Source, Target, Verdict

Must = Literal["reach", "not-reach"]
Mode = Literal["ipvs", "iptables", "nftables"]
Standing = Literal["holds", "violated", "open"]


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement. `clients` and `targets` are as written; `line` is where it stands in the file."""

    name: str
    clients: tuple[str, ...]
    targets: tuple[str, ...]
    must: Must = "reach"
    keep_client_address: bool = False
    line: int = 0


@dataclass(frozen=True, slots=True)
class Assumption:
    """What stands in for a cluster that does not exist yet; see `analyzer.intent.assume`."""

    nodes: int = 0
    kubernetes: str = ""
    proxy_mode: Mode = "ipvs"
    cni: str = ""
    endpoints: tuple[tuple[str, tuple[str, ...]], ...] = ()


@dataclass(frozen=True)
class Intent:
    """All statements of one file. With `open_fails` a statement that cannot be decided counts as violated."""

    statements: tuple[Statement, ...]
    file: str
    open_fails: bool = False
    assume: Assumption = field(default_factory=Assumption)


@dataclass(frozen=True, slots=True)
class Cell:
    """One connection a statement is about."""

    source: Source
    target: Target
    verdict: Verdict
    standing: Standing


@dataclass(frozen=True, slots=True)
class Result:
    """How a statement stands: violated if one of its connections is, else open if one is, else it holds."""

    statement: Statement
    cells: tuple[Cell, ...]

    @property
    def standing(self) -> Standing:
        found = {cell.standing for cell in self.cells}
        return "violated" if "violated" in found else "open" if "open" in found or not self.cells else "holds"

    def of(self, standing: Standing) -> tuple[Cell, ...]:
        return tuple(cell for cell in self.cells if cell.standing == standing)
