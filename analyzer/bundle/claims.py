"""Which folders (or single files) of what was opened are bundles of another collector."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from analyzer.bundle.layouts import layouts
from analyzer.bundle.places import Layout, Parts, Piece, Place, Root, Tree


@dataclass(frozen=True)
class Claim:
    """A layout that was recognised at a place; `file` is set when the bundle is that one file."""

    layout: Layout
    root: Root
    file: Parts = ()

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
    accepted: dict[tuple[Parts, str], Layout] = {}
    for root, layout in sorted(found, key=lambda pair: (len(pair[0]), pair[0], -len(pair[1].over), pair[1].name)):
        inside_itself = any((above, layout.name) in accepted for above in _upwards(root))
        beaten = any((root, one.name) in accepted for one in layouts() if layout.name in one.over)
        if not inside_itself and not beaten:
            accepted[root, layout.name] = layout
    below = _below(pieces, {root for root, _ in accepted})
    made = [
        Claim(layout, Root(root, root[-1] if root else name, below[root])) for (root, _), layout in accepted.items()
    ]
    taken = {*below, *native}
    for piece in pieces:
        if any(above in taken for above in _upwards(piece.parts[:-1])):
            continue
        for layout in layouts():
            if layout.single is not None and layout.single(piece):
                above = piece.parts[:-1]
                alone = Root(above, piece.parts[-1], {piece.parts[-1:]: piece})
                made.append(Claim(layout, alone, piece.parts))
                break
    return made


def _upwards(path: Parts) -> Iterator[Parts]:
    """The folder and every folder above it."""
    return (path[:depth] for depth in range(len(path), -1, -1))


def _below(pieces: Sequence[Piece], roots: set[Parts]) -> dict[Parts, dict[Parts, Piece]]:
    """For each root the pieces below it, by their paths from there."""
    found: dict[Parts, dict[Parts, Piece]] = {root: {} for root in roots}
    for piece in pieces:
        for above in _upwards(piece.parts[:-1]):
            if (held := found.get(above)) is not None:
                held[piece.parts[len(above) :]] = piece
    return found


class Owners:
    """Which claims a piece belongs to: the innermost bundle around it, several where collectors share a folder."""

    def __init__(self, claimed: Sequence[Claim]) -> None:
        self._claims: dict[tuple[Parts, bool], list[int]] = {}
        for number, claim in enumerate(claimed):
            self._claims.setdefault((claim.file or claim.root.path, bool(claim.file)), []).append(number)

    def of(self, piece: Piece) -> Sequence[int]:
        """The claims' positions, none for a loose file."""
        if (alone := self._claims.get((piece.parts, True))) is not None:
            return alone
        holding = (self._claims.get((above, False)) for above in _upwards(piece.parts[:-1]))
        return next((numbers for numbers in holding if numbers), ())
