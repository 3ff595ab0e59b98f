"""Which folders (or single files) of what was opened are bundles of another collector."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from analyzer.bundle.layouts import layouts
from analyzer.bundle.places import Layout, Parts, Piece, Place, Root, Tree


@dataclass(frozen=True)
class Claim:
    """A layout that was recognised at a place; `file` is set when the bundle is that one file."""

    layout: Layout
    root: Root
    file: Parts = ()

    def holds(self, piece: Piece) -> bool:
        if self.file:
            return piece.parts == self.file
        return piece.parts[: len(self.root.path)] == self.root.path

    def place(self, piece: Piece, node: str) -> Place:
        return self.layout.place(self.root, piece.parts[len(self.root.path) :], node)


def claims(pieces: Sequence[Piece], native: set[Parts], name: str) -> list[Claim]:
    """The recognised bundles, outermost first.

    A marker nearest to the root wins over the same collector's below it; another collector's below it is a bundle
    inside the bundle. A native root above or at the same place is left to the native layout.
    """
    tree = Tree(pieces)
    found: list[tuple[Parts, Layout]] = []
    for layout in layouts():
        roots = {root for marker in layout.markers for root in tree.roots(marker)}
        found += [(root, layout) for root in roots if root not in native]
    accepted: list[tuple[Parts, Layout]] = []
    for root, layout in sorted(found, key=lambda pair: (len(pair[0]), pair[0], -len(pair[1].over), pair[1].name)):
        inside_itself = any(layout is one and root[: len(above)] == above for above, one in accepted)
        beaten = any(root == above and layout.name in one.over for above, one in accepted)
        if not inside_itself and not beaten:
            accepted.append((root, layout))
    made = [Claim(layout, _root(pieces, root, name)) for root, layout in accepted]
    held = {piece.path for piece in pieces if any(claim.holds(piece) for claim in made)}
    for piece in pieces:
        if piece.path in held or any(piece.parts[: len(root)] == root for root in native):
            continue
        for layout in layouts():
            if layout.single is not None and layout.single(piece):
                above = piece.parts[:-1]
                alone = Root(above, piece.parts[-1], {piece.parts[-1:]: piece})
                made.append(Claim(layout, alone, piece.parts))
                break
    return made


def _root(pieces: Sequence[Piece], path: Parts, name: str) -> Root:
    below = {piece.parts[len(path) :]: piece for piece in pieces if piece.parts[: len(path)] == path}
    return Root(path, path[-1] if path else name, below)
