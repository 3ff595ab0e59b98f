"""``probe`` and ``trace``."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from analyzer.cli.tables import harmless_frame, write_csv
from analyzer.errors import UsageError


def run_table(bundle: Path, probes: Path, output: Path | None, node: str, apply: Sequence[str] = ()) -> int:
    """Verdicts for a CSV of probes, order kept. Without `output` they go to standard output."""
    import pandas as pd

    from analyzer import api
    from analyzer.forwarding import build_world

    try:
        questions = pd.read_csv(probes, dtype="str", keep_default_na=False)
    except FileNotFoundError:
        raise UsageError("no such file", where=str(probes)) from None
    except (OSError, ValueError) as error:
        raise UsageError(f"cannot be read as CSV: {error}", where=str(probes)) from None
    with api.opened(bundle, node=node, apply=apply) as snapshot:
        verdicts = api.probe_frame(build_world(snapshot), questions)
    # What the user asked stands as it was given; the rest comes from the bundle.
    verdicts = harmless_frame(verdicts.fillna("")).assign(source=verdicts["source"], target=verdicts["target"])
    rest = questions.drop(columns=["source", "target"], errors="ignore")
    for name in rest.columns:
        if name not in verdicts.columns:
            verdicts[name] = rest[name].to_numpy()
    if output is None:
        print(verdicts.to_csv(index=False), end="")
    else:
        write_csv(verdicts, output)
    return 0


def run_one(
    bundle: Path, source: str, target: str, *, as_json: bool, node: str, lang: str, apply: Sequence[str] = ()
) -> int:
    """One verdict in a line of words, or with its paths as JSON."""
    from analyzer import api
    from analyzer.cli.words import words
    from analyzer.forwarding import build_world
    from analyzer.report import json_report, text

    if not source or not target:
        raise UsageError("what to probe?", hint="give --from SOURCE --to TARGET, or --probes FILE.csv")
    with api.opened(bundle, node=node, apply=apply) as snapshot:
        found = api.trace(build_world(snapshot), source, target)
        messages = words(lang)
        if as_json:
            print(json_report.render_trace(found, messages, snapshot), end="")
        else:
            print(text.verdict(found, messages))
    return 0


def run_trace(
    bundle: Path, source: str, target: str, *, as_json: bool, node: str, lang: str, apply: Sequence[str] = ()
) -> int:
    """Every path of one connection, in words or as JSON."""
    from analyzer import api
    from analyzer.cli.words import words
    from analyzer.forwarding import build_world
    from analyzer.report import json_report, text

    with api.opened(bundle, node=node, apply=apply) as snapshot:
        found = api.trace(build_world(snapshot), source, target)
        if as_json:
            print(json_report.render_trace(found, words(lang), snapshot), end="")
        else:
            print(text.trace(found, words(lang), snapshot, color=sys.stdout.isatty()))
    return 0
