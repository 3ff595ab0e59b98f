"""``analyze``: the whole way from a bundle to its reports."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from analyzer.cli.files import write_files
from analyzer.errors import UsageError
from analyzer.findings.model import SEVERITIES
from analyzer.progress import stage

if TYPE_CHECKING:
    from analyzer.report.analysis import Analysis


def run(
    bundle: Sequence[Path],
    output: Path,
    formats: list[str],
    fail_on: str,
    node: str,
    lang: str,
    apply: Sequence[str] = (),
    intent: Path | None = None,
    policy: Path | None = None,
    symptoms: Sequence[str] = (),
    *,
    simulate: bool = True,
    redact: tuple[Path | None, Path | None] | None = None,
    as_json: bool = False,
    meta: Sequence[str] = (),
) -> int:
    """Write the reports, print the summary and where they are; give the exit code.

    `redact` holds the paths of mapping and key when a redacted copy is to be analysed; nothing of the original is read then.
    """
    if redact is not None:
        from analyzer.cli.redact import redacted
        from analyzer.cli.words import words as words_of

        if intent is not None or policy is not None:
            hint = "They hold names: redact first, then write them for the redacted bundle."
            raise UsageError("--redact goes without --intent and --policy", hint=hint)
        if len(bundle) != 1:
            raise UsageError(
                "--redact takes one bundle", hint="Put several into one folder, or redact each with one --key."
            )
        told = (*apply, *symptoms)
        with redacted(bundle[0], output, *redact, node, words_of(lang), told) as (copy, its_node, images):
            changes, seen = images[: len(apply)], images[len(apply) :]
            return run(
                [copy],
                output,
                formats,
                fail_on,
                its_node,
                lang,
                changes,
                symptoms=seen,
                simulate=simulate,
                as_json=as_json,
                meta=meta,
            )
    from analyzer import api
    from analyzer.cli.analyze_summary import show
    from analyzer.cli.words import words
    from analyzer.findings.policy import read_policy
    from analyzer.intent import assumed_cluster, read_intent
    from analyzer.report import formats as output_formats

    messages = words(lang)
    case = read_meta(meta)
    rules = read_policy(policy) if policy is not None else None
    statements = read_intent(intent) if intent is not None else None
    with api.opened(bundle, node=node, apply=apply) as captured:
        snapshot = captured
        if statements is not None and statements.assume.nodes:
            snapshot = assumed_cluster(captured, statements.assume)
        analysis = api.analyze(
            snapshot,
            intent=statements,
            policy=rules,
            symptoms=symptoms,
            simulate=simulate,
            illustrate="html" in formats,
        )
        asked = _asked(node=[node], apply=apply, intent=[intent], policy=[policy], symptom=symptoms)
        analysis = replace(analysis, meta=case, options=(*asked, *(() if simulate else ("--no-simulate",))))
        stage("writing")
        contents = (file for name in formats for file in output_formats.files(name, analysis, messages))
        # A folder of tables is named once.
        written = [path if path.parent == output else path.parent for path in write_files(output, contents)]
        code = _exit_code(analysis, fail_on)
        show(analysis, messages, list(dict.fromkeys(written)), code, as_json=as_json)
    return code


def _exit_code(analysis: Analysis, fail_on: str) -> int:
    from analyzer.findings.inputs import undecided

    counted = [one for one in analysis.findings.findings if not one.suppressed]
    severities = [SEVERITIES.index(one.severity) for one in counted]
    limit = next((position for position, name in enumerate(SEVERITIES) if name == fail_on), -1)
    if any(one <= limit for one in severities) or any(one.rule.startswith("INTENT-") for one in counted):
        return 1
    return 4 if undecided(analysis.snapshot) else 0


def read_meta(words: Sequence[str]) -> Mapping[str, str]:
    """What ``--meta`` says of the case.

    Raises:
        UsageError: a word is not KEY=VALUE.
    """
    said = {}
    for word in words:
        key, equals, value = word.partition("=")
        if not equals or not key.strip():
            raise UsageError(f"not KEY=VALUE: {word!r}", hint="for example --meta ticket=2024-118")
        said[key.strip()] = value.strip()
    return said


def _asked(**options: Sequence[object]) -> list[str]:
    """Options that decide the result, as they were given; files by their name, so that the folder they lie in changes nothing."""
    return [
        shlex.join((f"--{name}", value.name if isinstance(value, Path) else str(value)))
        for name, values in options.items()
        for value in values
        if value
    ]
