"""When each capture was taken, as far as the collector's manifest says, and whether two may differ for that alone."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, datetime

from analyzer.snapshot import Snapshot

SKEW_S = 60
"""Seconds between captures from which a difference may be a change in between."""


class CaptureTimes:
    """Times of the bundle's files in seconds; without a manifest nothing is known and nothing is called skewed."""

    def __init__(self, snapshot: Snapshot) -> None:
        self.of_file: dict[str, float] = {}
        commands = snapshot.manifest.get("commands")
        for command in commands if isinstance(commands, list) else []:
            if isinstance(command, dict) and isinstance(command.get("file"), str):
                taken = seconds_of(command.get("started"))
                if taken is not None:
                    self.of_file[command["file"]] = taken
        self.files: dict[tuple[str, str], set[str]] = defaultdict(set)
        if self.of_file:
            captures = snapshot["captures"]
            for node, capture, file in zip(captures["node"], captures["capture"], captures["file"], strict=True):
                self.files[(node if isinstance(node, str) else "", str(capture))].add(str(file))
            self.objects = {str(file) for name in ("services", "endpoints") for file in snapshot[name]["file"].dropna()}

    def skewed(self, node: str, capture: str) -> bool:
        """Whether the node's capture and the objects it is held against are more than a minute apart."""
        if not self.of_file:
            return False
        node_times = [taken for file in self.files[(node, capture)] if (taken := self._of(file)) is not None]
        object_times = [taken for file in self.objects if (taken := self._of(file)) is not None]
        return any(abs(one - other) > SKEW_S for one in node_times for other in object_times)

    def taken(self, file: str) -> float | None:
        """When the file was taken, in seconds since 1970; nothing when no manifest says so."""
        return self._of(file) if self.of_file else None

    def _of(self, file: str) -> float | None:
        """Paths in the manifest are relative to its folder, which may not be the bundle's root."""
        parts = file.split("/")
        return next(
            (self.of_file[path] for n in range(len(parts)) if (path := "/".join(parts[n:])) in self.of_file), None
        )


def seconds_of(value: object) -> float | None:
    """A time of a manifest (ISO 8601, UTC where it does not say) in seconds since 1970."""
    if not isinstance(value, str):
        return None
    try:
        taken = datetime.fromisoformat(value)
        return (taken if taken.tzinfo else taken.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError, OSError):
        return None
