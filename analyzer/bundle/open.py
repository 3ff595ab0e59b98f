"""Open a bundle: a folder, an archive or a single file, told apart by content and read under limits."""

from __future__ import annotations

import os
import re

from analyzer.bundle import folder, reasons
from analyzer.bundle.collect import Collector, common_top
from analyzer.bundle.gauge import Gauge, Translated
from analyzer.bundle.layout import arrange
from analyzer.bundle.model import Bundle, Limits, Member, Refused
from analyzer.bundle.places import Piece
from analyzer.bundle.spool import Spool
from analyzer.errors import BundleError

_SUFFIXES = re.compile(r"\.(?:tar|zip|t[gbx]z2?|tzst|tar\.(?:gz|xz|bz2|zst))$", re.IGNORECASE)


def open_bundle(source: str | os.PathLike[str], *, limits: Limits | None = None, node: str = "") -> Bundle:
    """Read the list of members of `source` and give each a node and an area; close the bundle after use.

    Members that cannot be read or are not safe are listed in `refused`, the rest is there. A single folder around
    everything is taken off the paths. An archive is unpacked once, into memory or one nameless temporary file; a
    folder is read in place.

    Args:
        limits: what it may cost; `Limits.usual` if not said.
        node: the node for captures that no folder of the bundle assigns.

    Raises:
        BundleError: there is nothing at `source`, or nothing in it can be read.
        UnsafeBundle: it exceeds `limits` as a whole.
    """
    where = os.fspath(source)
    try:
        is_folder = os.path.isdir(where)
        on_disk = 0 if is_folder else os.stat(where).st_size
    except (OSError, ValueError):
        raise BundleError("there is no such file or folder", where=where, hint="Check the path.") from None
    gauge = Gauge(limits or Limits.usual(), where, on_disk)
    spool = Spool(gauge)
    try:
        into = Collector(gauge, spool)
        if is_folder:
            folder.collect(where, into)
        else:
            _file(where, on_disk, into)
        if not into.found:
            raise _nothing(where, into.refused)
        return _bundle(where, into, spool, node)
    except BaseException:
        spool.close()
        raise


def _file(where: str, on_disk: int, into: Collector) -> None:
    try:
        # The user may name a link; links inside the bundle are another matter.
        with folder.open_regular(os.path.realpath(where)) as file:
            name = into.name("", os.path.basename(where)) or "capture"
            into.gauge.member()
            into.add(name, Translated(file, (OSError,), lambda _: reasons.UNREADABLE), 0, (file, on_disk))
    except folder.NotRegular:
        raise BundleError("it is neither a file nor a folder", where=where) from None
    except OSError as error:
        hint = "Check its permissions."
        raise BundleError(f"it cannot be opened: {error.strerror}", where=where, hint=hint) from None
    if not on_disk:
        raise BundleError("it is empty", where=where, hint="Check that the upload was complete.")


def _nothing(where: str, refused: list[Refused]) -> BundleError:
    if not refused:
        return BundleError("it holds no files", where=where, hint="Give the folder or archive with the captures.")
    first = refused[0]
    more = f" (and {len(refused) - 1} more like it)" if len(refused) > 1 else ""
    hint = "Check that it was collected and uploaded completely, and that it is not encrypted."
    return BundleError(f"nothing in it can be read; {first.path}: {first.why}{more}", where=where, hint=hint)


def _bundle(where: str, into: Collector, spool: Spool, node: str) -> Bundle:
    files = into.settle()
    top = common_top([file.path for file in files])
    pieces = [Piece(file.path[len(top) :], file.size, file.read) for file in files]
    refused = [Refused(r.path.removeprefix(top), r.why) for r in into.refused]
    outer = top.rstrip("/").rpartition("/")[2] or bare_name(where)
    placed = arrange(pieces, node, outer)
    if placed.bad_manifest:
        refused.append(Refused(placed.bad_manifest, reasons.BAD_MANIFEST))
    members = tuple(
        Member(
            piece.path, piece.size, place.area, place.node, piece.read, place.command, place.partial, place.unused
        )  # fmt: skip
        for piece, place in zip(pieces, placed.places, strict=True)
    )
    order = sorted(set(refused), key=lambda r: (r.path, r.why))
    return Bundle(where, placed.layout, members, tuple(order), placed.manifest, spool.close, placed.parts)


def bare_name(where: str) -> str:
    """The name of a file or folder without the suffixes of archives.

    >>> bare_name("/tmp/node-a.tar.gz"), bare_name("b/diag_1.tgz/"), bare_name("collector.json")
    ('node-a', 'diag_1', 'collector.json')
    """
    name = os.path.basename(os.path.abspath(where))
    return _SUFFIXES.sub("", name) or name
