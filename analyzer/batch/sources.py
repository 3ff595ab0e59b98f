"""From what the user names to tickets: folders of bundles, patterns, single bundles, lists of tickets, URLs; in the order named.

A folder is one bundle when it has the marks of one (``manifest.json``, ``nodes/``, ``cluster/``) or holds plain captures only. Otherwise
each of its entries is a bundle, whatever its name: what is broken gets its row, nothing is passed over. Hidden entries are left out.
"""

from __future__ import annotations

import glob
import os
from collections import Counter
from collections.abc import Iterable, Sequence

import msgspec

from analyzer.batch import urls
from analyzer.batch.model import Ticket
from analyzer.batch.tickets import SUFFIXES as LISTS
from analyzer.batch.tickets import read_tickets
from analyzer.errors import BundleError, UsageError

MARKS = ("manifest.json", "nodes", "cluster")
ARCHIVES = (".tar", ".tar.gz", ".tgz", ".tar.xz", ".txz", ".tar.bz2", ".tbz2", ".tar.zst", ".tzst", ".zip")


def tickets_of(sources: Sequence[str], *, web: bool = False) -> list[Ticket]:
    """All tickets of some sources.

    Args:
        web: whether pages of links may be listed by https.

    Raises:
        UsageError: a pattern matches nothing, or a URL is none that is opened.
        BundleError: there is nothing at a path.
        IpvscopeError: a list or a store cannot be read.
    """
    found: list[Ticket] = []
    for source in sources:
        found += _tickets(source, web)
    return _named_apart(found)


def _tickets(source: str, web: bool) -> list[Ticket]:
    if urls.is_url(source):
        return [_ticket(url) for url, _ in urls.listed(source, web=web)]
    if os.path.isfile(source) and source.lower().endswith(LISTS):
        return read_tickets(source)
    if os.path.isdir(source):
        return [_ticket(path) for path in bundles_in(source)]
    if not os.path.lexists(source) and glob.has_magic(source):
        matches = sorted(glob.glob(source, recursive=True))
        if not matches:
            raise UsageError(f"no file or folder matches {source}")
        return [_ticket(path) for path in matches]
    if not os.path.lexists(source):
        raise BundleError("there is no such file or folder", where=source, hint="Check the path.")
    return [_ticket(source)]


def bundles_in(folder: str) -> list[str]:
    """The folder itself when it is a bundle, else its entries by name.

    Raises:
        BundleError: it cannot be listed.
    """
    try:
        with os.scandir(folder) as listing:
            entries = {entry.name: entry.is_dir() for entry in listing if not entry.name.startswith(".")}
    except OSError as error:
        raise BundleError(f"it cannot be listed: {error.strerror}", where=folder) from None
    if any(mark in entries for mark in MARKS):
        return [folder]
    if not any(is_folder or name.lower().endswith(ARCHIVES) for name, is_folder in entries.items()):
        return [folder]
    return [os.path.join(folder, name) for name in sorted(entries)]


def _ticket(source: str) -> Ticket:
    shown = urls.shown(source)
    return Ticket(bare(os.path.basename(shown.rstrip("/"))) or shown, source, shown)


def bare(name: str) -> str:
    """A bundle's name without the end that says how it is packed.

    >>> bare("case-7.tar.gz")
    'case-7'
    """
    end = max((end for end in ARCHIVES if name.lower().endswith(end)), key=len, default="")
    return name[: -len(end)] if end and len(end) < len(name) else name


def _named_apart(tickets: Iterable[Ticket]) -> list[Ticket]:
    """Bundles of equal names get numbers; ids of a list of tickets stay as they are."""
    seen: Counter[str] = Counter()
    result = []
    for one in tickets:
        seen[one.ticket] += 1
        plain = one.ticket == bare(os.path.basename(one.shown.rstrip("/")))
        again = plain and seen[one.ticket] > 1
        result.append(msgspec.structs.replace(one, ticket=f"{one.ticket} ({seen[one.ticket]})") if again else one)
    return result
