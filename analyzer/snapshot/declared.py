"""What a bundle's manifest says about its files: which of them may lack rows.

The collector knows what no parser can see: that a command was ended by its time limit, that its output was cut at the
size limit, that it failed half-way, or that rows were left out on purpose. The absence of a row proves nothing there.
"""

from __future__ import annotations

from collections.abc import Mapping


def partial_files(manifest: Mapping[str, object]) -> frozenset[str]:
    """Paths, as the manifest has them, of files that are in the bundle but not whole.

    >>> sorted(partial_files({"commands": [{"file": "a", "complete": False}, {"file": "b", "timed_out": True}, {"file": "c"}]}))
    ['a', 'b']
    """
    commands = manifest.get("commands")
    return frozenset(
        command["file"]
        for command in (commands if isinstance(commands, list) else ())
        if isinstance(command, dict)
        and isinstance(command.get("file"), str)
        and command.get("present") is not False
        and (command.get("complete") is False or command.get("timed_out") is True)
    )


def is_partial(path: str, partial: frozenset[str]) -> bool:
    """Whether a member is one of them; paths of the manifest are relative to its folder, which may not be the root.

    >>> is_partial("bundle/nodes/a/x.txt", frozenset({"nodes/a/x.txt"}))
    True
    """
    parts = path.split("/")
    return any("/".join(parts[start:]) in partial for start in range(len(parts)))
