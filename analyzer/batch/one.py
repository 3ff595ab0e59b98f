"""`analyse_one`: everything that is done for one ticket, wherever an engine runs it.

Look whether the result is there; else fetch the bundle, have it analysed in a process under limits, and store the
result: reports first, the record last, so that a run that is killed between two files has lost nothing but time.
"""

from __future__ import annotations

import atexit
import os
import re
import tempfile
from pathlib import Path
from urllib.parse import unquote, urlsplit

import msgspec

from analyzer import __version__
from analyzer.batch import digest, urls
from analyzer.batch.analysis import Request
from analyzer.batch.model import COSTS, RECORDS, Cost, Done, Record, Task, failed
from analyzer.batch.slot import Slots
from analyzer.batch.store import REPORT_KIND, Store, place, store_of
from analyzer.batch.warm import Answer
from analyzer.errors import IpvscopeError, MissingExtra
from analyzer.limits import Limits
from analyzer.report.plain import clean, cut

SLOTS = Slots()
atexit.register(SLOTS.close)
MOST_BYTES = 8 << 30
"""A download ends there."""


def analyse_one(task: Task) -> Done:
    """The result of one ticket; it never raises for what is wrong with a bundle.

    Raises:
        IpvscopeError: the store cannot be written or read: no result can be kept, so the batch cannot go on.
        Closed: the batch is being stopped.
    """
    ticket = task.ticket
    if ticket.error:
        return failed(task.position, ticket.error)
    store = store_of(task.store)
    name = _name(ticket.source)
    context = digest.context_key(name, ticket.symptom, task.options)
    try:
        same = _identity(ticket.source)
    except IpvscopeError as error:
        return _failed(task, error)
    seen = digest.seen_name(ticket.source, same, context) if same else ""
    if seen and not task.fresh and (found := _known(store, _key_in(store.get(seen)), task)):
        return found
    with tempfile.TemporaryDirectory(prefix="ipvscope-", ignore_cleanup_errors=True) as work:
        try:
            path = _local(ticket.source, name, work)
            key = digest.result_key(digest.content_digest(path), context)
        except IpvscopeError as error:
            return _failed(task, error)
        done = None if task.fresh else _known(store, key, task)
        if done is None:
            done = _analysed(task, store, key, path, work)
    if seen and done.key:
        store.put(seen, done.key.encode())
    return done


def _failed(task: Task, error: IpvscopeError) -> Done:
    """A source that cannot be opened: its row says why, the others go on."""
    told = f"{error.what}; {error.hint}" if isinstance(error, MissingExtra) else error.what
    return failed(task.position, cut(clean(told), 500))


def _name(source: str) -> str:
    path = urlsplit(source).path if urls.is_url(source) else source.rstrip("/")
    return (unquote(os.path.basename(path)) if urls.is_url(source) else os.path.basename(path)).replace(
        "/", "_"
    ) or "bundle"


def _identity(source: str) -> str:
    return urls.identity(source) if urls.is_url(source) else digest.identity(source)


def _local(source: str, name: str, work: str) -> str:
    """The path of the bundle; a remote one is fetched under its own name, which helps to recognise it."""
    if not urls.is_url(source):
        return source
    folder = Path(work, "source")
    folder.mkdir()
    path = folder / (name if name not in (".", "..") else "bundle")
    urls.fetch(source, str(path), MOST_BYTES)
    return str(path)


def _key_in(content: bytes | None) -> str:
    """The key that a file below ``seen/`` holds; empty when it holds anything else."""
    told = (content or b"").decode("ascii", "replace")
    return told if re.fullmatch("[0-9a-f]{64}", told) else ""


def _known(store: Store, key: str, task: Task) -> Done | None:
    """The stored result under a key, if there is one that still counts."""
    if not key:
        return None
    content = store.get(place(key, "json"))
    if content is None:
        return None
    try:
        record = RECORDS.decode(content)
        told = store.get(place(key, "cost.json"))
        cost = COSTS.decode(told) if told else None
    except (msgspec.DecodeError, msgspec.ValidationError):
        return None
    if record.limit and (cost is None or _wider(task.limits, cost.limits, record.limit)):
        return None
    return Done(task.position, key, record, cost, reused=True)


def _wider(now: Limits, then: Limits, limit: str) -> bool:
    """Whether the limit that ended an analysis is higher now."""
    new, old = getattr(now, limit, None), getattr(then, limit, None)
    return old is not None and (new is None or new > old)


def _analysed(task: Task, store: Store, key: str, path: str, work: str) -> Done:
    folder = Path(work, "out")
    folder.mkdir()
    answer = SLOTS.mine().run(Request(path, str(folder), task.ticket.symptom, task.options), task.limits)
    if answer.kind == "died":
        # Not the bundle's doing as far as one can tell, so nothing is stored and the next run tries again.
        return failed(task.position, cut(clean(answer.what), 500))
    if answer.kind == "done":
        content = (folder / "record.json").read_bytes()
        record = RECORDS.decode(content)
    else:
        record = _ended(answer, path)
        content = msgspec.json.encode(record)
    cost = Cost(answer.seconds, answer.peak_mb, task.limits)
    for name in record.reports:
        store.put(place(key, REPORT_KIND[name]), (folder / f"report.{REPORT_KIND[name]}").read_bytes())
    store.put(place(key, "cost.json"), msgspec.json.encode(cost))
    store.put(place(key, "json"), content)
    return Done(task.position, key, record, cost)


def _ended(answer: Answer, path: str) -> Record:
    """The record of a bundle that ended its process: a limit, or a defect of this program."""
    return Record(
        status="failed", error=cut(clean(answer.what), 500), limit=answer.limit, name=clean(os.path.basename(path.rstrip("/"))),
        tool=__version__,
    )  # fmt: skip
