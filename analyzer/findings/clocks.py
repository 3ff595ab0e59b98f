"""By how much each node's clock differs from that of the machine that collected, as the manifest of collect.sh lets it be known.

The script notes when it sent itself to a node (`nodes[].sent`) and when the answer was there (`received`), by its own clock; the node
notes when each command began (`commands[].started`) and how long it took, by its clock. All commands ran in between, so the
difference of the clocks lies between two bounds. Times are whole seconds, which widens both by one.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from analyzer.findings.capture_times import seconds_of
from analyzer.snapshot import Snapshot


@dataclass(frozen=True, slots=True)
class Clock:
    """A node's clock is ahead of the collecting machine's by `least_s` to `most_s` seconds; negative is behind."""

    node: str
    least_s: int
    most_s: int

    @property
    def agrees(self) -> bool:
        """Whether the two clocks may say the same."""
        return self.least_s <= 0 <= self.most_s


def clocks(snapshot: Snapshot) -> tuple[Clock, ...]:
    """One for each node whose visit and commands have times, by name; none where the bundle has no such manifest."""
    commands = _commands(snapshot.manifest)
    found = []
    for visit in _records(snapshot.manifest, "nodes"):
        node, sent, received = visit.get("node"), seconds_of(visit.get("sent")), seconds_of(visit.get("received"))
        if isinstance(node, str) and node in commands and sent is not None and received is not None:
            first, last = min(start for start, _ in commands[node]), max(end for _, end in commands[node])
            least, most = int(last - received) - 1, int(first - sent) + 1
            if least <= most:  # else the times are not those of this visit
                found.append(Clock(node, least, most))
    return tuple(sorted(found, key=lambda one: one.node))


def _commands(manifest: Mapping[str, object]) -> Mapping[str, list[tuple[float, float]]]:
    """Node -> begin and end of each command that ran there, by its clock."""
    found: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for command in _records(manifest, "commands"):
        node, start, took = command.get("node"), seconds_of(command.get("started")), command.get("seconds")
        if isinstance(node, str) and node and start is not None:
            known = isinstance(took, int | float) and 0 <= took < 1e6
            found[node].append((start, start + float(took) if known else start))  # type: ignore[arg-type]
    return found


def _records(manifest: Mapping[str, object], name: str) -> Iterator[Mapping[str, object]]:
    listed = manifest.get(name)
    yield from (one for one in listed if isinstance(one, dict)) if isinstance(listed, list) else ()
