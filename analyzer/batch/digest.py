"""What a result is the result of: a digest of the bundle's bytes, and the key over everything that shapes a result."""

from __future__ import annotations

import hashlib
import json
import os
import stat
from collections.abc import Iterator
from functools import cache
from importlib import resources

import msgspec

from analyzer import __version__
from analyzer.batch.model import SCHEMA, Options
from analyzer.bundle.model import Limits
from analyzer.errors import BundleError

_MOST = Limits()
_BLOCK = 1 << 20


def content_digest(path: str) -> str:
    """SHA-256 of a file, or over the sorted relative paths and contents of a folder's regular files; nothing is followed out of it.

    Raises:
        BundleError: it is not there, cannot be read, or holds more than a bundle may.
    """
    whole = hashlib.sha256()
    try:
        if os.path.isdir(path):
            whole.update(b"folder\0")
            for name, full in sorted(_members(path)):
                whole.update(name + b"\0" + _of_file(full))
        else:
            whole.update(b"file\0" + _of_file(os.path.realpath(path)))
    except FileNotFoundError:
        raise BundleError("there is no such file or folder") from None
    except (OSError, ValueError) as error:
        raise BundleError(f"it cannot be read: {getattr(error, 'strerror', None) or error}") from None
    return whole.hexdigest()


def _members(folder: str) -> Iterator[tuple[bytes, str]]:
    count = 0
    for here, folders, files in os.walk(folder):
        folders.sort()
        for name in files:
            count += 1
            if count > _MOST.members:
                raise BundleError(f"it holds more than {_MOST.members} files")
            full = os.path.join(here, name)
            yield os.fsencode(os.path.relpath(full, folder)), full


def _of_file(path: str) -> bytes:
    """Digest of one regular file; of anything else, a digest of what it is."""
    found = os.lstat(path)
    if not stat.S_ISREG(found.st_mode):
        return hashlib.sha256(f"not a file: {stat.S_IFMT(found.st_mode)}".encode()).digest()
    if found.st_size > _MOST.total_bytes:
        raise BundleError(f"it is larger than {_MOST.total_bytes >> 30} GiB")
    done = hashlib.sha256()
    handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with open(handle, "rb", buffering=0) as file:
        while data := file.read(_BLOCK):
            done.update(data)
    return done.digest()


def identity(path: str) -> str:
    """What changes whenever a regular file does; empty for a folder, which has nothing of the kind."""
    try:
        found = os.stat(path)
    except (OSError, ValueError):
        return ""
    if not stat.S_ISREG(found.st_mode):
        return ""
    return f"{found.st_dev}:{found.st_ino}:{found.st_size}:{found.st_mtime_ns}:{found.st_ctime_ns}"


@cache
def rule_set() -> str:
    """A digest over the sources of all rules: a rule that was edited gives new results."""
    whole = hashlib.sha256()
    for item in sorted(resources.files("analyzer.findings.rules").iterdir(), key=lambda one: one.name):
        if item.name.endswith(".py"):
            whole.update(item.name.encode() + b"\0" + hashlib.sha256(item.read_bytes()).digest())
    return whole.hexdigest()


def context_key(name: str, symptom: str, options: Options) -> str:
    """Everything but the content that shapes a result: tool, rules, options, the bundle's own name (a report shows it), the symptom."""
    parts = [SCHEMA, __version__, rule_set(), name, symptom, msgspec.to_builtins(options)]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def result_key(content: str, context: str) -> str:
    return hashlib.sha256(f"{content}\n{context}".encode()).hexdigest()


def seen_name(source: str, same: str, context: str) -> str:
    """Where it stands that a source, unchanged since, was analysed."""
    return f"seen/{hashlib.sha256(json.dumps([source, same, context]).encode()).hexdigest()}.json"
