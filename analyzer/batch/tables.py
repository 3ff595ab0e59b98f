"""The queue as tables: one row per ticket, per finding, per root cause. Nothing in them varies from run to run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from analyzer.batch.model import Done, Ticket
from analyzer.batch.store import REPORT_KIND, place
from analyzer.report.plain import clean
from analyzer.schema import Column, TableSchema

if TYPE_CHECKING:
    import pandas as pd

TICKETS = TableSchema(
    "tickets",
    "one source, in input order",
    (
        Column("position", "Int64", "place in the input, counted from 1"),
        Column("ticket", "str", "id of the ticket; the bundle's name where there is no list"),
        Column("customer", "str", "as the list of tickets says"),
        Column("symptom", "str", "as the list of tickets says"),
        Column("time", "str", "when the ticket was opened (list), else when the bundle was collected (manifest)"),
        Column("source", "str", "path or URL, without passwords and signatures"),
        Column(
            "status",
            "str",
            "ok, incomplete (an essential input is missing or unreadable), failed (nothing was analysed)",
        ),
        Column("error", "str", "why it failed, or what is missing"),
        Column("findings", "Int64", "findings; null when it failed"),
        Column("severity", "str", "the highest severity of them"),
        Column("top_finding", "str", "rule that shows the first root cause"),
        Column("top_title", "str", "its sentence"),
        Column("fingerprint", "str", "kind of the first root cause: rule:situation:CNI:version"),
        Column("cluster", "str", "name of the cluster, as the manifest says"),
        Column("version", "str", "release of kube-proxy (1.28), mixed or unknown"),
        Column("cni", "str", "terway, flannel, calico, cilium, mixed or unknown"),
        Column("mode", "str", "proxy mode: ipvs, iptables, nftables, ebpf, none, mixed or unknown"),
        Column("nodes", "Int64", "nodes"),
        Column("services", "Int64", "Services"),
        Column("cells_ok", "Int64", "connections of the matrix that work"),
        Column("cells_failing", "Int64", "connections that fail"),
        Column("cells_unknown", "Int64", "connections that are not decided"),
        Column("digest", "str", "digest of the bundle's content"),
        Column("key", "str", "key of the result: content, name, tool, rules, options"),
        Column("report", "str", "report of this ticket, relative to the results"),
    ),
)
FINDINGS = TableSchema(
    "findings",
    "one finding of one ticket",
    (
        Column("position", "Int64", "of the ticket"),
        Column("ticket", "str", "id of the ticket"),
        Column("rule", "str", "rule"),
        Column("about", "str", "subject inside the rule"),
        Column("severity", "str", "critical, warning, notice, info"),
        Column("situation", "str", "reference situation, if it is one"),
        Column("confidence", "str", "high, medium, low"),
        Column("title", "str", "the sentence"),
        Column("services", "str", "Services, separated by blanks"),
        Column("nodes", "Int64", "nodes it concerns"),
        Column("cells", "Int64", "failing connections it explains"),
    ),
)
CAUSES = TableSchema(
    "causes",
    "one root cause of one ticket, the first of a ticket first",
    (
        Column("position", "Int64", "of the ticket"),
        Column("ticket", "str", "id of the ticket"),
        Column("fingerprint", "str", "rule:situation:CNI:version, equal for equal kinds of cause"),
        Column("kind", "str", "kind of cause"),
        Column("owner", "str", "who can end it: cluster, kube-proxy, load-balancer, application, nodes, nobody, open"),
        Column("severity", "str", "of its most severe finding"),
        Column("about", "str", "address, Service or nodes"),
        Column("statement", "str", "the sentence"),
        Column("rules", "str", "rules that show it, separated by blanks"),
        Column("cells", "Int64", "failing connections it explains"),
    ),
)
TABLES = (TICKETS, FINDINGS, CAUSES)
TEXTS = ("top_finding", "top_title", "fingerprint", "cluster", "version", "cni", "mode", "digest")
LISTED = (
    "ticket",
    "source",
    "status",
    "error",
    "findings",
    "top_finding",
    "fingerprint",
    "seconds",
    "peak_mb",
    "report",
)
"""Columns of tickets.csv."""

Entry = tuple[Ticket, Done]


def report_of(done: Done) -> str:
    """Where the first report lies, relative to the results; empty when there is none."""
    first = next((name for name in ("html", "pdf", "json") if name in done.record.reports), "")
    return place(done.key, REPORT_KIND[first]) if first and done.key else ""


def ticket_rows(entries: Sequence[Entry]) -> Iterator[dict[str, Any]]:
    """Rows of TICKETS."""
    for ticket, done in entries:
        record = done.record
        known = record.status != "failed"
        counts = ("nodes", "services", "cells_ok", "cells_failing", "cells_unknown")
        yield {
            "position": done.position, "ticket": clean(ticket.ticket), "customer": clean(ticket.customer),
            "symptom": clean(ticket.symptom), "time": time_of(ticket, done), "source": clean(ticket.shown),
            "status": record.status, "error": record.error, "findings": len(record.findings) if known else None,
            "severity": record.findings[0].severity if record.findings else "",
            **{name: getattr(record, name) for name in TEXTS},
            **{name: getattr(record, name) if known else None for name in counts},
            "key": done.key, "report": report_of(done),
        }  # fmt: skip


def listed_rows(entries: Sequence[Entry]) -> Iterator[dict[str, Any]]:
    """Rows of tickets.csv: what a person wants first, with what it took."""
    for row, (_, done) in zip(ticket_rows(entries), entries, strict=True):
        cost = done.cost
        yield {
            **{name: row[name] for name in LISTED if name in row},
            "seconds": None if cost is None else cost.seconds,
            "peak_mb": None if cost is None else cost.peak_mb,
        }


def frames(entries: Sequence[Entry]) -> dict[str, pd.DataFrame]:
    """The three tables by name."""
    found, causes = [], []
    for ticket, done in entries:
        whose = {"position": done.position, "ticket": clean(ticket.ticket)}
        for one in done.record.findings:
            found.append({**whose, **msgspec.to_builtins(one), "services": " ".join(one.services)})
        for cause in done.record.causes:
            causes.append({**whose, **msgspec.to_builtins(cause), "rules": " ".join(cause.rules)})
    return {
        "tickets": TICKETS.frame(list(ticket_rows(entries))),
        "findings": FINDINGS.frame(found),
        "causes": CAUSES.frame(causes),
    }


def time_of(ticket: Ticket, done: Done) -> str:
    return clean(ticket.time or done.record.captured)
