"""``whatif``: the matrix before and after a change, and only what differs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from analyzer.cli import out
from analyzer.cli.tables import write
from analyzer.errors import UsageError
from analyzer.progress import stage

if TYPE_CHECKING:
    from analyzer.forwarding import Verdict
    from analyzer.report.messages import Messages
    from analyzer.whatif import CellChange, Comparison, Outcome

GROUPS = 12
"""Groups of alike changes printed for one effect; the rest is counted (all are in --json and --output)."""
SOURCES = 4
NAMES = 3


def run(
    bundle: Sequence[Path],
    words: Sequence[str],
    output: Path | None,
    max_cells: int,
    fail_on: str,
    node: str,
    lang: str,
    *,
    as_json: bool,
) -> int:
    """Print what the changes do to who reaches what; exit code 1 when an effect of `fail_on` is among them."""
    from analyzer import api
    from analyzer.cli.words import words as messages_of
    from analyzer.forwarding import build_world
    from analyzer.whatif import compare
    from analyzer.whatif.forecast import forecast

    if not words:
        raise UsageError(
            "what shall be changed?", hint="--apply 'service NS/NAME externalTrafficPolicy=Cluster', see --help"
        )
    messages = messages_of(lang)
    with api.opened(bundle, node=node) as snapshot:
        stage("walking")
        edits = api.edits_of(snapshot, words)
        outcome = api.applied(snapshot, edits, words)
        found = compare(build_world(snapshot), build_world(outcome.snapshot), max_cells=max_cells)
        crossed = forecast(snapshot, edits)
    if output is not None:
        write(found.frame(), output)
    if as_json:
        out.document({"schema": "ipvscope-whatif/1", **_plain(words, found, outcome, crossed, messages)})
    else:
        out.lines(_lines(words, found, outcome, crossed, messages))
    for what in found.left_out:
        out.warn(f"not walked: {what} (see --max-cells)")
    wanted = {name.strip() for name in fail_on.split(",") if name.strip()}
    return 1 if wanted & set(found.counts) else 0


def _lines(
    words: Sequence[str], found: Comparison, outcome: Outcome, crossed: Sequence[tuple[str, str]], messages: Messages
) -> list[str]:
    lines = [messages.text("whatif.change", change=word) for word in words]
    counts = ", ".join(f"{n} {messages.text(f'whatif.effect.{effect}')}" for effect, n in found.counts.items())
    slug = "whatif.counts" if counts else "whatif.nothing"
    lines.append(messages.text(slug, cells=found.cells, list=counts))
    lines += [messages.text(f"forecast.{slug}.{way}") for slug, way in crossed]
    lines += [messages.text(f"assumed.{slug}", **values) for slug, values in outcome.assumed]
    return [*lines, *changes_by_effect(found, messages)]


def changes_by_effect(found: Comparison, messages: Messages) -> Iterator[str]:
    """The changed cells in words, grouped by effect and by what their clients notice."""
    for effect in found.counts:
        groups = _groups([one for one in found.changes if one.effect == effect], messages)
        yield ""
        yield messages.text(f"whatif.effect.{effect}") + ":"
        for (target, service), was, will, sources in groups[:GROUPS]:
            shown = ", ".join(sources[:SOURCES]) + (f" (+{len(sources) - SOURCES})" if len(sources) > SOURCES else "")
            named = f" ({service})" if service else ""
            yield f"  {target}{named}: {was} -> {will}"
            yield "    " + messages.text("whatif.from", sources=shown)
        if len(groups) > GROUPS:
            yield "  " + messages.text("whatif.more", n=len(groups) - GROUPS)


def _groups(changes: Sequence[CellChange], messages: Messages) -> list[tuple[tuple[str, str], str, str, list[str]]]:
    """((address, Service), before, after, clients): changes of one address that its clients notice alike."""
    groups: dict[tuple[str, ...], list[CellChange]] = {}
    for one in changes:
        outcomes = [(verdict.outcome, verdict.mechanism) if verdict else () for verdict in (one.before, one.after)]
        groups.setdefault((str(one.target), one.service, *map(str, outcomes)), []).append(one)
    found = []
    for (target, service, *_), alike in groups.items():
        sides = [
            _side([getattr(one, name) for one in alike], alike[0].effect, messages) for name in ("before", "after")
        ]
        found.append(((target, service), sides[0], sides[1], [str(one.source) for one in alike]))
    return found


def _side(verdicts: Sequence[Verdict | None], effect: str, messages: Messages) -> str:
    first = verdicts[0]
    if first is None:
        return messages.text("whatif.absent")
    label = messages.text(f"outcome.{first.outcome}")
    if first.outcome != "ok":
        return f"{label} ({messages.text(f'mechanism.{first.mechanism}.short')})"
    names: set[str] = set()
    for verdict in verdicts:
        if verdict is not None and effect in ("client-address", "servers"):
            names.update(verdict.seen_source_ips if effect == "client-address" else verdict.servers)
    if not names:
        return label
    shown = sorted(name.rpartition("/")[2] for name in names)
    return f"{label} ({', '.join(shown[:NAMES])}{f' +{len(shown) - NAMES}' if len(shown) > NAMES else ''})"


def _plain(
    words: Sequence[str], found: Comparison, outcome: Outcome, crossed: Sequence[tuple[str, str]], messages: Messages
) -> dict[str, Any]:
    rows = found.frame().fillna("").to_dict("records")
    return {
        "applied": list(words), "cells": found.cells, "counts": dict(found.counts), "changes": rows,
        "forecast": [{"slug": slug, "direction": way, "text": messages.text(f"forecast.{slug}.{way}")} for slug, way in crossed],
        "assumed": [{"slug": slug, "text": messages.text(f"assumed.{slug}", **values)} for slug, values in outcome.assumed],
        "not_walked": list(found.left_out),
    }  # fmt: skip
