"""``batch``: a queue of bundles."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from analyzer.cli import out as printed
from analyzer.errors import UsageError
from analyzer.limits import parse_limits

if TYPE_CHECKING:
    from analyzer.batch.run import Outcome

STATUSES = ("ok", "incomplete", "failed")


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
    as_json: bool = False,
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
    plan = Plan(out, options, parse_limits(limits), jobs or _cores(), scheduler, fresh, duckdb, workbook)
    tickets = tickets_of(named, web=https_listing)
    outcome = run_batch(tickets, plan, messages, progress(len(tickets), messages, quiet=quiet))
    code = outcome.exit_code(fail_on)
    if as_json:
        printed.document(summary(outcome, out, code))
    else:
        counts = {name: outcome.statuses[name] for name in STATUSES}
        told = messages.text("batch.summary", n=len(outcome.entries), **counts, reused=outcome.reused)
        printed.say("\n".join((told, *outcome.written)))
    sys.stdout.flush()
    return code


def _cores() -> int:
    """Cores that this process may use; not every system tells."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def summary(outcome: Outcome, output: str, exit_code: int) -> dict[str, Any]:
    """``ipvscope-queue/1``: the counts, the files, and the rows of tickets.csv."""
    from analyzer.batch.tables import LISTED, listed_rows

    rows = [{name: row[name] for name in LISTED} for row in listed_rows(outcome.entries)]
    counts = {name: outcome.statuses[name] for name in STATUSES}
    return {
        "schema": "ipvscope-queue/1", "output": output, **counts, "reused": outcome.reused, "tickets": rows,
        "files": list(outcome.written), "exit_code": exit_code,
    }  # fmt: skip
