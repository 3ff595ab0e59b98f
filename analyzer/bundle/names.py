"""Names from an archive, made harmless or refused. Nothing here touches a file system."""

from __future__ import annotations

import re
import unicodedata

from analyzer.bundle import reasons
from analyzer.bundle.model import Limits

_DRIVE = re.compile(r"[A-Za-z]:")
_SHOWN = 200
# Directional overrides and zero-width characters (Cf) can make one name look like another; Zl and Zp end lines.
_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Co", "Zl", "Zp"})


def readable(name: str) -> str:
    """Bytes that are no UTF-8 become ``%XX``, so that a name can always be printed and stays distinct.

    >>> readable("a" + chr(0xDCFF))
    'a%FF'
    """
    return "".join(f"%{ord(c) - 0xDC00:02X}" if 0xDC80 <= ord(c) <= 0xDCFF else c for c in name)


def shown(name: str) -> str:
    """A name for a message: hidden characters visible, length bounded.

    >>> shown("a" + chr(10) + "b")
    'a\\\\nb'
    """
    safe = "".join(
        c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in readable(name[: 2 * _SHOWN])
    )
    return safe if len(safe) <= _SHOWN and len(name) <= 2 * _SHOWN else safe[:_SHOWN] + "…"


def clean(name: str, limits: Limits) -> tuple[str, str]:
    """The path relative to the bundle's root and an empty reason, or an empty path and the reason of the refusal.

    ``./`` and doubled slashes are dropped; anything that would need interpretation (``..``, a leading slash,
    a drive, a backslash) is refused rather than repaired.

    >>> clean("./nodes//a/x.txt", Limits())
    ('nodes/a/x.txt', '')
    >>> clean("../x", Limits())
    ('', 'its path leaves the bundle')
    """
    name = readable(name)
    if len(name.encode("utf-8", "replace")) > limits.path_length:
        return "", reasons.TOO_LONG
    if any(unicodedata.category(c) in _HIDDEN for c in name):
        return "", reasons.CONTROL
    if "\\" in name:
        return "", reasons.BACKSLASH
    if name.startswith("/"):
        return "", reasons.ABSOLUTE
    parts = [part for part in name.split("/") if part not in ("", ".")]
    if not parts:
        return "", reasons.EMPTY_NAME
    if ".." in parts:
        return "", reasons.PARENT
    if _DRIVE.match(parts[0]):
        return "", reasons.DRIVE
    if len(parts) > limits.depth:
        return "", reasons.TOO_DEEP
    if "__MACOSX" in parts or parts[-1] == ".DS_Store" or parts[-1].startswith("._"):
        return "", reasons.NOT_A_CAPTURE
    return "/".join(parts), ""
