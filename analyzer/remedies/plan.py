"""What a remedy changes, as edits that can be simulated: read off the very commands and documents the report shows.

So what is proven is what will be copied. A card whose change is not one of the API server (a mode, a version, a pod, another
address to dial) says its edits itself, in `PLANS` beside its `CARDS`.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterable
from dataclasses import dataclass, field

import yaml

from analyzer.forwarding import Target
from analyzer.remedies.model import Change
from analyzer.whatif import Edit
from analyzer.whatif.edits import DeleteService, PatchService, PutService


@dataclass(frozen=True, slots=True)
class Moved:
    """Clients dial something else afterwards: a known address, or the load balancer of a Service that is yet to be made."""

    old: Target
    new: Target | None = None
    service: str = ""
    port: int = 0


@dataclass(frozen=True, slots=True)
class Plan:
    """The edits of a remedy, in order, and the addresses that clients leave. Hashable: equal edits are simulated once."""

    edits: tuple[Edit, ...] = ()
    moves: tuple[Moved, ...] = field(default=())

    def __bool__(self) -> bool:
        return bool(self.edits or self.moves)


def edits_of(changes: Iterable[Change]) -> tuple[Edit, ...]:
    """The edits of commands and documents; what does not change a Service (a look at something) gives none."""
    found: list[Edit] = []
    for change in changes:
        if change.kind == "yaml":
            for document in yaml.safe_load_all(change.body):
                if isinstance(document, dict) and document.get("kind") == "Service":
                    found.append(PutService(json.dumps(document)))
        elif change.kind == "command":
            for line in change.body.splitlines():
                found += _command(line)
    return tuple(found)


def _command(line: str) -> list[Edit]:
    try:
        words = shlex.split(line)
    except ValueError:
        return []
    if words[:1] != ["kubectl"]:
        return []
    namespace = next((word.partition("=")[2] for word in words if word.startswith("--namespace=")), "default")
    plain = [word for word in words[1:] if not word.startswith("--")]
    name = next((word.removeprefix("service/") for word in plain if word.startswith("service/")), "")
    if not plain or not name:
        return []
    service = f"{namespace}/{name}"
    options = dict(
        word.removeprefix("--").partition("=")[::2] for word in words if word.startswith("--") and "=" in word
    )
    match plain[0]:
        case "annotate":
            pairs = (word.partition("=") for word in plain[2:] if "=" in word)
            annotations = {key: value for key, _, value in pairs}
            return [PatchService(service, json.dumps({"metadata": {"annotations": annotations}}))]
        case "patch":
            form = "json" if options.get("type") == "json" else "merge"
            return [PatchService(service, options.get("patch", "{}"), form)]  # type: ignore[arg-type]
        case "delete":
            return [DeleteService(service)]
    return []
