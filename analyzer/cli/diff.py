"""``diff``: two bundles of one cluster."""

from __future__ import annotations

import difflib
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from analyzer.cli.whatif import changes_by_effect
from analyzer.report.plain import clean

if TYPE_CHECKING:
    from analyzer.diff import Difference, Differences
    from analyzer.report.messages import Messages

SHOWN = 40
"""Differences printed of one part; the rest is counted (all are in --json)."""
NODES = 4


def run(old: Path, new: Path, max_cells: int, fail_on: str, node: str, lang: str, *, as_json: bool) -> int:
    """Print what differs; exit code 1 when something of `fail_on` is among it (any: anything at all)."""
    from analyzer import api
    from analyzer.cli.words import words
    from analyzer.diff import diff

    messages = words(lang)
    with api.opened(old, node=node) as before, api.opened(new, node=node) as after:
        found = diff(before, after, max_cells=max_cells)
        if as_json:
            print(json.dumps(_plain(found, messages), ensure_ascii=False, indent=1))
        else:
            print("\n".join(map(clean, _lines(found, messages))))
    for what in found.verdicts.left_out:
        print(f"ipvscope: not walked: {what} (see --max-cells)", file=sys.stderr)
    happened = set(found.verdicts.counts) | {f"finding-{one.state}" for one in found.findings}
    happened |= {"any"} if found.changed else set()
    happened |= {"objects"} if found.objects else set()
    happened |= {"nodes"} if found.nodes else set()
    return 1 if happened & {name.strip() for name in fail_on.split(",") if name.strip()} else 0


def _lines(found: Differences, messages: Messages) -> Iterator[str]:
    yield messages.text("diff.findings")
    for change in found.findings:
        title = messages.text(f"finding.{change.finding.rule}.title", **change.finding.values)
        yield f"  {messages.text(f'diff.finding.{change.state}')}: [{change.finding.rule}] {title}"
    if not found.findings:
        yield "  " + messages.text("diff.none")
    yield ""
    counts = ", ".join(f"{n} {messages.text(f'whatif.effect.{effect}')}" for effect, n in found.verdicts.counts.items())
    slug = "whatif.counts" if counts else "whatif.nothing"
    yield messages.text(slug, cells=found.verdicts.cells, list=counts)
    yield from changes_by_effect(found.verdicts, messages)
    for title, part in (("diff.objects", found.objects), ("diff.nodes", found.nodes)):
        yield ""
        yield messages.text(title)
        yield from _differences(part, messages)
    for capture, nodes in found.not_compared.items():
        yield messages.text("diff.not-compared", capture=capture, nodes=_some(nodes))


def _differences(part: Sequence[Difference], messages: Messages) -> Iterator[str]:
    for one in part[:SHOWN]:
        kind = messages.text(f"diff.kind.{one.kind}")
        where = f" [{_some(one.nodes)}]" if one.nodes else ""
        what = f" {one.what}" if one.what else ""
        head = f"  {messages.text(f'diff.how.{one.how}')}: {kind} {one.subject}{what}{where}"
        if one.kind == "chain":
            yield head
            yield from _rules(one)
        elif one.how == "changed":
            yield f"{head}: {one.old or '-'} -> {one.new or '-'}"
        else:
            told = one.new or one.old
            yield f"{head}: {told}" if told else head
    if len(part) > SHOWN:
        yield "  " + messages.text("diff.more", n=len(part) - SHOWN)
    if not part:
        yield "  " + messages.text("diff.none")


def _rules(one: Difference) -> Iterator[str]:
    listed = difflib.unified_diff(one.old.split("\n"), one.new.split("\n"), lineterm="", n=0)
    rows = [line for line in listed if line[:1] in "+-" and not line.startswith(("+++", "---")) and len(line) > 1]
    for line in rows[:6]:
        yield f"    {line[0]} {line[1:200]}"
    if len(rows) > 6:
        yield f"    (+{len(rows) - 6})"


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:NODES]) + (f" (+{len(names) - NODES})" if len(names) > NODES else "")


def _plain(found: Differences, messages: Messages) -> dict[str, Any]:
    def listed(part: Sequence[Difference]) -> list[dict[str, Any]]:
        return [
            {"kind": one.kind, "how": one.how, "subject": one.subject, "what": one.what, "old": one.old, "new": one.new,
             "nodes": list(one.nodes)}
            for one in part
        ]  # fmt: skip

    return {
        "changed": found.changed,
        "findings": [
            {"state": one.state, "rule": one.finding.rule, "about": one.finding.about, "severity": one.finding.severity,
             "title": messages.text(f"finding.{one.finding.rule}.title", **one.finding.values)}
            for one in found.findings
        ],
        "verdicts": {"cells": found.verdicts.cells, "counts": dict(found.verdicts.counts),
                     "changes": found.verdicts.frame().fillna("").to_dict("records")},
        "objects": listed(found.objects), "nodes": listed(found.nodes),
        "not_compared": {capture: list(nodes) for capture, nodes in found.not_compared.items()},
        "not_walked": list(found.verdicts.left_out),
    }  # fmt: skip
