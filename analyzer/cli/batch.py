"""``batch``: a queue of bundles."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from analyzer.errors import UsageError
from analyzer.limits import parse_limits


def run(
    sources: Sequence[str],
    output: str,
    reports: Sequence[str],
    jobs: int,
    limits: str,
    engine: str,
    scheduler: str,
    fail_on: str,
    node: str,
    lang: str,
    *,
    simulate: bool,
    fresh: bool,
    duckdb: bool | None,
    workbook: bool,
    https_listing: bool,
    quiet: bool,
) -> int:
    """Analyse the queue, write its files, print what came of it; give the exit code."""
    from analyzer.batch.model import Options
    from analyzer.batch.progress import progress
    from analyzer.batch.run import Plan
    from analyzer.batch.run import run as run_batch
    from analyzer.batch.sources import tickets_of
    from analyzer.batch.urls import STORES, is_url, scheme
    from analyzer.cli.words import words

    messages = words(lang)
    if engine == "dask" and not scheduler:
        raise UsageError("the engine dask needs a scheduler", hint="--scheduler tcp://HOST:8786")
    if scheduler and engine != "dask":
        raise UsageError("--scheduler is for --engine dask")
    if is_url(output) and scheme(output) not in STORES:
        raise UsageError(
            f"results cannot be written to {scheme(output)}://", hint=f"A folder, or one of {', '.join(STORES)}."
        )
    # Every worker opens the same paths, whatever its working folder is.
    named = [one if is_url(one) else os.path.abspath(one) for one in sources] if engine == "dask" else list(sources)
    out = output if is_url(output) else os.path.abspath(output) if engine == "dask" else output
    kinds = [kind for kind in dict.fromkeys(reports) if kind != "none"]
    options = Options(lang, tuple(kinds), simulate, node)  # type: ignore[arg-type]
    plan = Plan(
        out, options, parse_limits(limits), jobs or len(os.sched_getaffinity(0)), scheduler, fresh, duckdb, workbook
    )
    tickets = tickets_of(named, web=https_listing)
    outcome = run_batch(tickets, plan, messages, progress(len(tickets), messages, quiet=quiet))
    counts = outcome.statuses
    print(
        messages.text(
            "batch.summary", n=len(outcome.entries), ok=counts["ok"], incomplete=counts["incomplete"], failed=counts["failed"],
            reused=outcome.reused,
        )
    )  # fmt: skip
    for path in outcome.written:
        print(path)
    sys.stdout.flush()
    return outcome.exit_code(fail_on)
