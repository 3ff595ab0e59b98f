"""What a batch passes around: tickets, tasks, and the record of one analysed bundle.

All are msgspec structs, because they travel: to another process, to another machine, into the result store.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from analyzer.limits import Limits

SCHEMA = "ipvscope-batch/1"
Status = Literal["ok", "incomplete", "failed"]
Report = Literal["html", "pdf", "json"]


class Ticket(msgspec.Struct, frozen=True):
    """One row of the queue, as the user gave it.

    `source` is a path or URL as it is opened, `shown` the same as it is printed (without passwords and signatures). `error` says why the
    row names nothing that could be opened.
    """

    ticket: str
    source: str
    shown: str
    customer: str = ""
    symptom: str = ""
    time: str = ""
    """When the ticket was opened, ISO 8601 as given; empty if unknown."""
    error: str = ""


class Options(msgspec.Struct, frozen=True):
    """What shapes a result, and therefore is part of its key."""

    lang: str = "en"
    reports: tuple[Report, ...] = ("html",)
    simulate: bool = False
    node: str = ""


class Task(msgspec.Struct, frozen=True):
    """One ticket to analyse: the unit that an engine schedules."""

    position: int
    ticket: Ticket
    options: Options
    limits: Limits
    store: str
    """Folder or URL of the results."""
    fresh: bool = False
    """Analyse again what is there already."""


class Found(msgspec.Struct, frozen=True):
    """One finding in short; `title` in the language of the run."""

    rule: str
    about: str
    severity: str
    situation: str
    confidence: str
    title: str
    services: tuple[str, ...]
    nodes: int
    cells: int


class Cause(msgspec.Struct, frozen=True):
    """One root cause behind some findings; `fingerprint` is equal in every cluster that has the same kind of cause."""

    kind: str
    owner: str
    severity: str
    about: str
    statement: str
    rules: tuple[str, ...]
    cells: int
    fingerprint: str


class Record(msgspec.Struct, frozen=True):
    """What the queue shows of one bundle. It depends on content, name, tool, rules and options alone."""

    status: Status
    error: str = ""
    limit: str = ""
    """memory, cpu, time or size: the limit that ended the analysis or kept a part out; with a higher one it is tried again."""
    name: str = ""
    digest: str = ""
    layout: str = ""
    cluster: str = ""
    captured: str = ""
    """When the bundle was collected, as its manifest says."""
    version: str = "unknown"
    cni: str = "unknown"
    mode: str = "unknown"
    nodes: int = 0
    services: int = 0
    cells_ok: int = 0
    cells_failing: int = 0
    cells_unknown: int = 0
    top_finding: str = ""
    top_title: str = ""
    fingerprint: str = ""
    findings: tuple[Found, ...] = ()
    causes: tuple[Cause, ...] = ()
    reports: tuple[Report, ...] = ()
    schema: str = SCHEMA
    tool: str = ""


class Cost(msgspec.Struct, frozen=True):
    """What an analysis took, apart from the record because no two runs take the same. Limits are those it ran under."""

    seconds: float
    peak_mb: float | None
    limits: Limits


class Done(msgspec.Struct, frozen=True):
    """A finished ticket. `key` is empty when nothing could be stored: no bundle, or the process was killed from outside."""

    position: int
    key: str
    record: Record
    cost: Cost | None
    reused: bool = False


# Made here, once: the first use of a type by several threads at the same time is not safe.
RECORDS = msgspec.json.Decoder(Record)
COSTS = msgspec.json.Decoder(Cost)


def failed(position: int, why: str) -> Done:
    """A ticket that left no result in the store; the next run tries it again."""
    return Done(position, "", Record(status="failed", error=why), None)
