"""A whole batch: tickets to tasks, tasks through an engine, results to the files of the queue."""

from __future__ import annotations

import fcntl
import os
from collections import Counter
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from analyzer.batch import files, index, tables
from analyzer.batch.model import Done, Options, Task, Ticket
from analyzer.batch.progress import Progress
from analyzer.batch.store import FolderStore, Store, store_of
from analyzer.batch.urls import is_url
from analyzer.errors import IpvscopeError, MissingExtra, UsageError
from analyzer.findings.model import SEVERITIES
from analyzer.limits import Limits
from analyzer.report.messages import Messages


@dataclass(frozen=True)
class Plan:
    """What a batch is to do besides the tickets. `duckdb` None means: when DuckDB is installed."""

    out: str
    options: Options
    limits: Limits
    jobs: int
    scheduler: str = ""
    """Address of a Dask scheduler; empty for the pool of this machine."""
    fresh: bool = False
    duckdb: bool | None = None
    workbook: bool = False


@dataclass(frozen=True)
class Outcome:
    """What a batch came to."""

    entries: Sequence[tables.Entry]
    written: tuple[str, ...]

    @property
    def statuses(self) -> Counter[str]:
        return Counter(done.record.status for _, done in self.entries)

    @property
    def reused(self) -> int:
        return sum(done.reused for _, done in self.entries)

    def exit_code(self, fail_on: str) -> int:
        """0 nothing, 1 a finding at or above the threshold, 3 no bundle could be read, 4 some are failed or incomplete."""
        counts = self.statuses
        if counts["failed"] == len(self.entries):
            return 3
        limit = next((number for number, name in enumerate(SEVERITIES) if name == fail_on), -1)
        found = (one for _, done in self.entries for one in done.record.findings)
        if any(SEVERITIES.index(one.severity) <= limit for one in found if one.severity in SEVERITIES):
            return 1
        return 4 if counts["failed"] or counts["incomplete"] else 0


def run(tickets: Sequence[Ticket], plan: Plan, messages: Messages, progress: Progress) -> Outcome:
    """Analyse all tickets and write the queue.

    Raises:
        UsageError: there is no ticket, or another batch works in the same folder.
        MissingExtra: a library that was asked for is not installed.
        IpvscopeError: results cannot be kept, or the scheduler is gone.
    """
    if not tickets:
        raise UsageError("no bundle to analyse")
    check_extras(plan)
    with _alone(plan.out):
        store = store_of(plan.out)
        if isinstance(store, FolderStore):
            store.sweep()
        results: dict[int, Done] = {}
        with progress, closing(_engine(tickets, plan)) as done:
            for one in done:
                results[one.position] = one
                progress.done(one)
        entries = [(ticket, results[position]) for position, ticket in enumerate(tickets, 1)]
        written = tuple(_write(entries, plan, store, messages))
        if isinstance(store, FolderStore):
            store.sweep()
        return Outcome(entries, written)


def check_extras(plan: Plan) -> None:
    """Say before the work what would be missing after it.

    Raises:
        MissingExtra: a library for the queue's files or for a report is not installed.
    """
    wanted = [
        ("duckdb", "sql", plan.duckdb is True), ("xlsxwriter", "xlsx", plan.workbook), ("weasyprint", "pdf", "pdf" in plan.options.reports),
        ("distributed", "dask", bool(plan.scheduler)),
    ]  # fmt: skip
    for library, extra, asked in wanted:
        if asked and not files.has(library):
            raise MissingExtra(f"{library} is not installed", hint=f"pip install 'ipvscope[{extra}]'")


def _engine(tickets: Sequence[Ticket], plan: Plan) -> Generator[Done, None, None]:
    tasks = [
        Task(position, ticket, plan.options, plan.limits, plan.out, plan.fresh)
        for position, ticket in enumerate(tickets, 1)
    ]
    if plan.scheduler:
        from analyzer.batch.dask_engine import run_dask

        return run_dask(tasks, plan.scheduler)
    from analyzer.batch.pool import run_pool

    return run_pool(tasks, min(plan.jobs, len(tasks)))


def _write(entries: Sequence[tables.Entry], plan: Plan, store: Store, messages: Messages) -> Iterator[str]:
    """The files of the queue; tickets.csv is the last one, so where it stands the others do."""
    frames = tables.frames(entries)
    for name, frame in frames.items():
        yield _put(store, plan, f"{name}.parquet", files.parquet(frame))
    if plan.duckdb or (plan.duckdb is None and files.has("duckdb")):
        yield _put(store, plan, "queue.duckdb", files.duckdb_file(frames))
    if plan.workbook:
        yield _put(store, plan, "queue.xlsx", files.workbook(frames))
    yield _put(store, plan, "index.html", index.render(entries, messages).encode("utf-8"))
    yield _put(store, plan, "tickets.csv", files.tickets_csv(entries))


def _put(store: Store, plan: Plan, name: str, content: bytes) -> str:
    store.put(name, content)
    return f"{plan.out.rstrip('/')}/{name}"


def _lock(handle: int, out: str) -> None:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise UsageError(f"another batch works in {out}", hint="Wait for it, or choose another folder.") from None
    except OSError as error:
        raise IpvscopeError(f"cannot be locked: {error.strerror}", where=out) from None


@contextmanager
def _alone(out: str) -> Iterator[None]:
    """Make the folder and keep other batches out of it; the lock ends with this process, however it ends."""
    if is_url(out):
        yield
        return
    try:
        Path(out).mkdir(parents=True, exist_ok=True)
        handle = os.open(Path(out, ".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise IpvscopeError(f"cannot be written to: {error.strerror}", where=out) from None
    try:
        _lock(handle, out)
        yield
    finally:
        os.close(handle)
