"""The engine of one machine: as many threads as jobs, each with a warm process of its own that forks per bundle (`slot`, `warm`)."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait

from analyzer.batch.model import Done, Task
from analyzer.batch.one import SLOTS, analyse_one

AHEAD = 4
"""Tasks in hand per job, so that a queue of any length is not all in memory as futures."""


def run_pool(tasks: Sequence[Task], jobs: int) -> Generator[Done, None, None]:
    """Results as they come. Closing the iterator (or an error) stops what runs.

    Raises:
        IpvscopeError: results cannot be stored.
    """
    executor = ThreadPoolExecutor(max_workers=jobs, thread_name_prefix="batch")
    waiting = iter(tasks)
    running: set[Future[Done]] = set()
    try:
        while True:
            while len(running) < jobs * AHEAD and (task := next(waiting, None)) is not None:
                running.add(executor.submit(analyse_one, task))
            if not running:
                return
            finished, running = wait(running, return_when=FIRST_COMPLETED)
            for one in finished:
                yield one.result()
    finally:
        for future in running:
            future.cancel()
        SLOTS.close()
        executor.shutdown(wait=True, cancel_futures=True)
