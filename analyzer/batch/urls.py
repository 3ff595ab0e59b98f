"""Sources and results behind a URL, through fsspec: object stores, and single files by https.

Only these schemes are opened: a list of tickets may come from somebody else, and must not make this machine read what it would not show
him. Credentials come from the environment, as each driver documents; what is printed shows neither them nor a signature.
"""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from analyzer.errors import BundleError, IpvscopeError, MissingExtra, UsageError

STORES = ("s3", "oss", "gs", "gcs", "az", "abfs", "abfss")
WEB = ("https",)
SCHEMES = (*STORES, *WEB)
_URL = re.compile(r"([a-zA-Z][a-zA-Z0-9+.-]*)://")
CHUNK = 1 << 20
EXTRAS = {"oss": "oss"}
"""Scheme -> the extra that holds its driver, where it is not `remote`."""


def is_url(text: str) -> bool:
    return _URL.match(text) is not None


def shown(url: str) -> str:
    """A URL without password and query, as it may be printed.

    >>> shown("https://me:secret@example.com/b.tgz?Signature=x")
    'https://example.com/b.tgz'
    """
    if not is_url(url):
        return url
    try:
        parts = urlsplit(url)
    except ValueError:
        return url.partition("?")[0]
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


def scheme(url: str) -> str:
    found = _URL.match(url)
    return found[1].lower() if found else ""


def file_system(url: str) -> tuple[Any, str]:
    """The file system of a URL and the path in it.

    Raises:
        UsageError: the scheme is not one of SCHEMES.
        MissingExtra: fsspec or the driver is not installed.
        IpvscopeError: the driver cannot be set up (no region, no credentials ...).
    """
    if scheme(url) not in SCHEMES or "::" in url:
        raise UsageError(f"not a URL that is opened: {shown(url)}", hint=f"One of {', '.join(SCHEMES)}.")
    try:
        import fsspec

        system, path = fsspec.core.url_to_fs(url)
    except ImportError as error:
        raise MissingExtra(
            f"a library for {scheme(url)}:// is not installed ({error})",
            hint=f"pip install 'ipvscope[{EXTRAS.get(scheme(url), 'remote')}]'",
        ) from None
    except Exception as error:  # each driver has its own errors
        raise IpvscopeError(f"{type(error).__name__}: {error}", where=shown(url)) from None
    return system, path


def listed(url: str, *, web: bool) -> list[tuple[str, str]]:
    """(URL, identity) of every bundle at a URL: entries of a folder, matches of a pattern, or the file itself.

    `identity` changes when the object does (ETag or time and size); it is empty where the store does not say.

    Args:
        web: whether a page of links (https) may be read as a folder.

    Raises:
        IpvscopeError: the store does not answer.
        UsageError: listing by https was not allowed.
    """
    system, path = file_system(url)
    page = scheme(url) in WEB
    bare = path.partition("?")[0] if page else path
    wild = any(char in bare for char in ("*[" if page else "*?["))
    if page and not (web and (wild or bare.endswith("/"))):
        if wild or bare.endswith("/"):
            raise UsageError(
                f"listing by https is off: {shown(url)}",
                hint="Name each file, or use --https-listing if you trust the server.",
            )
        return [(url, "")]
    try:
        system.invalidate_cache()
        if wild:
            found = system.glob(path, detail=True)
            entries = [found[name] for name in sorted(found)]
        else:
            info = {} if page else system.info(path)
            listing = [info] if info.get("type") == "file" else system.ls(path, detail=True)
            entries = sorted(listing, key=lambda one: str(one["name"]))
    except FileNotFoundError:
        return [(url, "")]
    except Exception as error:  # each driver has its own errors
        raise IpvscopeError(f"cannot be listed: {type(error).__name__}: {error}", where=shown(url)) from None
    files = [one for one in entries if one.get("type") == "file" and not str(one["name"]).endswith("/")]
    return [(str(system.unstrip_protocol(one["name"])), _identity(one)) for one in files]


def _identity(info: dict[str, Any]) -> str:
    told = [info.get(name) for name in ("ETag", "etag", "LastModified", "mtime", "md5Hash")]
    return "|".join(map(str, told)) + f"|{info.get('size')}" if any(told) else ""


def identity(url: str) -> str:
    """What changes when the object does; empty where the store does not say, or not now."""
    if scheme(url) in WEB:
        return ""
    system, path = file_system(url)
    try:
        return _identity(system.info(path))
    except Exception:  # the download says what is wrong
        return ""


def fetch(url: str, into: str, most: int) -> None:
    """Download one object to a file, at most `most` bytes.

    Raises:
        BundleError: it is not there, larger, or the store fails.
    """
    system, path = file_system(url)
    total = 0
    try:
        with system.open(path, "rb") as remote, open(into, "wb") as local:
            while data := remote.read(CHUNK):
                total += len(data)
                if total > most:
                    raise BundleError(f"it is larger than {most >> 20} MiB", where=shown(url))
                local.write(data)
    except BundleError:
        raise
    except FileNotFoundError:
        raise BundleError("there is no such object", where=shown(url)) from None
    except Exception as error:  # each driver has its own errors
        raise BundleError(f"cannot be fetched: {type(error).__name__}", where=shown(url)) from None
