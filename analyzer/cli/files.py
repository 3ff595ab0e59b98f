"""Files of a command's result: whole or not there."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import IO

from analyzer.errors import IpvscopeError


def write_files(folder: Path, contents: Mapping[str, bytes]) -> list[Path]:
    """Write files into a folder, made if absent; none of them takes its place before all are written.

    Raises:
        IpvscopeError: the folder cannot be made or a file not be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise IpvscopeError(f"cannot be made: {error.strerror}", where=str(folder)) from None
    ready: dict[Path, str] = {}
    try:
        for name, content in contents.items():
            path = folder / name
            try:
                ready[path] = _beside(path)
                Path(ready[path]).write_bytes(content)
            except OSError as error:
                raise IpvscopeError(f"cannot be written: {error.strerror}", where=str(path)) from None
        for path, temporary in ready.items():
            try:
                os.replace(temporary, path)
            except OSError as error:
                raise IpvscopeError(f"cannot be written: {error.strerror}", where=str(path)) from None
    finally:
        for temporary in ready.values():
            with suppress(OSError):
                os.unlink(temporary)
    return list(ready)


def write_file(path: Path, write: Callable[[IO[bytes]], object]) -> None:
    """Let `write` fill one file; an old file stays as it was until the new one is whole. A pipe or device is written directly.

    Raises:
        IpvscopeError: the file cannot be written.
    """
    try:
        if path.exists() and not path.is_file():
            with path.open("wb") as file:
                write(file)
            return
        target = path.resolve()
        temporary = _beside(target)
        try:
            with open(temporary, "wb") as file:
                write(file)
            os.replace(temporary, target)
        finally:
            with suppress(OSError):
                os.unlink(temporary)
    except OSError as error:
        raise IpvscopeError(f"cannot be written: {error.strerror or error}", where=str(path)) from None


def _beside(path: Path) -> str:
    """An empty file in the same folder, with the permissions that a new file has there."""
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name[:40]}.", suffix=".part", dir=path.parent)
    mask = os.umask(0)
    os.umask(mask)
    os.fchmod(descriptor, 0o666 & ~mask)
    os.close(descriptor)
    return name
