"""How two captures of one cluster differ: what was asked for, what nodes held, what clients saw, what was found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from analyzer.findings.model import Finding
from analyzer.whatif import Comparison

Area = Literal["object", "node"]
How = Literal["added", "removed", "changed"]


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that differs.

    `kind` names it (``diff.kind.<kind>`` in the catalogue: service, endpoint, virtual-server ...), `subject` is the object or
    entry, `what` the property (empty when it came or went), `old` and `new` its values as text. `nodes` holds the nodes on
    which the same thing differs in the same way, for `area` node.
    """

    area: Area
    kind: str
    how: How
    subject: str
    what: str = ""
    old: str = ""
    new: str = ""
    nodes: tuple[str, ...] = ()


@dataclass(frozen=True)
class FindingChange:
    """A finding that is new, gone, or there in both; `old` and `new` are the finding on each side."""

    state: Literal["new", "gone", "same", "worse", "better"]
    old: Finding | None
    new: Finding | None

    @property
    def finding(self) -> Finding:
        found = self.new or self.old
        assert found is not None
        return found


@dataclass(frozen=True)
class Differences:
    """All differences of two snapshots; `only_old` and `only_new` are captures that one side lacks, so not compared."""

    objects: tuple[Difference, ...]
    nodes: tuple[Difference, ...]
    verdicts: Comparison
    findings: tuple[FindingChange, ...]
    not_compared: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Capture (or kind of object) -> nodes on which only one side has it ("" for the cluster)."""

    @property
    def changed(self) -> bool:
        states = {one.state for one in self.findings} - {"same"}
        return bool(self.objects or self.nodes or self.verdicts.changes or states)
