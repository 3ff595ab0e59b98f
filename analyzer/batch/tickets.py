"""A list of tickets: CSV with a heading, or JSON lines. Columns ``id``, ``customer``, ``symptom``, ``bundle``, and ``time`` if known.

``bundle`` is a path, relative to the list's own folder, or a URL. Other columns are ignored. A row that cannot be read stays in the
queue as a failed ticket that names its line.
"""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Iterator, Mapping

from analyzer.batch import urls
from analyzer.batch.model import Ticket
from analyzer.errors import IpvscopeError, UsageError

SUFFIXES = (".csv", ".jsonl", ".ndjson")
MOST_BYTES = 256 << 20
_NAMES: Mapping[str, tuple[str, ...]] = {
    "id": ("id", "ticket", "ticket_id"),
    "customer": ("customer",),
    "symptom": ("symptom",),
    "bundle": ("bundle", "source", "path", "url"),
    "time": ("time", "opened", "created"),
}
"""Column -> the names it may have, the first one that is there counts."""


def read_tickets(path: str) -> list[Ticket]:
    """The tickets of a list, in its order.

    Raises:
        IpvscopeError: it cannot be read as text.
        UsageError: it has no column for the bundle.
    """
    try:
        if os.path.getsize(path) > MOST_BYTES:
            raise IpvscopeError(f"a list of tickets of more than {MOST_BYTES >> 20} MiB is not read", where=path)
        with open(path, "rb") as file:
            text = file.read().decode("utf-8-sig")
    except OSError as error:
        raise IpvscopeError(f"cannot be read: {error.strerror}", where=path) from None
    except UnicodeDecodeError:
        raise IpvscopeError("it is not UTF-8", where=path, hint="Save the list as UTF-8.") from None
    rows = _csv(text, path) if path.lower().endswith(".csv") else _json(text)
    base = os.path.dirname(path)
    return [_ticket(row, line, error, base, os.path.basename(path)) for line, row, error in rows]


Row = tuple[int, Mapping[str, str], str]


def _csv(text: str, path: str) -> Iterator[Row]:
    """(line, values, error) of each row that is not empty."""
    reader = csv.reader(io.StringIO(text, newline=""))
    try:
        heading = [name.strip().lower() for name in next(reader, [])]
    except csv.Error as error:
        raise IpvscopeError(f"not CSV: {error}", where=path) from None
    if not any(name in heading for name in _NAMES["bundle"]):
        raise UsageError(
            f"{path}: the list of tickets has no column bundle", hint="Columns: id, customer, symptom, bundle, time."
        )
    while True:
        try:
            cells = next(reader, None)
        except csv.Error as error:
            yield reader.line_num, {}, f"not CSV: {error}"
            continue
        if cells is None:
            return
        if any(cell.strip() for cell in cells):
            yield reader.line_num, dict(zip(heading, cells, strict=False)), ""


def _json(text: str) -> Iterator[Row]:
    # Not splitlines(): a JSON text may hold U+2028 and the like.
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            value = json.loads(line)
        except (ValueError, RecursionError):
            yield number, {}, "not JSON"
            continue
        if not isinstance(value, dict):
            yield number, {}, "not a JSON object"
            continue
        yield number, {str(key).lower(): _text(item) for key, item in value.items()}, ""


def _text(value: object) -> str:
    return value if isinstance(value, str) else "" if value is None else json.dumps(value, ensure_ascii=False)


def _ticket(row: Mapping[str, str], line: int, error: str, base: str, file: str) -> Ticket:
    values = {
        column: next((row[name].strip() for name in names if row.get(name, "").strip()), "")
        for column, names in _NAMES.items()
    }
    bundle = values["bundle"]
    if not error and not bundle:
        error = "no bundle is named"
    if not error and urls.is_url(bundle) and urls.scheme(bundle) not in urls.SCHEMES:
        error = f"not a URL that is opened: {urls.shown(bundle)}"
    if bundle and not urls.is_url(bundle):
        bundle = os.path.join(base, bundle)
    shown = urls.shown(values["bundle"]) or f"{file}:{line}"
    return Ticket(
        values["id"] or f"{file}:{line}", bundle, shown, values["customer"], values["symptom"], values["time"],
        f"{file}:{line}: {error}" if error else "",
    )  # fmt: skip
