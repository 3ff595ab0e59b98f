"""index.html: the queue on one page. It loads nothing, reads without its script, and everything from a bundle or a list is escaped."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from analyzer import __version__
from analyzer.batch.model import Done, Ticket
from analyzer.batch.tables import Entry, report_of, time_of
from analyzer.findings.model import SEVERITIES
from analyzer.report.messages import Messages
from analyzer.report.pages import asset, digest, environment
from analyzer.report.plain import clean, cut

MAX_ROWS = 20_000
"""Tickets on the page; the tables have all."""
MAX_GROUPS = 300
NAMED = 12
"""Tickets that a group names."""


@dataclass(frozen=True, slots=True)
class Line:
    """One ticket."""

    position: int
    ticket: str
    customer: str
    time: str
    status: str
    severity: str
    rule: str
    title: str
    error: str
    fingerprints: tuple[str, ...]
    cluster: str
    version: str
    cni: str
    report: str
    text: str
    """What the search looks at, lower case."""


@dataclass(frozen=True, slots=True)
class Group:
    """Tickets that have something in common; `lines` are some of them."""

    name: str
    total: int
    failing: int
    customers: int
    first: str
    last: str
    months: tuple[tuple[str, int], ...]
    example: str
    severity: str
    lines: tuple[Line, ...]
    top: tuple[tuple[str, int], ...]
    """The most frequent fingerprints in it."""


def render(entries: Sequence[Entry], messages: Messages) -> str:
    """The page; the same results give the same bytes."""
    script, style = asset("queue.js"), asset("report.css") + asset("queue.css")
    lines = [_line(ticket, done) for ticket, done in entries]
    counts = Counter(line.status for line in lines)
    severities = Counter(line.severity for line in lines if line.severity)
    causes, examples = _by_cause(entries, lines)
    return environment().get_template("queue.html").render(
        t=messages.html, plain=messages.text, language=messages.tag, version=__version__,
        script=Markup(script), script_hash=digest(script), style=Markup(style), style_hash=digest(style),  # noqa: S704 - our own files
        total=len(lines), statuses=[(name, counts[name]) for name in ("ok", "incomplete", "failed")],
        severities=[(name, severities[name]) for name in SEVERITIES],
        causes=_groups(causes, examples), recurring=sum(len(group) > 1 for group in causes.values()),
        views=[
            (name, _groups(_by(lines, pick))) for name, pick in (
                ("cluster", lambda one: one.cluster), ("version", lambda one: one.version), ("cni", lambda one: one.cni),
            )
        ],
        failures=[line for line in lines if line.status == "failed"][:MAX_GROUPS],
        lines=lines[:MAX_ROWS], left_out=max(0, len(lines) - MAX_ROWS),
    )  # fmt: skip


def _line(ticket: Ticket, done: Done) -> Line:
    record = done.record
    fingerprints = tuple(dict.fromkeys(cause.fingerprint for cause in record.causes))
    searched = (
        clean(ticket.ticket), clean(ticket.customer), clean(ticket.symptom), clean(ticket.shown), record.top_finding, record.top_title,
        record.error, *fingerprints, record.cluster, record.version, record.cni, record.status,
    )  # fmt: skip
    return Line(
        position=done.position, ticket=cut(clean(ticket.ticket), 120), customer=cut(clean(ticket.customer), 120),
        time=cut(time_of(ticket, done), 40), status=record.status, severity=record.findings[0].severity if record.findings else "",
        rule=record.top_finding, title=cut(record.top_title, 240), error=cut(record.error, 240), fingerprints=fingerprints,
        cluster=cut(record.cluster, 80), version=record.version, cni=record.cni, report=report_of(done),
        text=cut(" ".join(filter(None, searched)).lower(), 1000),
    )  # fmt: skip


def _by_cause(
    entries: Sequence[Entry], lines: Sequence[Line]
) -> tuple[dict[str, list[Line]], dict[str, tuple[str, str]]]:
    """Fingerprint -> its tickets, and -> (the first statement of it, its highest severity)."""
    groups: dict[str, list[Line]] = defaultdict(list)
    examples: dict[str, tuple[str, str]] = {}
    for (_, done), line in zip(entries, lines, strict=True):
        for fingerprint in line.fingerprints:
            groups[fingerprint].append(line)
        for cause in done.record.causes:
            statement, worst = examples.get(cause.fingerprint, (cause.statement, cause.severity))
            examples[cause.fingerprint] = (statement, min(worst, cause.severity, key=_rank))
    return groups, examples


def _rank(severity: str) -> int:
    return next((number for number, name in enumerate(SEVERITIES) if name == severity), len(SEVERITIES))


def _by(lines: Iterable[Line], pick: Callable[[Line], str]) -> dict[str, list[Line]]:
    groups: dict[str, list[Line]] = defaultdict(list)
    for line in lines:
        if line.status != "failed":
            groups[pick(line)].append(line)
    return groups


def _groups(groups: dict[str, list[Line]], examples: dict[str, tuple[str, str]] | None = None) -> list[Group]:
    """The largest groups first."""
    ordered = sorted(groups.items(), key=lambda item: (-len(item[1]), item[0]))[:MAX_GROUPS]
    return [_group(name, lines, *(examples or {}).get(name, ("", ""))) for name, lines in ordered]


def _group(name: str, lines: Sequence[Line], example: str, severity: str) -> Group:
    times = sorted(line.time for line in lines if line.time)
    months = Counter(time[:7] for time in times)
    top = Counter(fingerprint for line in lines for fingerprint in line.fingerprints)
    return Group(
        name=name, total=len(lines), failing=sum(bool(line.fingerprints) for line in lines),
        customers=len({line.customer for line in lines if line.customer}), first=times[0] if times else "", last=times[-1] if times else "",
        months=tuple(sorted(months.items())[-12:]), example=example, severity=severity, lines=tuple(lines[:NAMED]),
        top=tuple(sorted(top.items(), key=lambda item: (-item[1], item[0]))[:3]),
    )  # fmt: skip
