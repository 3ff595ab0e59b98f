"""The members of a source, whatever it is: unpacked, checked, stored; what is refused is listed with its reason."""

from __future__ import annotations

import io
import os
import posixpath
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import BinaryIO, cast

from analyzer.bundle import reasons, tape, zipped
from analyzer.bundle.gauge import Damaged, Gauge, Peeked, Readable
from analyzer.bundle.model import Refused
from analyzer.bundle.names import clean, shown
from analyzer.bundle.spool import Spool, SpoolView
from analyzer.bundle.unpack import COMPRESSED, Unpacked, sniff, without_suffix

# Archives inside the bundle are opened (one per node is usual), and archives in those (a sysdump holds one per node).
_LEVELS = 3
_LAYERS = 2
_AREAS = frozenset(
    {"nodes", "cluster", "kubectl", "objects", "cloud", "cmd", "sos_commands", "cluster-resources", "host-collectors"}
)
_ENCRYPTED_SUFFIXES = (".gpg", ".pgp", ".age")


@dataclass(frozen=True, slots=True)
class Found:
    """A file that can be read. `packed` is its path before a compression suffix was taken off."""

    path: str
    packed: str
    size: int
    read: Callable[[], bytes]


class Collector:
    """Gathers `found` and `refused`. Level 0 is the source itself, 1 its members, 2 and 3 the members of
    archives in it."""

    def __init__(self, gauge: Gauge, spool: Spool) -> None:
        self.gauge, self.spool = gauge, spool
        self.found: list[Found] = []
        self.refused: list[Refused] = []

    def refuse(self, path: str, why: str) -> None:
        self.refused.append(Refused(shown(path), why))

    def name(self, prefix: str, name: str, *, folder: bool = False) -> str:
        """The clean path below `prefix`, or nothing after noting the refusal; a folder has no content to lose."""
        path, why = clean(name, self.gauge.limits)
        if not why and prefix:
            path, why = clean(prefix + path, self.gauge.limits)
        if why and not (folder and why in (reasons.EMPTY_NAME, reasons.NOT_A_CAPTURE)):
            self.refuse(prefix + name, why)
        return "" if why else path

    def add(self, path: str, source: Readable, level: int, raw: tuple[BinaryIO, int] | None = None) -> None:
        """One regular file: stored, unpacked first where it is compressed, opened where it is an archive.

        `raw` is the seekable file behind `source` and its size, if there is one.
        """
        packed, start, prefix, layers = path, len(self.found), "", list[Unpacked]()
        try:
            peeked = Peeked(source)
            while (kind := sniff(peeked.head)) in COMPRESSED and len(layers) < _LAYERS:
                path = without_suffix(path, kind)
                layers.append(Unpacked(peeked, kind, self.gauge, outermost=level == 0 and not layers))
                peeked = Peeked(layers[-1])
            if level == 0 and len(peeked.head) == 512 and not any(peeked.head):
                # An archive without members is nothing but end marks.
                kind = "tar"
            if kind == "encrypted" or packed.lower().endswith(_ENCRYPTED_SUFFIXES):
                self.refuse(packed, reasons.ENCRYPTED)
            elif kind == "foreign":
                self.refuse(packed, reasons.FOREIGN_ARCHIVE)
            elif kind in COMPRESSED or (kind != "plain" and level >= _LEVELS):
                self.refuse(packed, reasons.NESTED)
            elif kind == "tar":
                prefix = _inside(path, level)
                self._tar(packed, prefix, peeked, level)
            elif kind == "zip":
                prefix = _inside(path, level)
                self._zip(prefix, peeked, level, None if layers else raw)
            else:
                offset, size = self.spool.store(peeked)
                self.found.append(Found(path, packed, size, partial(self.spool.read, offset, size)))
        except Damaged as damage:
            self.refuse(packed, damage.why)
        for layer in layers:
            if layer.why:
                self.refuse(packed, layer.why)
        if prefix:
            self._flatten(start, prefix)

    def _tar(self, packed: str, prefix: str, stream: Readable, level: int) -> None:
        for entry in tape.entries(stream, self.gauge):
            path = self.name(prefix, entry.name, folder=entry.data is None and not entry.why)
            if not path or (entry.data is None and not entry.why):
                continue
            if entry.why:
                self.refuse(path, entry.why)
            elif entry.size > self.gauge.limits.member_bytes:
                self.refuse(path, reasons.MEMBER_BYTES)
            elif entry.data is not None:
                self.add(path, entry.data, level + 1)
        # Reading on to the very end also checks the checksum of the compression around.
        if tape.skip(stream, self.gauge):
            self.refuse(packed, reasons.TRAILING)

    def _zip(self, prefix: str, stream: Readable, level: int, raw: tuple[BinaryIO, int] | None) -> None:
        if raw is None:
            offset, size = self.spool.store(stream)
            raw = cast(BinaryIO, io.BufferedReader(SpoolView(self.spool, offset, size))), size
        for entry in zipped.entries(raw[0], raw[1], self.gauge):
            path = self.name(prefix, entry.name, folder=entry.data is None and not entry.why)
            if path and entry.why:
                self.refuse(path, entry.why)
            elif path and entry.data is not None:
                self.add(path, entry.data, level + 1)

    def _flatten(self, start: int, prefix: str) -> None:
        """Take the single top folder off the members of an archive inside the bundle."""
        inner = [found.path[len(prefix) :] for found in self.found[start:]]
        if top := common_top(inner):
            self.found[start:] = [
                replace(found, path=prefix + path[len(top) :], packed=prefix + found.packed[len(prefix) + len(top) :])
                for found, path in zip(self.found[start:], inner, strict=True)
            ]

    def settle(self) -> list[Found]:
        """Every path once, in order: the later of two equal ones, noted; names that differ only in case, noted."""
        taken: dict[str, int] = {}
        for found in self.found:
            taken[found.path] = taken.get(found.path, 0) + 1
        files: dict[str, Found] = {}
        for found in self.found:
            # `x.txt` beside `x.txt.gz`: the packed one keeps its full name.
            path = found.packed if taken[found.path] > 1 else found.path
            if path in files:
                self.refuse(path, reasons.DUPLICATE)
            files[path] = replace(found, path=path)
        folded: dict[str, str] = {}
        for path in sorted(files):
            if folded.setdefault(path.casefold(), path) != path:
                self.refuse(path, reasons.CASE)
        return [files[path] for path in sorted(files)]


def common_top(paths: Sequence[str]) -> str:
    """The folders all paths share, with a slash behind, as far as they are only a wrapper around the bundle.

    >>> common_top(["tmp/diag/a", "tmp/diag/b/c"]), common_top(["x/nodes/a/b"]), common_top(["a", "b/c"])
    ('tmp/diag/', 'x/', '')
    """
    if not paths:
        return ""
    shared = posixpath.commonpath([os.path.dirname(path) for path in paths]).split("/")
    top: list[str] = []
    for folder in shared:
        if not folder or folder.lower() in _AREAS:
            break
        top.append(folder)
    return "".join(folder + "/" for folder in top)


def _inside(path: str, level: int) -> str:
    """Where the members of an archive go: the root for the source itself, else a folder named after the archive."""
    if level == 0:
        return ""
    base, dot, suffix = path.rpartition(".")
    name = base if dot and suffix.lower() in ("tar", "zip") and base and not base.endswith("/") else path
    return name + "/"
