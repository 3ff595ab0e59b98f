"""Which node and which area a member belongs to.

The native layout says so itself: ``nodes/<node>/…``, ``cluster/…``, ``cloud/<provider>/…``, ``manifest.json``. Bundles of
other collectors, one or several of them, are recognised by their markers (`analyzer.bundle.layouts`). Anything else is
loose: the name of the node is then looked for in folders, file names and small captures, and left empty
where it is not certain. What a capture means is no business of this module; it only looks at names, and into
``hostname``, ``uname`` and the manifest.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from analyzer.bundle.claims import Claim, Owners, claims
from analyzer.bundle.labels import is_capture, node_folders, node_labels
from analyzer.bundle.model import Area, Part
from analyzer.bundle.places import NOT_OF_THE_LAYOUT, Piece, Place

_LOOK_BYTES = 64 << 10
_MANIFEST_BYTES = 32 << 20
_CLUSTER_FOLDERS = frozenset({"cluster", "kubectl", "objects"})
_HOSTNAME_FILES = frozenset({"hostname", "hostname.txt", "hostname.out", "hostname.log"})
_UNAME_FILES = frozenset({"uname", "uname.txt", "uname-a.txt", "uname_-a", "uname.out", "uname-a", "uname.log"})
_HOST = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,251}[A-Za-z0-9])?")
_UNAME = re.compile(r"Linux (\S{1,253}) \d")
_NO_NAMES = frozenset({"localhost", "localhost.localdomain", "(none)"})


@dataclass(frozen=True, slots=True)
class Arrangement:
    """A place per piece, in their order. `bad_manifest` is the path of a manifest that could not be used."""

    layout: str
    places: tuple[Place, ...]
    manifest: dict[str, object] = field(default_factory=dict)
    bad_manifest: str = ""
    parts: tuple[Part, ...] = ()


def arrange(pieces: Sequence[Piece], node: str, name: str = "") -> Arrangement:
    """Give each piece its place.

    Args:
        node: the caller's name for what the bundle does not name itself.
        name: what the folder or archive around the pieces was called.
    """
    roots = _native_roots(pieces)
    claimed = claims(pieces, roots, name)
    around = {claim.root.path for claim in claimed if not claim.file}
    roots = {root for root in roots if not any(root[:depth] in around for depth in range(len(root) + 1))}
    owners = Owners(claimed)
    manifest_at = min(
        (
            i
            for i, p in enumerate(pieces)
            if p.parts[-1] == "manifest.json" and p.parts[:-1] in (roots or {()}) and not owners.of(p)
        ),
        key=lambda i: (len(pieces[i].parts), pieces[i].path),
        default=None,
    )
    manifest: dict[str, object] = {}
    bad_manifest = ""
    if manifest_at is not None:
        read = _manifest(pieces[manifest_at])
        manifest, bad_manifest = (read, "") if read is not None else ({}, pieces[manifest_at].path)
    places: list[Place | None] = [None] * len(pieces)
    names = [claim.layout.node(claim.root) or node or _folder_name(claim) for claim in claimed]
    for i, piece in enumerate(pieces):
        for owner in owners.of(piece):
            place = claimed[owner].place(piece, names[owner])
            if places[i] is None or place.unused != NOT_OF_THE_LAYOUT:
                places[i] = place
            if place.unused != NOT_OF_THE_LAYOUT:
                break
    free = [i for i, place in enumerate(places) if place is None]
    rest = [pieces[i] for i in free]
    for i, place in zip(free, [_native(p, roots, node) for p in rest] if roots else _loose(rest, node), strict=True):
        places[i] = place
    if manifest_at is not None:
        places[manifest_at] = Place("manifest")
    placed = tuple(place for place in places if place is not None)
    local = {place.node for place in placed if place.area == "node"}
    parts = [
        Part(
            c.layout.name,
            "/".join(c.file) or "".join(f"{one}/" for one in c.root.path),
            names[n] if names[n] in local else "",
        )
        for n, c in enumerate(claimed)
    ]
    if roots:
        parts += [Part("native", "".join(f"{one}/" for one in root)) for root in sorted(roots)]
    elif not claimed or any(placed[i].area != "other" for i in free):
        parts.append(Part("loose"))
    layout = "+".join(dict.fromkeys(part.layout for part in parts))
    return Arrangement(layout, placed, manifest, bad_manifest, tuple(parts))


def _folder_name(claim: Claim) -> str:
    """Captures of a node whose name nothing tells go by the folder or archive they are in."""
    return claim.root.name if any(rule.area == "node" for rule in claim.layout.rules) else ""


def _native_roots(pieces: Sequence[Piece]) -> set[tuple[str, ...]]:
    """Folders that hold ``nodes/<node>/<file>``, or a manifest beside ``cluster/`` or ``cloud/``.

    Only the ones nearest to the root: a deeper match may be a bundle that someone put into the bundle.
    """
    roots: set[tuple[str, ...]] = set()
    manifests = {piece.parts[:-1] for piece in pieces if piece.parts[-1] == "manifest.json"}
    for piece in pieces:
        for i, part in enumerate(piece.parts[:-1]):
            beside = part in ("cluster", "cloud") and piece.parts[:i] in manifests
            if beside or (part == "nodes" and len(piece.parts) >= i + 3):
                roots.add(piece.parts[:i])
                break
    nearest = min((len(root) for root in roots), default=0)
    return {root for root in roots if len(root) == nearest}


def _native(piece: Piece, roots: set[tuple[str, ...]], node: str) -> Place:
    depth = len(next(iter(roots)))
    rest = piece.parts[depth:]
    if piece.parts[:depth] in roots and len(rest) >= 2:
        if rest[0] == "nodes" and len(rest) >= 3:
            return Place("node", rest[1])
        if rest[0].lower() in _CLUSTER_FOLDERS:
            return Place("cluster")
        if rest[0] == "cloud":
            return Place("cloud")
    return Place("other", node)


def _loose(pieces: Sequence[Piece], caller: str) -> list[Place]:
    areas: list[Area] = []
    for piece in pieces:
        folders = [part.lower() for part in piece.parts[:-1]]
        named: Area | None = next(
            ("cloud" if f == "cloud" else "cluster" for f in folders if f == "cloud" or f in _CLUSTER_FOLDERS), None
        )
        areas.append(named or ("node" if is_capture(piece.parts[-1]) else "other"))
    local = [piece for piece, area in zip(pieces, areas, strict=True) if area in ("node", "other")]
    folders_of = node_folders([piece.parts for piece in local])
    labels = node_labels([piece.path for piece in local])
    hosts = _hosts(local)
    # One name in the whole bundle is the name of the whole bundle, unless folders or files tell nodes apart.
    only = next(iter(hosts.values())) if len(set(hosts.values())) == 1 and not folders_of and not labels else ""
    places: list[Place] = []
    for piece, area in zip(pieces, areas, strict=True):
        if area in ("cluster", "cloud"):
            places.append(Place(area))
            continue
        inside = next((f for f in map(piece.parts.__getitem__, _heads(piece)) if f in folders_of), ())
        if inside:
            places.append(Place("node", inside[-1]))
        else:
            places.append(Place(area, caller or labels.get(piece.path, "") or only or _host_above(piece, hosts)))
    return places


def _heads(piece: Piece) -> list[slice]:
    """The folders above a piece, outermost first."""
    return [slice(0, i) for i in range(1, len(piece.parts))]


def _host_above(piece: Piece, hosts: Mapping[tuple[str, ...], str]) -> str:
    return next((hosts[piece.parts[:i]] for i in range(len(piece.parts) - 1, -1, -1) if piece.parts[:i] in hosts), "")


def _hosts(pieces: Sequence[Piece]) -> dict[tuple[str, ...], str]:
    """Folder to host name, from a ``hostname`` capture, else from ``uname -a``."""
    found: dict[tuple[str, ...], str] = {}
    for names, pattern in ((_UNAME_FILES, _UNAME), (_HOSTNAME_FILES, None)):
        for piece in pieces:
            if piece.parts[-1].lower() in names and piece.size <= _LOOK_BYTES:
                text = piece.read().decode("utf-8", "replace").strip()
                match = pattern.match(text) if pattern else None
                host = match[1] if match else "" if pattern else text
                if _HOST.fullmatch(host) and host.lower() not in _NO_NAMES:
                    found[piece.parts[:-1]] = host
    return found


def _manifest(piece: Piece) -> dict[str, object] | None:
    if piece.size > _MANIFEST_BYTES:
        return None
    try:
        read = json.loads(piece.read())
    except (ValueError, RecursionError):
        return None
    return read if isinstance(read, dict) else None
