"""The file that stays with the customer: the key, what was replaced by what, and thereby the way back."""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from analyzer.errors import IpvscopeError, UsageError

FORMAT = 1


@dataclass
class Mapping:
    """One cluster's mapping. `replaced` and `addresses` are original to image, as they are written."""

    key: bytes
    words: list[str] = field(default_factory=list)
    phrases: list[str] = field(default_factory=list)
    replaced: dict[str, str] = field(default_factory=dict)
    addresses: dict[str, str] = field(default_factory=dict)


def new_mapping() -> Mapping:
    """With a key of its own, so that nobody can guess names and compare."""
    return Mapping(secrets.token_bytes(32))


def key_of(path: Path) -> bytes:
    """The key in a file: its bytes, whatever they are, hashed.

    Raises:
        UsageError: it cannot be read, or is too short to be a secret.
    """
    try:
        content = path.read_bytes().strip()
    except OSError as error:
        raise UsageError(f"the key cannot be read: {error.strerror}", where=str(path)) from None
    if len(content) < 16:
        raise UsageError(
            "a key needs at least 16 bytes", where=str(path), hint="e.g. head -c 32 /dev/urandom > KEYFILE"
        )
    return hashlib.sha256(content).digest()


def read_mapping(path: Path) -> Mapping:
    """Read the file.

    Raises:
        UsageError: it is none, or of another format.
    """
    try:
        read = json.loads(path.read_text("utf-8"))
    except OSError as error:
        raise UsageError(f"the mapping cannot be read: {error.strerror}", where=str(path)) from None
    except ValueError as error:
        raise UsageError(f"this is no mapping: {error}", where=str(path)) from None
    if not isinstance(read, dict) or read.get("format") != FORMAT or read.get("tool") != "ipvscope redact":
        raise UsageError("this is no mapping that this version of ipvscope can read", where=str(path))
    try:
        found = Mapping(
            bytes.fromhex(read["key"]),
            list(read["words"]),
            list(read["phrases"]),
            dict(read["replaced"]),
            dict(read["addresses"]),
        )
    except (KeyError, TypeError, ValueError):
        raise UsageError("the mapping is damaged", where=str(path), hint="Redact the bundle again.") from None
    texts = [
        *found.words,
        *found.phrases,
        *found.replaced,
        *found.replaced.values(),
        *found.addresses,
        *found.addresses.values(),
    ]
    if len(found.key) != 32 or not all(isinstance(text, str) for text in texts):
        raise UsageError("the mapping is damaged", where=str(path), hint="Redact the bundle again.")
    return found


def write_mapping(path: Path, mapping: Mapping) -> None:
    """Write it for its owner alone (mode 0600), as a whole or not at all."""
    document = {
        "format": FORMAT,
        "tool": "ipvscope redact",
        "note": "Keep this file: with it the names in a report come back, and nobody else should have it.",
        "key": mapping.key.hex(),
        "words": sorted(mapping.words),
        "phrases": sorted(mapping.phrases),
        "replaced": dict(sorted(mapping.replaced.items())),
        "addresses": dict(sorted(mapping.addresses.items())),
    }
    try:
        descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)  # made with mode 0600
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8", errors="backslashreplace") as file:
                json.dump(document, file, indent=1, ensure_ascii=False)
                file.write("\n")
            os.replace(name, path)
        except BaseException:
            os.unlink(name)
            raise
    except OSError as error:
        raise IpvscopeError(f"the mapping cannot be written: {error.strerror}", where=str(path)) from None
