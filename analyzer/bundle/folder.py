"""A folder as a bundle: files are read where they are, when they are asked for; nothing outside it is opened."""

from __future__ import annotations

import os
import stat
from functools import partial
from typing import BinaryIO

from analyzer.bundle import reasons
from analyzer.bundle.collect import Collector, Found
from analyzer.bundle.gauge import Translated
from analyzer.bundle.unpack import sniff
from analyzer.errors import BundleError


def collect(root: str, into: Collector) -> None:
    """Walk the folder without following links to folders; a link to a file inside the folder is read."""
    real_root = os.path.realpath(root)
    limits = into.gauge.limits
    for here, folders, files in os.walk(root, onerror=lambda error: _unreadable(root, error, into)):
        below = os.path.relpath(here, root)
        prefix = "" if below == os.curdir else below.replace(os.sep, "/") + "/"
        for folder in sorted(folders):
            into.gauge.member()
            if os.path.islink(os.path.join(here, folder)):
                inside = _is_inside(os.path.realpath(os.path.join(here, folder)), real_root)
                into.refuse(prefix + folder, reasons.LINK_DIR if inside else reasons.LINK_OUT)
            elif prefix.count("/") + 1 >= limits.depth:
                into.refuse(prefix + folder, reasons.TOO_DEEP)
        kept = [f for f in folders if not os.path.islink(os.path.join(here, f))]
        folders[:] = sorted(kept) if prefix.count("/") + 1 < limits.depth else []
        for file in sorted(files):
            into.gauge.member()
            if path := into.name("", prefix + file):
                _file(os.path.join(here, file), path, real_root, into)


def _file(on_disk: str, path: str, real_root: str, into: Collector) -> None:
    try:
        if os.path.islink(on_disk):
            on_disk = os.path.realpath(on_disk)
            if not _is_inside(on_disk, real_root):
                into.refuse(path, reasons.LINK_OUT)
                return
        with open_regular(on_disk) as file:
            size = os.fstat(file.fileno()).st_size
            head = file.read(512)
            if sniff(head) != "plain" or path.lower().endswith((".gpg", ".pgp", ".age")):
                file.seek(0)
                into.add(path, Translated(file, (OSError,), lambda _: reasons.UNREADABLE), 1, (file, size))
            elif size > into.gauge.limits.member_bytes:
                into.refuse(path, reasons.MEMBER_BYTES)
            else:
                into.gauge.spend(size)
                into.found.append(Found(path, path, size, partial(_read, on_disk, size)))
    except NotRegular:
        into.refuse(path, reasons.SPECIAL)
    except OSError:
        into.refuse(path, reasons.UNREADABLE)


class NotRegular(Exception):
    """A device, pipe, socket or folder where a file was expected."""


def open_regular(path: str) -> BinaryIO:
    """Open a regular file; never blocks on a pipe and never follows a link put there in the meantime."""
    if not stat.S_ISREG(os.lstat(path).st_mode):
        raise NotRegular(path)
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise NotRegular(path)
    return os.fdopen(descriptor, "rb")


def _read(path: str, size: int) -> bytes:
    """As many bytes as there were when the bundle was opened, also of a log that is still written."""
    try:
        with open_regular(path) as file:
            return file.read(size)
    except (OSError, NotRegular):
        raise BundleError("a file disappeared while the bundle was read", where=path) from None


def _is_inside(path: str, root: str) -> bool:
    return path.startswith(root.rstrip(os.sep) + os.sep)


def _unreadable(root: str, error: OSError, into: Collector) -> None:
    name = os.path.relpath(str(error.filename), root) if error.filename else root
    into.refuse(name, reasons.UNREADABLE)
