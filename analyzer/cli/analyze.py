"""``analyze``: the whole way from a bundle to its reports."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from analyzer.errors import IpvscopeError, UsageError
from analyzer.findings.model import SEVERITIES

ESSENTIAL = ("ipvsadm", "ip-addr")


def run(
    bundle: Path,
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
    meta: Sequence[str] = (),
) -> int:
    """Write the reports, print the summary and where they are; give the exit code."""
    from analyzer import api
    from analyzer.cli.words import words
    from analyzer.findings.policy import read_policy
    from analyzer.intent import assumed_cluster, read_intent
    from analyzer.report import html, json_report, pdf, text

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
        try:
            output.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise IpvscopeError(f"cannot be made: {error.strerror}", where=str(output)) from None
        written = []
        for name in formats:
            path = output / f"report.{name}"
            if name == "html":
                content = html.render(analysis, messages).encode("utf-8")
            elif name == "pdf":
                content = pdf.render(analysis, messages)
            else:
                content = json_report.render(analysis, messages).encode("utf-8")
            try:
                path.write_bytes(content)
            except OSError as error:
                raise IpvscopeError(f"cannot be written: {error.strerror}", where=str(path)) from None
            written.append(path)
        print(text.summary(analysis, messages), end="")
        for path in written:
            print(path)
    counted = [one for one in analysis.findings.findings if not one.suppressed]
    severities = [SEVERITIES.index(one.severity) for one in counted]
    limit = next((position for position, name in enumerate(SEVERITIES) if name == fail_on), -1)
    if any(one <= limit for one in severities) or any(one.rule.startswith("INTENT-") for one in counted):
        return 1
    return 4 if _undecided(analysis.snapshot.captured) else 0


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


def _undecided(captured: Mapping[str, Mapping[str, bool]]) -> bool:
    """Neither node state nor Services: nothing could be decided."""
    nodes = [captures for node, captures in captured.items() if node]
    has_state = any(capture in captures for captures in nodes for capture in ESSENTIAL)
    return not has_state and "services" not in captured.get("", {})
