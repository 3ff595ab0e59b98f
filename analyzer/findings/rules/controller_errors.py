"""LB-009: the cloud controller reports that it could not do what a Service asks for.

The Service's own events say why (no backend to attach, a quota, a listener of somebody else, a wrong annotation). Until it
succeeds, the load balancer stays as it was. Events live for an hour: an older error is not in a bundle.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from analyzer.findings.context import Context
from analyzer.findings.model import Finding
from analyzer.findings.registry import rule
from analyzer.snapshot.objects import evidence_of, number, records, text

LONGEST = 300


@rule("LB-009", needs=("events", "services"), severities=("warning",), fixes=("F15",))
def controller_errors(context: Context) -> Iterator[Finding]:
    """The load balancer may not match the Service, and the reason is written down."""
    grouped: dict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
    for row in records(context.snapshot["events"]):
        service = f"{text(row['namespace'])}/{text(row['name'])}"
        if text(row["kind"]) == "Service" and text(row["type"]) == "Warning" and service in context.services:
            grouped[(service, text(row["reason"]) or "?")].append(row)
    for (service, reason), rows in sorted(grouped.items()):
        last = max(rows, key=lambda row: str(row["last_seen"] or ""))
        yield Finding(
            rule="LB-009",
            about=f"{service}:{reason}",
            severity="warning",
            values={
                "service": service, "reason": reason, "message": text(last["message"])[:LONGEST] or "?",
                "count": str(sum(number(row["count"]) or 1 for row in rows)), "last": str(last["last_seen"] or "?"),
            },
            evidence=context.evidence(None, *(evidence_of(row) for row in rows[:3]), context.services[service].evidence),
            services=(service,),
            situation="S15" if "unavailable" in reason.lower() else "",
            fixes=("F15",),
        )  # fmt: skip
