"""What a remedy is: a filled fix card, ready to apply, with its prerequisites, side effects and a way to verify."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Check = Literal["met", "not-met", "unknown"]
CLUSTER_WIDE = frozenset(["F10", "F11"])
"""Cards that touch every node, whoever uses it."""


@dataclass(frozen=True, slots=True)
class Prerequisite:
    """One condition of a fix, checked against the snapshot. `slug` names its sentence ``prerequisite.<slug>``."""

    slug: str
    state: Check
    values: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Change:
    """Something to apply: a shell command or a YAML document, with the bundle's own names filled in.

    `title` is a message id (``change.<slug>``, filled with the remedy's `values`) or empty. `body` is ready to copy; what a
    person must choose stands in it as ``<placeholder>``, and the card's text explains it.
    """

    kind: Literal["command", "yaml", "text"]
    body: str
    title: str = ""


@dataclass(frozen=True, slots=True)
class Remedy:
    """A fix card filled for one finding.

    `card` is the id (F1 ... F15), sentences are ``fix.<card>.title``, ``.text``, side effects
    ``side-effect.<slug>`` with `values`. `usable` is false when a prerequisite is not met; it is then shown last.
    """

    card: str
    values: Mapping[str, str]
    changes: tuple[Change, ...]
    prerequisites: tuple[Prerequisite, ...]
    side_effects: tuple[str, ...]
    verify: tuple[Change, ...]
    sources: tuple[str, ...] = ()
    partial: bool = False

    @property
    def usable(self) -> bool:
        return all(prerequisite.state != "not-met" for prerequisite in self.prerequisites)
