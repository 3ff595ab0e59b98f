"""The engine of many machines: the same `analyse_one`, scheduled by a Dask cluster.

Every worker needs ipvscope installed, and must reach the sources and the store (URLs, or a file system that all share). A worker that
dies takes nothing with it: what it had finished is in the store, what it was doing is scheduled again elsewhere.
"""

from __future__ import annotations

import importlib
from collections.abc import Generator, Sequence
from itertools import islice
from typing import Any
from uuid import uuid4

from analyzer.batch.model import Done, Task, failed
from analyzer.batch.one import analyse_one
from analyzer.errors import IpvscopeError, MissingExtra

AHEAD = 4
LEAST_THREADS = 8
RETRIES = 3
CONNECT_S = 30


def run_dask(tasks: Sequence[Task], scheduler: str) -> Generator[Done, None, None]:
    """Results as they come.

    Raises:
        MissingExtra: Dask's distributed scheduler is not installed.
        IpvscopeError: the scheduler cannot be reached or is lost, or results cannot be stored.
    """
    library = _library()
    try:
        client = library.Client(scheduler, timeout=CONNECT_S, set_as_default=False)
    except (OSError, ValueError) as error:
        raise IpvscopeError(f"no scheduler answers there: {error}", where=scheduler) from None
    run = uuid4().hex
    waiting = iter(tasks)
    positions: dict[str, int] = {}
    with client:
        # Workers may still come.
        window = max(LEAST_THREADS, sum(client.nthreads().values())) * AHEAD

        def submit(task: Task) -> Any:
            # The key is the run's own: Dask must not hand out the result of a former run.
            future = client.submit(
                analyse_one, task, key=f"ipvscope-{run}-{task.position}", pure=False, retries=RETRIES
            )
            positions[future.key] = task.position
            return future

        first = [submit(task) for task in islice(waiting, window)]
        done = library.as_completed(first, loop=client.loop)
        for future in done:
            yield _result(future, positions.pop(future.key), scheduler)
            if (task := next(waiting, None)) is not None:
                done.add(submit(task))


def _library() -> Any:
    try:
        return importlib.import_module("distributed")
    except ImportError:
        raise MissingExtra("the engine dask needs Dask", hint="pip install 'ipvscope[dask]'") from None


def _result(future: Any, position: int, scheduler: str) -> Done:
    if future.status == "finished":
        result: Done = future.result()
        return result
    if future.status != "error":
        raise IpvscopeError(f"the scheduler gave up a task ({future.status})", where=scheduler)
    error = future.exception()
    if isinstance(error, _library().KilledWorker):
        return failed(position, "every worker that analysed it died")
    if isinstance(error, IpvscopeError):
        raise error
    return failed(position, f"a worker failed: {type(error).__name__}: {error}")
