"""What a layout is made of: files before they have a place, folders that are bundles, and the place of each file."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache

from analyzer.bundle.model import Area

Parts = tuple[str, ...]


@dataclass(frozen=True)
class Piece:
    """A file before it has a place."""

    path: str
    size: int
    read: Callable[[], bytes]

    @cached_property
    def parts(self) -> Parts:
        return tuple(self.path.split("/"))

    def head(self, size: int) -> bytes:
        """The first bytes of a file that is small enough to be looked into, else nothing."""
        return self.read()[:size] if self.size <= _LOOK_BYTES else b""


_LOOK_BYTES = 256 << 20


@dataclass(frozen=True, slots=True)
class Place:
    """Where a file belongs.

    `command` is the command line that wrote it, as the layout knows it. `partial` says why the absence of a row in it
    proves nothing, `unused` why it is not read at all; both are empty in the ordinary case.
    """

    area: Area
    node: str = ""
    command: str = ""
    partial: str = ""
    unused: str = ""


@dataclass(frozen=True)
class Root:
    """A folder that is a bundle of one collector; `name` is that folder's name, or the archive's for the top one."""

    path: Parts
    name: str
    pieces: Mapping[Parts, Piece]

    def text(self, *parts: str, limit: int = 1 << 20) -> str:
        """The beginning of a file of this bundle as text, empty if there is none."""
        piece = self.pieces.get(parts)
        return piece.read()[:limit].decode("utf-8", "replace") if piece else ""

    def matching(self, pattern: str) -> list[tuple[Parts, re.Match[str]]]:
        """The files whose path below the root fits, in order of their paths."""
        compiled = glob(pattern)
        found = ((parts, compiled.fullmatch("/".join(parts))) for parts in self.pieces)
        return sorted((parts, match) for parts, match in found if match)


@dataclass(frozen=True, slots=True)
class Rule:
    """Which files hold which fact.

    `*` in `pattern` stands for any text, ``{node}`` for the node's name, which is one part of the path. Files that no
    rule of a layout names are not read: a saved configuration would look like the state of the kernel.
    """

    pattern: str
    area: Area = "node"
    command: str = ""
    partial: str = ""
    unused: str = ""

    def place(self, path: str, node: str) -> Place | None:
        match = glob(self.pattern).fullmatch(path)
        if match is None:
            return None
        named = match.groupdict().get("node") or ""
        owner = (named or node) if self.area in ("node", "other") else ""
        return Place(self.area, owner, self.command, self.partial, self.unused)


NOT_OF_THE_LAYOUT = "not one of the files that are read from this collector"
OTHER_NAMESPACE = "of another network namespace"
NAMES_ONLY = "holds names only"


def _nobody(_: Root) -> str:
    return ""


@dataclass(frozen=True)
class Layout:
    """How one collector lays out its bundles.

    `markers` are alternatives; each is a set of paths (folders end in a slash, ``*`` as in file names) that only this
    collector puts side by side. `single` recognises a bundle that is one file, by its path and content. `lacks` are the captures
    that this collector never takes; `over` names layouts whose markers it also fits.
    """

    name: str
    rules: tuple[Rule, ...]
    markers: tuple[frozenset[str], ...] = ()
    single: Callable[[Piece], bool] | None = None
    node: Callable[[Root], str] = _nobody
    over: tuple[str, ...] = ()
    lacks: tuple[str, ...] = ()
    title: str = ""
    adjust: Callable[[Root, Parts, Place], Place] | None = field(default=None)

    def place(self, root: Root, parts: Parts, node: str) -> Place:
        path = "/".join(parts)
        for rule in self.rules:
            if (found := rule.place(path, node)) is not None:
                return self.adjust(root, parts, found) if self.adjust else found
        return Place("other", node, unused=NOT_OF_THE_LAYOUT)


@lru_cache(maxsize=1024)
def glob(pattern: str) -> re.Pattern[str]:
    """A pattern of `Rule` as a regular expression."""
    text = re.escape(pattern).replace(r"\*", ".*").replace(r"\{node\}", "(?P<node>[^/]+?)")
    return re.compile(text, re.DOTALL)


class Tree:
    """The folders of a bundle, by the last part of their paths, for finding markers."""

    def __init__(self, pieces: Sequence[Piece]) -> None:
        self.pieces = pieces
        self._files: dict[str, list[Parts]] = defaultdict(list)
        self._folders: dict[str, list[Parts]] = defaultdict(list)
        seen: set[Parts] = set()
        for piece in pieces:
            self._files[piece.parts[-1]].append(piece.parts)
            for depth in range(len(piece.parts) - 1, 0, -1):
                folder = piece.parts[:depth]
                if folder in seen:
                    break
                seen.add(folder)
                self._folders[folder[-1]].append(folder)

    def roots(self, marker: Iterable[str]) -> set[Parts]:
        """The folders that hold every path of a marker."""
        found: set[Parts] | None = None
        for one in sorted(marker):
            here = self._above(one)
            found = here if found is None else found & here
            if not found:
                return set()
        return found or set()

    def _above(self, pattern: str) -> set[Parts]:
        wanted = pattern.rstrip("/").split("/")
        by_name = self._folders if pattern.endswith("/") else self._files
        last = glob(wanted[-1])
        names = [wanted[-1]] if "*" not in wanted[-1] else [name for name in by_name if last.fullmatch(name)]
        above: set[Parts] = set()
        for name in names:
            for parts in by_name.get(name, ()):
                start = len(parts) - len(wanted)
                if start >= 0 and all(glob(w).fullmatch(p) for w, p in zip(wanted, parts[start:], strict=True)):
                    above.add(parts[:start])
        return above
