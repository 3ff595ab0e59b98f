"""Where results lie: a folder, or an object store behind an fsspec URL. A name either holds the whole content or nothing.

results/<key[:2]>/<key>.json        the record, written last: where it stands, all of the result stands
results/<key[:2]>/<key>.html|pdf|report.json
results/<key[:2]>/<key>.cost.json   seconds and memory
seen/<id>.json                      a source that was analysed before -> its key
"""

from __future__ import annotations

import os
import secrets
import shutil
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Protocol

from analyzer.batch.urls import file_system, is_url
from analyzer.errors import IpvscopeError

_TEMPORARY = ".tmp"


class Store(Protocol):
    """`put` is atomic and durable when it returns; `get` gives None for a name that is not there."""

    def put(self, name: str, content: bytes) -> None: ...

    def get(self, name: str) -> bytes | None: ...


class FolderStore:
    """A folder; a file is written beside, flushed to the disk and renamed."""

    def __init__(self, root: str) -> None:
        self.root = Path(root)

    def put(self, name: str, content: bytes) -> None:
        target = self.root / name
        temporary = self.root / _TEMPORARY / secrets.token_hex(12)
        try:
            temporary.parent.mkdir(parents=True, exist_ok=True)
            target.parent.mkdir(parents=True, exist_ok=True)
            try:
                with temporary.open("xb") as file:
                    file.write(content)
                    file.flush()
                    os.fsync(file.fileno())
                temporary.replace(target)
            except BaseException:
                with suppress(OSError):
                    temporary.unlink()
                raise
            _sync_folder(target.parent)
        except OSError as error:
            raise IpvscopeError(f"cannot be written: {error.strerror}", where=str(target)) from None

    def get(self, name: str) -> bytes | None:
        try:
            return (self.root / name).read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise IpvscopeError(f"cannot be read: {error.strerror}", where=str(self.root / name)) from None

    def sweep(self) -> None:
        """Remove what a killed run left half-written; only when no other run works here."""
        shutil.rmtree(self.root / _TEMPORARY, ignore_errors=True)


def _sync_folder(folder: Path) -> None:
    """Make a rename last through a power cut."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


class UrlStore:
    """An object store: putting one object is atomic there, so no renaming is needed."""

    def __init__(self, url: str) -> None:
        self._fs, self._root = file_system(url)

    def put(self, name: str, content: bytes) -> None:
        try:
            self._fs.pipe_file(f"{self._root.rstrip('/')}/{name}", content)
        except Exception as error:  # each driver has its own errors
            raise IpvscopeError(f"cannot be written: {type(error).__name__}: {error}", where=name) from None

    def get(self, name: str) -> bytes | None:
        try:
            return bytes(self._fs.cat_file(f"{self._root.rstrip('/')}/{name}"))
        except FileNotFoundError:
            return None
        except Exception as error:  # each driver has its own errors
            raise IpvscopeError(f"cannot be read: {type(error).__name__}: {error}", where=name) from None


@lru_cache(maxsize=8)
def store_of(root: str) -> Store:
    """The store at a folder or URL.

    Raises:
        UsageError: the scheme of the URL is not one that is written to.
        MissingExtra: its driver is not installed.
    """
    return UrlStore(root) if is_url(root) else FolderStore(root)


def place(key: str, kind: str) -> str:
    """The name of one file of a result; kind is json (the record), cost.json, html, pdf or report.json."""
    return f"results/{key[:2]}/{key}.{kind}"


REPORT_KIND = {"html": "html", "pdf": "pdf", "json": "report.json"}
"""Report -> the end of its name in the store."""
