"""``probe`` and ``trace``."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from analyzer.cli import out
from analyzer.cli.tables import harmless_frame, records, write_csv
from analyzer.errors import UsageError


def run_table(
    bundle: Sequence[Path],
    probes: Path,
    output: Path | None,
    node: str,
    apply: Sequence[str] = (),
    *,
    as_json: bool = False,
) -> int:
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
    found = verdicts.fillna("")
    verdicts = harmless_frame(found).assign(source=found["source"], target=found["target"])
    rest = questions.drop(columns=["source", "target"], errors="ignore")
    for name in rest.columns:
        if name not in verdicts.columns:
            verdicts[name] = rest[name].to_numpy()
            found[name] = rest[name].to_numpy()
    if output is not None:
        write_csv(verdicts, output)
    if as_json:
        out.document({"schema": "ipvscope-probes/1", "rows": records(found)})
    elif output is None:
        out.say(verdicts.to_csv(index=False), end="")
    return 0


def run_one(
    bundle: Sequence[Path], source: str, target: str, *, as_json: bool, node: str, lang: str, apply: Sequence[str] = ()
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
            _document(json_report.render_trace(found, messages, snapshot))
        elif out.styled():
            from analyzer.report.terminal.tree import verdict

            out.console().print(verdict(found, messages), soft_wrap=True)
        else:
            out.say(text.verdict(found, messages))
    return 0


def run_trace(
    bundle: Sequence[Path], source: str, target: str, *, as_json: bool, node: str, lang: str, apply: Sequence[str] = ()
) -> int:
    """Every path of one connection, in words or as JSON."""
    from analyzer import api
    from analyzer.cli.words import words
    from analyzer.forwarding import build_world
    from analyzer.report import json_report, text

    with api.opened(bundle, node=node, apply=apply) as snapshot:
        found = api.trace(build_world(snapshot), source, target)
        messages = words(lang)
        if as_json:
            _document(json_report.render_trace(found, messages, snapshot))
        elif out.styled():
            from analyzer.report.terminal.tree import tree

            out.console().print(tree(found, messages, snapshot))
        else:
            out.say(text.trace(found, messages, snapshot))
    return 0


def _document(trace: str) -> None:
    out.document({"schema": "ipvscope-trace/1", **json.loads(trace)})
