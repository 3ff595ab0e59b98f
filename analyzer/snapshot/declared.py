"""What a bundle's manifest says about its files: which of them may lack rows.

The collector knows what no parser can see: that a command was ended by its time limit, that its output was cut at the
size limit, that it failed half-way, or that rows were left out on purpose. The absence of a row proves nothing there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from analyzer.parsers.base import Parsed


class Declared:
    """The files that are in the bundle but, as the manifest says, not whole.

    >>> commands = [{"file": "a", "complete": False}, {"file": "b", "timed_out": True}, {"file": "c"}]
    >>> [Declared({"commands": commands}).partial(f"bundle/{name}") for name in "abc"]
    [True, True, False]
    """

    def __init__(self, manifest: Mapping[str, object]) -> None:
        commands = manifest.get("commands")
        self._files = frozenset(
            command["file"]
            for command in (commands if isinstance(commands, list) else ())
            if isinstance(command, dict)
            and isinstance(command.get("file"), str)
            and command.get("present") is not False
            and (command.get("complete") is False or command.get("timed_out") is True)
        )

    def partial(self, path: str) -> bool:
        """Whether a member is one of them; paths of the manifest are relative to its folder, which may not be the root."""
        parts = path.split("/") if self._files else []
        return any("/".join(parts[start:]) in self._files for start in range(len(parts)))

    def applied(self, parsed: Parsed, path: str) -> Parsed:
        """What was read from a member, incomplete where its file is."""
        return replace(parsed, complete=False) if parsed.complete and self.partial(path) else parsed
