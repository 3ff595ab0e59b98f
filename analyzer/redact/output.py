"""Where the redacted members go: a folder, or one archive by the name's suffix; nothing is there until all of it is."""

from __future__ import annotations

import gzip
import os
import shutil
import tarfile
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import IO

from analyzer.errors import IpvscopeError, UsageError

ARCHIVES = {".tar.gz": "w:gz", ".tgz": "w:gz", ".tar.xz": "w:xz", ".txz": "w:xz", ".tar": "w:"}
NOT_WRITTEN = (".zip", ".tar.bz2", ".tbz2", ".tar.zst", ".tzst", ".gz", ".xz", ".7z")
"""Ends by which somebody means an archive of another kind, not a folder."""


class Output:
    """A bundle being written beside `path`, moved there by `finish`. As a context manager it cleans up after a failure.

    Raises:
        UsageError: something is at `path` already, or its name is that of an archive of a kind that is not written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        if path.exists() and not (path.is_dir() and not any(path.iterdir())):
            raise UsageError("it is there already", where=str(path), hint="Give another -o, or remove it first.")
        self._mode = next((mode for suffix, mode in ARCHIVES.items() if path.name.lower().endswith(suffix)), "")
        if not self._mode and path.name.lower().endswith(NOT_WRITTEN):
            raise UsageError(
                "an archive of this kind is not written",
                where=str(path),
                hint=f"A folder, or one of {', '.join(ARCHIVES)}.",
            )
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._work = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent))
        except OSError as error:
            raise IpvscopeError(f"cannot be written: {error.strerror}", where=str(path)) from None
        self.folder = self._work / "bundle"
        self.folder.mkdir()
        self._taken: set[str] = set()
        self.bytes = 0

    def add(self, path: str, pieces: Iterable[str]) -> None:
        """Write one member. Names are bounded for the file system, lead nowhere else, and are never twice the same."""
        path = self._free("/".join(part[:200] if part.strip(".") else "_" * len(part) for part in path.split("/")))
        target = self.folder / path
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            with target.open("wb") as file:
                for piece in pieces:
                    self.bytes += file.write(piece.encode("utf-8", "surrogateescape"))
        except OSError as error:
            raise IpvscopeError(f"cannot be written: {error.strerror}", where=str(self.path)) from None

    def _free(self, path: str) -> str:
        found, number = path, 1
        while found in self._taken:
            number += 1
            found = f"{path}.{number}"
        self._taken.add(found)
        return found

    def pack(self) -> Path:
        """The archive, still beside the target (or the folder, if no archive is wanted)."""
        if not self._mode:
            return self.folder
        packed = self._work / self.path.name
        try:
            if self._mode == "w:gz":
                # Without the time of packing: same input, same bytes.
                with packed.open("wb") as raw, gzip.GzipFile("", "wb", mtime=0, fileobj=raw) as file:
                    self._tar(file, "w:")
            else:
                with packed.open("wb") as file:
                    self._tar(file, self._mode)
        except OSError as error:
            raise IpvscopeError(f"cannot be written: {error.strerror}", where=str(self.path)) from None
        return packed

    def _tar(self, file: IO[bytes] | gzip.GzipFile, mode: str) -> None:
        with tarfile.open(fileobj=file, mode=mode, format=tarfile.PAX_FORMAT) as archive:  # type: ignore[call-overload]
            for path in sorted(self._taken):
                info = tarfile.TarInfo(path)
                source = self.folder / path
                info.size, info.mode = source.stat().st_size, 0o644
                with source.open("rb") as content:
                    archive.addfile(info, content)

    def finish(self, packed: Path) -> None:
        """Put what `pack` made where it belongs."""
        try:
            if self.path.is_dir():
                self.path.rmdir()
            os.replace(packed, self.path)
            if packed == self.folder:
                self.path.chmod(0o755)
        except OSError as error:
            raise IpvscopeError(f"cannot be written: {error.strerror}", where=str(self.path)) from None

    def __enter__(self) -> Output:
        return self

    def __exit__(self, *_: object) -> None:
        shutil.rmtree(self._work, ignore_errors=True)
